import pytest

from asi_arch.records import Component, Origin, Proposal
from asi_arch.search.novelty import alike


def idea(name: str, motivation: str, *parts: str) -> Proposal:
    components = tuple(
        Component(name=part, category="c", origin=Origin.ORIGINALITY, description=f"does {part}")
        for part in parts
    )
    return Proposal(name=name, motivation=motivation, components=components)


DECAY = idea("A", "the state fills up, so let it fade by a learned rate", "scalar decay", "gate")
KNOWN = {
    4: DECAY,
    5: idea("B", "neighbouring tokens are not told apart", "short convolution over four tokens"),
    6: idea("C", "the state fills up, so let each channel fade by a learned rate", "channel decay"),
}


def test_the_same_words_under_another_name_come_first() -> None:
    found = alike(DECAY.model_copy(update={"name": "Z"}), KNOWN, least=0.0, limit=3)
    assert [id for id, _ in found] == [4, 6, 5]
    assert found[0][1] == pytest.approx(1.0)
    assert 0.2 < found[1][1] < 0.9 and found[2][1] < 0.2


def test_least_and_limit_hold() -> None:
    assert [id for id, _ in alike(DECAY, KNOWN, least=0.2, limit=3)] == [4, 6]
    assert [id for id, _ in alike(DECAY, KNOWN, least=0.0, limit=1)] == [4]
    assert alike(DECAY, KNOWN, least=0.0, limit=0) == alike(DECAY, {}, least=0.0, limit=3) == []


def test_words_that_everybody_uses_weigh_little() -> None:
    common = {n: idea("X", "a layer for language", f"part{n}") for n in range(10, 20)}
    new = idea("Y", "a layer for language", "hyperbolic routing")
    rare = {30: idea("W", "other words altogether", "hyperbolic routing")}
    (first, _), *_ = alike(new, {**common, **rare}, least=0.0, limit=11)
    assert first == 30


def test_an_idea_without_words_is_like_nothing() -> None:
    assert alike(idea("A", ""), KNOWN, least=0.01, limit=3) == []
