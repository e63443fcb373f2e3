"""What the cost finding measures and names."""

from dataclasses import replace
from functools import cache
from itertools import count
from pathlib import Path

import pytest
import torch

from asi_arch.baselines import baseline_program
from asi_arch.records import Finding
from asi_arch.train.kernels import install
from asi_arch.train.layer import ContractError
from asi_arch.verify import VerifySettings, cost, verify
from asi_arch.verify.cost import LENGTHS, fit
from asi_arch.verify.meter import Calls, Meter

HERE = Path(__file__).parent
SETTINGS = VerifySettings(hidden_size=32, lengths=(7,), more_lengths=(), only=("cost",))


def cost_of(source: str, settings: VerifySettings = SETTINGS) -> Finding:
    install()
    (finding,) = verify(source, settings)
    assert finding.check == "cost"
    return finding


@cache
def fault(name: str) -> Finding:
    return cost_of((HERE / "faults" / f"{name}.py").read_text())


def honest(name: str) -> str:
    return (HERE / "honest" / f"{name}.py").read_text()


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("quadratic_attention", "work grows"),
        ("quadratic_elementwise", "work grows"),
        ("quadratic_beyond_600", "work grows"),
        ("growing_chunks", "work grows"),
        ("chunk_summaries", "work grows"),
        ("quadratic_memory", "memory grows"),
        ("much_memory", "memory at length 256"),
        ("numpy_maximum", "leaves torch: line 19, in OutsideTorch.forward: highest = "),
    ],
)
def test_says_what_is_too_much(name: str, what: str) -> None:
    assert what in fault(name).evidence


@pytest.mark.parametrize(
    ("name", "line", "turns"),
    [
        ("token_loop", "line 15, in Cell.forward: gate, new = self.update(", 1024),
        ("token_loop_of_slices", "line 21, in Slices.forward: state = 0.9 * state", 1024),
        ("token_loop_of_pairs", "line 21, in Pairwise.forward: pair = value[", 512),
    ],
)
def test_names_the_line_of_a_loop_over_tokens(name: str, line: str, turns: int) -> None:
    assert f"a loop over tokens: {line}" in fault(name).evidence
    assert f"{turns} times for 1024 tokens" in fault(name).evidence


def test_a_loop_over_chunks_is_no_loop_over_tokens() -> None:
    source = honest("chunked_linear_attention")
    assert " for " in source
    finding = cost_of(source)
    assert (finding.passed, finding.evidence) == (True, "")
    assert float(finding.measured["work_exponent"]) == pytest.approx(1, abs=0.02)
    assert 0 < float(finding.measured["work_exponent_error"]) < 0.02


@pytest.mark.parametrize("limit", [1.2, 2.5])
def test_the_campaign_sets_the_exponent(limit: float) -> None:
    source = (HERE / "faults" / "quadratic_attention.py").read_text()
    assert cost_of(source, replace(SETTINGS, max_exponent=limit)).passed == (limit > 2)


@pytest.mark.parametrize(
    "strict",
    [replace(SETTINGS, max_slowdown=0.02), replace(SETTINGS, max_memory_ratio=0.02)],
    ids=["slowdown", "memory"],
)
def test_the_campaign_sets_the_ratios_to_the_baseline(strict: VerifySettings) -> None:
    finding = cost_of(honest("token_shift"), strict)
    assert not finding.passed
    assert "times that of gated_deltanet" in finding.evidence
    assert "the limit is 0.02" in finding.evidence


def test_the_baseline_costs_what_it_costs() -> None:
    finding = cost_of(baseline_program("gated_deltanet").source)
    assert finding.measured["memory_ratio"] == 1
    assert finding.timings["slowdown"] == pytest.approx(1, abs=0.4)


def test_only_the_clock_differs_between_two_runs() -> None:
    first, second = (cost_of(honest("delta_rule")) for _ in range(2))
    assert first.measured == second.measured
    assert set(first.timings) == {"slowdown"}


@pytest.mark.parametrize(
    ("name", "bytes_a_token"), [("transformer", 2 * 32 * 4), ("deltanet", 0), ("gated_deltanet", 0)]
)
def test_measures_what_decoding_keeps(name: str, bytes_a_token: int) -> None:
    measured = cost_of(baseline_program(name).source, replace(SETTINGS, max_exponent=3)).measured
    assert measured["state_bytes_a_token"] == bytes_a_token
    assert int(measured["state_bytes"]) >= 2 * 16 * 16 * 4


def test_says_when_the_state_is_not_measured() -> None:
    assert cost_of(honest("token_shift")).measured["state_bytes"] == "not measured"


def test_fits_the_power_and_its_error() -> None:
    exact = fit([3.0 * length**1.5 for length in LENGTHS])
    assert exact.exponent == pytest.approx(1.5)
    assert exact.error == pytest.approx(0, abs=1e-6)
    assert fit([1, 2, 4, 8, 32]).error > 0.1


@pytest.mark.parametrize(("share", "ahead"), [(0, 1), (1e-3, 1.93), (1, 2)])
def test_carries_a_small_square_on_to_long_sequences(share: float, ahead: float) -> None:
    growth = fit([100 + length + share * length**2 for length in LENGTHS])
    assert growth.ahead == pytest.approx(ahead, abs=0.06)


def test_a_time_beyond_the_limit_is_measured_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """One slow round, as on a busy machine, does not count; being slow all the time does."""

    def slowdown(seconds: list[float]) -> float:
        pair, number = object.__new__(cost._Pair), count()
        pair.sides = [(None, 0), (None, 1)]  # type: ignore[list-item]
        monkeypatch.setattr(
            pair, "_seconds", lambda _, side: 1.0 if side else seconds[min(next(number), 14)]
        )
        return pair.slowdown(limit=3.0)

    assert slowdown([5.0] * 3 + [2.0] * 12) == 2
    assert slowdown([5.0] * 15) == 5


def test_work_is_counted_where_torch_has_no_formula() -> None:
    def work(operation: str, *shape: int) -> int:
        values, meter = torch.ones(shape).cumsum(-1), Meter()
        with meter:
            eval(operation, {"x": values, "torch": torch})
        return meter.work

    assert work("x @ x", 64, 64) == 2 * 64**3
    assert work("x + x", 64, 64) == 3 * 64**2
    assert work("x.add_(1)", 64) == work("x + 1", 64) == 2 * 64
    assert work("x.view(8, 8)", 64) == 0
    assert work("torch.fft.rfft(x)", 1024) == 10 * 1024
    assert work("torch.linalg.inv(x + torch.eye(64))", 64, 64) >= 64**3
    assert work("torch.nn.functional.scaled_dot_product_attention(x, x, x)", 1, 1, 64, 8) == (
        4 * 64 * 64 * 8
    )


def test_memory_is_counted_while_it_is_held() -> None:
    meter, values = Meter(), torch.ones(1000)
    with meter:
        for _ in range(5):
            values = values + 1
    assert meter.peak_bytes <= 3 * 4000
    with meter:
        kept = [values + k for k in range(5)]
    assert meter.peak_bytes >= 4000 * len(kept)


def test_a_loop_over_pairs_of_tokens_is_broken_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("asi_arch.verify.meter.MOST_CALLS", 100)
    with pytest.raises(ContractError, match="more than 100 torch calls"), Calls(__name__, 4):
        for _ in range(200):
            torch.zeros(1)


def test_no_value_of_a_forward_leaves_torch_unseen() -> None:
    calls, values = Calls(__name__, 4), torch.ones(2, 4)
    with calls:
        values.sum().tolist(), values.argmax(-1).tolist()
    assert calls.exits == []
    with calls:
        values.tolist(), values.numpy()
    assert len(calls.exits) == 2
