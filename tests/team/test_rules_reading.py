import pytest

from asi_arch.errors import BackendError
from asi_arch.records import Component, Origin, Proposal
from asi_arch.team.rules.reading import _WORDS, read_proposal
from asi_arch.team.rules.space import BASELINES, SPACE

PARENT = BASELINES["deltanet"]


def proposal(*parts: str) -> Proposal:
    components = tuple(
        Component(name=part, category="c", origin=Origin.ORIGINALITY) for part in parts
    )
    return Proposal(name="Idea", motivation="m", components=components)


@pytest.mark.parametrize(
    ("words", "changes"),
    [
        ("data-dependent decay per head", {"decay": "scalar"}),
        ("channel-wise decay", {"decay": "channel"}),
        ("fixed decay per head", {"decay": "head"}),
        ("SiLU output gate", {"gate": "silu"}),
        ("sigmoid gate on the output", {"gate": "sigmoid"}),
        ("token shift before the projections", {"shift": "on"}),
        ("rotary embedding of q and k", {"position": "rotary"}),
        ("fast and slow state", {"memory": "two"}),
        ("plain linear attention, no decay", {"update": "additive", "decay": "none"}),
    ],
)
def test_words_become_decisions(words: str, changes: dict[str, str]) -> None:
    assert read_proposal(proposal(words), PARENT) == PARENT.replace(**changes)


def test_what_is_not_spoken_of_stays() -> None:
    design = read_proposal(proposal("token shift", "something new"), BASELINES["gated_deltanet"])
    assert design.changes(BASELINES["gated_deltanet"]) == ["shift"]


def test_a_proposal_outside_the_space_is_not_written() -> None:
    with pytest.raises(BackendError, match="finds no part of Idea in its design space"):
        read_proposal(proposal("hyperbolic routing of experts"), PARENT)


def test_the_words_are_of_the_space() -> None:
    for decision, values in _WORDS.items():
        assert set(values) <= set(SPACE[decision].options)
