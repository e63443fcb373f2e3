import math
import random
import statistics

import pytest

from asi_arch.search.objective import (
    conclude,
    noise_floor,
    paired_differences,
    strongest,
)


def test_strongest_orders_by_mean_loss() -> None:
    losses = {1: {0: 2.0, 1: 2.2}, 2: {0: 1.0}, 3: {0: 3.0}}
    assert strongest(losses, 2) == [2, 1]


def test_noise_floor_ignores_what_experiments_and_seeds_have_in_common() -> None:
    losses = {row: {seed: row + 10 * seed for seed in range(4)} for row in range(3)}
    assert noise_floor(losses) == pytest.approx(0, abs=1e-9)


def test_noise_floor_is_the_spread_of_paired_differences() -> None:
    rng = random.Random(0)
    sigma, seeds = 0.05, range(400)
    losses = {row: {seed: row + rng.gauss(0, sigma) for seed in seeds} for row in range(3)}
    gains = paired_differences(losses[0], losses[1])
    assert noise_floor(losses) == pytest.approx(statistics.stdev(gains), rel=0.1)
    assert noise_floor(losses) == pytest.approx(sigma * math.sqrt(2), rel=0.1)


@pytest.mark.parametrize("losses", [{}, {1: {0: 1.0, 1: 1.0}}, {1: {0: 1.0}, 2: {0: 1.0}}])
def test_noise_floor_needs_two_experiments_and_two_seeds(
    losses: dict[int, dict[int, float]],
) -> None:
    assert noise_floor(losses) is None


def verdict(best: list[float], base: list[float]) -> tuple[bool, str]:
    windows = {id: {seed: (x,) for seed, x in enumerate(row)} for id, row in ((1, best), (2, base))}
    conclusion = conclude(1, 2, {1: "New", 2: "Old"}, windows, noise=0.01)
    return conclusion.beyond_noise, conclusion.sentence


def test_a_steady_gain_is_beyond_the_noise() -> None:
    beyond, sentence = verdict([1.50, 1.61, 1.40], [1.60, 1.70, 1.51])
    assert beyond and "New beats the best baseline Old beyond the noise: +0.1000" in sentence


def test_an_unsteady_gain_is_within_the_noise() -> None:
    beyond, sentence = verdict([1.50, 1.61, 1.40], [1.70, 1.60, 1.51])
    assert not beyond and "within the noise" in sentence


def test_a_steady_loss_is_called_worse() -> None:
    beyond, sentence = verdict([1.60, 1.70, 1.51], [1.50, 1.61, 1.40])
    assert not beyond and "New is worse" in sentence


def test_one_seed_proves_nothing() -> None:
    beyond, sentence = verdict([1.0], [2.0])
    assert not beyond and "proves nothing" in sentence


def test_no_gain_is_rarely_called_a_gain() -> None:
    """Two equal architectures: a false victory must be as rare as the interval says."""
    rng = random.Random(1)
    draws = 2000
    victories = sum(
        verdict([rng.gauss(0, 1) for _ in range(3)], [rng.gauss(0, 1) for _ in range(3)])[0]
        for _ in range(draws)
    )
    assert victories / draws < 0.04
