"""The number that counts is made outside: from weights, hidden states and labels."""

import math
from pathlib import Path
from typing import NamedTuple, get_args

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from asi_arch.config import Probe, ProbeTask, Stage
from asi_arch.data import load
from asi_arch.data.shards import write_part
from asi_arch.evaluate import questions as ask
from asi_arch.evaluate import recall
from asi_arch.evaluate.hidden import answer
from asi_arch.evaluate.probe import save_models, train_probe
from asi_arch.evaluate.score import ScoreError, score_recall, score_text
from asi_arch.records import Audit, Score, Scored, Training
from asi_arch.train.clock import Clock
from asi_arch.train.loss import Objective, window_losses
from asi_arch.train.model import LanguageModel
from asi_arch.train.trainer import Task, train
from asi_arch.train.weights import WeightsError, save_weights
from tests.programs import LOOKAHEAD, PLAIN

STAGE = Stage(
    tokens=16_384,
    batch_size=4,
    length=64,
    hidden_size=32,
    parameters=30_000,
    learning_rate=1e-2,
    heldout_windows=24,
    audit_positions=20,
)


class Case(NamedTuple):
    """A trained model and everything that the scoring reads."""

    model: LanguageModel
    data: Path
    folder: Path
    seed: int
    reported: float

    def scored(self, **changes: float) -> Scored:
        return score_text(
            STAGE,
            self.data,
            weights=self.folder / "weights.safetensors",
            whole=self.folder / "whole.safetensors",
            prefixes=self.folder / "prefixes.safetensors",
            seed=self.seed,
            reported=changes.get("reported", self.reported),
        )

    def audit(self, **changes: float) -> Audit:
        found = self.scored(**changes).audit
        assert found is not None
        return found


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A text of random bytes in which every second one repeats the one before it."""
    folder = tmp_path_factory.mktemp("data")
    for seed, split in enumerate(("train", "heldout")):
        fresh = np.random.default_rng(seed).integers(0, 16, 20_000).astype(np.uint8)
        write_part(folder / split, np.repeat(fresh, 2), 256)
    return folder


def examined(program: str, data: Path, folder: Path) -> Case:
    """Train a program and ask it everything, as the jobs do."""
    torch.set_num_threads(1)
    task = Task(program, STAGE, 3, load(data / "train"))
    model, training = train(task, "explore", lambda point: None)
    weights = folder / "weights.safetensors"
    save_weights(model, weights)
    seed = ask.cut_seed(weights)
    cuts = ask.choose_cuts(STAGE, data, seed)
    asked = {"whole": ask.whole_questions(STAGE, data)}
    asked["prefixes"] = ask.prefix_questions(STAGE, data, cuts)
    for name, questions in asked.items():
        ask.write_questions(folder / f"{name}.npz", questions)
        states = answer(
            program,
            STAGE,
            seed=3,
            weights=weights,
            questions=folder / f"{name}.npz",
            last=name == "prefixes",
        )
        save_file(states, folder / f"{name}.safetensors")
    assert training.reported is not None
    return Case(model, data, folder, seed, training.reported)


@pytest.fixture(scope="module")
def honest(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Case:
    return examined(PLAIN, data, tmp_path_factory.mktemp("honest"))


@pytest.fixture
def tampered(honest: Case, tmp_path: Path) -> Case:
    """A copy whose files a test may change."""
    for file in honest.folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    return honest._replace(folder=tmp_path)


def test_the_loss_is_that_of_the_model(honest: Case) -> None:
    scored = honest.scored()
    objective = Objective(honest.model, Clock())
    expected = window_losses(objective, ask.heldout_windows(STAGE, honest.data))
    assert scored.loss == pytest.approx(expected.mean().item(), abs=1e-5)
    assert scored.heldout == pytest.approx(expected.tolist(), abs=1e-5)
    assert scored.loss_error == pytest.approx(expected.std().item() / math.sqrt(24), rel=1e-3)


def test_every_window_knows_its_document(honest: Case) -> None:
    starts = np.linspace(0, len(load(honest.data / "heldout")) - STAGE.length - 1, 24).astype(int)
    first = np.load(honest.data / "heldout" / "documents.npy")
    expected = [int((first <= start).sum()) - 1 for start in starts]
    assert list(honest.scored().documents) == expected and min(expected) >= 0


def test_an_honest_run_passes_its_audit(honest: Case) -> None:
    audit = honest.audit()
    assert audit.flaw == ""
    assert audit.positions == 20
    assert audit.reported == pytest.approx(audit.recomputed, abs=1e-5)
    assert audit.largest_change < 1e-5 and abs(audit.prefix_gain) < 1e-5


def test_a_false_report_is_told_with_both_numbers(honest: Case) -> None:
    flaw = honest.audit(reported=0.5).flaw
    assert "0.5000" in flaw and f"{honest.audit().recomputed:.4f}" in flaw
    assert "nan" in honest.audit(reported=math.nan).flaw


def test_reading_the_future_is_seen_after_training(data: Path, tmp_path: Path) -> None:
    audit = examined(LOOKAHEAD, data, tmp_path).audit()
    assert audit.largest_change > 0.1
    assert audit.prefix_gain > 3 * audit.prefix_error > 0
    assert "when the text ends where the model may look" in audit.flaw


def test_prefixes_do_not_show_each_other_the_future(data: Path) -> None:
    crowded = STAGE.model_copy(update={"heldout_windows": 2000, "audit_positions": 2000})
    windows = np.linspace(0, 40_000 - 65, 2000).astype(int)
    starts = sorted(windows[w] for w, _ in ask.choose_cuts(crowded, data, seed=1).pairs)
    assert len(starts) > 400
    assert min(np.diff(starts)) >= 65


def test_cuts_are_unlike_for_other_weights_and_reach_every_length(data: Path) -> None:
    wide = STAGE.model_copy(update={"heldout_windows": 500, "audit_positions": 500})
    cuts = ask.choose_cuts(wide, data, seed=1)
    assert cuts == ask.choose_cuts(wide, data, seed=1) != ask.choose_cuts(wide, data, seed=2)
    assert {1, 64} <= cuts.by_length.keys() and len(cuts.by_length) > 60


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda states: states | {"heldout": states["heldout"][:, :-1]}, "not \\[24, 64, 32\\]"),
        (lambda states: states | {"heldout": states["heldout"] / 0}, "not finite"),
        (lambda states: {"heldout": states["heldout"]}, "whole.safetensors cannot be read"),
    ],
)
def test_what_is_no_answer_is_no_result(tampered: Case, change: object, why: str) -> None:
    file = tampered.folder / "whole.safetensors"
    assert callable(change)
    states = {name: state.contiguous() for name, state in change(load_file(file)).items()}
    save_file(states, file)
    with pytest.raises((ScoreError, WeightsError), match=why):
        tampered.scored()


def test_a_link_or_a_pickle_is_not_read(tampered: Case) -> None:
    file = tampered.folder / "weights.safetensors"
    file.rename(tampered.folder / "elsewhere")
    file.symlink_to(tampered.folder / "elsewhere")
    with pytest.raises(WeightsError, match="not a plain file"):
        tampered.scored()
    file.unlink()
    torch.save({"embedding.weight": torch.zeros(256, 32)}, file)
    with pytest.raises(WeightsError, match="cannot be read"):
        tampered.scored()


def test_weights_of_another_program_do_not_load(honest: Case) -> None:
    other = PLAIN.replace("self.gate", "self.door")
    with pytest.raises(WeightsError, match="do not fit a fresh model"):
        answer(
            other,
            STAGE,
            seed=3,
            weights=honest.folder / "weights.safetensors",
            questions=honest.folder / "whole.npz",
            last=False,
        )


def probed(task: Probe, folder: Path) -> tuple[dict[str, Score], Training]:
    """Train, ask and judge a program on synthetic tasks, as the jobs do."""
    torch.set_num_threads(1)
    models, training = train_probe(PLAIN, task, seed=0)
    weights, asked, states = (folder / name for name in ("w.safetensors", "q.npz", "s"))
    save_models(models, weights)
    questions = recall.questions(task)
    ask.write_questions(asked, {key: question.inputs for key, question in questions.items()})
    save_file(answer(PLAIN, task, seed=0, weights=weights, questions=asked, last=1), states)
    scores = score_recall(task, weights, states).scores
    return {score.benchmark: score for score in scores}, training


def test_the_probe_scores_what_cannot_recall_near_chance(tmp_path: Path) -> None:
    task = Probe(keys=4, writes=8, values=8, steps=20, parameters=20_000)
    scores, training = probed(task, tmp_path)
    assert scores.keys() == {"overwrite"}
    assert scores["overwrite"].n == 4 * 128
    assert scores["overwrite"].value < 0.5
    assert (training.learning_rate, training.sweep) == (task.learning_rate, {})
    assert training.tokens == 20 * 16 * 24


def test_each_task_has_a_model_and_a_score_of_its_own(tmp_path: Path) -> None:
    task = Probe(
        keys=2,
        writes=3,
        values=4,
        steps=60,
        parameters=20_000,
        learning_rates=(1e-5, 1e-2),
        tasks=get_args(ProbeTask),
    )
    scores, training = probed(task, tmp_path)
    assert tuple(scores) == task.tasks
    counts = [score.n // 128 for score in scores.values()]
    assert counts == [2, 2, 16, 2, 3]
    assert len(training.sweep) == 10 and training.learning_rate == 1e-2
    for name in task.tasks:
        assert training.sweep[f"{name} 0.01"] < training.sweep[f"{name} 1e-05"]
    assert scores["recall"].value > 0.3  # the gated mean of two values tells more than chance
