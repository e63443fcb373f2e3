"""What `run` and `resume` do around a campaign: options, progress, signals, results."""

import asyncio
import io
import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import Result

from asi_arch.cli.board import Board
from asi_arch.cli.signals import run_until_signal
from asi_arch.cli.watchers import LiveView, LogLines
from asi_arch.cli.work import Work
from asi_arch.config import Config
from asi_arch.configure import load_config
from asi_arch.interfaces import Watcher
from asi_arch.records import Campaign, Experiment, MetricPoint, Status
from asi_arch.store import Store

Call = Callable[..., Result]


class QuickCampaign:
    """Ends as it is told to, in the place of a campaign."""

    def __init__(self, store: Store, record: Campaign, watcher: Watcher, end: str) -> None:
        self.store, self.record, self.watcher, self.end = store, record, watcher, end

    async def run(self) -> None:
        baseline = self.store.start_experiment(self.record.id, 1, "baseline", name="deltanet")
        self.watcher.on_phase(baseline, "verify")
        self.watcher.on_message("hello")
        if self.end == "signal":
            os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.sleep(30)
        self.store.set_campaign_status(self.record.id, self.end, "the reason")


@pytest.fixture
def end(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Let every campaign end like this."""

    def end(how: str) -> None:
        monkeypatch.setattr(
            "asi_arch.launch.make_campaign",
            lambda store, record, watcher: QuickCampaign(store, record, watcher, how),
        )

    return end


def stored_config() -> Config:
    with Store.open("asi-arch.db") as store:
        return Config.model_validate(store.campaign().config)


def test_run_says_where_it_works_and_prints_results(call: Call, end: Callable[[str], None]) -> None:
    end("stopped")
    result = call("run", "--seed", 5, "--minutes", 2, "--name", "mine")
    assert result.exit_code == 0
    first = result.stderr.splitlines()[0]
    for part in ("asi-arch.db", "campaign 1 (mine)", "seed 5", "2 minutes", "2 train", "/jobs"):
        assert part in first
    assert "baseline deltanet: verify" in result.stderr and "hello" in result.stderr
    assert "Leaderboard" in result.stdout
    assert "no conclusion yet, stopped: the reason" in result.stdout


def test_run_with_json_prints_one_document(call: Call, end: Callable[[str], None]) -> None:
    end("complete")
    found = json.loads(call("run", "--json").stdout)
    assert found["campaign"]["status"] == "complete"


def test_options_become_settings(call: Call, end: Callable[[str], None]) -> None:
    end("complete")
    options = ("--experiments", 3, "--train-jobs", 4, "--team", "random", "--set", "confirm.top=2")
    assert call("run", *options).exit_code == 0
    config = stored_config()
    assert (config.budget.experiments, config.jobs.train, config.jobs.llm) == (3, 4, 2)
    assert (config.team, config.confirm.top) == ("random", 2)


def test_options_go_over_the_file_and_the_file_over_the_preset(
    call: Call, end: Callable[[str], None]
) -> None:
    end("complete")
    Path("my.toml").write_text("seed = 1\n[budget]\nexperiments = 7\n")
    call("run", "--config", "my.toml", "--seed", 2)
    config = stored_config()
    assert (config.seed, config.budget.experiments) == (2, 7)
    assert config.explore == load_config().explore


def test_a_backend_means_the_team_of_language_models(
    call: Call, end: Callable[[str], None]
) -> None:
    end("complete")
    url = "http://localhost:1/v1"
    assert call("run", "--backend", "openai", "--model", 'a"b', "--base-url", url).exit_code == 0
    config = stored_config()
    assert config.team == "llm"
    assert {role.model for role in config.roles.values()} == {'a"b'}
    assert config.roles["analyst"].base_url == url


def test_signal_stops_and_says_how_to_go_on(call: Call, end: Callable[[str], None]) -> None:
    end("signal")
    result = call("run", "--db", "my.db")
    assert (result.exit_code, result.stdout) == (130, "")
    assert "stopped; go on with: asi-arch resume --db my.db\n" in result.stderr


def test_resume_goes_on_with_new_limits(call: Call, end: Callable[[str], None]) -> None:
    end("stopped")
    call("run", "--minutes", 1)
    end("complete")
    result = call("resume", "--set", "budget.minutes=9")
    assert result.exit_code == 0
    assert "9 minutes" in result.stderr
    assert stored_config().budget.minutes == 9


def test_the_sandbox_can_be_required_and_left_again(call: Call, end: Callable[[str], None]) -> None:
    end("stopped")
    assert call("run", "--sandbox", "require").exit_code == 0
    assert stored_config().sandbox == "require"
    assert call("resume", "--sandbox", "auto").exit_code == 0
    assert stored_config().sandbox == "auto"


def test_resume_of_a_complete_campaign_prints_its_results(ask: Any) -> None:
    assert "Mixer1 beats the best baseline" in ask("resume")


def test_a_complete_campaign_goes_on_with_a_larger_budget(
    call: Call, end: Callable[[str], None]
) -> None:
    end("complete")
    call("run", "--experiments", 2)
    assert "nothing is left to do" in call("resume", "--set", "budget.minutes=9").stderr
    assert "5 experiments" in call("resume", "--set", "budget.experiments=5").stderr
    assert stored_config().budget.experiments == 5
    assert "nothing is left to do" in call("resume", "--set", "budget.experiments=5").stderr


def test_a_budget_below_what_is_begun_is_refused(call: Call, end: Callable[[str], None]) -> None:
    end("stopped")
    call("run", "--experiments", 5)
    with Store.open("asi-arch.db") as store:
        for number in (1, 2, 3):
            store.start_experiment(1, number, "candidate", parent_id=1)
    result = call("resume", "--set", "budget.experiments=2")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "is less than the 3 that campaign 1 has begun" in result.stderr
    assert stored_config().budget.experiments == 5
    assert call("resume", "--set", "budget.experiments=3").exit_code == 0


def test_any_signal_lets_the_work_clean_up() -> None:
    cleaned = []

    async def work() -> None:
        try:
            os.kill(os.getpid(), signal.SIGHUP)
            await asyncio.sleep(30)
        finally:
            cleaned.append(True)

    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    try:
        with pytest.raises(KeyboardInterrupt):
            run_until_signal(work())
    finally:
        signal.signal(signal.SIGHUP, before)
    assert cleaned == [True]


def test_nohup_is_respected() -> None:
    async def work() -> str:
        os.kill(os.getpid(), signal.SIGHUP)
        await asyncio.sleep(0)
        return "done"

    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert run_until_signal(work()) == "done"
    finally:
        signal.signal(signal.SIGHUP, before)


def experiment(id: int, kind: Any = "candidate", **fields: Any) -> Experiment:
    values = {"campaign_id": 1, "number": id, "status": Status.VERIFIED, "name": f"Mixer{id}"}
    return Experiment(id=id, kind=kind, **{**values, **fields})


@pytest.fixture
def board() -> Board:
    record = Campaign(id=1, name="x", seed=0, status="running", config={}, folder="f")
    sizes = ["explore.tokens=51200", "confirm.tokens=51200", "budget.experiments=4"]
    config = load_config(settings=sizes)
    return Board(record, config)


def written(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_log_has_a_line_for_each_phase_and_end_but_none_for_steps(board: Board) -> None:
    console = Console(file=io.StringIO())
    with LogLines(board, console) as watcher:
        watcher.on_phase(experiment(7, number=4), "verify")
        watcher.on_phase(experiment(7, number=4), "verify")
        for step in range(1, 5):
            point = MetricPoint(step=step, tokens=step, loss=3.0)
            watcher.on_progress(experiment(7, number=4), "explore", 0, point, None)
        watcher.on_finished(experiment(7, number=4, status=Status.COMPLETE, fitness=2.5))
    lines = [line.partition(" ")[2] for line in written(console).splitlines()]
    assert lines[0] == "experiment 7 Mixer7: verify"
    assert lines[1].startswith("experiment 7 Mixer7: complete, fitness +2.50 [best so far: Mixer7")
    assert len(lines) == 2


def test_live_view_compares_with_the_baseline(board: Board) -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=100, no_color=True)
    with LiveView(board, console) as watcher:
        point = MetricPoint(step=40, tokens=1, loss=2.5)
        watcher.on_progress(experiment(1), "explore", 0, point, 2.75)
    text = " ".join(written(console).split())
    assert "Mixer1 explore seed 0 40/100 2.5000 -0.2500" in text
    assert "best so far: none yet · 0 of 4 experiments" in text


def test_best_so_far_is_the_best_candidate(board: Board) -> None:
    board.finish(experiment(1, kind="baseline", status=Status.COMPLETE, fitness=9.0))
    board.finish(experiment(2, status=Status.COMPLETE, fitness=1.0))
    board.finish(experiment(3, status=Status.COMPLETE, fitness=3.0))
    board.finish(experiment(4, status=Status.REJECTED))
    assert board.best is not None and board.best.id == 3
    assert "best so far: Mixer3 +3.00 (better) · 3 of 4 experiments" in board.summary()


def test_time_left_follows_the_work_done(board: Board) -> None:
    work = board._work
    assert work.seconds_left(10.0) is None
    board.finish(experiment(2, status=Status.COMPLETE))
    quarter = work.seconds_left(10.0)
    board.finish(experiment(3, status=Status.COMPLETE))
    assert quarter is not None and work.seconds_left(20.0) == pytest.approx(quarter - 10.0)


def test_finalists_are_work_too() -> None:
    config = load_config()
    assert Work(config, 1).total() > Work(config).total()


def test_finished_confirmation_leaves_the_board(board: Board) -> None:
    for step in (1, board._config.confirm.steps):
        point = MetricPoint(step=step, tokens=1, loss=2.0)
        board.progress(experiment(1), "confirm", 101, point, None)
        assert bool(board.lines) == (step == 1)
