import tomllib
from pathlib import Path

import pytest

from asi_arch.content import content
from asi_arch.errors import UserError
from asi_arch.records import RoleSettings
from asi_arch.team.llm import TASKS, llm_team
from asi_arch.team.llm.answers import AnalysisAnswer, ProgramAnswer
from asi_arch.team.llm.card import load_card
from asi_arch.testing import MemoryLedger

CARDS = sorted(content("agents").rglob("*.md"))
HEADER = '+++\npurpose = "p"\nanswer = "AnalysisAnswer"\n+++\n'


def write(folder: Path, text: str) -> Path:
    (folder / "analyst").mkdir(exist_ok=True)
    (folder / "analyst" / "analyse.md").write_text(text)
    return folder


def test_all_cards_are_there() -> None:
    names = [f"{path.parent.name}/{path.stem}" for path in CARDS]
    of_the_team = [f"{role}/{task}" for role, tasks in TASKS.items() for task in tasks]
    assert names == sorted([*of_the_team, "librarian/distill"])
    assert len(names) == 10


@pytest.mark.parametrize("path", CARDS, ids=lambda path: path.stem)
def test_cards_are_short_and_say_what_they_are_for(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= 60
    header = tomllib.loads(text.split("+++\n")[1])
    assert header["purpose"] and header["answer"] and 0 <= header["temperature"] <= 1


def test_a_card_of_the_users_own_takes_the_place_of_the_shipped_one(tmp_path: Path) -> None:
    folder = write(tmp_path, HEADER + "System {{ x }}\n---\nUser {{ x }}\n")
    card = load_card("analyst", "analyse", AnalysisAnswer, {"x"}, folder)
    system, user = card.render(x="1 < 2 {{ y }}")
    assert (system.role, system.content) == ("system", "System 1 < 2 {{ y }}")
    assert (user.role, user.content) == ("user", "User 1 < 2 {{ y }}")
    assert card.settings(RoleSettings()).temperature is None
    shipped = load_card(
        "engineer", "repair", ProgramAnswer, {"program", "findings", "name"}, folder
    )
    assert shipped.purpose.startswith("Repair")


def test_the_users_temperature_wins() -> None:
    answer_type, variables = TASKS["analyst"]["analyse"]
    card = load_card("analyst", "analyse", answer_type, set(variables))
    assert card.settings(RoleSettings()).temperature == 0.3
    assert card.settings(RoleSettings(temperature=0.0)).temperature == 0.0


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (HEADER + "s\n---\n{{ unknown }}", "unknown variables: unknown; it may use: x"),
        (HEADER + "s\n---\n{% if %}", "not a valid template"),
        (HEADER + "s without user part", "needs a TOML header"),
        ("just text", "needs a TOML header"),
        ("+++\nx\n+++\ns\n---\nu", "cannot read"),
        (HEADER.replace("AnalysisAnswer", "Other") + "s\n---\nu", "'AnalysisAnswer'"),
    ],
)
def test_a_wrong_card_is_a_user_error(tmp_path: Path, text: str, sentence: str) -> None:
    folder = write(tmp_path, text)
    with pytest.raises(UserError, match=sentence):
        load_card("analyst", "analyse", AnalysisAnswer, {"x"}, folder)


def test_an_unknown_attribute_is_an_error_when_rendered(tmp_path: Path) -> None:
    folder = write(tmp_path, HEADER + "s\n---\n{{ x.nothing }}")
    card = load_card("analyst", "analyse", AnalysisAnswer, {"x"}, folder)
    with pytest.raises(UserError, match=r"analyst/analyse\.md.*nothing"):
        card.render(x="text")


def test_a_team_is_refused_before_anything_is_asked(tmp_path: Path) -> None:
    scripted = RoleSettings(backend="scripted")
    with pytest.raises(UserError, match="no folder of role cards"):
        llm_team({}, MemoryLedger(), 9_000, str(tmp_path / "missing"))
    write(tmp_path, HEADER + "s\n---\n{{ unknown }}")
    with pytest.raises(UserError, match="unknown variables"):
        llm_team(dict.fromkeys(TASKS, scripted), MemoryLedger(), 9_000, str(tmp_path))
