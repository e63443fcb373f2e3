"""What `status` says of campaigns in every state."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from asi_arch.configure import load_config
from asi_arch.jobs.paths import JobPaths
from asi_arch.launch import only_process
from asi_arch.records import Campaign, Job, JobResult, Measurement, MetricPoint, Program
from asi_arch.store import Store

Call = Callable[..., Any]


@pytest.fixture
def running(tmp_path: Path, measure: Callable[..., Measurement]) -> Campaign:
    """A campaign in the default database with a baseline and a candidate in training."""
    with Store.open("asi-arch.db") as store:
        config = (
            load_config(settings=["explore.tokens=262144", "budget.experiments=10"])
            .settled()
            .model_dump(mode="json")
        )
        campaign = store.create_campaign("live", 3, config, str(tmp_path / "files"))
        baseline = store.start_experiment(campaign.id, 1, "baseline", name="deltanet")
        store.save_run(baseline.id, measure("explore", 0, 1.7))
        candidate = store.start_experiment(campaign.id, 1, "candidate", baseline.id, name="Mixer")
        store.save_program(candidate.id, Program(source="x = 1\n"), 0, "f")
        jobs = Path(campaign.folder) / "jobs"
        add_job(jobs / f"{candidate.id:05d}-verify-0", done=True)
        job = add_job(jobs / f"{candidate.id:05d}-explore-0", done=False)
        job.append_metric(MetricPoint(step=5, tokens=2560, loss=2.0))
    return campaign


def add_job(folder: Path, done: bool) -> JobPaths:
    folder.mkdir(parents=True)
    paths = JobPaths(folder)
    paths.job.write_text(Job(name=folder.name, kind="train").model_dump_json())
    if done:
        paths.write_result(JobResult(value={}))
    return paths


def test_running_shows_progress_beside_the_baseline(call: Call, running: Campaign) -> None:
    with only_process(running):
        text = " ".join(call("status").stdout.split())
    assert "seed 3: running" in text
    assert "2 Mixer explore seed 0 5/512 2.0000 -0.1000" in text
    assert "interrupted" not in text


def test_without_its_process_it_is_interrupted(call: Call, running: Campaign) -> None:
    text = call("status").stdout
    assert "interrupted" in text
    assert "go on with: asi-arch resume" in text
    assert "5/512" not in text


def test_older_campaign_is_named_in_the_resume_command(call: Call, running: Campaign) -> None:
    with Store.open("asi-arch.db") as store:
        store.create_campaign("later", 0, running.config, running.folder + "2")
    assert "asi-arch resume --campaign 1" in call("status", "--campaign", 1).stdout


def test_resume_command_can_be_pasted(call: Call, running: Campaign) -> None:
    shutil.copy("asi-arch.db", "my own.db")
    assert "asi-arch resume --db 'my own.db'" in call("status", "--db", "my own.db").stdout


def test_configuration_of_another_version(call: Call, running: Campaign) -> None:
    values = {**running.config, "wings": 2}
    with Store.open("asi-arch.db") as store:
        store.set_campaign_config(running.id, values)
    for command in ("status", "resume"):
        result = call(command)
        assert (result.exit_code, result.stdout) == (2, "")
        assert "campaign 1 was recorded by another version" in result.stderr
        assert "unknown key 'wings'" in result.stderr


def test_watch_ends_when_nobody_runs_it(call: Call, running: Campaign) -> None:
    result = call("status", "--watch")
    assert result.exit_code == 0
    assert "interrupted" in result.stdout


def test_stopped_gives_the_reason(call: Call, running: Campaign) -> None:
    with Store.open("asi-arch.db") as store:
        store.set_campaign_status(running.id, "stopped", "1.0 of 1 minutes are spent")
    assert "stopped (1.0 of 1 minutes are spent)" in call("status").stdout


def test_complete_shows_the_conclusion(ask: Call, ask_json: Call) -> None:
    text = ask("status")
    assert "complete" in text and "2:05 used" in text
    assert "3 of 10 experiments begun: 1 complete, 1 failed, 1 rejected" in text
    assert "best so far: Mixer1 +5.50 (better)" in text
    assert "beyond the noise" in text
    found = ask_json("status")
    assert (found["state"], found["best"]["name"], found["running"]) == ("complete", "Mixer1", [])


def test_document_of_a_running_campaign(call: Call, running: Campaign) -> None:
    with only_process(running):
        found = json.loads(call("status", "--json").stdout)
    line = {line["name"]: line for line in found["running"]}["Mixer"]
    assert (line["step"], line["total"], line["loss"]) == (5, 512, 2.0)
    assert line["reference"] == pytest.approx(2.1)
