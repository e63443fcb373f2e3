"""The paired test says what it claims to say: by simulation under both ways of being wrong."""

import math
import random

import pytest

from asi_arch.search.paired import Comparison, Part, compare, holm

Shape = tuple[int, int]


def drawn(
    rng: random.Random, shape: Shape, gain: float, seeds: float, windows: float, rest: float
) -> Comparison:
    """Compare two programs whose difference has these deviations between seeds and windows."""
    by_window = [rng.gauss(gain, windows) for _ in range(shape[1])]
    other = {}
    for seed in range(shape[0]):
        shift = rng.gauss(0, seeds)
        other[seed] = [2 + value + shift + rng.gauss(0, rest) for value in by_window]
    found = compare({seed: [2.0] * shape[1] for seed in other}, other)
    assert found is not None
    return found


def share_beyond(shape: Shape, gain: float, *spreads: float, draws: int = 800) -> float:
    rng = random.Random(7)
    verdicts = [drawn(rng, shape, gain, *spreads).verdict for _ in range(draws)]
    return sum(verdict != "within noise" for verdict in verdicts) / draws


@pytest.mark.parametrize(
    ("spreads", "least"),
    [((1, 0, 0.1), 0.03), ((0, 1, 0.1), 0.03), ((0.5, 2, 1), 0.005), ((0, 0, 1), 0)],
    ids=["seeds", "windows", "both", "neither"],
)
def test_equal_programs_are_called_different_in_one_case_of_twenty_at_most(
    spreads: tuple[float, float, float], least: float
) -> None:
    assert least <= share_beyond((3, 12), 0.0, *spreads) <= 0.07


def test_windows_alone_would_find_what_is_not_there() -> None:
    """The seeds' part is what keeps the test honest: without it one in two is a false alarm."""
    rng, alarms = random.Random(3), 0
    for _ in range(200):
        found = drawn(rng, (3, 12), 0.0, 1, 0.2, 0.2)
        alarms += abs(found.difference) > 2 * math.sqrt(found.parts[1].variance)
    assert alarms > 80


def test_a_real_gain_is_found() -> None:
    assert share_beyond((5, 30), 0.6, 0.2, 0.5, 0.5, draws=200) > 0.9


def test_a_known_example() -> None:
    """Seeds' means 1 and 3, windows' means 1 and 3: 1/2 * 2 = 1 each, t = 12.706."""
    found = compare({1: [0.0, 0.0], 2: [0.0, 0.0]}, {1: [0.0, 2.0], 2: [2.0, 4.0]})
    assert found is not None and found.difference == 2.0
    assert found.parts == (Part(1.0, 1), Part(1.0, 1))
    assert found.half_width() == pytest.approx(12.706 * math.sqrt(2), abs=1e-2)
    assert found.sampled == "seeds and windows"
    half = found.half_width(1 - (found.p or 0))
    assert half == pytest.approx(2.0, abs=1e-6)


def test_one_seed_knows_only_windows_and_says_so() -> None:
    found = compare({0: [1.0, 1.1, 1.2]}, {0: [1.1, 1.3, 1.2], 5: [9.0, 9.0, 9.0]})
    assert found is not None and (found.seeds, len(found.parts)) == (1, 1)
    assert found.sampled == "windows; seeds were not sampled"


def test_the_spread_of_others_stands_in_for_seeds() -> None:
    found = compare({0: [1.0, 1.0]}, {0: [1.1, 1.1]}, spread=Part(0.04, 4))
    assert found is not None
    assert found.half_width() == pytest.approx(2.776 * 0.2, abs=1e-3)


def test_windows_of_one_document_count_as_one() -> None:
    rng = random.Random(0)
    by_document = [rng.gauss(0, 1) for _ in range(10)]
    losses = [value for value in by_document for _ in range(8)]
    documents = [number for number in range(10) for _ in range(8)]
    zeros = [0.0] * 80
    whole = compare({0: zeros}, {0: losses}, documents)
    apart = compare({0: zeros}, {0: losses})
    alone = compare({0: [0.0] * 10}, {0: by_document})
    assert whole is not None and apart is not None and alone is not None
    assert whole.parts[0] == pytest.approx(alone.parts[0])
    assert whole.parts[0].variance > 7 * apart.parts[0].variance
    assert whole.sampled == "documents; seeds were not sampled"
    with pytest.raises(ValueError, match="2 document numbers for 80 windows"):
        compare({0: zeros}, {0: losses}, [0, 1])


def test_windows_that_do_not_match_leave_the_seeds() -> None:
    found = compare({1: [1.0], 2: [1.2]}, {1: [1.5, 1.5], 2: [1.7, 1.7]})
    assert found is not None and (found.windows, found.sampled) == (1, "seeds")
    assert compare({1: [1.0]}, {2: [1.0]}) is None
    lone = compare({1: [1.0]}, {1: [2.0]})
    assert lone is not None and (lone.low, lone.p, lone.verdict) == (None, None, "within noise")


def test_holm() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
