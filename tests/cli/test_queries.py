"""Every query, as text and as JSON, on a finished campaign."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

Ask = Callable[..., str]
AskJson = Callable[..., Any]

CONCLUSION = "Mixer1 beats the best baseline gated_deltanet beyond the noise."


def squeezed(text: str) -> str:
    """Return the text with every run of white space as one space."""
    return re.sub(r"\s+", " ", text)


def test_leaderboard_ranks_and_concludes(ask: Ask) -> None:
    text = squeezed(ask("leaderboard"))
    assert text.index("Mixer1 +5.50 better") < text.index("gated_deltanet +0.00")
    assert "below 3 either way it is within the noise" in text
    assert "unigram 3.270, bigram 2.470, trigram 1.890, gzip 1.350" in text
    assert "explore 0.0115, confirm 0.0120" in text
    assert CONCLUSION in text
    assert "5 Mixer2 – rejected" in text
    confirm = text[text.index("Confirm: larger size, fresh seeds") :]
    line = r"4 Mixer1 [\d.]+±[\d.]+ 3 \+0\.2000±0\.0000 better 2 deltanet"
    assert re.search(line, confirm)


def test_leaderboard_document(ask_json: AskJson) -> None:
    found = ask_json("leaderboard")
    first, *others = found["leaderboard"]
    assert (first["name"], first["rank"], first["mark"]) == ("Mixer1", 1, "better")
    assert first["gain"] == pytest.approx(0.11)
    assert first["parent"] == "gated_deltanet"
    assert {row["mark"] for row in others} == {""}
    assert found["noise"]["confirm"] == 0.012
    assert found["conclusion"]["sentence"] == CONCLUSION
    assert found["campaign"]["seed"] == 7


@pytest.mark.parametrize("command", ["leaderboard", "show 4", "status", "baselines", "spend"])
@pytest.mark.parametrize("width", [40, 80, 200])
def test_tables_keep_to_the_width(
    ask: Ask, monkeypatch: pytest.MonkeyPatch, command: str, width: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    assert max(len(line) for line in ask(*command.split()).splitlines()) <= width


def test_narrow_leaderboard_drops_the_least_important(
    ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert "tokens/s" in ask("leaderboard")
    monkeypatch.setenv("COLUMNS", "60")
    narrow = ask("leaderboard")
    assert "tokens/s" not in narrow
    assert "explore" in narrow and "better" in narrow


def test_no_colour_codes_where_there_is_no_terminal(ask: Ask) -> None:
    assert "\x1b" not in ask("leaderboard") + ask("show", 4) + ask("lineage")


def test_show_tells_everything(ask: Ask) -> None:
    text = squeezed(ask("show", 4))
    for part in (
        "4 Mixer1 candidate 1",
        "fitness: +5.50 better, gain +0.1100",
        "parent: 3 gated_deltanet",
        "To forget better.",
        "2406.06484: Parallelizing Linear Transformers",
        "3: gated_deltanet",
        "round 0, causality: reads token 8 hint: mask it",
        "largest 1.5e-07, lengths 5",
        "explore 0 1.6000 ± 0.0100 -0.1100",
        "overwrite 0.910",
        "probe: solves overwriting",
        "gzip 1.350",
        "The gate pays. keep: gate drop: decay",
        "gate = 'mended'",
    ):
        assert part in text
    assert re.search("explore 0 [▁-█]+ 3.600 → 1.800 gated_deltanet [▁-█]+ 3.710 → 1.910", text)


def test_show_gives_reasons(ask: Ask) -> None:
    assert "status: rejected, batch: rows mix" in ask("show", 5)
    assert "explore seed 0 failed: the training loss became nan at step 7" in ask("show", 6)


def test_show_document(ask_json: AskJson) -> None:
    found = ask_json("show", 4)
    assert found["experiment"]["proposal"]["components"][0]["origin"] == "cognition"
    assert found["citations"]["3"] == "gated_deltanet"
    assert [f["round"] for f in found["findings"]] == [0, 1]
    assert {run["stage"] for run in found["runs"]} == {"probe", "explore", "confirm"}
    assert found["gain"]["confirm"] == pytest.approx(0.2)


def test_program_only_is_the_source_and_nothing_else(ask: Ask, ask_json: AskJson) -> None:
    source = "class Mixer1:\n    gate = 'mended'\n"
    assert ask("show", 4, "--program-only") == source
    assert ask_json("show", 4, "--program-only") == {"id": 4, "program": source}


def test_diff_with_parent(ask: Ask, ask_json: AskJson) -> None:
    text = ask("diff", 4)
    assert "--- 3 gated_deltanet\n+++ 4 Mixer1\n" in text
    assert "\n-# gated_deltanet\n" in text and "\n+class Mixer1:\n" in text
    assert "fitness: +5.50 noise units" in text
    assert re.search(r"update\s+–\s+delta", text)
    assert ask_json("diff", 4)["fitness_difference"] == 5.5


def test_diff_with_another(ask: Ask, ask_json: AskJson) -> None:
    assert "the programs are the same" in ask("diff", 4, "--with", 4)
    found = ask_json("diff", 5, "--with", 4)
    assert (found["old"]["id"], found["new"]["id"]) == (4, 5)
    assert found["choices"] == []
    assert found["fitness_difference"] is None


def test_lineage(ask: Ask, ask_json: AskJson) -> None:
    lines = ask("lineage").splitlines()
    assert "└── 3 gated_deltanet  +0.00" in lines
    assert "    └── 4 Mixer1  +5.50 (+5.50 to parent)" in lines
    assert "        └── 5 Mixer2  rejected" in lines
    assert {row["depth"] for row in ask_json("lineage")["lineage"]} == {0, 1, 2}


def test_show_tells_what_the_analyst_thinks(
    ask: Ask, ask_json: AskJson, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = squeezed(ask("show", 4))
    assert "Opinion before training score 0.80 of 1: The gate is sound." in text
    assert "gate output analysis cognition 3" in text
    assert "decay: originality: unsupported (cognition: 1234.56789)" in text
    assert ask_json("show", 4)["experiment"]["traces"][1]["origin"] == "cognition"
    monkeypatch.setenv("COLUMNS", "60")
    narrow = ask("show", 4)
    assert "traced" not in narrow and "cites" in narrow


def test_show_names_twins(ask: Ask) -> None:
    text = squeezed(ask("show", 6))
    assert "not taken: the same program as experiment 4 earlier proposals repeated: 4 Mix" in text


def test_provenance(ask: Ask, ask_json: AskJson) -> None:
    text = squeezed(ask("provenance"))
    assert "cognition 3 33% 12–65% 1 33% 6–79%" in text
    assert "originality, of which unsupported: 3" in text
    assert "state update 3 33%" in text
    assert "none beyond chance (Fisher's exact test, p times 3" in text
    found = ask_json("provenance")
    assert sum(row["components"] for row in found["provenance"]) == 9
    origins = {one["name"]: one for one in found["origins"]}
    assert (origins["originality"]["unsupported"], origins["analysis"]["p"]) == (3, 1.0)


def test_baselines(ask: Ask, ask_json: AskJson) -> None:
    assert "3 gated_deltanet 1.7100 1.6900 1.7000 0.0141 100 000" in squeezed(ask("baselines"))
    found = ask_json("baselines")
    lines = {(line["name"], line["stage"]): line for line in found["baselines"]}
    assert lines["transformer", "explore"]["seeds"] == {"0": 1.81, "1": 1.79}
    assert lines["transformer", "probe"]["mean"] == pytest.approx(0.6)
    assert ("transformer", "confirm") not in lines


def test_spend(ask: Ask, ask_json: AskJson) -> None:
    text = squeezed(ask("spend"))
    assert "calls researcher small 2 0 170 40 0.25" in text
    assert "calls analyst small 1 1 0 – –" in text
    assert "550 tokens, 0.25 US dollars where the price is known" in text
    assert "tokens only, of unknown price: large" in text
    found = ask_json("spend")
    assert found["total"] == {"tokens": 550, "cost": 0.25}
    assert (found["by"], found["unpriced"]) == ("role", ["large"])


def test_spend_by_model_and_campaign(ask: Ask, ask_json: AskJson) -> None:
    assert "calls small 3 1 170 40 0.25" in squeezed(ask("spend", "--by", "model"))
    assert "calls 1 demo 4 1 550 40 0.25" in squeezed(ask("spend", "--by", "campaign"))
    calls, training = ask_json("spend", "--by", "campaign")["spend"]
    assert (calls["count"], training["count"]) == (4, 21)


def test_db_info_and_upgrade(ask: Ask, ask_json: AskJson) -> None:
    assert "schema 0005" in ask("db", "info")
    assert ask_json("db", "info")["rows"]["experiments"] == 6
    assert "up to date" in ask("db", "upgrade")
    assert ask_json("db", "upgrade") == {"old": "0005", "new": "0005"}


def test_presets(call: Callable[..., Any]) -> None:
    assert "demo" in call("presets").stdout
    assert 'name = "demo"' in call("presets", "demo").stdout
    assert json.loads(call("presets", "--json").stdout)["demo"]["team"] == "rules"
