import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from asi_arch.config import Probe, Stage
from asi_arch.evaluate.recall import make_batch, probe
from asi_arch.records import Measurement, MetricPoint
from asi_arch.train.model import SizeError, build_model
from asi_arch.train.trainer import TrainingError, learning_rate_factor, train
from tests.programs import EXPLODING, PLAIN

STAGE = Stage(
    tokens=32_768,
    batch_size=4,
    length=64,
    hidden_size=32,
    parameters=30_000,
    learning_rate=1e-2,
    heldout_windows=8,
)
Train = Callable[..., Measurement]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A text in which every byte follows from the one before it."""
    text = np.arange(100_000).astype(np.uint8) % 64
    text.tofile(tmp_path / "train.bin")
    text.tofile(tmp_path / "heldout.bin")
    return tmp_path


def train_once(folder: Path, program: str = PLAIN, seed: int = 0) -> Measurement:
    torch.set_num_threads(1)
    points: list[MetricPoint] = []
    measured = train(
        program, STAGE, name="explore", seed=seed, folder=folder, on_progress=points.append
    )
    assert tuple(points) == measured.curve
    return measured


def test_training_learns_a_learnable_text(folder: Path) -> None:
    measured = train_once(folder)
    assert measured.loss is not None and measured.loss < 0.5 * math.log(64)
    assert measured.curve[0].loss > 1.2 * measured.curve[-1].loss
    assert measured.tokens == measured.curve[-1].tokens == 32_768
    assert len(measured.heldout) == 8
    assert measured.loss == pytest.approx(sum(measured.heldout) / 8)


def test_the_same_seed_gives_the_same_numbers(folder: Path) -> None:
    first, again, other = (train_once(folder, seed=seed) for seed in (3, 3, 4))
    assert first.heldout == again.heldout and first.curve == again.curve
    assert first.heldout != other.heldout


def test_a_loss_that_is_not_finite_ends_the_training(folder: Path) -> None:
    with pytest.raises(TrainingError, match="step 1"):
        train_once(folder, EXPLODING)


def test_everyone_gets_the_same_number_of_parameters() -> None:
    model, size = build_model(PLAIN, STAGE, 256)
    assert sum(p.numel() for p in model.parameters()) == size.total
    assert abs(size.total - 30_000) <= 300
    assert size.non_embedding == size.total - 256 * 32


def test_a_size_that_cannot_be_matched_is_refused() -> None:
    with pytest.raises(SizeError, match="5000"):
        build_model(PLAIN, STAGE.model_copy(update={"parameters": 5000}), 256)


def test_the_learning_rate_rises_and_falls() -> None:
    factors = [learning_rate_factor(step, 100, 0.1) for step in range(100)]
    assert factors[9] == 1.0 == max(factors)
    assert factors[:10] == sorted(factors[:10])
    assert factors[9:] == sorted(factors[9:], reverse=True)
    assert factors[-1] == pytest.approx(0.1, abs=0.01)


def test_the_probe_asks_for_the_last_value_of_every_key() -> None:
    task = Probe(keys=4, writes=9, values=5)
    inputs, targets = make_batch(task, 50, np.random.default_rng(0))
    assert inputs.shape == targets.shape == (50, 26)
    for row, asked in zip(inputs.tolist(), targets.tolist(), strict=True):
        last = dict(zip(row[:18:2], row[1:18:2], strict=True))
        for place in range(18, 26, 2):
            assert asked[place] == last[row[place]] == row[place + 1]
        assert all(target == -100 for target in asked[:18] + asked[19::2])


def test_the_probe_scores_what_cannot_recall_near_chance() -> None:
    task = Probe(keys=4, writes=8, values=8, steps=20, parameters=20_000)
    score = probe(PLAIN, task, seed=0).scores[0]
    assert score.n == 4 * 128
    assert score.value < 0.5
