"""`verify`, `train` and `doctor`: real jobs where it matters, invented results elsewhere."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from asi_arch.cli.alone import read_program
from asi_arch.records import (
    Audit,
    Dataset,
    Finding,
    Job,
    JobError,
    JobResult,
    Measurement,
    MetricPoint,
    Protections,
    Scored,
    Training,
)

Call = Callable[..., Result]


class InventedRunner:
    """Gives results without doing anything."""

    results: dict[str, JobResult] = {}
    jobs: list[Job] = []

    def __init__(self, root: Path, sandbox: str, gpus: int | None) -> None:
        self.root = root
        self.protections = Protections(files=True, network=True, processes=True, calls=True)

    async def run(self, job: Job, on_progress: Callable[[MetricPoint], object] = repr) -> JobResult:
        self.jobs.append(job)
        on_progress(MetricPoint(step=1, tokens=512, loss=5.0))
        return self.results[job.kind]

    def folder(self, name: str) -> Path:
        return self.root / name

    async def close(self) -> None:
        await asyncio.sleep(0)


@pytest.fixture
def results(
    monkeypatch: pytest.MonkeyPatch, measure: Callable[..., Measurement]
) -> dict[str, JobResult]:
    """Results by kind of job, good ones unless a test puts in others."""
    Path("layer.py").write_text("x = 1\n")
    marks = {"gzip": 1.35}
    dataset = Dataset(name="x", sha256="0", train_tokens=9, heldout_tokens=9, references=marks)
    passed = Finding(check="contract", passed=True, measured={"shapes": 15})
    values = {
        "verify": {"findings": [passed.model_dump()]},
        "prepare": dataset.model_dump(),
        "train": measure("explore", 1, 1.6).model_dump(include=set(Training.model_fields))
        | {"reported": 1.5},
        "questions": {"cut_seed": 1},
        "hidden": {},
        "score": Scored(loss=1.6, loss_error=0.01, audit=audit()).model_dump(),
    }
    found = {kind: JobResult(value=value) for kind, value in values.items()}
    monkeypatch.setattr(InventedRunner, "results", found)
    monkeypatch.setattr(InventedRunner, "jobs", [])
    monkeypatch.setattr("asi_arch.jobs.LocalRunner", InventedRunner)
    return found


def audit(flaw: str = "") -> Audit:
    return Audit(
        reported=1.5,
        recomputed=1.5,
        loss_tolerance=0.01,
        positions=256,
        largest_change=3e-7,
        change_tolerance=1e-3,
        prefix_gain=0.0,
        prefix_error=0.0,
        flaw=flaw,
    )


def failed_check() -> JobResult:
    finding = Finding(check="causality", passed=False, evidence="reads ahead", hint="mask it")
    return JobResult(value={"findings": [finding.model_dump()]})


def broken_off(kind: Any, message: str) -> JobResult:
    return JobResult(error=JobError(kind=kind, message=message, trace="the trace"))


def test_verify_that_passes(call: Call, results: dict[str, JobResult]) -> None:
    result = call("verify", "layer.py", "--set", "explore.parameters=123456")
    assert result.exit_code == 0
    assert "shapes 15" in result.stdout and "1 of 1 checks passed" in result.stdout
    assert InventedRunner.jobs[0].spec["parameters"] == 123456


def test_verify_that_fails(call: Call, results: dict[str, JobResult]) -> None:
    results["verify"] = failed_check()
    result = call("verify", "layer.py")
    assert result.exit_code == 1
    assert "causality: reads ahead" in result.stdout and "hint: mask it" in result.stdout
    document = call("verify", "layer.py", "--json")
    assert document.exit_code == 1
    assert json.loads(document.stdout)["passed"] is False


def test_verify_of_a_folder_reports_every_file(call: Call, results: dict[str, JobResult]) -> None:
    (Path("layers") / "more").mkdir(parents=True)
    for name in ("a.py", "more/b.py", "more/notes.txt"):
        (Path("layers") / name).write_text("x = 1\n")
    (Path("layers") / "c.py").write_bytes(b"\xff\x00")
    result = call("verify", "layers", "layer.py", "--jobs", 2, "--json")
    assert result.exit_code == 2
    document = json.loads(result.stdout)
    verdicts = {program["file"]: program["passed"] for program in document["programs"]}
    assert verdicts == {
        "layers/a.py": True,
        "layers/c.py": False,
        "layers/more/b.py": True,
        "layer.py": True,
    }
    assert "not a text file" in document["programs"][1]["error"]
    results["verify"] = failed_check()
    Path("layers/c.py").unlink()
    table = call("verify", "layers")
    assert table.exit_code == 1
    assert table.stdout.count("not honest") == 2 and "hint: mask it" in table.stdout


def test_what_is_checked_can_be_chosen(call: Call, results: dict[str, JobResult]) -> None:
    options = ("--hidden-size", 128, "--lengths", "64, 1,257", "--only", "causality,batch")
    assert call("verify", "layer.py", *options).exit_code == 0
    spec = InventedRunner.jobs[0].spec
    assert spec["hidden_size"] == 128
    assert list(spec["lengths"]) == [1, 64, 257]
    assert list(spec["only"]) == ["causality", "batch"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("layer.py", "--only", "causalty"), "unknown check 'causalty'; choose from: interference"),
        (("layer.py", "--lengths", "64,x"), "cannot read --lengths '64,x'; write whole numbers"),
        (("layer.py", "--lengths", "0"), "whole numbers from 1 to 65536"),
        (("layer.py", "--hidden-size", "30", "--num-heads", "4"), "must be a multiple of"),
        (("empty",), "the folder empty has no Python file"),
        (("nowhere.py",), "cannot read nowhere.py: No such file"),
    ],
)
def test_what_cannot_be_verified_is_explained(
    call: Call, results: dict[str, JobResult], words: tuple[str, ...], sentence: str
) -> None:
    Path("empty").mkdir()
    result = call("verify", *words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert sentence in " ".join(result.stderr.split())


@pytest.mark.parametrize(
    ("kind", "code", "sentence"),
    [
        ("disk", 2, "disk space"),
        ("killed", 2, "the job was broken off"),
        ("timeout", 1, "allowed are 3600 seconds"),
        ("exception", 1, "the program broke its job off: too bad"),
    ],
)
def test_training_that_broke_off(
    call: Call, results: dict[str, JobResult], kind: str, code: int, sentence: str
) -> None:
    results["train"] = broken_off(kind, "too bad")
    result = call("train", "layer.py", "--stage", "explore", "--json")
    assert (result.exit_code, result.stdout) == (code, "")
    assert sentence in result.stderr


@pytest.mark.parametrize(("kind", "code"), [("killed", 2), ("timeout", 1), ("exception", 1)])
def test_verification_that_broke_off(
    call: Call, results: dict[str, JobResult], kind: str, code: int
) -> None:
    results["verify"] = broken_off(kind, "too bad")
    result = call("verify", "layer.py")
    assert result.exit_code == code
    assert "too bad" in result.output
    assert ("within 120 seconds" in result.stdout) is (code == 1)


def test_trace_of_a_job_is_shown_on_demand(call: Call, results: dict[str, JobResult]) -> None:
    results["train"] = broken_off("exception", "too bad")
    error = call("train", "layer.py", "--stage", "explore", "--debug").exception
    assert error is not None and error.__notes__ == ["the trace"]


def test_train_measures_beside_the_marks(call: Call, results: dict[str, JobResult]) -> None:
    result = call("train", "layer.py", "--stage", "explore", "--seed", 1)
    assert result.exit_code == 0
    assert "1.6000 ± 0.0100 nats per token" in result.stdout
    assert "gzip 1.350" in result.stdout
    assert "256 positions, hidden states moved by 3e-07" in result.stdout
    kinds = ["verify", "prepare", "train", "questions", "hidden", "hidden", "score"]
    assert [job.kind for job in InventedRunner.jobs] == kinds
    assert InventedRunner.jobs[2].spec["seed"] == 1


def test_train_shows_how_it_was_trained(call: Call, results: dict[str, JobResult]) -> None:
    how = {
        "learning_rate": 2e-3,
        "sweep": {"0.001": 5.4, "0.002": 4.9},
        "flops_per_token": 600_000,
        "micro_batch": 2,
        "device": "CPU",
        "shares": {"loader": 0.02, "optimizer": 0.1},
    }
    results["train"] = JobResult(value=(results["train"].value or {}) | how)
    shown = call("train", "layer.py", "--stage", "explore", "--seed", 1).stdout
    assert "0.002 of 0.001: 5.4000, 0.002: 4.9000" in shown
    assert "0.6 MFLOP a token" in shown and "loader 2.0%, optimizer 10.0%" in shown
    assert "CPU, 2 sequences at once, compiled: no" in shown


def test_what_was_trained_elsewhere_is_measured(call: Call, results: dict[str, JobResult]) -> None:
    trained = Training.model_validate(results["train"].value)
    folder = Path("run")
    folder.mkdir()
    (folder / "training.json").write_text(trained.model_dump_json())
    result = call("train", "layer.py", "--stage", "explore", "--trained", "run", "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["measurement"]["loss"] == 1.6
    kinds = ["verify", "prepare", "questions", "hidden", "hidden", "score"]
    assert [job.kind for job in InventedRunner.jobs] == kinds
    weights = str((folder / "weights.safetensors").resolve())
    assert {job.spec.get("weights", weights) for job in InventedRunner.jobs} == {weights}


def test_what_was_not_trained_elsewhere_is_explained(
    call: Call, results: dict[str, JobResult]
) -> None:
    result = call("train", "layer.py", "--stage", "explore", "--trained", "run")
    assert result.exit_code == 2 and "run/training.json is no finished training" in result.stderr
    Path("run").mkdir()
    trained = Training.model_validate(results["train"].value)
    Path("run/training.json").write_text(trained.model_dump_json())
    result = call("train", "layer.py", "--stage", "confirm", "--trained", "run")
    assert result.exit_code == 2 and "was trained at explore, not at confirm" in result.stderr


def test_train_measures_nothing_that_is_dishonest(
    call: Call, results: dict[str, JobResult]
) -> None:
    results["score"] = JobResult(value=Scored(loss=1.0, audit=audit("it peeks")).model_dump())
    result = call("train", "layer.py", "--stage", "explore")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "the program is dishonest: it peeks" in result.stderr


def test_train_stops_at_a_failed_check(call: Call, results: dict[str, JobResult]) -> None:
    results["verify"] = failed_check()
    result = call("train", "layer.py", "--stage", "explore")
    assert result.exit_code == 1
    assert "reads ahead" in result.stdout
    assert [job.kind for job in InventedRunner.jobs] == ["verify"]


def test_train_without_verification(call: Call, results: dict[str, JobResult]) -> None:
    results["verify"] = failed_check()
    result = call("train", "layer.py", "--stage", "explore", "--no-verify", "--json")
    assert result.exit_code == 0
    found = json.loads(result.stdout)
    assert (found["findings"], found["measurement"]["loss"]) == (None, 1.6)
    assert found["references"] == {"gzip": 1.35}


def test_training_without_data(call: Call, results: dict[str, JobResult]) -> None:
    results["prepare"] = broken_off("exception", "data.files = 'x' is not a folder")
    result = call("train", "layer.py", "--stage", "explore")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "is not a folder" in result.stderr


def test_doctor(call: Call, results: dict[str, JobResult]) -> None:
    result = call("doctor")
    assert result.exit_code == 0
    assert "a trial job verified a baseline" in result.stdout
    assert "asi-arch.db is not there yet" in result.stdout


@pytest.mark.parametrize("kind", ["jobs", "database"])
def test_doctor_who_finds_something(call: Call, results: dict[str, JobResult], kind: str) -> None:
    if kind == "jobs":
        results["verify"] = failed_check()
    else:
        Path("asi-arch.db").write_text("words " * 1000)
    result = call("doctor", "--json")
    assert result.exit_code == 1
    found = json.loads(result.stdout)
    assert found["ok"] is False
    assert [check["name"] for check in found["checks"] if check["state"] == "fail"] == [kind]


def test_real_job_names_what_is_wrong_with_a_program(call: Call) -> None:
    Path("none.py").write_text("x = 1\n")
    result = call("verify", "none.py", "--json")
    assert result.exit_code == 1
    (finding,) = json.loads(result.stdout)["programs"][0]["findings"]
    assert finding["check"] == "contract"
    assert "no layer" in finding["evidence"]


def test_a_byte_order_mark_is_no_part_of_a_program(tmp_path: Path) -> None:
    path = tmp_path / "p.py"
    path.write_bytes(b"\xef\xbb\xbfx = 1\n")
    assert read_program(path) == "x = 1\n"
