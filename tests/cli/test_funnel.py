"""Commands about stages: comparing, promoting, the final, baselines alone."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from asi_arch.config import Config
from asi_arch.store import Store

Ask = Callable[..., str]
AskJson = Callable[..., Any]
Call = Callable[..., Result]


def squeezed(text: str) -> str:
    return re.sub(r"\s+", " ", text)


@pytest.fixture
def copied(populated: Any, tmp_path: Path) -> str:
    """Return a copy of the finished campaign that has begun all it may, and may be changed."""
    path = str(shutil.copy(populated.db, tmp_path / "copied.db"))
    with Store.open(path) as store:
        config = store.campaign().config
        budget = {**config["budget"], "experiments": 2}
        store.set_campaign_config(1, {**config, "budget": budget})
    return path


@pytest.fixture
def sat(monkeypatch: pytest.MonkeyPatch) -> list[Config]:
    """Keep the configurations of campaigns in place of running them."""
    found: list[Config] = []

    def sit(store: Store, record: Any, *rest: object) -> None:
        found.append(Config.model_validate(store.campaign(record.id).config))

    for module in ("promote", "final", "baselines_run"):
        monkeypatch.setattr(f"asi_arch.cli.{module}.sit", sit)
    return found


def test_compare_with_baselines(ask: Ask, ask_json: AskJson) -> None:
    text = squeezed(ask("compare", 4, "--with", "gated_deltanet,2"))
    assert "At confirm: how much lower the held-out loss is" in text
    assert "4 Mixer1 gated_deltanet +0.2000±0.0000 <1e-06 2e-06 better" in text
    assert "2 comparisons were made" in text and "Sampled: seeds and windows." in text
    found = ask_json("compare", 4, "--with", "gated_deltanet,2")
    assert (found["stage"], found["count"]) == ("confirm", 2)
    first = found["comparisons"][0]
    assert (first["reference"]["name"], first["verdict"]) == ("gated_deltanet", "better")
    assert (first["seeds"], first["windows"]) == (3, 2)
    assert first["holm"] == pytest.approx(2e-6, rel=0.01)


def test_compare_with_the_strongest_at_a_stage(ask: Ask, ask_json: AskJson) -> None:
    text = squeezed(ask("compare", 4, "--stage", "explore"))
    assert "seeds (as far as those of others differ)" in text
    assert "These seeds also chose the best candidates" in text
    (pair,) = ask_json("compare", "transformer", "--stage", "explore")["comparisons"]
    assert (pair["reference"]["name"], pair["seeds"]) == ("gated_deltanet", 2)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("4", "--with", "mamba2"), "no experiment 'mamba2'"),
        (("99",), "there is no experiment 99"),
        (("4", "--stage", "final"), "no baseline has been trained at final"),
        (("5", "--with", "deltanet"), "no stage has runs of all of 5 Mixer2, 2 deltanet"),
        (("4", "--with", "4"), "cannot be compared with itself"),
        (("transformer", "--stage", "confirm"), "has no finished run at confirm"),
    ],
)
def test_what_cannot_be_compared(
    call: Call, populated: Any, words: tuple[str, ...], sentence: str
) -> None:
    result = call("compare", *words, "--db", populated.db)
    assert (result.exit_code, result.stdout) == (2, "")
    assert sentence in squeezed(result.stderr)


def test_leaderboard_of_a_stage(ask: Ask, ask_json: AskJson) -> None:
    text = squeezed(ask("leaderboard", "--stage", "explore"))
    assert "4 Mixer1 1.600±0.000 1 +0.1100±" in text
    found = ask_json("leaderboard", "--stage", "confirm")
    assert [place["name"] for place in found["places"]] == ["Mixer1", "deltanet", "gated_deltanet"]
    first = found["places"][0]
    assert (first["mark"], first["seeds"]) == ("better", [101, 102, 103])
    assert first["comparison"]["low"] == pytest.approx(0.2)
    assert "nothing has been measured at final yet" in ask("leaderboard", "--stage", "final")


def test_stages(ask: Ask, ask_json: AskJson) -> None:
    text = squeezed(ask("stages"))
    assert "explore 8 1 100 000 1 835 008 2:20" in text
    assert "no two stages have two candidates in common: too few" in text
    found = ask_json("stages")
    efforts = {one["stage"]: one for one in found["stages"] if one["device"] == ""}
    assert (efforts["confirm"]["runs"], efforts["confirm"]["noise"]) == (9, 0.012)
    assert found["agreement"] == []


def test_a_dry_run_says_who_would_be_promoted(call: Call, copied: str) -> None:
    words = ("promote", "--to", "confirm", "--top", 3, "--dry-run", "--db", copied)
    assert "4 Mixer1 +5.50 winner 0" in squeezed(call(*words).stdout)
    (row,) = json.loads(call(*words, "--json").stdout)["promoted"]
    assert (row["why"], row["missing_seeds"]) == ("winner", [])


def test_promote_widens_the_gate(call: Call, copied: str, sat: list[Config]) -> None:
    result = call("promote", "--to", "confirm", "--top", 40, "--losers", 0.1, "--db", copied)
    assert result.exit_code == 0, result.output
    (config,) = sat
    assert (config.confirm.top, config.confirm.losers) == (40, 0.1)


def test_final_names_experiments_and_tokens(call: Call, copied: str, sat: list[Config]) -> None:
    result = call("final", 4, "--tokens", "15e9", "--db", copied)
    assert result.exit_code == 0, result.output
    assert [config.final.tokens for config in sat] == [15_000_000_000]
    for words, sentence in (
        ((5,), "experiment 5 is rejected and cannot be trained at final"),
        ((4, "--tokens", "1.5"), "--tokens 1.5 is no whole number"),
        ((4, "--tokens", "7"), "final: tokens = 7 is less than one step"),
    ):
        failed = call("final", *words, "--db", copied)
        assert failed.exit_code == 2 and sentence in squeezed(failed.stderr)
    assert len(sat) == 1


def test_show_says_why_an_experiment_came_to_a_stage(call: Call, copied: str) -> None:
    with Store.open(copied) as store:
        store.log_event(1, 4, "gate", "confirm: loser")
    assert "came to confirm: did not pass the gate" in call("show", 4, "--db", copied).stdout
    shown = json.loads(call("show", 4, "--json", "--db", copied).stdout)
    assert shown["gates"] == {"confirm": "loser"}


NAMES = ("--names", "deltanet,transformer")


def test_baselines_alone_are_a_campaign(call: Call, sat: list[Config]) -> None:
    assert call("baselines", "run", *NAMES, "--set", "seed=4").exit_code == 0
    assert call("baselines", "run", *NAMES, "--stage", "explore,confirm").exit_code == 0
    first, second = sat
    assert (first.baselines, first.budget.experiments) == (("deltanet", "transformer"), 0)
    assert (first.seed, first.confirm.top, first.confirm.baselines) == (4, 0, 0)
    assert second.confirm.baselines == 2


def test_the_same_command_goes_on_with_baselines(call: Call, sat: list[Config]) -> None:
    for _ in range(2):
        assert call("baselines", "run", *NAMES).exit_code == 0
    with Store.open("asi-arch.db") as store:
        assert len(store.campaigns()) == 1
        store.set_campaign_status(1, "complete")
    result = call("baselines", "run", *NAMES)
    assert "campaign 1 has run them" in result.stderr and len(sat) == 2


def test_baselines_are_added_to_a_campaign(call: Call, copied: str, sat: list[Config]) -> None:
    words = ("baselines", "run", "--campaign", 1, "--db", copied)
    assert call(*words, "--names", "deltanet").exit_code == 0
    assert sat[0].baselines == ("transformer", "deltanet", "gated_deltanet")
    assert "give some" in call(*words).stderr


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--names", "nope,deltanet"), "unknown baseline 'nope'"),
        ((*NAMES, "--stage", "confirm"), "choose explore or explore,confirm"),
        (("--names", "deltanet"), "at least two baselines"),
    ],
)
def test_baselines_that_cannot_be_run(
    call: Call, sat: list[Config], words: tuple[str, ...], sentence: str
) -> None:
    result = call("baselines", "run", *words)
    assert result.exit_code == 2 and sentence in squeezed(result.stderr)
    assert not sat and not Path("asi-arch.db").exists()
