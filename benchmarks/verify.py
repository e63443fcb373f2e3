"""CPU time of a verification, warm and in a fresh process, and the share of each check.

    OMP_NUM_THREADS=1 python benchmarks/verify.py

All planted faults, all honest programs, the baselines and designs drawn from the rule-based space,
one thread, default sizes. Warm: one after another in this process. Cold: a fresh Python with all
imports, for every sixth program. Seconds are CPU seconds.

Measured on one of two cores, the other one busy; median and largest:

               number     warm          cold
    faults     162     0.25  30.7     3.5  5.2
    honest      32     0.41   1.1     3.6  3.9
    baselines    3     1.05   1.2     4.2  4.2
    designs     12     1.36   2.4     4.4  4.5

The one fault that takes 30 seconds compares all tokens with all in all channels. Shares of honest
programs: causality 37 %, cost 19 %, contract 14 %, training 6 %, state 5 %, batch 5 %, the others
15 %.
"""

import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import torch

from asi_arch.baselines import baseline_names, baseline_program
from asi_arch.team.rules.render import render
from asi_arch.team.rules.space import draw
from asi_arch.train.kernels import install
from asi_arch.verify import CHECKS, VerifySettings, verify

CORPUS = Path(__file__).parent.parent / "tests" / "verify"
DESIGNS = 12
COLD_EVERY = 6
COLD = (
    "import sys; from asi_arch.train.kernels import install; from asi_arch.verify import verify; "
    "install(); verify(sys.stdin.read())"
)


def main() -> None:
    """Print the times of each kind of program and the share of each check."""
    torch.set_num_threads(1)
    install()
    print(f"{'programs':10}{'number':>8}{'warm median':>13}{'max':>7}{'cold median':>13}{'max':>7}")
    for kind, sources in programs().items():
        warm_up(sources[0])
        warm = [seconds_warm(source) for source in sources]
        cold = [seconds_cold(source) for source in sources[::COLD_EVERY]]
        cells = f"{statistics.median(warm):13.2f}{max(warm):7.2f}"
        cells += f"{statistics.median(cold):13.2f}{max(cold):7.2f}"
        print(f"{kind:10}{len(sources):8}{cells}", flush=True)
    for name, share in shares(programs()["honest"]).items():
        print(f"{name:12}{share:7.1%} of an honest program")


def programs() -> dict[str, list[str]]:
    """Return the sources of each kind."""
    faults, honest = (
        [path.read_text() for path in sorted((CORPUS / kind).glob("*.py"))]
        for kind in ("faults", "honest")
    )
    baselines = [baseline_program(name).source for name in baseline_names()]
    designs = [render(draw(np.random.default_rng(seed)), "Drawn").source for seed in range(DESIGNS)]
    return {"faults": faults, "honest": honest, "baselines": baselines, "designs": designs}


def warm_up(source: str) -> None:
    """Let torch load what it loads on first use."""
    verify(source)


def seconds_warm(source: str) -> float:
    """CPU seconds of one verification in this process."""
    start = time.process_time()
    verify(source)
    return time.process_time() - start


def seconds_cold(source: str) -> float:
    """CPU seconds of a fresh process that verifies one program."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", COLD], input=source, text=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def shares(sources: list[str]) -> dict[str, float]:
    """Return the part of the time that each check takes, over the given programs."""
    spent = dict.fromkeys(CHECKS, 0.0)
    for source in sources:
        contract = _spent(source, "contract")
        spent["contract"] += contract
        for name in CHECKS:
            if name != "contract":
                spent[name] += max(_spent(source, name) - contract, 0.0)
    total = sum(spent.values())
    return {name: spent[name] / total for name in CHECKS}


def _spent(source: str, check: str) -> float:
    """CPU seconds of one check and of the contract, which every verification starts with."""
    start = time.process_time()
    verify(source, VerifySettings(only=(check,)))
    return time.process_time() - start


if __name__ == "__main__":
    main()
