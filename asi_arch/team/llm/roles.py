"""Researcher, Engineer and Analyst played by language models."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from pydantic import BaseModel

from asi_arch.interfaces import Backend, Ledger
from asi_arch.records import (
    Analysis,
    Context,
    Experiment,
    Finding,
    Program,
    Proposal,
    Request,
    RoleSettings,
)
from asi_arch.team.llm.answers import AnalysisAnswer, ProgramAnswer, ProposalAnswer
from asi_arch.team.llm.ask import AnswerRefused, ask
from asi_arch.team.llm.card import Card
from asi_arch.team.llm.show import best, history

A = TypeVar("A", bound=BaseModel)


@dataclass(frozen=True)
class Speaker:
    """A role's model and where its replies are kept."""

    backend: Backend
    ledger: Ledger
    settings: RoleSettings

    async def ask(
        self,
        card: Card,
        experiment_id: int,
        answer_type: type[A],
        check: Callable[[A], str],
        **values: object,
    ) -> A:
        """Render the card and ask until the answer passes `check` (see `asi_arch.team.llm.ask`)."""
        request = Request(
            experiment_id=experiment_id,
            role=card.role,
            task=card.task,
            messages=card.render(**values),
            answer_type=answer_type,
            settings=card.settings(self.settings),
        )
        return await ask(self.backend, self.ledger, request, check)


@dataclass(frozen=True)
class LLMResearcher:
    """Proposes from the parent, the references, the literature and what was refused before."""

    speaker: Speaker
    propose_card: Card

    async def propose(self, context: Context) -> Proposal:
        """Return a proposal whose citations were all in the prompt.

        A component that goes on citing what was not shown is recorded as originality.

        Raises:
            BackendError: no valid answer.
        """
        entries = {entry.id for entry in context.knowledge}
        shown = [context.parent.id, *(reference.id for reference in context.references)]
        shown += [outcome.experiment_id for outcome in best(context.history)]
        experiments = {str(id) for id in shown}

        def check(answer: ProposalAnswer) -> str:
            return "; ".join(answer.unsupported(entries, experiments).values())

        try:
            answer = await self.speaker.ask(
                self.propose_card,
                context.experiment_id,
                ProposalAnswer,
                check,
                parent=context.parent,
                references=context.references,
                knowledge=context.knowledge,
                rejections=context.rejections,
                history=history(context.history),
                number=context.number,
            )
        except AnswerRefused as refused:
            if not isinstance(refused.answer, ProposalAnswer):
                raise
            answer = refused.answer
        return answer.proposal(set(answer.unsupported(entries, experiments)))


@dataclass(frozen=True)
class LLMEngineer:
    """Writes whole modules; the verifier judges them."""

    speaker: Speaker
    implement_card: Card
    repair_card: Card

    async def implement(
        self, experiment: Experiment, proposal: Proposal, parent: Experiment
    ) -> Program:
        """Return a module that defines a class with the proposal's name.

        Raises:
            BackendError: no such module in three attempts.
        """
        answer = await self.speaker.ask(
            self.implement_card,
            experiment.id,
            ProgramAnswer,
            lambda answer: answer.problem(proposal.name),
            proposal=proposal,
            parent=parent,
        )
        return Program(source=answer.code + "\n")

    async def repair(
        self, experiment: Experiment, program: Program, findings: Sequence[Finding]
    ) -> Program:
        """Return a changed module that still defines the class.

        Raises:
            BackendError: no such module in three attempts.
        """
        name = experiment.proposal.name if experiment.proposal else experiment.name

        def check(answer: ProgramAnswer) -> str:
            if answer.same_code_as(program.source):
                return "the code did not change; the checks would fail again."
            return answer.problem(name)

        answer = await self.speaker.ask(
            self.repair_card,
            experiment.id,
            ProgramAnswer,
            check,
            program=program,
            name=name,
            findings=[finding for finding in findings if not finding.passed],
        )
        return Program(source=answer.code + "\n")


@dataclass(frozen=True)
class LLMAnalyst:
    """Explains results to whoever proposes next."""

    speaker: Speaker
    analyse_card: Card

    async def analyse(self, experiment: Experiment, relatives: Sequence[Experiment]) -> Analysis:
        """Return what the experiment shows.

        Raises:
            BackendError: no valid answer in three attempts.
        """
        answer = await self.speaker.ask(
            self.analyse_card,
            experiment.id,
            AnalysisAnswer,
            lambda answer: "" if answer.summary else "summary: must not be empty.",
            experiment=experiment,
            relatives=relatives,
        )
        return answer.analysis()
