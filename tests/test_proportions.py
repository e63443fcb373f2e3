"""Shares, against published and hand-computed values."""

import pytest

from asi_arch.proportions import Share, fisher


def test_wilson() -> None:
    # 8 of 10 with z = 1.959964: the interval is 0.4902 to 0.9433
    assert Share(8, 10).interval == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert Share(8, 10).value == 0.8


def test_wilson_at_the_ends() -> None:
    # 0 of 10: 0 to z**2 / (10 + z**2)
    assert Share(0, 10).interval == pytest.approx((0, 0.2775), abs=1e-4)
    assert Share(10, 10).interval == pytest.approx((0.7225, 1), abs=1e-4)
    assert (Share(0, 0).value, Share(0, 0).interval) == (0.0, (0.0, 1.0))


def test_fisher_of_the_lady_tasting_tea() -> None:
    # 3 of 4 against 1 of 4: (1 + 16 + 16 + 1) / 70; 4 of 4 against 0 of 4: 2 / 70
    assert fisher(Share(3, 4), Share(1, 4)) == pytest.approx(34 / 70)
    assert fisher(Share(4, 4), Share(0, 4)) == pytest.approx(2 / 70)


def test_fisher_is_symmetric_and_bounded() -> None:
    one, other = Share(30, 900), Share(45, 4000)
    assert fisher(one, other) == pytest.approx(fisher(other, one))
    assert fisher(one, other) < 1e-3
    assert fisher(Share(0, 5), Share(0, 9)) == 1.0
    assert fisher(Share(0, 0), Share(3, 9)) == pytest.approx(1.0)
