"""Agreement, against values computed by hand."""

import numpy as np
import pytest

from asi_arch.agreement import Estimate, estimate, kappa, spearman


def pairs(*values: tuple[float, float]) -> np.ndarray:
    return np.array(values, dtype=float)


def test_spearman_of_ranks_without_ties() -> None:
    # squared rank differences 1 + 1 + 0 + 1 + 1 = 4; 1 - 6 * 4 / (5 * 24) = 0.8
    found = spearman(pairs((10, 0.2), (20, 0.1), (30, 0.3), (40, 0.5), (50, 0.4)))
    assert found == pytest.approx(0.8)


def test_spearman_of_ties() -> None:
    # ranks 1, 2.5, 2.5, 4 against 1, 2, 3, 4: 4.5 / sqrt(4.5 * 5)
    found = spearman(pairs((1, 1), (2, 2), (2, 3), (9, 4)))
    assert found == pytest.approx(4.5 / np.sqrt(22.5))


def test_spearman_of_opposite_orders_and_of_nothing() -> None:
    assert spearman(pairs((1, 3), (2, 2), (3, 1))) == pytest.approx(-1)
    assert spearman(pairs((1, 3), (1, 2))) is None


def test_kappa() -> None:
    # observed (20 + 15) / 50 = 0.7, expected 0.5 * 0.6 + 0.5 * 0.4 = 0.5
    table = np.array([[20.0, 5.0], [10.0, 15.0]])
    assert kappa(table[None]) == pytest.approx(0.4)
    assert kappa(np.stack([table / 2, table / 2])) == pytest.approx(0.4)


def test_kappa_where_chance_explains_all() -> None:
    assert kappa(np.array([[[7.0, 0.0], [0.0, 0.0]]])) is None
    assert kappa(np.zeros((2, 3, 3))) is None


def test_an_estimate_is_the_same_every_time() -> None:
    units = pairs(*((i, (i * 7) % 11) for i in range(11)))
    first = estimate(spearman, units)
    assert first == estimate(spearman, units)
    assert first.value is not None and first.low is not None and first.high is not None
    assert first.low < first.value < first.high
    assert first.sign == 0


def test_a_sure_estimate_has_a_sign() -> None:
    rising = pairs(*((i, i) for i in range(12)))
    assert estimate(spearman, rising).sign == 1
    assert estimate(spearman, rising * (1, -1)).sign == -1


def test_little_gives_no_interval() -> None:
    few = estimate(spearman, pairs((1, 1), (2, 2), (3, 3)))
    assert few.value == pytest.approx(1)
    assert few.low is None and few.high is None
    assert estimate(spearman, np.empty((0, 2))) == Estimate(None)
    assert Estimate(1.0).sign is None


def test_a_statistic_that_most_draws_leave_undefined_has_no_interval() -> None:
    def distinct(units: np.ndarray) -> float | None:
        return 1.0 if len(np.unique(units)) == len(units) else None

    assert estimate(distinct, np.arange(9.0)) == Estimate(1.0)
