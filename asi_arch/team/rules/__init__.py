"""The rule-based team: a typed design space, searched by effects measured in the database."""

from typing import Literal

from asi_arch.interfaces import Team
from asi_arch.team.rules.analyst import RuleAnalyst
from asi_arch.team.rules.engineer import RuleEngineer
from asi_arch.team.rules.researcher import RandomResearcher, RuleResearcher
from asi_arch.team.rules.space import BASELINES, Design

__all__ = ["BASELINES", "Design", "rule_team"]


def rule_team(strategy: Literal["rules", "random"] = "rules") -> Team:
    """Return the team that needs no language model; `random` is its control, a uniform draw."""
    researcher = RuleResearcher() if strategy == "rules" else RandomResearcher()
    return Team(researcher, RuleEngineer(), RuleAnalyst())
