"""The corpus: every planted fault is caught by the check its first line names, nothing else is."""

import asyncio
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from asi_arch.baselines import baseline_names, baseline_program
from asi_arch.errors import UserError
from asi_arch.jobs import LocalRunner
from asi_arch.jobs.findings import findings_of
from asi_arch.records import Finding, Job
from asi_arch.team.rules.render import render
from asi_arch.team.rules.space import draw
from asi_arch.verify import CHECKS, FIRST, VerifySettings, verify

HERE = Path(__file__).parent
FAULTS = sorted((HERE / "faults").glob("*.py"))
INTERFERING = sorted((HERE / "interfering").glob("*.py"))
HONEST = sorted((HERE / "honest").glob("*.py"))
SETTINGS = VerifySettings(parameters=100_000)


def expected_check(path: Path) -> str:
    return path.read_text().splitlines()[0].strip('"').split(":")[0]


def failures(findings: list[Finding]) -> dict[str, Finding]:
    return {finding.check: finding for finding in findings if not finding.passed}


def fault(name: str) -> str:
    return (HERE / "faults" / f"{name}.py").read_text()


def honest(name: str) -> str:
    return (HERE / "honest" / f"{name}.py").read_text()


def only(source: str, check: str) -> Finding:
    (finding,) = verify(source, replace(SETTINGS, only=(check,)))
    return finding


@pytest.mark.parametrize("path", FAULTS, ids=lambda path: path.stem)
def test_a_planted_fault_is_caught_with_numbers_and_a_hint(path: Path) -> None:
    failed = failures(verify(path.read_text(), SETTINGS))
    finding = failed[expected_check(path)]
    assert finding.evidence
    assert finding.hint


@pytest.mark.parametrize("path", HONEST, ids=lambda path: path.stem)
def test_an_honest_program_raises_no_alarm(path: Path) -> None:
    findings = verify(path.read_text(), SETTINGS)
    assert [finding.check for finding in findings] == list(CHECKS)
    assert failures(findings) == {}


@pytest.mark.parametrize("name", baseline_names())
def test_a_baseline_raises_no_alarm(name: str) -> None:
    settings = replace(SETTINGS, max_exponent=3.0)
    assert failures(verify(baseline_program(name).source, settings)) == {}


def test_designs_of_the_rule_based_team_raise_no_alarm() -> None:
    rng = np.random.default_rng(2024)
    for design in (draw(rng) for _ in range(12)):
        program = render(design, design.class_name)
        assert failures(verify(program.source, SETTINGS)) == {}, design.class_name


@pytest.fixture(scope="module")
def in_a_job(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., list[Finding]]]:
    """Verify in a job: a program that changes its process must not change this one."""
    runner = LocalRunner(tmp_path_factory.mktemp("jobs"))
    with asyncio.Runner() as loop:

        def verified(program: str, *only: str) -> list[Finding]:
            name = f"job-{len(list(runner.root.iterdir())) if runner.root.exists() else 0}"
            job = Job(name=name, kind="verify", program=program, spec={"only": only})
            return findings_of(loop.run(runner.run(job)), job.limits)

        yield verified
        loop.run(runner.close())


@pytest.mark.parametrize("path", INTERFERING, ids=lambda path: path.stem)
def test_interference_is_named_and_the_only_finding(
    path: Path, in_a_job: Callable[..., list[Finding]]
) -> None:
    (finding,) = in_a_job(path.read_text())
    assert (finding.check, finding.passed) == ("interference", False)
    assert re.search(NAMED[path.stem], finding.evidence), finding.evidence
    assert finding.hint


NAMED = {
    "asks_the_clock": r"the clock \(time\) at line \d+, in Clock\.forward",
    "changes_environment": "changes the environment",
    "default_dtype": "the precision of float32 products",
    "opens_a_socket": r"socket\.__new__.* at line 5",
    "patched_loss": r"replaces torch\.nn\.functional\.cross_entropy",
    "patched_optimiser": r"replaces torch\.optim\.adamw\.AdamW\.step",
    "patched_verifier": r"replaces asi_arch\.verify\.batch\.relative_change",
    "reads_a_file": r"open\('/etc/passwd'.* at line \d+, in ReadsFile\.forward",
    "seeds_everybody": r"\(manual_seed\) at line \d+, in Seeds\.forward",
    "starts_a_thread": "changes the threads of the process",
}


GETS_THROUGH = {
    "training": "dead_parameter",
    "causality": "large_values_only",
    "prefix": "length_switch",
    "batch": "batch_order",
    "state": "kept_output",
    "cost": "quadratic_decay",
    "numbers": "cancelling_sums",
    "parameters": "too_many_parameters",
}
"""For each check, a fault that no other sees. `FIRST` cannot be left out: without them the others
do not run."""


def test_every_check_is_needed() -> None:
    assert {*GETS_THROUGH, *FIRST} == set(CHECKS)


@pytest.mark.parametrize(("check", "name"), GETS_THROUGH.items())
def test_without_its_check_a_fault_gets_through(check: str, name: str) -> None:
    others = tuple(other for other in CHECKS if other != check)
    assert failures(verify(fault(name), replace(SETTINGS, only=others))) == {}


@pytest.mark.parametrize(
    ("check", "name"), [("interference", "patched_loss"), ("contract", "in_place_input")]
)
def test_without_the_first_checks_a_fault_gets_through(
    check: str, name: str, in_a_job: Callable[..., list[Finding]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the check looks at is taken out of the program: then nothing else objects."""
    folder = "interfering" if check == "interference" else "faults"
    source = (HERE / folder / f"{name}.py").read_text()
    assert [finding.check for finding in in_a_job(source)] == [check]
    monkeypatch.setattr("asi_arch.verify.FIRST", tuple(n for n in FIRST if n != check))
    others = tuple(other for other in CHECKS if other != check)
    if check == "contract":
        assert failures(verify(source, replace(SETTINGS, only=others))) == {}


def test_a_broken_contract_is_the_only_finding() -> None:
    (finding,) = verify(fault("wrong_shape"), SETTINGS)
    assert finding.check == "contract"
    assert "[1, 1, 128]" in finding.evidence


def test_a_broken_contract_is_reported_when_another_check_is_asked_for() -> None:
    assert only(fault("wrong_shape"), "causality").check == "contract"


def test_a_program_that_does_not_load_is_a_contract_finding() -> None:
    (finding,) = verify("def broken(:\n")
    assert finding.check == "contract"
    assert "line 1" in finding.evidence


def test_an_unknown_check_is_a_user_error() -> None:
    with pytest.raises(
        UserError, match="'causalty'; choose from: interference, contract, training"
    ):
        verify("", VerifySettings(only=("causalty",)))


def timeless(findings: list[Finding]) -> list[Finding]:
    """Leave out what was read off a clock."""
    return [finding.model_copy(update={"timings": {}}) for finding in findings]


@pytest.mark.parametrize("name", ["max_over_time", "batch_norm", "noise_in_eval", "growing_chunks"])
def test_findings_of_a_fault_repeat(name: str) -> None:
    assert timeless(verify(fault(name), SETTINGS)) == timeless(verify(fault(name), SETTINGS))


def test_findings_repeat_twenty_times() -> None:
    source = honest("causal_convolution")  # it has dropout
    first = timeless(verify(source, SETTINGS))
    assert all(timeless(verify(source, SETTINGS)) == first for _ in range(19))


@pytest.mark.parametrize("path", FAULTS, ids=lambda path: path.stem)
def test_findings_survive_json(path: Path) -> None:
    for finding in verify(path.read_text(), replace(SETTINGS, only=("prefix",))):
        assert Finding.model_validate_json(finding.model_dump_json()) == finding


def test_an_error_inside_a_check_is_its_finding() -> None:
    source = honest("cumulative_mean").replace(
        "value = self.value",
        "assert not self.training, 'only for eval'\n        value = self.value",
    )
    failed = failures(verify(source, SETTINGS))
    assert set(failed) == {"training", "causality", "batch"}
    assert "only for eval" in failed["training"].evidence
    assert "in CumulativeMean.forward: assert not self.training" in failed["causality"].evidence
