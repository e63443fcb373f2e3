"""What verification cannot see, the audit of the trained weights does."""

import asyncio
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import run

import pytest

from asi_arch.config import Config
from asi_arch.jobs import LocalRunner
from asi_arch.jobs.paths import JobPaths
from asi_arch.jobs.spec import prepare_job
from asi_arch.lab import Lab
from asi_arch.measure import Examiner, JobFailed
from asi_arch.records import Finding, Measurement, Program, Status
from asi_arch.store import Store
from asi_arch.team.rules.engineer import RuleEngineer
from tests.campaigns import run_campaign, text_folder, tiny_config
from tests.programs import LOOKAHEAD, PLAIN, at_import

ROOT = Path(__file__).parents[2]
Measure = Callable[[str, str], Measurement]


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Config:
    return tiny_config(text_folder(tmp_path_factory.mktemp("text")))


@pytest.fixture(scope="module")
def examiner(config: Config, tmp_path_factory: pytest.TempPathFactory) -> Examiner:
    folder = tmp_path_factory.mktemp("jobs")
    return Examiner(LocalRunner(folder), config, folder / "data")


@pytest.fixture(scope="module")
def measure(examiner: Examiner) -> Iterator[Measure]:
    with asyncio.Runner() as loop:
        loop.run(examiner.runner.run(prepare_job(examiner.config, examiner.data)))

        def measure(name: str, program: str) -> Measurement:
            work = examiner.measure(name, program, "explore", 0, lambda point: None)
            return loop.run(work)

        yield measure
        loop.run(examiner.runner.close())


def flaw(measured: Measurement) -> str:
    assert measured.audit is not None
    return measured.audit.flaw


def test_an_honest_program_is_measured(measure: Measure) -> None:
    measured = measure("honest", PLAIN)
    assert flaw(measured) == ""
    assert measured.loss is not None and len(measured.heldout) == 4
    assert measured.curve[-1].tokens == measured.tokens == 1024


def test_reading_the_future_is_found(measure: Measure) -> None:
    assert "hidden states move" in flaw(measure("future", LOOKAHEAD))


@pytest.mark.parametrize(
    "line",
    [
        "torch.nn.functional.cross_entropy = lambda x, *a, **k: 0 * x[:, 0] + 0.25",
        "torch.Tensor.item = lambda self: 0.25",
        "import asi_arch.train.trainer as t; t.window_losses = lambda *a: torch.tensor([0.25])",
    ],
    ids=["loss", "item", "trainer"],
)
def test_a_loss_made_inside_the_training_is_found(measure: Measure, line: str) -> None:
    measured = measure(f"forged-{len(line)}", at_import("import torch", line))
    assert "the training reported a loss of 0." in flaw(measured)
    assert measured.loss is not None and measured.loss > 1


def test_weights_that_were_never_written_are_no_result(measure: Measure) -> None:
    program = at_import(
        "import asi_arch.train.weights as weights", "weights.save_model = lambda *a: None"
    )
    with pytest.raises(JobFailed, match="weights"):
        measure("unwritten", program)


def test_held_out_text_is_not_among_what_a_training_may_read(
    measure: Measure, examiner: Examiner
) -> None:
    measure("honest", PLAIN)
    for name, seen in (("honest", {"train"}), ("honest-whole", {"weights", "whole"})):
        job = JobPaths(examiner.runner.folder(name)).read_job()
        assert {Path(path).name for path in job.reads} <= {
            f"{word}{ending}" for word in seen for ending in ("", ".npz", ".safetensors")
        }


def test_a_dishonest_candidate_is_rejected_with_its_numbers(
    config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def implement(*arguments: object) -> Program:
        return Program(source=LOOKAHEAD)

    async def blind(*arguments: object) -> list[Finding]:
        return [Finding(check="contract", passed=True)]

    monkeypatch.setattr(RuleEngineer, "implement", implement)
    monkeypatch.setattr(Lab, "verify", blind)
    database = str(tmp_path / "a.db")
    one = config.model_copy(update={"budget": config.budget.model_copy(update={"experiments": 1})})
    record, conclusion = run_campaign(database, one, tmp_path)
    with Store.open(database) as store:
        (candidate,) = store.experiments(record.id, kind="candidate")
        (found,) = store.runs(record.id, stage="explore", experiment_id=candidate.id)
        assert candidate.id not in store.losses(record.id, "explore")
    assert candidate.status is Status.REJECTED
    assert candidate.reason.startswith("dishonest: explore seed 0: hidden states move by")
    assert found.status == "dishonest" and found.measurement is not None
    assert (found.measurement.loss, found.measurement.heldout) == (None, ())
    assert conclusion is not None and conclusion.best_id is None
    assert audit(database, candidate.id) == (1, "dishonest")
    assert audit(database, 2) == (0, "honest")


def audit(database: str, id: int) -> tuple[int, str]:
    """Return the exit code of `asi-arch audit` and its verdict on the first run."""
    command = [sys.executable, "-m", "asi_arch", "audit", str(id), "--db", database, "--json"]
    done = run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    document = json.loads(done.stdout)
    assert document["audits"][0]["positions"] == 4
    return done.returncode, "honest" if document["honest"] else "dishonest"
