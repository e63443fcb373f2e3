import math
from collections.abc import Callable

import pytest

from asi_arch.errors import UserError
from asi_arch.records import (
    Analysis,
    Campaign,
    Experiment,
    Finding,
    Outcome,
    Program,
    Proposal,
    Status,
)
from asi_arch.store import Store

Propose = Callable[..., Proposal]


def test_starting_twice_gives_the_same_experiment(
    store: Store, campaign: Campaign, baseline: Experiment
) -> None:
    first = store.start_experiment(campaign.id, 3, "candidate", baseline.id, (baseline.id,))
    again = store.start_experiment(campaign.id, 3, "candidate", None, (), "other")

    assert again == first
    assert (first.parent_id, first.reference_ids) == (baseline.id, (baseline.id,))
    assert first.status is Status.SAMPLED
    assert store.start_experiment(campaign.id, 3, "baseline").id != first.id


def test_references_keep_their_order(
    store: Store, campaign: Campaign, baseline: Experiment
) -> None:
    other = store.start_experiment(campaign.id, 1, "baseline")
    shown = (other.id, baseline.id)
    started = store.start_experiment(campaign.id, 1, "candidate", baseline.id, shown)
    assert store.experiment(started.id).reference_ids == shown


def test_a_whole_life(store: Store, candidate: Experiment, propose: Propose) -> None:
    proposal, program = propose("Gated"), Program(source="x = 1\n")
    assert store.save_proposal(candidate.id, proposal).status is Status.PROPOSED
    assert store.save_program(candidate.id, program, 0, "f").status is Status.IMPLEMENTED
    assert store.save_findings(candidate.id, 0, [], True).status is Status.VERIFIED
    assert store.set_status(candidate.id, Status.TRAINED).status is Status.TRAINED
    analysis = Analysis(summary="good", keep=("gate",), drop=("decay", "norm"))
    store.save_analysis(candidate.id, Analysis(summary="draft"))
    store.save_analysis(candidate.id, analysis)
    ended = store.finish_experiment(candidate.id, Status.COMPLETE, 0.5, "better")

    assert ended == store.experiment(candidate.id)
    assert (ended.name, ended.proposal, ended.program) == ("Gated", proposal, program)
    assert (ended.analysis, ended.fitness, ended.reason) == (analysis, 0.5, "better")


def test_rejected_proposals_are_kept_in_order(
    store: Store, candidate: Experiment, propose: Propose
) -> None:
    for name, reason in (("A", "known"), ("B", "twin of A")):
        store.save_proposal(candidate.id, propose(name))
        rejected = store.reject_proposal(candidate.id, reason)
        assert (rejected.status, rejected.proposal) == (Status.SAMPLED, None)
    taken = store.save_proposal(candidate.id, propose("C"))

    assert taken.rejections == ("known", "twin of A")
    assert taken.proposal == propose("C")


def test_rejection_takes_the_program_away_and_keeps_it_visible(
    store: Store, candidate: Experiment, propose: Propose
) -> None:
    store.save_proposal(candidate.id, propose("A"))
    store.save_program(candidate.id, Program(source="a"), 0, "same")
    rejected = store.reject_proposal(candidate.id, "twin")
    assert (rejected.program, rejected.round) == (None, 0)
    assert store.find_twin("same", among=[candidate.id]) is None

    store.save_proposal(candidate.id, propose("B"))
    store.save_program(candidate.id, Program(source="b"), 0, "other")
    assert [program.source for program in store.program_rounds(candidate.id)] == ["a", "b"]


def test_rejecting_nothing_is_an_error(store: Store, candidate: Experiment) -> None:
    with pytest.raises(UserError, match="no proposal to reject"):
        store.reject_proposal(candidate.id, "why")


def test_saving_a_proposal_again_changes_nothing(
    store: Store, candidate: Experiment, propose: Propose
) -> None:
    first = store.save_proposal(candidate.id, propose("A"))
    assert store.save_proposal(candidate.id, propose("A")) == first
    other = store.save_proposal(candidate.id, propose("B"))
    assert other.proposal == propose("B")
    assert other.rejections == ("replaced by a later proposal",)


def test_repair_rounds_stay_visible(store: Store, candidate: Experiment) -> None:
    store.save_program(candidate.id, Program(source="one"), 0, "f1")
    repaired = store.save_program(candidate.id, Program(source="two"), 1, "f2")
    store.save_program(candidate.id, Program(source="two"), 1, "f2")

    assert (repaired.round, repaired.program) == (1, Program(source="two"))
    assert [program.source for program in store.program_rounds(candidate.id)] == ["one", "two"]


def test_findings_of_a_round_are_replaced(store: Store, candidate: Experiment) -> None:
    bad = Finding(
        check="causality", passed=False, measured={"leak": math.nan, "at": 3, "mode": "eval"}
    )
    store.save_findings(candidate.id, 0, [bad, bad], False)
    failed = store.save_findings(candidate.id, 0, [bad], False)
    store.save_findings(candidate.id, 1, [Finding(check="causality", passed=True)], True)

    assert failed.status is Status.SAMPLED
    (first_round, first), (second_round, second) = store.findings(candidate.id)
    assert (first_round, second_round) == (0, 1)
    assert (first.passed, second.passed) == (False, True)
    assert math.isnan(float(first.measured["leak"]))
    assert (first.measured["at"], first.measured["mode"]) == (3, "eval")


def test_twins(store: Store, campaign: Campaign, baseline: Experiment) -> None:
    one, two = (store.start_experiment(campaign.id, n, "candidate") for n in (1, 2))
    store.save_program(one.id, Program(source="a"), 0, "f")
    store.save_program(two.id, Program(source="b"), 0, "f")

    assert store.find_twin("f", among=[one.id, two.id]) == one.id
    assert store.find_twin("f", among=[two.id]) == two.id
    store.save_program(one.id, Program(source="c"), 1, "repaired")
    assert store.find_twin("f", among=[one.id]) is None
    store.save_program(baseline.id, Program(source="d"), 0, "f")
    assert store.find_twin("f", among=[one.id, two.id, baseline.id]) == baseline.id
    assert store.find_twin("f", among=[]) is None


def test_signatures_are_those_of_the_last_round(
    store: Store, baseline: Experiment, candidate: Experiment
) -> None:
    for round, signature in enumerate(("1 2", "3 4")):
        finding = Finding(check="sameness", passed=True, measured={"signature": signature})
        store.save_findings(candidate.id, round, [finding], True)
    store.save_findings(baseline.id, 0, [Finding(check="cost", passed=True)], True)
    assert store.signatures([baseline.id, candidate.id]) == {candidate.id: "3 4"}


def test_a_rejected_proposal_takes_its_findings_along(
    store: Store, candidate: Experiment, propose: Propose
) -> None:
    store.save_proposal(candidate.id, propose("A"))
    store.save_findings(candidate.id, 2, [Finding(check="sameness", passed=True)], False)
    store.reject_proposal(candidate.id, "twin")
    assert store.findings(candidate.id) == []


def test_outcomes_are_finished_and_in_order(
    store: Store, campaign: Campaign, baseline: Experiment, propose: Propose
) -> None:
    failed = store.start_experiment(campaign.id, 1, "baseline")
    store.finish_experiment(failed.id, Status.FAILED)
    endings = (Status.REJECTED, Status.COMPLETE, Status.TRAINED, Status.FAILED, Status.COMPLETE)
    ids = []
    for number, status in reversed(list(enumerate(endings, start=1))):
        started = store.start_experiment(campaign.id, number, "candidate", baseline.id)
        store.save_proposal(started.id, propose(f"N{number}"))
        store.finish_experiment(started.id, status, fitness=number / 10)
        ids.append(started.id)

    outcomes = store.outcomes(campaign.id, up_to=4)
    assert [(o.kind, o.number) for o in outcomes] == [
        ("baseline", 0),
        ("candidate", 1),
        ("candidate", 2),
        ("candidate", 4),
    ]
    assert outcomes[2] == Outcome(
        experiment_id=ids[3],
        number=2,
        kind="candidate",
        parent_id=baseline.id,
        status=Status.COMPLETE,
        fitness=0.2,
        choices={"gate": "output"},
        name="N2",
    )
    assert (outcomes[0].choices, outcomes[0].name) == ({}, "deltanet")


def test_an_outcome_of_a_repaired_program_has_no_choices(
    store: Store, campaign: Campaign, baseline: Experiment, propose: Propose
) -> None:
    for number, round in ((1, 0), (2, 1)):
        started = store.start_experiment(campaign.id, number, "candidate", baseline.id)
        store.save_proposal(started.id, propose(f"N{number}"))
        store.save_program(started.id, Program(source=f"{number}"), round, f"{number}")
        store.finish_experiment(started.id, Status.COMPLETE, fitness=1.0)

    outcomes = store.outcomes(campaign.id, up_to=2)[1:]
    assert [o.choices for o in outcomes] == [{"gate": "output"}, {}]
    assert [o.name for o in outcomes] == ["N1", "N2"]


def test_listing_by_kind(store: Store, campaign: Campaign, candidate: Experiment) -> None:
    assert [e.kind for e in store.experiments(campaign.id)] == ["baseline", "candidate"]
    assert store.experiments(campaign.id, "candidate") == [candidate]


def test_unknown_experiment_names_the_range(store: Store, candidate: Experiment) -> None:
    with pytest.raises(UserError, match=f"no experiment 99; the ids go from 1 to {candidate.id}"):
        store.experiment(99)
    for ask in (store.findings, store.program_rounds):
        with pytest.raises(UserError, match="no experiment 99"):
            ask(99)


def test_unknown_experiment_in_an_empty_database(store: Store) -> None:
    with pytest.raises(UserError, match="none yet"):
        store.experiment(1)


def test_fitness_that_is_not_finite_is_none(store: Store, candidate: Experiment) -> None:
    assert store.finish_experiment(candidate.id, Status.FAILED, math.inf).fitness is None


def test_text_no_database_holds_is_escaped(
    store: Store, candidate: Experiment, propose: Propose
) -> None:
    odd = "nul \0, surrogate \ud800, fine é 漢"
    finding = Finding(check="contract", passed=False, evidence=odd, measured={"text": odd})
    store.save_findings(candidate.id, 0, [finding], False)
    [(_, read)] = store.findings(candidate.id)
    assert read.evidence == "nul \\x00, surrogate \\ud800, fine é 漢"
    assert read.measured == {"text": read.evidence}
