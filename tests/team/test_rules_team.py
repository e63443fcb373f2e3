"""The three roles: true origins, reasons in words, repairs, analyses, the same every time."""

import asyncio
import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from asi_arch.config import Search
from asi_arch.errors import UserError
from asi_arch.knowledge import load_entries
from asi_arch.records import (
    Component,
    Context,
    Experiment,
    Finding,
    Origin,
    Outcome,
    Program,
    Proposal,
    Status,
)
from asi_arch.search.samplers import make_sampler
from asi_arch.team.rules import BASELINES, Design, rule_team
from asi_arch.team.rules.effects import fit
from asi_arch.team.rules.moves import Move, moves, mutate
from asi_arch.team.rules.origins import explain
from asi_arch.team.rules.render import read_design, render
from asi_arch.team.rules.researcher import design_of
from asi_arch.team.rules.space import SPACE, draw

TEAM = rule_team()


def experiment(id: int, design: Design, fitness: float | None = None, **fields: Any) -> Experiment:
    proposal = Proposal(
        name=design.class_name, motivation="", components=(), choices=design.to_choices()
    )
    values: dict[str, Any] = {
        "campaign_id": 1,
        "number": id,
        "kind": "candidate",
        "status": Status.COMPLETE,
        "name": design.class_name,
        "fitness": fitness,
        "proposal": proposal,
    }
    return Experiment(id=id, **(values | fields))


def outcome_of(e: Experiment) -> Outcome:
    return Outcome(
        experiment_id=e.id,
        number=e.number,
        kind=e.kind,
        parent_id=e.parent_id,
        status=e.status,
        fitness=e.fitness,
        choices=design_of(e).to_choices(),
    )


def context(
    parent: Experiment, others: Sequence[Experiment] = (), number: int = 1, **fields: Any
) -> Context:
    history = tuple(outcome_of(e) for e in (parent, *others))
    given = {"knowledge": load_entries()[:1]} | fields
    return Context(experiment_id=99, number=number, seed=5, parent=parent, history=history, **given)


def propose(context: Context, team: Any = TEAM) -> Proposal:
    proposal = asyncio.run(team.researcher.propose(context))
    assert isinstance(proposal, Proposal)
    return proposal


def measured_campaign() -> list[Experiment]:
    """Experiments that show plainly that decay and output norm help."""
    rng = np.random.default_rng(2)
    designs = [draw(rng) for _ in range(60)]
    worth = {"none": 0.0, "head": 1.0, "scalar": 2.0, "channel": 2.0}
    return [
        experiment(
            i, d, worth[d["decay"]] + 3.0 * (d["out_norm"] == "rms") + 0.1 * float(rng.normal())
        )
        for i, d in enumerate(designs, start=1)
    ]


@pytest.mark.parametrize("strategy", ["rules", "random"])
def test_same_context_same_proposal(strategy: Any) -> None:
    team = rule_team(strategy)
    first, *rest = measured_campaign()
    one, two = context(first, rest), context(first, rest, number=2)
    assert propose(one, team) == propose(one, rule_team(strategy))
    assert propose(one, team) != propose(two, team)
    assert propose(one, team) != propose(one.model_copy(update={"seed": 6}), team)


def test_a_refused_proposal_is_not_made_again() -> None:
    parent = experiment(1, BASELINES["deltanet"], 0.0)
    refused: tuple[str, ...] = ()
    for _ in range(5):
        proposal = propose(context(parent, rejections=refused))
        assert proposal.name not in " ".join(refused)
        refused += (f"{proposal.name} is too close to experiment 3",)


@pytest.mark.parametrize("strategy", ["rules", "random"])
def test_nothing_is_tried_twice(strategy: Any) -> None:
    team, tried = rule_team(strategy), [experiment(1, BASELINES["deltanet"], 0.0)]
    for number in range(40):
        proposal = propose(context(tried[0], tried[1:], number), team)
        design = Design.from_choices(proposal.choices)
        assert design not in [design_of(e) for e in tried]
        tried.append(experiment(number + 2, design, 0.0))


def test_a_design_that_needed_repair_is_not_proposed_again() -> None:
    parent = experiment(1, BASELINES["deltanet"], 0.0)
    first = propose(context(parent))
    repaired = outcome_of(parent).model_copy(update={"choices": {}, "name": first.name})
    again = context(parent)
    again = again.model_copy(update={"history": (*again.history, repaired)})
    assert propose(again).name != first.name


def test_variations_are_wide_and_keep_something_of_the_parent_or_a_reference() -> None:
    rng = np.random.default_rng(0)
    parent, reference = draw(rng), draw(rng)
    drawn = list(itertools.islice(moves(parent, [reference, parent], rng), 400))
    mutations = [m.design.changes(parent) for m in drawn if m.kind == "mutation"]
    assert {len(names) for names in mutations} == {1, 2, 3, 4, 5, 6}
    assert {name for names in mutations for name in names} == set(SPACE)
    mixtures = [m.design for m in drawn if m.kind == "recombination"]
    assert len(mixtures) == len(mutations) == 200
    foreign = [set(d.changes(parent)) & set(d.changes(reference)) for d in mixtures]
    assert {len(names) for names in foreign} >= {0, 1, 2, 3, 4, 5}
    assert max(len(names) for names in foreign) <= 6


def test_without_references_there_are_only_mutations() -> None:
    parent, rng = BASELINES["deltanet"], np.random.default_rng(0)
    drawn = itertools.islice(moves(parent, [parent], rng), 50)
    assert {move.kind for move in drawn} == {"mutation"}


def test_components_name_every_part_that_is_there_or_changed() -> None:
    parent = experiment(1, BASELINES["gated_deltanet"], 0.0)
    for number in range(30):
        proposal = propose(context(parent, number=number))
        design = Design.from_choices(proposal.choices)
        expected = {
            f"{name}={design[name]}"
            for name in SPACE
            if design.part(name).sentence or name in design.changes(design_of(parent))
        }
        assert {component.name for component in proposal.components} == expected
        assert proposal.name == design.class_name
        assert parent.name in proposal.motivation
        for name in design.changes(design_of(parent)):
            assert f"{name} from {design_of(parent)[name]} to {design[name]}" in proposal.motivation


def changed_parts(parent: Experiment, proposal: Proposal) -> list[Component]:
    changed = Design.from_choices(proposal.choices).changes(design_of(parent))
    return [c for c in proposal.components if c.name.split("=")[0] in changed]


def test_without_outcomes_the_literature_or_chance_decides() -> None:
    known = {entry.id for entry in load_entries()}
    parent = experiment(1, Design.from_choices({"update": "delta", "feature": "silu"}), 0.0)
    origins = []
    for number in range(40):
        for part in changed_parts(parent, propose(context(parent, number=number))):
            origins.append(part.origin)
            if part.origin is Origin.COGNITION:
                assert part.citations and known.issuperset(part.citations)
                assert ", ".join(part.citations) in part.description
            else:
                assert part.citations == () and "drawn by chance" in part.description
    assert set(origins) == {Origin.COGNITION, Origin.ORIGINALITY}
    assert origins.count(Origin.COGNITION) > 20


def test_measured_effects_are_analysis_and_cite_the_experiments() -> None:
    others = measured_campaign()
    parent = experiment(70, Design.from_choices({"update": "delta"}), 0.0)
    found = 0
    for number in range(20):
        proposal = propose(context(parent, others, number))
        for part in changed_parts(parent, proposal):
            if part.name in ("out_norm=rms", "decay=scalar", "decay=channel"):
                found += 1
                assert part.origin is Origin.ANALYSIS
                assert "measured effect on the fitness +" in part.description
                cited = [e for e in others if str(e.id) in part.citations]
                name, value = part.name.split("=")
                assert len(cited) >= 3
                assert {design_of(e)[name] for e in cited} == {value, "none"}
    assert found >= 10


def test_a_rule_that_the_outcomes_deny_is_no_reason() -> None:
    rng = np.random.default_rng(3)
    history = [
        outcome_of(experiment(i, d, -3.0 * (d["out_norm"] == "rms")))
        for i, d in enumerate((draw(rng) for _ in range(40)), start=1)
    ]
    base = Design.from_choices({"update": "delta"})
    move = Move("mutation", base.replace(out_norm="rms"))
    for outcomes, origin in (([], Origin.COGNITION), (history, Origin.ORIGINALITY)):
        proposal = explain(experiment(50, base), base, move, fit(outcomes))
        [part] = [c for c in proposal.components if c.name == "out_norm=rms"]
        assert part.origin is origin


def test_kept_parts_keep_the_origin_that_the_parent_gives() -> None:
    design = BASELINES["gated_deltanet"]
    conv = Component(
        name="conv=qkv4", category="convolution", origin=Origin.ANALYSIS, citations=("7",)
    )
    plain = experiment(1, design, 0.0)
    assert plain.proposal is not None
    recorded = plain.proposal.model_copy(update={"components": (conv,)})
    parent = plain.model_copy(update={"proposal": recorded})
    kept: dict[str, Component] = {}
    for number in range(10):
        proposal = propose(context(parent, number=number))
        if "fresh" not in proposal.motivation:
            changed = changed_parts(parent, proposal)
            kept |= {c.name: c for c in proposal.components if c not in changed}
    assert kept["conv=qkv4"] == conv
    assert kept["decay=scalar"].origin is Origin.COGNITION
    assert kept["decay=scalar"].citations == design.part("decay").sources


def test_the_control_claims_nothing_but_chance() -> None:
    first, *rest = measured_campaign()
    proposal = propose(context(first, rest), rule_team("random"))
    assert {component.origin for component in proposal.components} == {Origin.ORIGINALITY}


def test_search_moves_towards_what_was_measured() -> None:
    others = measured_campaign()
    parent = experiment(70, Design.from_choices({"update": "delta"}), 0.0)
    proposals = [propose(context(parent, others, number)) for number in range(20)]
    normed = sum(p.choices["out_norm"] == "rms" for p in proposals)
    rng = np.random.default_rng(0)
    blind = sum(mutate(design_of(parent), rng, 2)["out_norm"] == "rms" for _ in range(20))
    assert normed >= 12 > 6 >= blind


def best_found(strategy: Any, seed: int, worth: dict[tuple[str, str], float]) -> float:
    """Best fitness of a search of twelve experiments after the baselines."""
    team, sampler = rule_team(strategy), make_sampler(Search())
    pool = [experiment(i, d, planted(d, worth)) for i, d in enumerate(BASELINES.values(), start=1)]
    for number in range(1, 13):
        known = [numbered(e) for e in pool]
        parent, references = sampler.sample(known, number, seed)
        asked = context(
            pool[parent - 1],
            [e for e in pool if e.id != parent],
            number,
            references=tuple(pool[id - 1] for id in references),
        ).model_copy(update={"seed": seed})
        design = Design.from_choices(propose(asked, team).choices)
        pool.append(experiment(len(pool) + 1, design, planted(design, worth)))
    return max(e.fitness or 0.0 for e in pool[len(BASELINES) :])


def numbered(experiment: Experiment) -> Outcome:
    """The outcome as a campaign counts: the first candidate has number 1."""
    number = experiment.id - len(BASELINES)
    return outcome_of(experiment).model_copy(update={"number": number})


def planted(design: Design, worth: dict[tuple[str, str], float]) -> float:
    return sum(worth.get(item, 0.0) for item in design.items())


def test_the_best_of_a_search_beats_the_best_of_chance_even_where_the_literature_is_wrong() -> None:
    worth = {
        ("update", "additive"): 1.0,
        ("gate", "head"): 1.0,
        ("conv", "qkv2"): 1.0,
        ("out_norm", "none"): 1.0,
        ("position", "rotary"): 0.5,
        ("memory", "two"): 0.5,
        ("local", "fir"): 0.5,
    }
    gains = [best_found("rules", s, worth) - best_found("random", s, worth) for s in range(8)]
    assert np.mean(gains) > 0.75


@pytest.mark.parametrize(
    ("name", "key"), [("DeltaNet", "deltanet"), ("transformer", "gated_deltanet")]
)
def test_parents_from_outside_start_from_a_baseline(name: str, key: str) -> None:
    parent = experiment(1, BASELINES["deltanet"]).model_copy(
        update={"name": name, "proposal": None}
    )
    assert design_of(parent) == BASELINES[key]
    proposals = [propose(context(parent, number=number)) for number in range(20)]
    changes = [Design.from_choices(p.choices).changes(BASELINES[key]) for p in proposals]
    assert all(1 <= len(names) <= 6 for names in changes)


def test_engineer_writes_the_proposal() -> None:
    parent = experiment(1, BASELINES["deltanet"])
    proposal = propose(context(parent))
    program = asyncio.run(TEAM.engineer.implement(parent, proposal, parent))
    assert f"class {proposal.name}(nn.Module)" in program.source
    assert read_design(program.source) == Design.from_choices(proposal.choices)


@pytest.mark.parametrize(
    ("check", "decision"),
    [("training", "feature"), ("causality", "local"), ("parameters", "value_size")],
)
def test_repair_takes_back_the_suspect(check: str, decision: str) -> None:
    design = BASELINES["gated_deltanet"].replace(feature="relu", local="fir", value_size="double")
    subject = experiment(1, design)
    program = render(design, design.class_name)
    findings = [Finding(check="contract", passed=True), Finding(check=check, passed=False)]
    repaired = asyncio.run(TEAM.engineer.repair(subject, program, findings))
    assert read_design(repaired.source).changes(design) == [decision]
    assert f"class {design.class_name}(nn.Module)" in repaired.source


def test_repairs_go_on_until_the_safe_design_and_always_change_the_program() -> None:
    design = draw(np.random.default_rng(0))
    subject, program = experiment(1, design), render(design, design.class_name)
    for _ in range(20):
        findings = [Finding(check="batch", passed=False)]
        repaired = asyncio.run(TEAM.engineer.repair(subject, program, findings))
        assert repaired != program
        program = repaired
    assert len(read_design(program.source).changes(BASELINES["gated_deltanet"])) <= 1


def test_a_repaired_parent_passes_on_the_repaired_design() -> None:
    design = BASELINES["gated_deltanet"].replace(local="fir")
    mended = BASELINES["gated_deltanet"]
    parent = experiment(1, design, program=render(mended, design.class_name))
    assert design_of(parent) == mended


def test_foreign_programs_are_not_repaired() -> None:
    with pytest.raises(UserError, match="not written by the rule-based team"):
        asyncio.run(
            TEAM.engineer.repair(experiment(1, BASELINES["deltanet"]), Program(source=""), [])
        )


def test_analyst_credits_a_single_change() -> None:
    parent = experiment(1, BASELINES["deltanet"], 1.0)
    child = experiment(2, BASELINES["deltanet"].replace(decay="scalar"), 5.5, parent_id=1)
    analysis = asyncio.run(TEAM.analyst.analyse(child, [parent]))
    assert analysis.keep == ("decay=scalar",) and analysis.drop == ()
    assert "4.5 better" in analysis.summary and "decay from none to scalar" in analysis.summary
    worse = asyncio.run(TEAM.analyst.analyse(child.model_copy(update={"fitness": -3.0}), [parent]))
    assert worse.drop == ("decay=scalar",) and "4 worse" in worse.summary


def test_analyst_claims_nothing_within_the_noise() -> None:
    parent = experiment(1, BASELINES["deltanet"], 1.0)
    child = experiment(2, BASELINES["deltanet"].replace(decay="scalar"), 3.5, parent_id=1)
    analysis = asyncio.run(TEAM.analyst.analyse(child, [parent]))
    assert analysis.keep == analysis.drop == ()
    assert "within the noise" in analysis.summary and "helped" not in analysis.summary


def test_analyst_separates_two_changes_by_the_siblings() -> None:
    base = BASELINES["deltanet"]
    parent = experiment(1, base, 0.0)
    good, bad = {"decay": "scalar"}, {"feature": "softmax"}
    siblings = [
        experiment(2, base.replace(**good), 2.0, parent_id=1),
        experiment(3, base.replace(**bad), -2.0, parent_id=1),
        experiment(4, base.replace(**bad, gate="head"), -2.1, parent_id=1),
        experiment(5, base.replace(**good, gate="head"), 1.9, parent_id=1),
    ]
    child = experiment(6, base.replace(**good, **bad), 0.1, parent_id=1)
    analysis = asyncio.run(TEAM.analyst.analyse(child, [parent, *siblings]))
    assert analysis.keep == ("decay=scalar",) and analysis.drop == ("feature=softmax",)
    assert "better than 2 of its 4 siblings" in analysis.summary


def test_analyst_does_not_guess() -> None:
    base = BASELINES["deltanet"]
    parent = experiment(1, base, 0.0)
    child = experiment(2, base.replace(decay="scalar", gate="head"), 0.0, parent_id=1)
    analysis = asyncio.run(TEAM.analyst.analyse(child, [parent]))
    assert analysis.keep == analysis.drop == ()
    assert "do not say" in analysis.summary
    alone = asyncio.run(TEAM.analyst.analyse(child, []))
    assert "parent is not known" in alone.summary


def test_analyst_gives_the_reason_of_a_failure() -> None:
    base = BASELINES["deltanet"]
    failed = experiment(
        2, base.replace(local="fir"), parent_id=1, status=Status.REJECTED, reason="not causal"
    )
    analysis = asyncio.run(TEAM.analyst.analyse(failed, [experiment(1, base, 0.0)]))
    assert "rejected: not causal" in analysis.summary and analysis.drop == ("local=fir",)
