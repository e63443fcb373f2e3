"""What the numbers finding measures and says."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from asi_arch.records import Finding
from asi_arch.team.rules.render import render
from asi_arch.team.rules.space import draw
from asi_arch.train.kernels import install
from asi_arch.verify import VerifySettings, verify

HERE = Path(__file__).parent
SETTINGS = VerifySettings(hidden_size=32, lengths=(7,), more_lengths=(), only=("numbers",))
DENSE = "nn.Linear(hidden_size, hidden_size, bias=False)"


def numbers_of(source: str) -> Finding:
    install()
    (finding,) = verify(source, SETTINGS)
    assert finding.check == "numbers"
    return finding


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("bfloat16_sums", "under bfloat16 autocast the output moves"),
        ("cancelling_sums", "float32 and float64 differ"),
        ("exponential_of_inputs", "inputs times 100 make the output infinite"),
        ("float16_inside", "inputs times 10 make the output infinite"),
        ("float32_state", "forward in float64 failed"),
        ("hard_coded_dtype", "the output of a float64 input is torch.float32"),
        ("loud_output", "after 8 residual blocks"),
        ("repeated_tokens", "a fresh model of two such layers has a loss of nan nats"),
        ("vanishing_root", "inputs times 100 make the gradient of value.weight not finite"),
    ],
)
def test_says_what_goes_wrong(name: str, what: str) -> None:
    finding = numbers_of((HERE / "faults" / f"{name}.py").read_text())
    assert not finding.passed
    assert what in finding.evidence


@pytest.mark.parametrize(("sign", "loss"), [("", "4."), ("-", "6.")])
def test_a_loss_far_from_guessing_is_told(sign: str, loss: str) -> None:
    source = (HERE / "faults" / "roll.py").read_text()
    old = "self.out(self.value(shifted) + hidden_states)"
    assert old in source
    source = source.replace("hidden_states, 1, dims", "hidden_states, -1, dims")
    source = source.replace(old, f"{sign}20 * shifted + self.out(self.value(shifted))")
    (finding,) = verify(source, replace(SETTINGS, hidden_size=64))
    assert f"a fresh model of two such layers has a loss of {loss}" in finding.evidence
    assert "the next token" in finding.hint


def test_a_wide_layer_that_keeps_its_input_raises_no_alarm() -> None:
    source = (HERE / "honest" / "cumulative_mean.py").read_text()
    source = source.replace(DENSE, "nn.LayerNorm(hidden_size)")  # to save time
    (finding,) = verify(source, replace(SETTINGS, hidden_size=4096))
    assert finding.passed, finding.evidence


@pytest.mark.parametrize("seed", range(25))
def test_a_rule_based_design_keeps_its_numbers(seed: int) -> None:
    finding = numbers_of(render(draw(np.random.default_rng(seed)), "Drawn").source)
    assert finding.passed, finding.evidence


@pytest.mark.parametrize("name", ["repeated_tokens", "loud_output", "bfloat16_sums"])
def test_findings_repeat(name: str) -> None:
    source = (HERE / "faults" / f"{name}.py").read_text()
    assert numbers_of(source) == numbers_of(source)


def test_every_problem_is_told() -> None:
    finding = numbers_of((HERE / "faults" / "cancelling_sums.py").read_text())
    assert finding.evidence.count(";") == 1
    assert "in float32: x.float() before it" in finding.hint
    assert "differences of large sums" in finding.hint


def test_measures_an_honest_program() -> None:
    finding = numbers_of((HERE / "honest" / "delta_rule.py").read_text())
    assert finding.passed
    measured = {name: float(value) for name, value in finding.measured.items()}
    assert 1e-4 < measured["bfloat16_change"] < 0.05
    assert 0 < measured["float64_change"] < 1e-4
    assert measured["first_loss"] == pytest.approx(5.55, abs=0.2)  # ln 256
    assert 0.5 < measured["scale_at_depth_8"] < 10
