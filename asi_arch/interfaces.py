"""The swappable parts on one screen."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from asi_arch.records import (
    Analysis,
    Context,
    Experiment,
    Finding,
    Job,
    JobResult,
    Judgement,
    Lesson,
    MetricPoint,
    Outcome,
    Program,
    Proposal,
    Protections,
    Reply,
    Request,
    Trace,
)


class Researcher(Protocol):
    """Decides what to try next."""

    async def propose(self, context: Context) -> Proposal: ...

    async def diversify(self, context: Context) -> Proposal:
        """Propose something else, for the last proposal was not taken: it is known already."""
        ...


class Engineer(Protocol):
    """Writes proposals as programs and repairs them from evidence."""

    async def implement(
        self, experiment: Experiment, proposal: Proposal, parent: Experiment
    ) -> Program: ...

    async def repair(
        self, experiment: Experiment, program: Program, findings: Sequence[Finding]
    ) -> Program: ...


class Analyst(Protocol):
    """Explains what came out, and compares ideas."""

    async def analyse(
        self, experiment: Experiment, relatives: Sequence[Experiment]
    ) -> Analysis: ...

    async def distill(
        self, experiments: Sequence[Experiment], lessons: Sequence[Lesson]
    ) -> tuple[Lesson, ...]:
        """Say what all finished experiments teach together, given the lessons drawn so far."""
        ...

    async def judge(self, experiment: Experiment) -> Judgement | None:
        """Give an opinion on a verified program before it is trained, None for none."""
        ...

    async def trace(self, experiment: Experiment, context: Context) -> tuple[Trace, ...]:
        """Say where each component of the proposal comes from, given what its proposer saw."""
        ...

    async def compare(
        self, experiment: Experiment, proposal: Proposal, others: Sequence[Experiment]
    ) -> int | None:
        """Return the id of the one among `others` whose idea the proposal repeats, if it does."""
        ...


@dataclass(frozen=True)
class Team:
    """The three roles of a campaign."""

    researcher: Researcher
    engineer: Engineer
    analyst: Analyst


class Backend(Protocol):
    """A language model."""

    async def complete(self, request: Request) -> Reply: ...


class Ledger(Protocol):
    """Remembers questions and replies, so that none is lost or paid twice."""

    def find_reply(self, request: Request) -> Reply | None: ...

    def open_call(self, request: Request) -> None:
        """Note that a question is about to be asked; raises BudgetSpent if it may not be."""
        ...

    def save_reply(self, request: Request, reply: Reply) -> None: ...

    def save_failure(self, request: Request, error: str, faults: Sequence[str]) -> None: ...


class Sampler(Protocol):
    """Chooses a parent and references from what has been found."""

    def sample(
        self, outcomes: Sequence[Outcome], number: int, seed: int, attempt: int = 0
    ) -> tuple[int, tuple[int, ...]]: ...


class Runner(Protocol):
    """Runs jobs; the same job gives the same result on every runner.

    The files of the job `name` lie in `folder(name)`.
    """

    async def start(self) -> Protections: ...

    async def run(
        self, job: Job, on_progress: Callable[[MetricPoint], None] = ...
    ) -> JobResult: ...

    def folder(self, name: str) -> Path: ...

    async def close(self) -> None: ...


class Watcher(Protocol):
    """Is told what happens while it happens; nothing depends on it."""

    def on_message(self, text: str) -> None: ...

    def on_phase(self, experiment: Experiment, phase: str) -> None: ...

    def on_progress(
        self,
        experiment: Experiment,
        stage: str,
        seed: int,
        point: MetricPoint,
        reference: float | None,
    ) -> None: ...

    def on_finished(self, experiment: Experiment) -> None: ...
