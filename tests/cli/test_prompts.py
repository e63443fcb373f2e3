"""Role cards, and what was or would be sent, from the command line."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.test_queries import Ask, AskJson

TASKS = 9


def test_all_cards_are_listed(call: Callable[..., Any]) -> None:
    cards = json.loads(call("prompts", "list", "--json").stdout)["prompts"]
    assert len(cards) == TASKS
    assert {"task", "purpose", "temperature", "file"} == set(cards[0])
    assert "researcher.propose" in call("prompts", "list").stdout


def test_a_card_is_shown_as_it_is(call: Callable[..., Any]) -> None:
    shown = call("prompts", "show", "engineer.repair").stdout
    assert shown.startswith("+++\npurpose = ") and "{{ program | source }}" in shown


def test_ones_own_card_takes_its_place(call: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "analyst").mkdir()
    card = tmp_path / "analyst" / "judge.md"
    card.write_text('+++\npurpose = "mine"\nanswer = "JudgementAnswer"\n+++\ns\n---\nu')
    listed = json.loads(call("prompts", "list", "--agents", str(tmp_path), "--json").stdout)
    mine = next(c for c in listed["prompts"] if c["task"] == "analyst.judge")
    assert (mine["purpose"], mine["file"]) == ("mine", str(card))
    shown = call("prompts", "show", "analyst.judge", "--agents", str(tmp_path)).stdout
    assert shown == card.read_text()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("prompts", "show", "engineer.improve"), "there is no task 'engineer.improve'"),
        (("prompts", "list", "--agents", "nowhere"), "no folder of role cards at nowhere"),
    ],
)
def test_mistakes_are_explained(
    call: Callable[..., Any], arguments: tuple[str, ...], sentence: str
) -> None:
    result = call(*arguments)
    assert result.exit_code == 2 and sentence in " ".join(result.stderr.split())


def test_a_card_that_replaces_nothing_is_named(call: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "analyst").mkdir()
    (tmp_path / "analyst" / "analyze.md").write_text("x")
    result = call("prompts", "list", "--agents", str(tmp_path))
    assert result.exit_code == 2
    assert "analyze.md takes the place of no role card" in " ".join(result.stderr.split())


def test_what_would_be_sent(ask: Ask, ask_json: AskJson) -> None:
    id = str(ask_json("leaderboard")["leaderboard"][0]["experiment_id"])
    for task in ("researcher.diversify", "analyst.trace"):
        document = ask_json("prompts", "show", task, "--experiment", id)
        messages = document.get("would_be_sent") or document["sent"][0]["messages"]
        assert [message["role"] for message in messages] == ["system", "user"]
    assert "--- system" in ask("prompts", "show", "analyst.judge", "--experiment", id)
