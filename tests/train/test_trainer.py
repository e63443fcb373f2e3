import math
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from asi_arch.config import Stage
from asi_arch.data import load
from asi_arch.data.shards import write_part
from asi_arch.errors import OutOfMemory, StoppedEarly, UserError
from asi_arch.records import Mark, MetricPoint, Pace, Training
from asi_arch.train.model import SizeError, build_model
from asi_arch.train.schedule import cosine, rate_factor, wsd
from asi_arch.train.stepper import Stepper
from asi_arch.train.trainer import Task, TrainingError, train
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
NOISY = PLAIN.replace(
    "value = self.value(hidden_states)",
    "value = torch.nn.functional.dropout(self.value(hidden_states), 0.1, self.training)",
)
HUNGRY = PLAIN.replace(
    "        value = self.value",
    "        if len(hidden_states) > {most}: raise torch.OutOfMemoryError('CUDA out of memory')\n"
    "        value = self.value",
)


class Killed(BaseException):
    """Ends a training in its midst, as a kill does."""


@pytest.fixture
def task(tmp_path: Path) -> Task:
    """An honest program on a text in which every byte follows from the one before it."""
    torch.set_num_threads(1)
    write_part(tmp_path / "train", np.arange(100_000) % 64, 256)
    return Task(PLAIN, STAGE, 0, load(tmp_path / "train"))


def changed(task: Task, program: str | None = None, **stage: object) -> Task:
    return replace(
        task,
        program=program or task.program,
        stage=Stage(**{**task.stage.model_dump(), **stage}),
    )


def train_once(task: Task) -> Training:
    points: list[MetricPoint] = []
    _, training = train(task, "explore", points.append)
    assert tuple(points) == training.curve
    return training


def killed_at(step: int) -> Callable[[MetricPoint], None]:
    def on_progress(point: MetricPoint) -> None:
        if point.step >= step:
            raise Killed

    return on_progress


def test_training_learns_a_learnable_text(task: Task) -> None:
    training = train_once(task)
    assert training.reported is not None and training.reported < 0.5 * math.log(64)
    assert training.curve[0].loss > 1.2 * training.curve[-1].loss
    assert training.tokens == training.curve[-1].tokens == 32_768
    assert training.learning_rate == 1e-2 and training.micro_batch == 4
    assert training.flops_per_token == 6 * training.parameters
    assert training.shares.keys() == {"loader", "forward", "loss", "backward", "optimizer"}
    assert sum(training.shares.values()) - training.shares["loss"] == pytest.approx(1)


def test_the_same_seed_gives_the_same_numbers(task: Task) -> None:
    first, again, other = (train_once(replace(task, seed=seed)) for seed in (3, 3, 4))
    assert first.reported == again.reported and first.curve == again.curve
    assert first.reported != other.reported


def test_a_loss_that_is_not_finite_ends_the_training(task: Task) -> None:
    with pytest.raises(TrainingError, match="step 1"):
        train_once(changed(task, EXPLODING))


@pytest.mark.parametrize("sweep", [(), (1e-3, 1e-2)])
def test_a_killed_training_goes_on_to_the_same_bits(
    task: Task, tmp_path: Path, sweep: tuple[float, ...]
) -> None:
    undisturbed = train_once(changed(task, NOISY, tokens=8192, sweep=sweep))
    saved = tmp_path / "checkpoint.safetensors"
    task = replace(
        changed(task, NOISY, tokens=8192, sweep=sweep, checkpoint_minutes=0), saved=saved
    )
    for step in (3, 10, 20):
        with pytest.raises(Killed):
            train(task, "explore", killed_at(step))
        assert saved.exists()
    resumed = train_once(task)
    same = {"curve", "reported", "learning_rate", "sweep", "tokens"}
    assert resumed.model_dump(include=same) == undisturbed.model_dump(include=same)
    assert not saved.exists()


def test_a_checkpoint_of_another_training_is_refused(task: Task, tmp_path: Path) -> None:
    saved = tmp_path / "checkpoint.safetensors"
    task = replace(changed(task, tokens=4096, checkpoint_minutes=0), saved=saved)
    with pytest.raises(Killed):
        train(task, "explore", killed_at(3))
    for other in (replace(task, seed=1), changed(task, NOISY), changed(task, tokens=8192)):
        with pytest.raises(UserError, match="checkpoint of another program, stage or seed"):
            train_once(other)
    saved.write_bytes(saved.read_bytes()[:100])
    with pytest.raises(UserError, match="cannot be read"):
        train_once(task)


def test_parts_of_a_batch_give_the_gradient_of_the_whole(task: Task) -> None:
    whole, parts = (train_once(changed(task, tokens=4096, micro_batch=m)) for m in (4, 3))
    assert (whole.micro_batch, parts.micro_batch) == (4, 3)
    assert parts.reported == pytest.approx(whole.reported, abs=1e-5)


def test_the_micro_batch_is_halved_until_it_fits(task: Task) -> None:
    training = train_once(changed(task, HUNGRY.format(most=1), tokens=4096))
    assert training.micro_batch == 1
    assert training.reported == pytest.approx(train_once(changed(task, tokens=4096)).reported)


def test_a_program_that_never_fits_is_out_of_memory(task: Task) -> None:
    with pytest.raises(OutOfMemory, match="with 1 sequences of 64 tokens"):
        train_once(changed(task, HUNGRY.format(most=0)))


def test_what_cannot_be_compiled_is_trained_without(task: Task) -> None:
    def refuse(*args: object) -> None:
        raise ValueError("no kernel for this")

    batch = torch.from_numpy(np.stack([task.tokens[start : start + 65] for start in range(4)]))
    plain, refused = (task.stepper()[0] for _ in range(2))
    refused.compiled = "yes"
    for block in refused.model.blocks:
        block._compiled_call_impl = refuse
    assert [refused.step(batch, 1e-3) for _ in range(2)] == [
        plain.step(batch, 1e-3) for _ in range(2)
    ]
    assert refused.compiled == "failed: ValueError: no kernel for this"


def test_the_best_of_the_sweep_is_used(task: Task) -> None:
    training = train_once(changed(task, sweep=[1e-5, 1e-2], sweep_share=0.2))
    assert training.learning_rate == 1e-2
    assert training.sweep.keys() == {"1e-05", "0.01"}
    assert training.sweep["0.01"] < training.sweep["1e-05"]
    assert training.reported == train_once(task).reported


def test_a_rate_that_diverges_does_not_win(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    step = Stepper.step

    def diverging(self: Stepper, batch: torch.Tensor, rate: float) -> float:
        return math.nan if self.stage.tokens < 8192 and rate > 0.05 else step(self, batch, rate)

    monkeypatch.setattr(Stepper, "step", diverging)
    training = train_once(changed(task, sweep=[1e-2, 1.0], sweep_share=0.2))
    assert training.learning_rate == 1e-2 and training.sweep["1"] == math.inf


def pace(training: Training, loss: float = 0.0, speed: float = 1.0, deviation: float = 0.0) -> Pace:
    marks = [
        Mark(step=point.step, loss=point.loss + loss, deviation=deviation)
        for point in training.curve
    ]
    return Pace(tokens_per_second=training.tokens_per_second * speed, marks=tuple(marks))


@pytest.mark.parametrize(
    ("rule", "difference", "words"),
    [
        ({"slower_than": 2.0}, {"speed": 1e6}, "more than 2 times slower"),
        ({"band": 0.1}, {"loss": 2.0}, "more than 10% away"),
        ({"band": 0.1}, {"loss": -2.0}, "more than 10% away"),
        ({"futility": 3.0}, {"loss": -0.4, "deviation": 0.1}, "by more than 3 standard deviations"),
    ],
)
def test_a_rule_ends_a_training_early(
    task: Task, rule: dict[str, float], difference: dict[str, float], words: str
) -> None:
    task = changed(task, tokens=8192)
    alone = train_once(task)
    ruled = changed(task, stop=rule)
    assert train_once(replace(ruled, pace=pace(alone))).curve == alone.curve
    assert train_once(replace(ruled, pace=None)).curve == alone.curve
    with pytest.raises(StoppedEarly, match=words):
        train_once(replace(ruled, pace=pace(alone, **difference)))


def test_nothing_is_hopeless_before_half_the_way(task: Task) -> None:
    task = changed(task, tokens=8192)
    hopeless = pace(train_once(task), loss=-0.4, deviation=0.1)
    with pytest.raises(StoppedEarly, match="at step 16:"):
        train_once(replace(changed(task, stop={"futility": 3.0}), pace=hopeless))


def test_everyone_gets_the_same_number_of_parameters() -> None:
    model, size = build_model(PLAIN, STAGE, 256)
    assert sum(p.numel() for p in model.parameters()) == size.total
    assert abs(size.total - 30_000) <= 300
    assert size.non_embedding == size.total - 256 * 32


def test_a_head_of_its_own_is_trained(task: Task) -> None:
    stage = Stage(**{**STAGE.model_dump(), "tied": False, "parameters": 38_000})
    model, size = build_model(PLAIN, stage, 256)
    assert model.head_weight is not model.embedding.weight
    assert size.total == size.non_embedding + 2 * 256 * 32
    reported = train_once(replace(task, stage=stage)).reported
    assert reported is not None and reported < 0.5 * math.log(64)


def test_a_size_that_cannot_be_matched_is_refused() -> None:
    with pytest.raises(SizeError, match="5000"):
        build_model(PLAIN, STAGE.model_copy(update={"parameters": 5000}), 256)


def test_the_learning_rate_rises_and_falls() -> None:
    factors = [cosine(step, 100, 0.1) for step in range(100)]
    assert factors[9] == 1.0 == max(factors)
    assert factors[:10] == sorted(factors[:10])
    assert factors[9:] == sorted(factors[9:], reverse=True)
    assert factors[-1] == pytest.approx(0.1, abs=0.01)


def test_wsd_is_constant_between_warm_up_and_decay() -> None:
    factors = [wsd(step, 100, 0.1, 0.2) for step in range(100)]
    assert factors[:10] == pytest.approx([(step + 1) / 10 for step in range(10)])
    assert set(factors[10:80]) == {1.0}
    assert all(now > later for now, later in pairwise(factors[80:]))
    assert factors[-1] == pytest.approx(0.05)


def test_the_published_warm_up_may_be_half_the_way() -> None:
    factors = [wsd(step, 2000, 0.5, 0.2) for step in range(2000)]
    assert factors[999] == 1.0 and factors[998] < 1.0 and factors[1599] == 1.0 > factors[1601]


def test_the_stage_names_its_schedule(task: Task) -> None:
    one, other = (train_once(changed(task, schedule=s, tokens=8192)) for s in ("cosine", "wsd"))
    assert one.reported != other.reported
    assert rate_factor(changed(task, schedule="wsd").stage, 0, 100) == 1 / 5
