import os
import subprocess
import sys

CHECK = """
from asi_arch.testing.scripted_answers import KINDS, write_program
from asi_arch.train.kernels import install
from asi_arch.verify import VerifySettings, verify

install()
for number, kind in enumerate(KINDS):
    findings = verify(write_program(kind, f"{kind}Mixer", number), VerifySettings(lengths=(1, 7, 100)))
    assert len(findings) > 3, findings
    for finding in findings:
        assert finding.passed, finding
"""


def test_the_scripted_models_programs_pass_verification() -> None:
    """In a process of its own: whatever stands in for fla there must not reach other tests."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", CHECK], capture_output=True, text=True, timeout=120, env=environment
    )
    assert done.returncode == 0, done.stderr
