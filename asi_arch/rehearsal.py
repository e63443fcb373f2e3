"""What a role would be asked about an experiment as it stands, without asking it."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

from asi_arch.errors import UserError
from asi_arch.interfaces import Team
from asi_arch.memory import Memory
from asi_arch.records import Experiment, Program, Proposal, Reply, Request, RoleSettings
from asi_arch.search.novelty import alike
from asi_arch.team.llm import TASKS, LLMAnalyst, LLMEngineer, LLMResearcher, card_folder, load_cards
from asi_arch.team.llm.roles import Speaker


def would_ask(name: str, memory: Memory, experiment: Experiment) -> Request:
    """Return the question that a task, such as `researcher.propose`, would ask.

    Raises:
        UserError: there is no such task, or the experiment has not come that far.
    """
    if name not in _QUESTIONS:
        raise UserError(f"there is no task {name!r}; choose one of: {', '.join(_QUESTIONS)}")
    try:
        asyncio.run(_QUESTIONS[name](_team(memory), memory, experiment))
    except _Asked as asked:
        return asked.request
    raise AssertionError(f"{name} asked nothing")


class _Asked(BaseException):
    """Carries the question out of the role that wanted to ask it, past who handles errors."""

    def __init__(self, request: Request) -> None:
        super().__init__(request.task)
        self.request = request


class _Listener:
    """A backend and a ledger that know nothing and pass on what they hear."""

    async def complete(self, request: Request) -> Reply:
        raise _Asked(request)

    def find_reply(self, request: Request) -> Reply | None:
        return None

    def open_call(self, request: Request) -> None:
        """Nothing is paid."""

    def save_reply(self, request: Request, reply: Reply) -> None:
        raise AssertionError("a listener never answers")

    def save_failure(self, request: Request, error: str, faults: Sequence[str]) -> None:
        raise AssertionError("a listener never answers")


def _team(memory: Memory) -> Team:
    folder, roles, ear = card_folder(memory.config.agents), memory.config.roles, _Listener()
    speakers = {
        role: Speaker(ear, ear, roles.get(role, RoleSettings()), load_cards(role, folder))
        for role in TASKS
    }
    return Team(
        LLMResearcher(speakers["researcher"], memory.config.show.tokens),
        LLMEngineer(speakers["engineer"]),
        LLMAnalyst(speakers["analyst"]),
    )


async def _propose(team: Team, memory: Memory, experiment: Experiment) -> None:
    await team.researcher.propose(memory.context(experiment))


async def _diversify(team: Team, memory: Memory, experiment: Experiment) -> None:
    await team.researcher.diversify(memory.context(experiment))


async def _implement(team: Team, memory: Memory, experiment: Experiment) -> None:
    assert experiment.parent_id is not None
    parent = memory.store.experiment(experiment.parent_id)
    await team.engineer.implement(experiment, _proposal(experiment), parent)


async def _repair(team: Team, memory: Memory, experiment: Experiment) -> None:
    failed = [finding for _, finding in memory.store.findings(experiment.id) if not finding.passed]
    if not failed:
        raise UserError(f"experiment {experiment.id} has failed no check: nothing to repair")
    await team.engineer.repair(experiment, _program(experiment), failed)


async def _analyse(team: Team, memory: Memory, experiment: Experiment) -> None:
    await team.analyst.analyse(experiment, memory.relatives(experiment))


async def _distill(team: Team, memory: Memory, experiment: Experiment) -> None:
    finished = memory.finished(experiment.number)
    if not finished:
        raise UserError(f"no experiment up to {experiment.id} is finished: nothing to learn from")
    await team.analyst.distill(finished, memory.lessons(experiment.number))


async def _judge(team: Team, memory: Memory, experiment: Experiment) -> None:
    _proposal(experiment), _program(experiment)
    await team.analyst.judge(experiment)


async def _trace(team: Team, memory: Memory, experiment: Experiment) -> None:
    _proposal(experiment)
    await team.analyst.trace(experiment, memory.context(experiment))


async def _compare(team: Team, memory: Memory, experiment: Experiment) -> None:
    proposal, known = _proposal(experiment), memory.proposals(experiment)
    near = alike(proposal, known, least=0.0, limit=memory.config.novelty.compared or 1)
    if not near:
        raise UserError(f"experiment {experiment.id} has no earlier idea to be compared with")
    others = [memory.store.experiment(id) for id, _ in near]
    await team.analyst.compare(experiment, proposal, others)


def _proposal(experiment: Experiment) -> Proposal:
    if experiment.proposal is None:
        raise UserError(f"experiment {experiment.id} is {experiment.status}: it has no proposal")
    return experiment.proposal


def _program(experiment: Experiment) -> Program:
    if experiment.program is None:
        raise UserError(f"experiment {experiment.id} is {experiment.status}: it has no program")
    return experiment.program


_Question = Callable[[Team, Memory, Experiment], Coroutine[Any, Any, None]]
_QUESTIONS: Mapping[str, _Question] = {
    "researcher.propose": _propose,
    "researcher.diversify": _diversify,
    "engineer.implement": _implement,
    "engineer.repair": _repair,
    "analyst.analyse": _analyse,
    "analyst.distill": _distill,
    "analyst.judge": _judge,
    "analyst.trace": _trace,
    "analyst.compare": _compare,
}
