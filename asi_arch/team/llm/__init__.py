"""The team of language models."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, TypeAlias

from pydantic import BaseModel

from asi_arch.backends import make_backend
from asi_arch.content import content
from asi_arch.errors import UserError
from asi_arch.interfaces import Backend, Ledger, Team
from asi_arch.records import RoleSettings
from asi_arch.team.llm.answers import (
    AnalysisAnswer,
    ComparisonAnswer,
    JudgementAnswer,
    LessonsAnswer,
    ProgramAnswer,
    ProposalAnswer,
    TraceAnswer,
)
from asi_arch.team.llm.card import Card, load_card
from asi_arch.team.llm.roles import LLMAnalyst, LLMEngineer, LLMResearcher, Speaker
from asi_arch.team.rules import rule_team

__all__ = ["TASKS", "LLMAnalyst", "LLMEngineer", "LLMResearcher", "llm_team"]

Role: TypeAlias = Literal["researcher", "engineer", "analyst"]

_CONTEXT = frozenset({"context", "history"})
TASKS: Mapping[Role, Mapping[str, tuple[type[BaseModel], frozenset[str]]]] = {
    "researcher": {
        "propose": (ProposalAnswer, _CONTEXT),
        "diversify": (ProposalAnswer, _CONTEXT),
    },
    "engineer": {
        "implement": (ProgramAnswer, frozenset({"proposal", "parent"})),
        "repair": (ProgramAnswer, frozenset({"program", "findings", "name"})),
    },
    "analyst": {
        "analyse": (AnalysisAnswer, frozenset({"experiment", "baselines", "relatives"})),
        "distill": (LessonsAnswer, frozenset({"experiments", "lessons"})),
        "judge": (JudgementAnswer, frozenset({"proposal", "program"})),
        "trace": (TraceAnswer, frozenset({"proposal", "context"})),
        "compare": (ComparisonAnswer, frozenset({"proposal", "others"})),
    },
}
"""For each task the type of its answer and the variables that its card may use."""

RULES = "rules"
"""The name that stands for the written rules where a backend is named."""


def llm_team(
    roles: Mapping[Role, RoleSettings], ledger: Ledger, tokens: int, agents: str = ""
) -> Team:
    """Return the three roles; a role whose backend is `rules` is played by the written rules.

    Args:
        roles: settings by role name; a role that is missing gets the defaults.
        ledger: where replies are stored and found again.
        tokens: how long the Researcher's prompts may be, the parent's program apart.
        agents: folder with role cards of the user's own, each in place of the shipped one.

    Raises:
        UserError: a backend, a setting or a role card is wrong; nothing was asked yet.
    """
    folder = card_folder(agents)
    backends: dict[RoleSettings, Backend] = {}
    rules = rule_team()

    def speaker(role: Role) -> Speaker | None:
        settings = roles.get(role, RoleSettings())
        if settings.backend == RULES:
            return None
        if settings not in backends:
            backends[settings] = make_backend(settings.backend, settings)
        return Speaker(backends[settings], ledger, settings, load_cards(role, folder))

    asked = {role: speaker(role) for role in TASKS}
    researcher, engineer, analyst = asked["researcher"], asked["engineer"], asked["analyst"]
    return Team(
        LLMResearcher(researcher, tokens) if researcher else rules.researcher,
        LLMEngineer(engineer) if engineer else rules.engineer,
        LLMAnalyst(analyst) if analyst else rules.analyst,
    )


def load_cards(role: Role, agents: Path | None) -> dict[str, Card]:
    """Return the cards of a role by task.

    Raises:
        UserError: a card is wrong.
    """
    return {
        task: load_card(role, task, answer_type, set(variables), agents)
        for task, (answer_type, variables) in TASKS[role].items()
    }


def card_folder(agents: str) -> Path | None:
    """Return the user's folder of role cards, None where none is named.

    Raises:
        UserError: there is no such folder, or a file in it would replace nothing.
    """
    if not agents:
        return None
    folder = Path(agents)
    if not folder.is_dir():
        raise UserError(f"there is no folder of role cards at {agents}")
    shipped = content("agents")
    known = {path.relative_to(shipped).as_posix() for path in shipped.rglob("*.md")}
    for path in sorted(folder.rglob("*.md")):
        name = path.relative_to(folder).as_posix()
        if name not in known:
            raise UserError(
                f"{path} takes the place of no role card; the cards are {', '.join(sorted(known))}"
            )
    return folder
