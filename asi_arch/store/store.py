"""The database as its users see it: ids and frozen records go in and out, rows never do."""

from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from asi_arch.records import (
    Analysis,
    Campaign,
    Conclusion,
    Dataset,
    Embedding,
    Entry,
    Experiment,
    Finding,
    JobError,
    Judgement,
    Lesson,
    Measurement,
    Outcome,
    Program,
    Proposal,
    Reply,
    Request,
    Run,
    Score,
    Status,
    Trace,
)
from asi_arch.store import (
    calls,
    campaigns,
    database,
    experiments,
    proposals,
    runs,
    sources,
    views,
)
from asi_arch.store.lessons import lessons_drawn, list_lessons, save_lessons
from asi_arch.store.records import (
    CallRecord,
    DatabaseInfo,
    EffortRow,
    EventRecord,
    LeaderboardRow,
    LineageRow,
    ProvenanceRow,
    Spend,
    SpendRow,
)

P = ParamSpec("P")
T = TypeVar("T")


class Store:
    """A database of campaigns; every method is one transaction.

    A store is used from one thread. Several processes may read while one writes; a second writer
    waits for `busy_timeout` seconds. Every method raises UserError when the database is locked,
    read-only, full or gone, and when an id is unknown.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reader = database.reading(engine)
        self._writer = database.writing(engine)

    @classmethod
    def open(cls, url_or_path: str, create: bool = True, busy_timeout: float = 5.0) -> Self:
        """Open a SQLite file or a PostgreSQL database; make its tables if it is new.

        Raises:
            UserError: the database is missing (and `create` is False), unusable, or its schema
                is older or newer than this version.
            MissingExtra: PostgreSQL is asked for and psycopg is not installed.
        """
        return cls(database.connect(database.parse_url(url_or_path), create, busy_timeout))

    @classmethod
    def upgrade(cls, url_or_path: str, busy_timeout: float = 5.0) -> tuple[str, str]:
        """Bring an existing database to the newest schema; return its old and new revision."""
        return database.upgrade(database.parse_url(url_or_path), busy_timeout)

    def close(self) -> None:
        """Close the connections; the store cannot be used afterwards."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _read(
        self, work: Callable[Concatenate[Session, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        with database.explained(self._engine.url), Session(self._reader) as session:
            return work(session, *args, **kwargs)

    def _write(
        self, work: Callable[Concatenate[Session, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        with (
            database.explained(self._engine.url),
            Session(self._writer) as session,
            session.begin(),
        ):
            return work(session, *args, **kwargs)

    def create_campaign(
        self, name: str, seed: int, config: dict[str, Any], folder: str
    ) -> Campaign:
        """Add a running campaign."""
        return self._write(campaigns.create_campaign, name, seed, config, folder)

    def campaign(self, campaign_id: int | None = None) -> Campaign:
        """Return a campaign, the latest for None."""
        return self._read(campaigns.get_campaign, campaign_id)

    def campaigns(self) -> list[Campaign]:
        """Return all campaigns, oldest first."""
        return self._read(campaigns.list_campaigns)

    def set_campaign_status(self, campaign_id: int, status: str, reason: str = "") -> None:
        """Record whether a campaign is running, stopped or complete, and why."""
        self._write(campaigns.set_campaign_status, campaign_id, status, reason)

    def set_campaign_config(self, campaign_id: int, config: dict[str, Any]) -> None:
        """Replace the configuration of a campaign."""
        self._write(campaigns.set_campaign_config, campaign_id, config)

    def add_seconds(self, campaign_id: int, seconds: float) -> None:
        """Add wall time to what a campaign has used."""
        self._write(campaigns.add_seconds, campaign_id, seconds)

    def save_conclusion(self, campaign_id: int, conclusion: Conclusion) -> None:
        """Record how a campaign ended."""
        self._write(campaigns.save_conclusion, campaign_id, conclusion)

    def start_experiment(
        self,
        campaign_id: int,
        number: int,
        kind: str,
        parent_id: int | None = None,
        reference_ids: Sequence[int] = (),
        name: str = "",
        id: int | None = None,
    ) -> Experiment:
        """Return the experiment of this kind and number; a new one starts as sampled.

        A new one has this `id`, or the next one.
        """
        return self._write(
            experiments.start_experiment,
            campaign_id,
            number,
            kind,
            parent_id,
            reference_ids,
            name,
            id,
        )

    def save_proposal(self, experiment_id: int, proposal: Proposal) -> Experiment:
        """Take a proposal; the experiment is proposed and bears its name."""
        return self._write(proposals.save_proposal, experiment_id, proposal)

    def reject_proposal(
        self, experiment_id: int, reason: str, twin_id: int | None = None
    ) -> Experiment:
        """Say why the taken proposal is not pursued; the experiment is sampled again."""
        return self._write(proposals.reject_proposal, experiment_id, reason, twin_id)

    def proposals(self, among: Sequence[int]) -> dict[int, Proposal]:
        """Return the latest proposal, also a rejected one, of those experiments that have one."""
        return self._read(proposals.list_proposals, among)

    def change_parent(
        self, experiment_id: int, parent_id: int, reference_ids: Sequence[int]
    ) -> Experiment:
        """Let an experiment that waits for a proposal start from another parent."""
        return self._write(experiments.change_parent, experiment_id, parent_id, reference_ids)

    def save_program(
        self, experiment_id: int, program: Program, round: int, fingerprint: str
    ) -> Experiment:
        """Make a program the current one; the experiment is implemented."""
        return self._write(proposals.save_program, experiment_id, program, round, fingerprint)

    def program_rounds(self, experiment_id: int) -> list[Program]:
        """Return every program an experiment had, in order."""
        return self._read(proposals.list_programs, experiment_id)

    def save_repaired(
        self, experiment_id: int, program: Program, round: int, fingerprint: str, failure: Finding
    ) -> Experiment:
        """Make a program the current one after the training of the last one failed."""
        return self._write(
            proposals.save_repaired, experiment_id, program, round, fingerprint, failure
        )

    def find_twin(self, fingerprint: str, among: Sequence[int]) -> int | None:
        """Return the first of the experiments whose program has this fingerprint."""
        return self._read(proposals.find_twin, fingerprint, among)

    def signatures(self, among: Sequence[int]) -> dict[int, str]:
        """Return what the sameness check measured of each of the experiments."""
        return self._read(proposals.list_signatures, among)

    def save_findings(
        self, experiment_id: int, round: int, findings: Sequence[Finding], verified: bool
    ) -> Experiment:
        """Record the checks of one repair round; the experiment is verified if they say so."""
        return self._write(proposals.save_findings, experiment_id, round, findings, verified)

    def findings(self, experiment_id: int) -> list[tuple[int, Finding]]:
        """Return the findings of an experiment in order, each with its round."""
        return self._read(proposals.list_findings, experiment_id)

    def save_run(self, experiment_id: int, measurement: Measurement) -> Run:
        """Record a training; one whose loss is not finite has failed. A run once saved stays."""
        return self._write(runs.save_run, experiment_id, measurement)

    def save_failed_run(
        self,
        experiment_id: int,
        stage: str,
        seed: int,
        error: JobError,
    ) -> Run:
        """Record why a training gave no measurement. A run once saved stays."""
        return self._write(runs.save_failed_run, experiment_id, stage, seed, error)

    def save_scores(
        self, experiment_id: int, stage: str, seed: int, scores: Sequence[Score]
    ) -> None:
        """Add scores to a run; those of the same benchmark and metric are replaced."""
        self._write(runs.save_scores, experiment_id, stage, seed, scores)

    def runs(
        self, campaign_id: int, stage: str | None = None, experiment_id: int | None = None
    ) -> list[Run]:
        """Return the runs of a campaign by experiment, stage and seed."""
        return self._read(runs.list_runs, campaign_id, stage, experiment_id)

    def losses(self, campaign_id: int, stage: str) -> dict[int, dict[int, float]]:
        """Return {experiment id: {seed: held-out loss}} at a stage, nats per token."""
        return self._read(runs.list_losses, campaign_id, stage)

    def heldout(self, campaign_id: int, stage: str) -> dict[int, dict[int, tuple[float, ...]]]:
        """Return {experiment id: {seed: losses of the held-out windows}} at a stage.

        A run that kept none has one for all, its mean.
        """
        return self._read(runs.list_heldout, campaign_id, stage)

    def documents(self, campaign_id: int, stage: str) -> tuple[int, ...] | None:
        """Return the document of each held-out window of a stage, None where they are unknown.

        Windows of a single document are no sample of documents: None for those as well.
        """
        return self._read(runs.list_documents, campaign_id, stage)

    def efforts(self, campaign_id: int) -> list[EffortRow]:
        """Return what the trainings of each stage took, by device."""
        return self._read(runs.list_efforts, campaign_id)

    def set_status(self, experiment_id: int, status: Status) -> Experiment:
        """Record how far an experiment has come."""
        return self._write(experiments.set_status, experiment_id, status)

    def save_analysis(self, experiment_id: int, analysis: Analysis) -> Experiment:
        """Record what the Analyst concluded."""
        return self._write(experiments.save_analysis, experiment_id, analysis)

    def save_judgement(self, experiment_id: int, judgement: Judgement) -> Experiment:
        """Record what the Analyst thinks of a program."""
        return self._write(experiments.save_judgement, experiment_id, judgement)

    def save_traces(self, experiment_id: int, traces: Sequence[Trace]) -> Experiment:
        """Record where the parts of the proposal come from in the Analyst's eyes."""
        return self._write(experiments.save_traces, experiment_id, traces)

    def save_lessons(self, campaign_id: int, up_to: int, lessons: Sequence[Lesson]) -> None:
        """Keep what the experiments numbered up to `up_to` teach together."""
        self._write(save_lessons, campaign_id, up_to, lessons)

    def lessons(self, campaign_id: int, up_to: int) -> list[Lesson]:
        """Return what the experiments numbered up to `up_to` teach together."""
        return self._read(list_lessons, campaign_id, up_to)

    def lessons_drawn(self, campaign_id: int) -> int:
        """Return up to which experiment the latest lessons were drawn, 0 when there are none."""
        return self._read(lessons_drawn, campaign_id)

    def finish_experiment(
        self, experiment_id: int, status: Status, fitness: float | None = None, reason: str = ""
    ) -> Experiment:
        """Record how an experiment ended."""
        return self._write(experiments.finish_experiment, experiment_id, status, fitness, reason)

    def experiment(self, experiment_id: int) -> Experiment:
        """Return an experiment."""
        return self._read(experiments.get_experiment, experiment_id)

    def experiments(self, campaign_id: int, kind: str | None = None) -> list[Experiment]:
        """Return the experiments of a campaign by kind and number."""
        return self._read(experiments.list_experiments, campaign_id, kind)

    def outcomes(self, campaign_id: int, up_to: int) -> list[Outcome]:
        """Return complete baselines and finished candidates numbered up to `up_to`."""
        return self._read(experiments.list_outcomes, campaign_id, up_to)

    def find_reply(self, request: Request) -> Reply | None:
        """Return the stored answer to this very question."""
        return self._read(calls.find_reply, request)

    def open_call(self, request: Request, tokens: int, cost: float | None = None) -> None:
        """Note that a question is on its way and what it may use at most."""
        self._write(calls.open_call, request, tokens, cost)

    def end_lost_calls(self, campaign_id: int) -> None:
        """Count the questions that were on their way when their process ended as failed."""
        self._write(calls.end_lost_calls, campaign_id)

    def save_reply(self, request: Request, reply: Reply) -> None:
        """Store an answer; a question that has one keeps it."""
        self._write(calls.save_reply, request, reply)

    def save_failure(self, request: Request, error: str, faults: Sequence[str] = ()) -> None:
        """Store why a question has no answer."""
        self._write(calls.save_failure, request, error, faults)

    def calls(self, campaign_id: int, experiment_id: int | None = None) -> list[CallRecord]:
        """Return the language model calls of a campaign or of one experiment, in order."""
        return self._read(calls.list_calls, campaign_id, experiment_id)

    def total_spend(self, campaign_id: int) -> Spend:
        """Return what a campaign's language models have used."""
        return self._read(calls.total_spend, campaign_id)

    def save_dataset(self, campaign_id: int, dataset: Dataset) -> None:
        """Say what a campaign trains on."""
        self._write(sources.save_dataset, campaign_id, dataset)

    def dataset(self, campaign_id: int) -> Dataset | None:
        """Return what a campaign trains on, None before it is known."""
        return self._read(sources.get_dataset, campaign_id)

    def save_knowledge(self, entries: Sequence[Entry]) -> None:
        """Add entries to the knowledge base; those of a known id are replaced."""
        self._write(sources.save_knowledge, entries)

    def knowledge(self) -> list[Entry]:
        """Return the knowledge base by id."""
        return self._read(sources.list_knowledge)

    def remove_knowledge(self, entry_id: str) -> None:
        """Take an entry out of the knowledge base."""
        self._write(sources.remove_knowledge, entry_id)

    def embeddings(self, model: str) -> dict[str, Embedding]:
        """Return the vectors of knowledge entries that a model gave, by entry id."""
        return self._read(sources.list_embeddings, model)

    def save_embeddings(self, model: str, embeddings: Mapping[str, Embedding]) -> None:
        """Keep the vectors of knowledge entries, by entry id."""
        self._write(sources.save_embeddings, model, embeddings)

    def log_event(
        self, campaign_id: int, experiment_id: int | None, kind: str, message: str
    ) -> None:
        """Add a line to the log of a campaign."""
        self._write(campaigns.log_event, campaign_id, experiment_id, kind, message)

    def events(self, campaign_id: int, limit: int | None = None) -> list[EventRecord]:
        """Return the last events of a campaign, oldest first."""
        return self._read(campaigns.list_events, campaign_id, limit)

    def leaderboard(self, campaign_id: int) -> list[LeaderboardRow]:
        """Return the experiments by rank, then those without fitness."""
        return self._read(views.list_leaderboard, campaign_id)

    def lineage(self, campaign_id: int) -> list[LineageRow]:
        """Return every experiment with its parent, roots first."""
        return self._read(views.list_lineage, campaign_id)

    def provenance(self, campaign_id: int) -> list[ProvenanceRow]:
        """Return where the ideas come from, by origin and category."""
        return self._read(views.list_provenance, campaign_id)

    def spend(self, campaign_id: int) -> list[SpendRow]:
        """Return what language models and training have used."""
        return self._read(views.list_spend, campaign_id)

    def info(self) -> DatabaseInfo:
        """Return where the database is, its schema and its size."""
        return self._read(views.describe)
