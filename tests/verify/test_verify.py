"""The corpus: every planted fault is caught by the check its first line names, nothing else is."""

from dataclasses import replace
from pathlib import Path

import pytest

from asi_arch.baselines import baseline_names, baseline_program
from asi_arch.errors import UserError
from asi_arch.records import Finding
from asi_arch.train.kernels import install
from asi_arch.verify import CHECKS, VerifySettings, verify

HERE = Path(__file__).parent
FAULTS = sorted((HERE / "faults").glob("*.py"))
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
    install()
    assert failures(verify(baseline_program(name).source, SETTINGS)) == {}


@pytest.mark.parametrize(
    ("check", "name"),
    [
        ("training", "dead_parameter"),
        ("causality", "train_mode_only"),
        ("prefix", "length_switch"),
        ("batch", "batch_order"),
        ("parameters", "too_many_parameters"),
    ],
)
def test_without_its_check_a_fault_gets_through(check: str, name: str) -> None:
    others = tuple(other for other in CHECKS if other != check)
    assert failures(verify(fault(name), replace(SETTINGS, only=others))) == {}


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
    with pytest.raises(UserError, match="'causalty'; choose from: contract, training, causality"):
        verify("", VerifySettings(only=("causalty",)))


@pytest.mark.parametrize("name", ["max_over_time", "batch_norm"])
def test_findings_repeat(name: str) -> None:
    assert verify(fault(name), SETTINGS) == verify(fault(name), SETTINGS)


def test_findings_of_a_program_with_dropout_repeat() -> None:
    source = honest("causal_convolution")
    assert verify(source, SETTINGS) == verify(source, SETTINGS)


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
