"""What the causality finding says about where a leak comes from."""

from functools import cache
from pathlib import Path

import pytest
import torch

from asi_arch.records import Finding
from asi_arch.verify import VerifySettings, verify
from asi_arch.verify.replace import WAYS, cuts, replace_from

FAULTS = Path(__file__).parent / "faults"


@cache
def causality(name: str) -> Finding:
    source = (FAULTS / f"{name}.py").read_text()
    (finding,) = verify(source, VerifySettings(only=("causality",)))
    return finding


@pytest.mark.parametrize(
    ("name", "pattern", "farthest"),
    [
        ("mask_off_by_one", "one position ahead", 1),
        ("two_sided_convolution", "a few positions ahead", 2),
        ("chunk_border", "across chunk borders", 1),
        ("unmasked_chunk", "inside a chunk", 31),
        ("roll", "wrapped around", 99),
        ("circular_fft", "wrapped around", 99),
        ("flip", "mirrored", 99),
        ("softmax_over_time", "the whole sequence", 99),
    ],
)
def test_names_the_pattern_and_the_reach(name: str, pattern: str, farthest: int) -> None:
    finding = causality(name)
    assert finding.measured["pattern"] == pattern
    assert finding.measured["farthest_offset"] == farthest


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("softmax_over_time", "k = k.softmax(dim=2)"),
        ("roll", "shifted = torch.roll(hidden_states, 1, dims=1)"),
        ("two_sided_convolution", "self.mix("),
        ("circular_fft", "torch.fft.irfft("),
        ("beyond_200", "value.mean(1, keepdim=True)"),
        ("batch_above_one", "scaled_dot_product_attention("),
        ("max_over_time", "value.abs().amax(dim=1, keepdim=True)"),
    ],
)
def test_shows_the_line_the_future_enters_at(name: str, line: str) -> None:
    assert line in causality(name).evidence.split("first seen at")[1]


@pytest.mark.parametrize(
    ("name", "condition"),
    [
        ("train_mode_only", "train mode only"),
        ("zero_gate", "away from the initial parameters"),
        ("beyond_200", "from length 257 on"),
        ("batch_above_one", "more than one sample"),
        ("batch_of_one", "alone in its batch"),
        ("large_values_only", "Only large values"),
    ],
)
def test_says_when_it_leaks(name: str, condition: str) -> None:
    assert condition in causality(name).hint


def test_says_nothing_about_conditions_when_it_always_leaks() -> None:
    hint = causality("mask_off_by_one").hint
    assert not any(word in hint for word in (" only", "It appears", "initial"))


def test_measures_the_size_of_the_leak() -> None:
    def largest(factor: str) -> float:
        source = (FAULTS / "beyond_200.py").read_text().replace("0.01", factor)
        (finding,) = verify(source, VerifySettings(only=("causality",)))
        return float(finding.measured["largest_change"])

    assert largest("0.001") == pytest.approx(largest("0.01") / 10, rel=0.05)


def test_a_leak_of_a_ten_thousandth_is_caught() -> None:
    weak = (FAULTS / "chunk_border.py").read_text().replace("0.01", "1e-4")
    (finding,) = verify(weak, VerifySettings(only=("causality",)))
    assert not finding.passed
    assert float(finding.measured["largest_change"]) < 1e-3


def test_cuts_lie_at_borders_and_ends() -> None:
    assert cuts(1) == []
    assert cuts(2) == [1]
    assert {1, 63, 64, 65, 128, 256} <= set(cuts(257))


@pytest.mark.parametrize("way", WAYS)
def test_a_replacement_changes_the_future_and_only_that(way: str) -> None:
    inputs, noise = torch.randn(2, 10, 4, generator=torch.Generator().manual_seed(0))
    replaced = replace_from(way, inputs, 4, noise)
    assert torch.equal(replaced[:4], inputs[:4])
    assert not torch.equal(replaced[4:], inputs[4:])
