"""Researcher, Engineer and Analyst played by language models."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from pydantic import BaseModel

from asi_arch.interfaces import Backend, Ledger
from asi_arch.records import (
    Analysis,
    Context,
    Experiment,
    Finding,
    Judgement,
    Lesson,
    Program,
    Proposal,
    Request,
    RoleSettings,
    Trace,
)
from asi_arch.team.llm.answers import (
    AnalysisAnswer,
    ComparisonAnswer,
    JudgementAnswer,
    LessonsAnswer,
    ProgramAnswer,
    ProposalAnswer,
    TraceAnswer,
)
from asi_arch.team.llm.ask import AnswerRefused, ask
from asi_arch.team.llm.budget import fit
from asi_arch.team.llm.card import Card
from asi_arch.team.llm.show import best, history

A = TypeVar("A", bound=BaseModel)

_DISTILLED = 15
"""So many experiments are read again for lessons; older ones live on in the lessons so far."""

_SIBLINGS = 6


@dataclass(frozen=True)
class Speaker:
    """A role's model, its cards by task, and where its replies are kept."""

    backend: Backend
    ledger: Ledger
    settings: RoleSettings
    cards: Mapping[str, Card]

    async def ask(
        self,
        task: str,
        experiment_id: int,
        answer_type: type[A],
        check: Callable[[A], str],
        **values: object,
    ) -> A:
        """Render the card and ask until the answer passes `check` (see `asi_arch.team.llm.ask`)."""
        card = self.cards[task]
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
    """Proposes from the parent, its relatives, the literature and what was refused before.

    What it is shown has at most `tokens` tokens, the parent's program apart.
    """

    speaker: Speaker
    tokens: int

    async def propose(self, context: Context) -> Proposal:
        """Return a proposal whose citations were all in the prompt.

        A component that goes on citing what was not shown is recorded as unsupported originality.

        Raises:
            BackendError: no valid answer.
        """
        return await self._ask("propose", context)

    async def diversify(self, context: Context) -> Proposal:
        """Return a proposal that is unlike those that were known already; as `propose`."""
        return await self._ask("diversify", context)

    async def _ask(self, task: str, context: Context) -> Proposal:
        shown = fit(context, self.tokens)
        entries, experiments = shown_entries(shown), shown_experiments(shown)

        def check(answer: ProposalAnswer) -> str:
            return "; ".join(answer.unsupported(entries, experiments).values())

        values = {"context": shown, "history": history(shown.history)}
        try:
            answer = await self.speaker.ask(
                task, shown.experiment_id, ProposalAnswer, check, **values
            )
        except AnswerRefused as refused:
            if not isinstance(refused.answer, ProposalAnswer):
                raise
            answer = refused.answer
        return answer.proposal(answer.unsupported(entries, experiments))


@dataclass(frozen=True)
class LLMEngineer:
    """Writes whole modules; the verifier judges them."""

    speaker: Speaker

    async def implement(
        self, experiment: Experiment, proposal: Proposal, parent: Experiment
    ) -> Program:
        """Return a module that defines a class with the proposal's name.

        Raises:
            BackendError: no such module in three attempts.
        """
        answer = await self.speaker.ask(
            "implement",
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
            "repair",
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
    """Explains results to whoever proposes next, and compares ideas.

    Every method raises BackendError when there is no valid answer in three attempts.
    """

    speaker: Speaker

    async def analyse(self, experiment: Experiment, relatives: Sequence[Experiment]) -> Analysis:
        """Return what the experiment shows; an analysis of it that is there already is not read.

        So the question stays the same when it is asked again after a restart.
        """
        answer = await self.speaker.ask(
            "analyse",
            experiment.id,
            AnalysisAnswer,
            lambda answer: "" if answer.summary else "summary: must not be empty.",
            experiment=experiment.model_copy(update={"analysis": None}),
            baselines=[other for other in relatives if other.kind == "baseline"],
            relatives=_near(experiment, relatives),
        )
        return answer.analysis()

    async def distill(
        self, experiments: Sequence[Experiment], lessons: Sequence[Lesson]
    ) -> tuple[Lesson, ...]:
        """Return lessons whose evidence was in the prompt."""
        shown = experiments[-_DISTILLED:]
        allowed = {str(experiment.id) for experiment in shown}
        allowed |= {str(id) for lesson in lessons for id in lesson.evidence}
        answer = await self.speaker.ask(
            "distill",
            shown[-1].id,
            LessonsAnswer,
            lambda answer: answer.problem(allowed),
            experiments=shown,
            lessons=lessons,
        )
        return answer.records()

    async def judge(self, experiment: Experiment) -> Judgement:
        """Return an opinion; the prompt holds nothing that was measured."""
        answer = await self.speaker.ask(
            "judge",
            experiment.id,
            JudgementAnswer,
            lambda answer: "",
            proposal=experiment.proposal,
            program=experiment.program,
        )
        return answer.judgement()

    async def trace(self, experiment: Experiment, context: Context) -> tuple[Trace, ...]:
        """Return the origin of each component; the prompt does not say what was claimed."""
        assert experiment.proposal is not None
        names = [part.name for part in experiment.proposal.components]
        entries, experiments = shown_entries(context), shown_experiments(context)
        answer = await self.speaker.ask(
            "trace",
            experiment.id,
            TraceAnswer,
            lambda answer: answer.problem(names, entries, experiments),
            proposal=experiment.proposal,
            context=context,
        )
        return answer.records(names)

    async def compare(
        self, experiment: Experiment, proposal: Proposal, others: Sequence[Experiment]
    ) -> int | None:
        """Return which of the others has the same idea."""
        allowed = {str(other.id) for other in others}
        answer = await self.speaker.ask(
            "compare",
            experiment.id,
            ComparisonAnswer,
            lambda answer: answer.problem(allowed),
            proposal=proposal,
            others=others,
        )
        return answer.twin


def shown_entries(context: Context) -> set[str]:
    """Return the ids of the knowledge entries that a prompt for this context holds."""
    return {entry.id for entry in context.knowledge}


def shown_experiments(context: Context) -> set[str]:
    """Return the ids of the experiments that a prompt for this context holds."""
    shown = [context.parent, *context.references, *context.siblings, *context.twins]
    ids = {experiment.id for experiment in shown}
    ids |= {outcome.experiment_id for outcome in best(context.history)}
    ids |= {id for lesson in context.lessons for id in lesson.evidence}
    return {str(id) for id in ids}


def _near(experiment: Experiment, relatives: Sequence[Experiment]) -> list[Experiment]:
    """Return the parent and the latest siblings."""
    family = [other for other in relatives if other.kind == "candidate"]
    siblings = [other for other in family if other.id != experiment.parent_id]
    return [o for o in family if o.id == experiment.parent_id] + siblings[-_SIBLINGS:]
