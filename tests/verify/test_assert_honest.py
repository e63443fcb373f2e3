"""Layers that exist are verified in a test."""

import random
import threading
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from asi_arch.errors import UserError
from asi_arch.verify import VerifySettings, assert_honest

FEW = VerifySettings(lengths=(1, 7, 64), more_lengths=(2,))


class Gated(nn.Module):
    """A running mean; `ahead` makes it read the mean of everything."""

    def __init__(self, width: int, *, ahead: bool = False) -> None:
        super().__init__()
        self.value = nn.Linear(width, width)
        self.ahead = ahead

    def forward(self, hidden_states: Tensor) -> Tensor:
        value: Tensor = self.value(hidden_states)
        if self.ahead:
            return value + value.mean(1, keepdim=True)
        steps = torch.arange(1, value.shape[1] + 1).to(value).unsqueeze(-1)
        return value.cumsum(1) / steps


def test_an_honest_layer_passes_every_check_untouched() -> None:
    layer, seed = Gated(48).train(), torch.get_rng_state()
    before = {name: value.clone() for name, value in layer.state_dict().items()}
    chance = random.getstate()
    assert_honest(layer, settings=FEW)
    assert layer.training
    assert all(torch.equal(value, before[name]) for name, value in layer.state_dict().items())
    assert torch.equal(seed, torch.get_rng_state())
    assert chance == random.getstate()


def test_a_leak_is_an_assertion_with_evidence_and_hint() -> None:
    with pytest.raises(AssertionError) as raised:
        assert_honest(Gated(48, ahead=True), settings=FEW)
    report = str(raised.value)
    assert report.startswith("Gated is not honest:\ncausality: ")
    assert "the output before" in report
    assert "value + value.mean(1, keepdim=True)" in report
    assert "\nprefix: " in report


def test_the_values_of_the_layer_are_what_is_checked() -> None:
    layer = Gated(48)
    nn.init.constant_(layer.value.bias, float("nan"))
    with pytest.raises(AssertionError, match=r"contract: .* is not finite"):
        assert_honest(layer, settings=FEW)


def test_checks_are_chosen_by_name() -> None:
    assert_honest(Gated(48, ahead=True), only=("batch", "numbers"), settings=FEW)
    with pytest.raises(UserError, match="unknown check 'speed'"):
        assert_honest(Gated(48), only=("speed",))


class Bare(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.eye(16))

    def forward(self, hidden_states: Tensor) -> Tensor:
        return hidden_states @ self.weight


def test_the_width_is_told_by_the_layer_or_the_caller() -> None:
    with pytest.raises(UserError, match="cannot tell the width of Bare; give hidden_size"):
        assert_honest(Bare())
    assert_honest(Bare(), hidden_size=16, only=("batch",), settings=FEW)
    layer = Bare()
    layer.hidden_size = 16  # type: ignore[assignment]
    assert_honest(layer, only=("batch",), settings=FEW)


class Garbage:
    """A circle that closes a file when it is collected."""

    def __init__(self, path: Path) -> None:
        self.circle = self
        self.path = path

    def __del__(self) -> None:
        self.path.unlink(missing_ok=True)


def test_what_others_end_meanwhile_is_not_the_doing_of_the_layer(tmp_path: Path) -> None:
    threads = [threading.Timer(0.01 * number, lambda: None) for number in range(300)]
    for number, thread in enumerate(threads):
        thread.start()
        Garbage(tmp_path / str(number))
    assert_honest(Gated(48), settings=FEW)
    for thread in threads:
        thread.join()
