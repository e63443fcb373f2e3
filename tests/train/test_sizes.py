from typing import Any

import pytest
from torch import nn

from asi_arch.train.sizes import match_width, model_size

BACKBONE: Any = {"hidden_size": 64, "num_layers": 2, "vocab_size": 256}


def test_counts_what_a_model_of_modules_counts() -> None:
    width, hidden_size = 5, 8
    block = [
        nn.RMSNorm(hidden_size),
        nn.RMSNorm(hidden_size),
        nn.Linear(hidden_size, 2 * width, bias=False),
        nn.Linear(width, hidden_size, bias=False),
        nn.Linear(hidden_size, hidden_size, bias=False),
    ]
    modules = [nn.Embedding(10, hidden_size), *block, nn.RMSNorm(hidden_size)]
    counted = sum(p.numel() for module in modules for p in module.parameters())
    size = model_size(hidden_size**2, hidden_size, 1, 10, width)
    assert size.total == counted
    assert size.non_embedding == counted - 10 * hidden_size


@pytest.mark.parametrize("mixer", [0, 4_096, 16_416, 40_000])
def test_matches_the_target_within_one_percent(mixer: int) -> None:
    size = match_width(mixer, target=100_000, **BACKBONE)
    assert size is not None
    assert abs(size.total - 100_000) <= 3 * 64 * 2 / 2
    assert size == model_size(mixer, width=size.width, **BACKBONE)


def test_a_mixer_that_leaves_no_room_has_no_width() -> None:
    assert match_width(60_000, target=100_000, **BACKBONE) is None


def test_a_head_of_its_own_counts_as_parameters_and_not_as_more_work() -> None:
    tied = model_size(4_096, width=5, **BACKBONE)
    untied = model_size(4_096, width=5, tied=False, **BACKBONE)
    assert untied.total - tied.total == 256 * 64
    assert untied.non_embedding == tied.non_embedding
    assert untied.flops_per_token == tied.flops_per_token == 6 * tied.total


def test_the_narrowest_mlp_is_one_wide() -> None:
    smallest = model_size(41_000, width=1, **BACKBONE).total
    size = match_width(41_000, target=smallest - 300, **BACKBONE)
    assert size is not None
    assert size.width == 1
