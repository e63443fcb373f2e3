"""The design space: its size, its sources, and designs as values."""

import ast
import math

import numpy as np
import pytest

from asi_arch.errors import UserError
from asi_arch.knowledge import load_entries
from asi_arch.team.rules.decisions import DECISIONS
from asi_arch.team.rules.literature import RULES, find_rule, weaknesses
from asi_arch.team.rules.render import render
from asi_arch.team.rules.space import BASELINES, SPACE, Design, draw


def test_space_has_many_independent_decisions() -> None:
    assert len(SPACE) >= 12
    assert math.prod(len(d.options) for d in DECISIONS) > 1_000_000
    for decision in DECISIONS:
        assert len(set(decision.options)) == len(decision.options) >= 2


def test_every_decision_changes_the_program_of_every_baseline() -> None:
    for baseline in BASELINES.values():
        seen = {render(baseline, "Layer").hash}
        for decision in DECISIONS:
            for option in set(decision.options) - {baseline[decision.name]}:
                seen.add(render(baseline.replace(**{decision.name: option}), "Layer").hash)
        assert len(seen) == 1 + sum(len(d.options) - 1 for d in DECISIONS)


def test_programs_of_different_designs_differ_beyond_their_docstring() -> None:
    rng = np.random.default_rng(0)
    for _ in range(100):
        design = draw(rng)
        name = str(rng.choice(list(SPACE)))
        other = design.replace(**{name: str(rng.choice(SPACE[name].options))})
        bodies = [ast.dump(ast.parse(render(d, "Layer").source).body[-1]) for d in (design, other)]
        assert (bodies[0] == bodies[1]) == (design == other), (design.changes(other), dict(design))


def test_sentences_are_unique_and_sources_are_in_the_knowledge_base() -> None:
    known = {entry.id for entry in load_entries()}
    values = [value for decision in DECISIONS for value in decision.values]
    sentences = [value.sentence for value in values if value.sentence]
    assert len(set(sentences)) == len(sentences)
    for value in values:
        assert bool(value.sentence) == bool(value.sources)
        assert known.issuperset(value.sources), value
    for rule in RULES:
        assert rule.sources and known.issuperset(rule.sources), rule


def test_rules_are_about_the_space_and_never_contradict_each_other() -> None:
    assert len(RULES) >= 6
    for rule in RULES:
        Design.from_choices({**rule.when, rule.decision: rule.new})
        parent = Design.from_choices({**rule.when, rule.decision: rule.old})
        assert find_rule(parent, rule.decision, rule.new) == rule
        assert (
            find_rule(parent.replace(**{rule.decision: rule.new}), rule.decision, rule.old) is None
        )
        for name, value in rule.when.items():
            other = next(option for option in SPACE[name].options if option != value)
            assert find_rule(parent.replace(**{name: other}), rule.decision, rule.new) is None


def test_weaknesses_follow_the_rules_to_their_end() -> None:
    design = BASELINES["deltanet"]
    found = [(rule.decision, rule.new) for rule in weaknesses(design)]
    assert [new for decision, new in found if decision == "decay"] == ["scalar", "channel"]
    mended = design.replace(**dict(found))
    assert weaknesses(mended) == []
    assert len(weaknesses(Design.from_choices({}))) > len(found)


def test_choices_survive_the_round_trip() -> None:
    design = draw(np.random.default_rng(3))
    assert Design.from_choices(design.to_choices()) == design
    assert list(design.to_choices()) == list(SPACE)


def test_missing_decisions_take_their_simplest_value() -> None:
    assert Design.from_choices({}) == Design.from_choices({"update": "additive"})
    assert Design.from_choices({"decay": "scalar"}).changes(Design.from_choices({})) == ["decay"]


@pytest.mark.parametrize(
    ("choices", "words"),
    [
        ({"decay": "sometimes"}, "decay = 'sometimes' is not allowed; choose one of: none, head"),
        ({"colour": "red"}, "unknown decision 'colour'; choose from: update, decay"),
    ],
)
def test_wrong_choices_are_named(choices: dict[str, str], words: str) -> None:
    with pytest.raises(UserError, match=words):
        Design.from_choices(choices)


def test_baselines_are_the_published_layers() -> None:
    assert BASELINES["deltanet"].changes(BASELINES["gated_deltanet"]) == ["decay", "gate"]
    assert "chunk_delta_rule(" in render(BASELINES["deltanet"], "Layer").source
    assert "chunk_gated_delta_rule(" in render(BASELINES["gated_deltanet"], "Layer").source


def test_class_names_are_valid_and_rarely_collide() -> None:
    rng = np.random.default_rng(0)
    designs = {draw(rng) for _ in range(200)}
    names = {design.class_name for design in designs}
    assert all(name.isidentifier() for name in names)
    assert len(names) > 0.97 * len(designs)
