import pytest

from asi_arch.standings import Standings

LOSSES = {1: {0: 2.0, 1: 2.1}, 2: {0: 1.9, 1: 2.04}, 3: {0: 1.8}}


def test_the_gain_is_over_the_strongest_baseline_on_common_seeds() -> None:
    found = Standings(LOSSES, {1: LOSSES[1], 2: LOSSES[2]})
    assert found.reference_id == 2
    assert found.gain(3) == pytest.approx(0.1)
    assert found.gain(1) == pytest.approx(-0.08)
    assert found.gain(2) == 0
    assert found.gain(9) is None
    assert found.noise == pytest.approx(0.02 * 2**0.5)


def test_without_baselines_nothing_is_known() -> None:
    found = Standings(LOSSES, {})
    assert (found.reference_id, found.noise, found.gain(3)) == (None, None, None)
