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
    MetricPoint,
    Outcome,
    Program,
    Proposal,
    Protections,
    Reply,
    Request,
)


class Researcher(Protocol):
    """Decides what to try next."""

    async def propose(self, context: Context) -> Proposal: ...


class Engineer(Protocol):
    """Writes proposals as programs and repairs them from evidence."""

    async def implement(
        self, experiment: Experiment, proposal: Proposal, parent: Experiment
    ) -> Program: ...

    async def repair(
        self, experiment: Experiment, program: Program, findings: Sequence[Finding]
    ) -> Program: ...


class Analyst(Protocol):
    """Explains what came out."""

    async def analyse(
        self, experiment: Experiment, relatives: Sequence[Experiment]
    ) -> Analysis: ...


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
    """Remembers replies, so that none is lost or paid twice."""

    def find_reply(self, request: Request) -> Reply | None: ...

    def save_reply(self, request: Request, reply: Reply) -> None: ...


class Sampler(Protocol):
    """Chooses a parent and references from what has been found."""

    def sample(
        self, outcomes: Sequence[Outcome], number: int, seed: int
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
