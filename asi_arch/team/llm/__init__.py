"""The team of language models."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, TypeAlias

from asi_arch.backends import make_backend
from asi_arch.errors import UserError
from asi_arch.interfaces import Backend, Ledger, Team
from asi_arch.records import RoleSettings
from asi_arch.team.llm.answers import AnalysisAnswer, ProgramAnswer, ProposalAnswer
from asi_arch.team.llm.card import Card, load_card
from asi_arch.team.llm.roles import LLMAnalyst, LLMEngineer, LLMResearcher, Speaker

__all__ = ["LLMAnalyst", "LLMEngineer", "LLMResearcher", "llm_team"]

Role: TypeAlias = Literal["researcher", "engineer", "analyst"]
ROLES: tuple[Role, ...] = ("researcher", "engineer", "analyst")


def llm_team(
    roles: Mapping[Role, RoleSettings], ledger: Ledger, agents: Path | None = None
) -> Team:
    """Return the three roles; roles with equal settings share one backend.

    Args:
        roles: settings by role name; a role that is missing gets the defaults.
        ledger: where replies are stored and found again.
        agents: folder with role cards of the user's own, each in place of the shipped one.

    Raises:
        UserError: a backend, a setting or a role card is wrong; nothing was asked yet.
    """
    if agents is not None and not agents.is_dir():
        raise UserError(f"there is no folder of role cards at {agents}")
    backends: dict[RoleSettings, Backend] = {}
    speakers: dict[Role, Speaker] = {}
    for role in ROLES:
        settings = roles.get(role, RoleSettings())
        if settings not in backends:
            backends[settings] = make_backend(settings.backend, settings)
        speakers[role] = Speaker(backends[settings], ledger, settings)
    return Team(
        LLMResearcher(speakers["researcher"], _propose(agents)),
        LLMEngineer(speakers["engineer"], _implement(agents), _repair(agents)),
        LLMAnalyst(speakers["analyst"], _analyse(agents)),
    )


def _propose(agents: Path | None) -> Card:
    variables = {"parent", "references", "knowledge", "rejections", "history", "number"}
    return load_card("researcher", "propose", ProposalAnswer, variables, agents)


def _implement(agents: Path | None) -> Card:
    return load_card("engineer", "implement", ProgramAnswer, {"proposal", "parent"}, agents)


def _repair(agents: Path | None) -> Card:
    return load_card("engineer", "repair", ProgramAnswer, {"program", "findings", "name"}, agents)


def _analyse(agents: Path | None) -> Card:
    return load_card("analyst", "analyse", AnalysisAnswer, {"experiment", "relatives"}, agents)
