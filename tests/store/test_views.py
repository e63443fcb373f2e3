import math
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text

from asi_arch.content import content
from asi_arch.records import (
    Campaign,
    Experiment,
    Finding,
    JobError,
    Lesson,
    Measurement,
    Message,
    Origin,
    Proposal,
    Reply,
    Request,
    RoleSettings,
    Score,
    Status,
)
from asi_arch.store import Store
from asi_arch.store.database import make_engine, parse_url

Measure = Callable[..., Measurement]
Propose = Callable[..., Proposal]


def add(
    store: Store,
    campaign: Campaign,
    number: int,
    fitness: float | None,
    parent_id: int | None = None,
) -> int:
    started = store.start_experiment(campaign.id, number, "candidate", parent_id)
    if fitness is not None:
        store.finish_experiment(started.id, Status.COMPLETE, fitness)
    return started.id


def test_leaderboard_numbers(
    store: Store, campaign: Campaign, baseline: Experiment, measure: Measure
) -> None:
    best = add(store, campaign, 1, 2.0, parent_id=baseline.id)
    for seed, loss in enumerate((1.5, 1.6, 1.8)):
        store.save_run(best, measure(seed=seed, loss=loss, tokens_per_second=100 + seed))
    store.save_run(best, measure(seed=3, loss=math.nan))
    store.save_failed_run(best, "confirm", 0, JobError(kind="exception", message="timeout"))
    store.save_run(best, measure("confirm", 1, loss=1.2, loss_error=0.05))
    for seed, value in enumerate((0.9, 0.5)):
        scores = (
            Score(benchmark="overwrite", metric="accuracy", value=value),
            Score(benchmark="overwrite", metric="step", value=100),
        )
        store.save_run(best, measure("probe", seed, loss=None, scores=scores))

    first, second = store.leaderboard(campaign.id)
    assert (first.rank, first.experiment_id, first.parent_id) == (1, best, baseline.id)
    assert first.explore_loss == pytest.approx(4.9 / 3)
    assert first.explore_seeds == 3
    assert first.explore_error == pytest.approx(0.15275252316519466 / math.sqrt(3))
    assert (first.confirm_loss, first.confirm_error, first.confirm_seeds) == (1.2, 0.05, 1)
    assert first.recall == pytest.approx(0.7)
    assert first.parameters == 100_000
    assert first.tokens_per_second == pytest.approx(101)
    assert (second.rank, second.kind, second.name) == (2, "baseline", "deltanet")
    assert (second.explore_loss, second.explore_seeds, second.recall) == (None, 0, None)


def test_leaderboard_order(store: Store, campaign: Campaign, baseline: Experiment) -> None:
    for number, fitness in ((1, None), (2, -1.0), (3, 3.0), (4, 3.0)):
        add(store, campaign, number, fitness)
    rows = store.leaderboard(campaign.id)
    assert [(row.rank, row.kind, row.number) for row in rows] == [
        (1, "candidate", 3),
        (1, "candidate", 4),
        (3, "baseline", 0),
        (4, "candidate", 2),
        (None, "candidate", 1),
    ]


def test_views_keep_campaigns_apart(
    store: Store, campaign: Campaign, baseline: Experiment, measure: Measure, propose: Propose
) -> None:
    other = store.create_campaign("other", 0, {}, "")
    mine = add(store, other, 0, 1.0)
    store.save_proposal(mine, propose())
    store.finish_experiment(mine, Status.COMPLETE, 1.0)
    store.save_run(mine, measure())

    assert [row.rank for row in store.leaderboard(other.id)] == [1]
    assert [row.rank for row in store.leaderboard(campaign.id)] == [1]
    assert [row.experiment_id for row in store.lineage(campaign.id)] == [baseline.id]
    assert store.provenance(campaign.id) == []
    assert store.spend(campaign.id) == []
    assert [row.share for row in store.provenance(other.id)] == [1.0]


def test_lineage(store: Store, campaign: Campaign, baseline: Experiment) -> None:
    child = add(store, campaign, 1, 0.5, parent_id=baseline.id)
    grandchild = add(store, campaign, 2, 0.25, parent_id=child)
    waiting = add(store, campaign, 3, None, parent_id=child)

    rows = [
        (row.experiment_id, row.parent_id, row.depth, row.difference)
        for row in store.lineage(campaign.id)
    ]
    assert rows == [
        (baseline.id, None, 0, None),
        (child, baseline.id, 1, 0.5),
        (grandchild, child, 2, -0.25),
        (waiting, child, 2, None),
    ]


def test_provenance_of_all_and_of_the_best(
    store: Store, campaign: Campaign, propose: Propose
) -> None:
    plans: list[tuple[float, tuple[Origin, ...]]] = [
        (5.0, (Origin.ANALYSIS, Origin.COGNITION)),
        (4.0, (Origin.ANALYSIS,)),
        *[(fitness, (Origin.COGNITION,)) for fitness in (3.0, 2.0, 1.5, 1.0, 0.5, 0.2)],
    ]
    for number, (fitness, origins) in enumerate(plans):
        experiment = add(store, campaign, number, None)
        store.save_proposal(experiment, propose("Refused", Origin.ORIGINALITY))
        store.reject_proposal(experiment, "known")
        store.save_proposal(experiment, propose(f"N{number}", *origins))
        store.finish_experiment(experiment, Status.COMPLETE, fitness)
    failed = add(store, campaign, 20, None)
    store.save_proposal(failed, propose("F", Origin.ORIGINALITY, category="gate"))
    store.finish_experiment(failed, Status.FAILED)

    rows = {(row.origin, row.category): row for row in store.provenance(campaign.id)}
    counts = {key: (row.components, row.best_components) for key, row in rows.items()}
    assert counts == {  # two of eight complete candidates are the best quarter
        (Origin.ANALYSIS, "decay"): (2, 2),
        (Origin.COGNITION, "decay"): (7, 1),
        (Origin.ORIGINALITY, "gate"): (1, 0),
    }
    assert rows[Origin.ANALYSIS, "decay"].share == pytest.approx(0.2)
    assert rows[Origin.ANALYSIS, "decay"].best_share == pytest.approx(2 / 3)


def test_provenance_counts_unsupported_claims(
    store: Store, campaign: Campaign, candidate: Experiment, propose: Propose
) -> None:
    plain = propose("Mixer", Origin.ORIGINALITY, Origin.ORIGINALITY)
    claimed = plain.components[0].model_copy(update={"unsupported": "cognition: 9"})
    parts = (claimed, plain.components[1])
    store.save_proposal(candidate.id, plain.model_copy(update={"components": parts}))
    [row] = store.provenance(campaign.id)
    assert (row.components, row.unsupported) == (2, 1)


@pytest.mark.parametrize(("complete", "best"), [(1, 1), (3, 1), (7, 1), (9, 2)])
def test_the_best_quarter_is_at_least_one(
    store: Store, campaign: Campaign, propose: Propose, complete: int, best: int
) -> None:
    for number in range(complete):
        experiment = add(store, campaign, number, None)
        store.save_proposal(experiment, propose())
        store.finish_experiment(experiment, Status.COMPLETE, 1.0)
    [row] = store.provenance(campaign.id)
    assert (row.components, row.best_components) == (complete, best)


def test_provenance_without_a_complete_candidate(
    store: Store, campaign: Campaign, candidate: Experiment, propose: Propose
) -> None:
    store.save_proposal(candidate.id, propose())
    [row] = store.provenance(campaign.id)
    assert (row.share, row.best_components, row.best_share) == (1.0, 0, 0.0)


def question(experiment: Experiment, role: str, attempt: int) -> Request:
    return Request(
        experiment_id=experiment.id,
        role=role,
        task="t",
        attempt=attempt,
        messages=(Message(role="user", content="?"),),
        answer_type=Proposal,
        settings=RoleSettings(model="m"),
    )


def test_spend(store: Store, campaign: Campaign, candidate: Experiment, measure: Measure) -> None:
    prices = (("engineer", 0.5), ("engineer", None), ("analyst", None))
    for attempt, (role, cost) in enumerate(prices):
        used = {"prompt_tokens": 10, "cached_tokens": 4, "completion_tokens": 1, "seconds": 2.0}
        reply = Reply.model_validate({"text": "!", "cost": cost, **used})
        store.save_reply(question(candidate, role, attempt), reply)
    store.save_failure(question(candidate, "analyst", 3), "refused")
    store.save_run(candidate.id, measure(seed=0, seconds=30.0))
    store.save_run(candidate.id, measure(seed=1, seconds=40.0))
    store.save_failed_run(candidate.id, "confirm", 0, JobError(kind="exception", message="timeout"))

    fields = ("kind", "name", "model", "count", "failed", "tokens", "cached_tokens", "cost")
    rows = [
        (*(getattr(row, field) for field in fields), row.seconds)
        for row in store.spend(campaign.id)
    ]
    assert rows == [
        ("calls", "analyst", "m", 2, 1, 11, 4, None, 2.0),
        ("calls", "engineer", "m", 2, 0, 22, 8, 0.5, 4.0),
        ("training", "confirm", "", 1, 1, 0, 0, None, 0.0),
        ("training", "explore", "", 2, 0, 2_000_000, 0, None, 70.0),
    ]


def test_the_latest_lessons(store: Store, campaign: Campaign, candidate: Experiment) -> None:
    assert store.lessons_drawn(campaign.id) == 0
    assert store.lessons(campaign.id, 0) == []
    for up_to in (20, 10):
        store.save_lessons(campaign.id, up_to, [Lesson(text=str(up_to), evidence=(candidate.id,))])
    assert store.lessons_drawn(campaign.id) == 20


@pytest.fixture
def ask(store: Store, database_url: str) -> Callable[[str], list[dict[str, object]]]:
    def ask(name: str) -> list[dict[str, object]]:
        engine = make_engine(parse_url(database_url), 5.0)
        with engine.connect() as connection:
            rows = connection.execute(text((content("db") / "queries" / name).read_text()))
            found = [dict(row) for row in rows.mappings()]
        engine.dispose()
        return found

    return ask


Ask = Callable[[str], list[dict[str, object]]]


def test_query_failing_checks(
    store: Store, campaign: Campaign, candidate: Experiment, ask: Ask
) -> None:
    def finding(check: str, passed: bool) -> Finding:
        return Finding(check=check, passed=passed)

    store.save_findings(candidate.id, 0, [finding("causal", False), finding("speed", True)], False)
    store.save_findings(candidate.id, 1, [finding("causal", True), finding("speed", True)], True)
    stuck = add(store, campaign, 2, None)
    store.save_findings(stuck, 0, [finding("causal", False)], False)

    rows = [tuple(row.values())[1:] for row in ask("failing_checks.sql")]
    assert rows == [("causal", 2, 2, 1), ("speed", 1, 0, 0)]


def test_query_seed_spread(
    store: Store, baseline: Experiment, candidate: Experiment, measure: Measure, ask: Ask
) -> None:
    for seed, loss in enumerate((1.0, 3.0)):
        store.save_run(candidate.id, measure(seed=seed, loss=loss))
    store.save_run(baseline.id, measure(seed=0, loss=9.0))
    [row] = ask("seed_spread.sql")
    assert (row["stage"], row["runs"], row["experiments"]) == ("explore", 2, 1)
    assert row["spread"] == pytest.approx(math.sqrt(2))


def test_query_rejected_ideas(
    store: Store, candidate: Experiment, propose: Propose, ask: Ask
) -> None:
    store.save_proposal(candidate.id, propose("Old"))
    store.reject_proposal(candidate.id, "known")
    store.save_proposal(candidate.id, propose("New"))
    [row] = ask("rejected_ideas.sql")
    assert (row["number"], row["attempt"], row["name"], row["rejection"]) == (1, 0, "Old", "known")


def test_every_query_is_tested() -> None:
    here = Path(__file__).read_text()
    names = [path.name for path in (content("db") / "queries").glob("*.sql")]
    assert names
    assert all(f'ask("{name}")' in here for name in names)


def test_views_answer_without_our_connection(tmp_path: Path) -> None:
    Store.open(str(tmp_path / "plain.db")).close()
    connection = sqlite3.connect(tmp_path / "plain.db")
    for view in ("lineage", "provenance", "spend"):
        assert connection.execute(f"SELECT * FROM {view}").fetchall() == []
    connection.close()
