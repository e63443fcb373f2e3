"""A role whose backend is `rules` is played by the written rules: an ablation of one model."""

from pathlib import Path

import pytest

from asi_arch.records import RoleSettings, Status
from asi_arch.team.llm import TASKS, llm_team
from asi_arch.team.rules.render import read_design
from asi_arch.testing import MemoryLedger
from tests.campaign.test_ideas import candidates
from tests.campaigns import run_campaign, text_folder, tiny_config
from tests.simulation import simulate


@pytest.mark.parametrize("replaced", [*TASKS, "everyone"])
def test_the_other_roles_stay_with_the_model(tmp_path: Path, replaced: str) -> None:
    roles = {role: RoleSettings(backend="scripted") for role in TASKS}
    for role in TASKS if replaced == "everyone" else [replaced]:
        roles[role] = RoleSettings(backend="rules")  # type: ignore[index]
    ledger = MemoryLedger()
    config = tiny_config(tmp_path, "budget.experiments=4", "search.in_flight=2")
    simulate(config, tmp_path, llm_team(roles, ledger, 12_000))
    asked = {request.role for request in ledger.requests}
    assert asked == {role for role in TASKS if roles[role].backend == "scripted"}
    found = candidates(tmp_path)
    ends = {candidate.status for candidate in found}
    assert Status.COMPLETE in ends and ends <= {Status.COMPLETE, Status.REJECTED}
    for candidate in found:
        if candidate.program is not None and roles["engineer"].backend == "rules":
            assert read_design(candidate.program.source)


def test_it_is_one_setting(tmp_path: Path) -> None:
    """With real jobs: rules propose, a model writes their words as programs."""
    settings = ["team=llm", "roles.researcher.backend=rules", "roles.analyst.backend=rules"]
    settings += ["roles.engineer.backend=scripted", "budget.experiments=1"]
    config = tiny_config(text_folder(tmp_path / "text"), *settings)
    record, conclusion = run_campaign(str(tmp_path / "a.db"), config, tmp_path)
    assert record.status == "complete" and conclusion is not None
    (candidate,) = candidates(tmp_path)
    assert candidate.status is Status.COMPLETE and candidate.proposal is not None
    assert candidate.proposal.choices and candidate.program is not None
    assert "class Memory(" in candidate.program.source
