"""The queries about what language models were asked and said."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from asi_arch.recording import load_recording
from asi_arch.records import Component, Entry, Judgement, Origin, Proposal, Status, Trace
from asi_arch.store import Store
from tests.cli.conftest import Populated, question
from tests.cli.test_queries import Ask, AskJson, squeezed

Call = Callable[..., Result]
COMMANDS = ["calls", "calls --full", "provenance", "agreement", "lessons", "spend --by model"]


@pytest.fixture
def bare(call: Call, tmp_path: Path) -> Ask:
    """Ask about a campaign that has just begun."""
    with Store.open(str(tmp_path / "bare.db")) as store:
        store.create_campaign("bare", 0, {}, "")

    def ask(*arguments: object) -> str:
        result = call(*arguments, "--db", tmp_path / "bare.db")
        assert result.exit_code == 0, result.output
        return squeezed(result.stdout)

    return ask


def add_candidates(store: Store) -> None:
    """Add twelve candidates: the better the judge likes one, the worse it is."""
    campaign = store.create_campaign("opinions", 0, {}, "").id
    cognition, analysis = Origin.COGNITION, Origin.ANALYSIS
    for number in range(12):
        claims = ((analysis if number < 3 else cognition), cognition)
        parts = [
            Component(name=f"part {place}", category="gate", origin=origin, citations=("1",))
            for place, origin in enumerate(claims)
        ]
        rare = [
            Component(name=f"rare {n}", category=f"rare {n}", origin=Origin.ORIGINALITY)
            for n in range(3)
        ]
        traces = [Trace(component="part 1", origin=cognition)]
        traces += [Trace(component="part 0", origin=claims[0])]
        e = store.start_experiment(campaign, number, "candidate")
        parts += rare if number == 11 else [parts[0]] * 14
        store.save_proposal(e.id, Proposal(name="M", motivation="", components=tuple(parts)))
        store.save_judgement(e.id, Judgement(score=number / 12))
        store.save_traces(e.id, traces)
        store.finish_experiment(e.id, Status.COMPLETE, fitness=5.5 - number)


@pytest.fixture
def twelve(call: Call, tmp_path: Path) -> AskJson:
    """Ask about twelve judged candidates, as text or with --json."""
    with Store.open(str(tmp_path / "twelve.db")) as store:
        add_candidates(store)

    def ask(*arguments: object) -> Any:
        result = call(*arguments, "--db", tmp_path / "twelve.db")
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout) if "--json" in arguments else squeezed(result.stdout)

    return ask


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("width", [60, 80, 200])
def test_tables_keep_to_the_width(
    ask: Ask, monkeypatch: pytest.MonkeyPatch, command: str, width: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    assert max(len(line) for line in ask(*command.split()).splitlines()) <= width


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        ("calls", "no language model has been asked in campaign 1 (bare)"),
        ("spend", "no language model has been asked"),
        ("provenance", "no proposal has been taken yet"),
        ("agreement", "unless analyst.judge is false"),
        ("agreement", "unless analyst.trace is false"),
        ("lessons", "no lessons have been drawn yet: with --team llm"),
    ],
)
def test_campaigns_without_calls(bare: Ask, command: str, sentence: str) -> None:
    assert sentence in bare(command)
    assert json.loads(bare(command, "--json"))["campaign"] == 1


def test_calls(ask: Ask, ask_json: AskJson) -> None:
    text = squeezed(ask("calls"))
    assert "2 4 engineer.implement 0 answered large 300 80 – 5.0 2" in text
    assert "call 3, analyst.judge: the model refuses" in text and "429" not in text
    assert "calls: 4, failed 25%, faults 3, US dollars 0.25, unknown for 1" in text
    assert "calls per experiment: median 2, nine in ten up to 3" in text
    assert "prompt tokens: median 200, nine in ten up to 300" in text
    found = ask_json("calls")
    assert [call["status"] for call in found["calls"]] == ["answered", "answered", "failed", "open"]
    assert found["summary"]["per_experiment"] == [2.0, 3.0]
    assert "messages" not in found["calls"][0]
    assert ask_json("calls", "--full")["calls"][0]["messages"][1]["content"] == "What next?"


def test_calls_are_filtered(ask: Ask, ask_json: AskJson) -> None:
    def ids(*arguments: object) -> list[int]:
        return [call["id"] for call in ask_json("calls", *arguments)["calls"]]

    assert ids("--role", "researcher") == [1, 4]
    assert ids("--experiment", 6) == [4]
    assert ids("--status", "failed") == [3]
    assert ids("--role", "engineer", "--status", "open") == []
    assert "none of 4 calls is like that" in ask("calls", "--role", "engineer", "--status", "open")
    assert "no call is about experiment 1" in ask("calls", "--experiment", 1)


def test_faults_and_texts_in_full(ask: Ask) -> None:
    assert "call 2, engineer.implement, before: HTTP 429: slow down" in ask("calls", "--full")
    text = ask("calls", "--experiment", 4, "--full")
    assert "--- system\nBe brief.\n" in text and "--- fault\nnot JSON\n" in text
    assert "--- reply\ncode: \nclass Mixer1:\n    gate = 1\n" in text
    assert "--- error\nthe model refuses\n" in text


def test_a_long_error_is_shortened(call: Call) -> None:
    with Store.open("long.db") as store:
        campaign = store.create_campaign("long", 0, {}, "")
        e = store.start_experiment(campaign.id, 1, "candidate")
        store.save_failure(question(e.id, "analyst", "judge", "?"), "html " * 100)
    short = call("calls", "--db", "long.db").stdout
    assert "[...]" in short and short.count("html") < 40
    assert call("calls", "--full", "--db", "long.db").stdout.count("html") == 100


def test_a_recording_is_written_once(ask: Ask, call: Call, populated: Populated) -> None:
    said = ask("calls", "--out", "my calls.jsonl")
    assert "wrote 3 calls of campaign 1 to my calls.jsonl" in said
    assert "asi-arch replay 'my calls.jsonl'" in said
    recording = load_recording(Path("my calls.jsonl"))
    assert [call.task for call in recording.calls] == ["propose", "implement", "judge"]
    assert [e.id for e in recording.header.experiments] == [1, 2, 3, 4, 5, 6]
    again = call("calls", "--out", "my calls.jsonl", "--db", populated.db)
    assert again.exit_code == 2 and "is there already" in again.stderr
    assert "wrote 3 calls" in ask("calls", "--out", "my calls.jsonl", "--force")


def test_a_recording_keeps_odd_line_ends(call: Call) -> None:
    note = Entry(id="n", title="t", authors="", year=2026, tags=(), text="a\u2028b", source="n.md")
    with Store.open("odd.db") as store:
        store.save_knowledge([note])
        campaign = store.create_campaign("odd", 0, {}, "")
        e = store.start_experiment(campaign.id, 1, "candidate")
        store.save_failure(question(e.id, "analyst", "judge", "c\x85d"), "no")
    document = json.loads(call("calls", "--out", "odd.jsonl", "--db", "odd.db", "--json").stdout)
    assert document == {"campaign": 1, "path": "odd.jsonl", "calls": 1}
    assert load_recording(Path("odd.jsonl")).entries == (note,)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("calls", "--experiment", 99), "there is no experiment 99; the ids go from 1 to 6"),
        (("calls", "--out", "no/where.jsonl"), "cannot write no/where.jsonl: No such file"),
        (("calls", "--out", "c.jsonl", "--role", "analyst"), "holds the whole campaign"),
        (("lessons", "--campaign", 7), "there is no campaign 7"),
        (("spend", "--by", "campaign", "--campaign", 1), "leave out --campaign"),
    ],
)
def test_mistakes(
    call: Call, populated: Populated, arguments: tuple[object, ...], sentence: str
) -> None:
    result = call(*arguments, "--db", populated.db)
    assert (result.exit_code, result.stdout) == (2, "")
    assert sentence in result.stderr


def test_an_experiment_of_another_campaign(call: Call) -> None:
    with Store.open("two.db") as store:
        for number in (1, 2):
            campaign = store.create_campaign(f"c{number}", 0, {}, "")
            store.start_experiment(campaign.id, 1, "candidate")
    result = call("calls", "--experiment", 1, "--campaign", 2, "--db", "two.db")
    assert result.exit_code == 2 and "experiment 1 is of campaign 1, not 2" in result.stderr
    assert (
        "no call is about experiment 1" in call("calls", "--experiment", 1, "--db", "two.db").stdout
    )


def test_a_campaign_without_calls_is_not_recorded(call: Call, bare: Ask) -> None:
    result = call("calls", "--out", "c.jsonl", "--db", "bare.db")
    assert result.exit_code == 2 and "there is nothing to record" in result.stderr
    assert not Path("c.jsonl").exists()


@pytest.mark.parametrize(
    ("option", "value", "known"),
    [
        ("--role", "poet", "'researcher', 'engineer', 'analyst'"),
        ("--status", "lost", "'open', 'answered', 'failed'"),
    ],
)
def test_unknown_names_are_met_with_the_known_ones(
    call: Call, option: str, value: str, known: str
) -> None:
    result = call("calls", option, value)
    assert result.exit_code == 2 and known in squeezed(result.stderr)


def test_agreement_of_one_experiment_says_little(ask: Ask, ask_json: AskJson) -> None:
    text = squeezed(ask("agreement"))
    assert "mean score: 0.80 of the 1 that beat the strongest baseline, – of the 0 others" in text
    assert "what the judge's order is worth cannot be said yet" in text
    assert "cognition 1 0 0 analysis 1 0 0 originality 0 0 1" in text
    found = ask_json("agreement")
    assert found["judge"]["spearman"] is None
    assert found["origins"]["agreement"] == pytest.approx(2 / 3)
    assert found["origins"]["counts"]["analysis"]["cognition"] == 1
    # expected by chance: (1 * 2 + 1 * 0 + 1 * 1) / 9 = 1/3, so kappa = (2/3 - 1/3) / (2/3)
    assert found["origins"]["kappa"] == pytest.approx(0.5)


def test_agreement_of_many(twelve: AskJson) -> None:
    text = twelve("agreement")
    assert "candidates with an opinion and a fitness: 12" in text
    assert "rank correlation: -1.00 (95 % interval -1.00 to -1.00)" in text
    assert "worse than chance: what it likes does badly" in text
    assert "claims and traces agree more than chance would have it" in text
    found = twelve("agreement", "--json")
    assert found["judge"]["better"] == {"experiments": 6, "mean_score": pytest.approx(2.5 / 12)}
    assert (found["origins"]["agreement"], found["origins"]["kappa"]) == (1.0, 1.0)


def test_rare_categories_are_folded(twelve: AskJson) -> None:
    assert "3 others 3" in twelve("provenance")
    text = twelve("provenance", "--all")
    assert "others" not in text and "rare 2 1 1%" in text
    assert len(twelve("provenance", "--json")["categories"]) == 4


def test_provenance_beyond_chance(twelve: AskJson) -> None:
    text = twelve("provenance")
    assert "cognition and analysis beyond chance (Fisher's exact test" in text


def test_lessons(ask: Ask, ask_json: AskJson) -> None:
    text = squeezed(ask("lessons"))
    assert "up to number 2 1. Gates pay. shown by 4 Mixer1 +5.50, 5 Mixer2 rejected" in text
    assert "Too early" not in text
    found = ask_json("lessons")
    assert (found["up_to"], len(found["lessons"])) == (2, 2)
    assert found["lessons"][0]["evidence"][0] == {"id": 4, "name": "Mixer1", "fitness": 5.5}
