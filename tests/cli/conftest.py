"""A database as a campaign leaves it, and a way to call the command line."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from asi_arch.cli import app
from asi_arch.configure import load_config
from asi_arch.knowledge import load_entries
from asi_arch.records import (
    Analysis,
    Component,
    Conclusion,
    Dataset,
    Experiment,
    Finding,
    JobError,
    Judgement,
    Lesson,
    Measurement,
    Message,
    MetricPoint,
    Origin,
    Program,
    Proposal,
    Reply,
    Request,
    RoleSettings,
    Score,
    Status,
    Trace,
)
from asi_arch.store import Store

LOSSES = {"transformer": 1.80, "deltanet": 1.75, "gated_deltanet": 1.70}
REFERENCES = {"unigram": 3.27, "bigram": 2.47, "trigram": 1.89, "gzip": 1.35}


@dataclass(frozen=True)
class Populated:
    """Ids in the database at `db`."""

    db: str
    campaign: int
    baselines: dict[str, int]
    good: int
    rejected: int
    failed: int


@pytest.fixture(autouse=True)
def plain_terminal(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    for name in ("ASI_ARCH_DB", "ASI_ARCH_DEBUG", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def call() -> Callable[..., Result]:
    """Run the command line in this process."""

    def call(*arguments: object) -> Result:
        return CliRunner().invoke(app, [str(argument) for argument in arguments])

    return call


@pytest.fixture
def ask(call: Callable[..., Result], populated: Populated) -> Callable[..., str]:
    """Return what a query prints about the populated database."""

    def ask(*arguments: object) -> str:
        result = call(*arguments, "--db", populated.db)
        assert result.exit_code == 0, result.output
        return result.stdout

    return ask


@pytest.fixture
def ask_json(ask: Callable[..., str]) -> Callable[..., Any]:
    """Return the document a query gives with --json."""
    return lambda *arguments: json.loads(ask(*arguments, "--json"))


def measurement(stage: str, seed: int, loss: float) -> Measurement:
    curve = tuple(
        MetricPoint(step=step, tokens=512 * step, loss=loss + 2 / step) for step in (1, 5, 10)
    )
    return Measurement(
        stage=stage,
        seed=seed,
        parameters=100_000,
        non_embedding=80_000,
        mlp_width=96,
        tokens=262_144,
        loss=loss,
        loss_error=0.01,
        seconds=20.0,
        tokens_per_second=13_000.0,
        heldout=(loss, loss),
        curve=curve,
    )


@pytest.fixture
def measure() -> Callable[[str, int, float], Measurement]:
    """Make the measurement of a run: stage, seed, loss."""
    return measurement


def probe(seed: int, accuracy: float) -> Measurement:
    score = Score(benchmark="overwrite", metric="accuracy", value=accuracy, error=0.01, n=1000)
    plain = measurement("probe", seed, 0.0).model_dump(exclude={"curve", "scores", "loss"})
    return Measurement(**{**plain, "scores": (score,), "loss": None, "loss_error": None})


def proposal(name: str) -> Proposal:
    parts = (
        Component(
            name="delta rule",
            category="state update",
            origin=Origin.COGNITION,
            citations=("2406.06484",),
        ),
        Component(name="gate", category="output", origin=Origin.ANALYSIS, citations=("3",)),
        Component(
            name="decay",
            category="decay",
            origin=Origin.ORIGINALITY,
            unsupported="cognition: 1234.56789",
        ),
    )
    choices = {"update": "delta", "gate": "output"}
    return Proposal(name=name, motivation="To forget better.", components=parts, choices=choices)


def add_baselines(store: Store, campaign_id: int) -> dict[str, int]:
    ids = {}
    for number, (name, loss) in enumerate(LOSSES.items(), start=1):
        e = store.start_experiment(campaign_id, number, "baseline", name=name)
        store.save_program(e.id, Program(source=f"# {name}\nx = {number}\n"), 0, f"b{number}")
        store.save_run(e.id, probe(0, 0.5 + number / 10))
        for seed in (0, 1):
            noise = 0.01 * (-1) ** (number * seed)
            store.save_run(e.id, measurement("explore", seed, loss + noise))
        store.finish_experiment(e.id, Status.COMPLETE, fitness=(1.70 - loss) / 0.01)
        ids[name] = e.id
    return ids


def add_candidate(store: Store, campaign_id: int, number: int, parent: int) -> Experiment:
    e = store.start_experiment(campaign_id, number, "candidate", parent, (parent,))
    store.save_proposal(e.id, proposal(f"Mixer{number}"))
    source = f"class Mixer{number}:\n    gate = {number}\n"
    return store.save_program(e.id, Program(source=source), 0, f"c{number}")


def add_good(store: Store, campaign_id: int, parent: int) -> int:
    e = add_candidate(store, campaign_id, 1, parent)
    failed = Finding(check="causality", passed=False, evidence="reads token 8", hint="mask it")
    store.save_findings(e.id, 0, [failed], verified=False)
    store.save_program(e.id, Program(source="class Mixer1:\n    gate = 'mended'\n"), 1, "c1b")
    passed = Finding(check="causality", passed=True, measured={"largest": 1.5e-7, "lengths": 5})
    store.save_findings(e.id, 1, [passed], verified=True)
    store.save_run(e.id, probe(0, 0.91))
    store.save_run(e.id, measurement("explore", 0, 1.60))
    for seed in (101, 102, 103):
        store.save_run(e.id, measurement("confirm", seed, 1.50 + 0.001 * seed))
    store.save_analysis(e.id, Analysis(summary="The gate pays.", keep=("gate",), drop=("decay",)))
    store.finish_experiment(e.id, Status.COMPLETE, fitness=5.5)
    return e.id


def add_twin(store: Store, campaign_id: int, good: int, parent: int) -> int:
    """Add a candidate whose first proposal repeated another experiment."""
    e = store.start_experiment(campaign_id, 3, "candidate", parent, (parent,))
    store.save_proposal(e.id, proposal("Twin"))
    store.reject_proposal(e.id, f"the same program as experiment {good}", good)
    return add_candidate(store, campaign_id, 3, parent).id


def question(experiment_id: int, role: str, task: str, text: str) -> Request:
    return Request(
        experiment_id=experiment_id,
        role=role,
        task=task,
        messages=(Message(role="system", content="Be brief."), Message(role="user", content=text)),
        answer_type=Proposal,
        settings=RoleSettings(model="small"),
    )


def add_calls(store: Store, good: int, failed: int) -> None:
    """Add two answered calls, one of them after faults and of unknown price, a failed, an open."""
    store.save_reply(
        question(good, "researcher", "propose", "What next?"),
        Reply(
            text='{"name": "Mixer1", "components": ["gate"]}',
            prompt_tokens=100,
            cached_tokens=40,
            completion_tokens=20,
            cost=0.25,
            seconds=3.0,
        ),
    )
    store.save_reply(
        question(good, "engineer", "implement", "Write it."),
        Reply(
            text='{"code": "class Mixer1:\\n    gate = 1"}',
            model="large",
            prompt_tokens=300,
            completion_tokens=80,
            seconds=5.0,
            faults=("HTTP 429: slow down", "not JSON"),
        ),
    )
    refused = question(good, "analyst", "judge", "Is it good?")
    store.save_failure(refused, "the model refuses", faults=("HTTP 500: oops",))
    store.open_call(question(failed, "researcher", "propose", "And now?"), tokens=50)


def add_opinions(store: Store, campaign_id: int, good: int, rejected: int) -> None:
    """Add what the Analyst says: opinions, origins (one of three differs) and lessons."""
    store.save_judgement(good, Judgement(score=0.8, reason="The gate is sound."))
    store.save_judgement(rejected, Judgement(score=0.3))
    cognition, originality = Origin.COGNITION, Origin.ORIGINALITY
    traces = (
        Trace(component="delta rule", origin=cognition, citations=("2406.06484",), reason="Known."),
        Trace(component="gate", origin=cognition, reason="Gates are old."),
        Trace(component="decay", origin=originality),
    )
    store.save_traces(good, traces)
    store.save_lessons(campaign_id, 1, [Lesson(text="Too early.", evidence=(good,))])
    lessons = [
        Lesson(text="Gates pay.", evidence=(good, rejected)),
        Lesson(text="Do not mix rows.", evidence=(rejected,)),
    ]
    store.save_lessons(campaign_id, 2, lessons)


def populate(db: str, folder: Path) -> Populated:
    with Store.open(db) as store:
        config = (
            load_config(settings=["explore.tokens=262144", "budget.experiments=10"])
            .settled()
            .model_dump(mode="json")
        )
        campaign = store.create_campaign("demo", 7, config, str(folder)).id
        dataset = Dataset(
            name="stdlib",
            sha256="0" * 64,
            train_tokens=10**7,
            heldout_tokens=10**6,
            references=REFERENCES,
        )
        store.save_dataset(campaign, dataset)
        store.save_knowledge(load_entries())
        baselines = add_baselines(store, campaign)
        for name in ("deltanet", "gated_deltanet"):
            for seed in (101, 102, 103):
                store.save_run(baselines[name], measurement("confirm", seed, 1.7 + seed / 1000))
        good = add_good(store, campaign, baselines["gated_deltanet"])
        rejected = add_candidate(store, campaign, 2, good).id
        broken = Finding(check="batch", passed=False, evidence="rows mix", hint="no batch norm")
        store.save_findings(rejected, 0, [broken], verified=False)
        store.finish_experiment(rejected, Status.REJECTED, reason="batch: rows mix")
        failed = add_twin(store, campaign, good, baselines["deltanet"])
        store.save_failed_run(
            failed,
            "explore",
            0,
            JobError(kind="exception", message="the training loss became nan at step 7"),
        )
        store.finish_experiment(failed, Status.FAILED, reason="explore: nan")
        add_calls(store, good, failed)
        add_opinions(store, campaign, good, rejected)
        store.add_seconds(campaign, 125.0)
        finish(store, campaign, good, baselines["gated_deltanet"])
    return Populated(db, campaign, baselines, good, rejected, failed)


def finish(store: Store, campaign: int, best: int, baseline: int) -> None:
    conclusion = Conclusion(
        best_id=best,
        baseline_id=baseline,
        difference=0.2,
        low=0.15,
        high=0.25,
        seeds=3,
        noise=0.012,
        beyond_noise=True,
        sentence="Mixer1 beats the best baseline gated_deltanet beyond the noise.",
    )
    store.save_conclusion(campaign, conclusion)
    store.set_campaign_status(campaign, "complete")


@pytest.fixture(scope="session")
def finished_campaign(tmp_path_factory: pytest.TempPathFactory) -> Populated:
    folder = tmp_path_factory.mktemp("finished")
    return populate(str(folder / "finished.db"), folder / "files")


@pytest.fixture
def populated(finished_campaign: Populated) -> Populated:
    """The finished campaign; tests only read it."""
    return finished_campaign
