import math
from pathlib import Path

import numpy as np
import pytest
import torch

from asi_arch.config import Stage
from asi_arch.data.shards import write_part
from asi_arch.records import MetricPoint, Training
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


@pytest.fixture
def text(tmp_path: Path) -> Path:
    """A text in which every byte follows from the one before it."""
    write_part(tmp_path / "train", np.arange(100_000) % 64, 256)
    return tmp_path / "train"


def train_once(text: Path, program: str = PLAIN, seed: int = 0) -> Training:
    torch.set_num_threads(1)
    points: list[MetricPoint] = []
    _, training = train(
        program, STAGE, name="explore", seed=seed, text=text, on_progress=points.append
    )
    assert tuple(points) == training.curve
    return training


def test_training_learns_a_learnable_text(text: Path) -> None:
    training = train_once(text)
    assert training.reported is not None and training.reported < 0.5 * math.log(64)
    assert training.curve[0].loss > 1.2 * training.curve[-1].loss
    assert training.tokens == training.curve[-1].tokens == 32_768


def test_the_same_seed_gives_the_same_numbers(text: Path) -> None:
    first, again, other = (train_once(text, seed=seed) for seed in (3, 3, 4))
    assert first.reported == again.reported and first.curve == again.curve
    assert first.reported != other.reported


def test_a_loss_that_is_not_finite_ends_the_training(text: Path) -> None:
    with pytest.raises(TrainingError, match="step 1"):
        train_once(text, EXPLODING)


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
