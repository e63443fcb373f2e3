import pytest

from asi_arch.search.student import inside, quantile

TABLE = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 9: 2.262, 20: 2.086, 60: 2.000, 120: 1.980}


@pytest.mark.parametrize(("freedom", "t"), TABLE.items())
def test_quantiles_are_those_of_the_tables(freedom: int, t: float) -> None:
    assert quantile(0.95, freedom) == pytest.approx(t, abs=6e-4)


def test_the_expansion_continues_the_series() -> None:
    for confidence in (0.5, 0.95, 0.9999):
        t = quantile(confidence, 41)
        assert inside(t, 41) == pytest.approx(confidence, abs=1e-6)
