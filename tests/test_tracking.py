import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from asi_arch.config import Config
from asi_arch.errors import MissingExtra
from asi_arch.records import Campaign, Experiment, MetricPoint, Status
from asi_arch.tracking import tracked
from tests.campaigns import Silence

POINTS = [MetricPoint(step=step, tokens=512 * step, loss=3.0 - step) for step in (1, 2)]


@pytest.fixture
def campaign(tmp_path: Path) -> Campaign:
    return Campaign(
        id=7,
        name="mine",
        seed=0,
        status="running",
        config=Config().model_dump(mode="json"),
        folder=str(tmp_path),
    )


def draw(campaign: Campaign, tracking: Any) -> Silence:
    experiment = Experiment(
        id=3, campaign_id=7, number=1, kind="candidate", status=Status.VERIFIED, name="Net"
    )
    silence = Silence()
    with tracked(silence, tracking, campaign) as watcher:
        watcher.on_phase(experiment, "explore seed 0")
        for point, reference in zip(POINTS, (None, 1.25), strict=True):
            watcher.on_progress(experiment, "explore", 0, point, reference)
    return silence


def test_nothing_is_drawn_by_default(campaign: Campaign, tmp_path: Path) -> None:
    assert draw(campaign, Config().tracking).phases == [(3, "explore seed 0")]
    assert list(tmp_path.iterdir()) == []


def test_tensorboard_gets_the_curve(campaign: Campaign, tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    assert draw(campaign, "tensorboard").phases == [(3, "explore seed 0")]
    read: Any = EventAccumulator(str(tmp_path / "tensorboard" / "00003-Net-explore-0"))
    read.Reload()
    assert [(e.step, e.value) for e in read.Scalars("loss")] == [(512, 2.0), (1024, 1.0)]
    assert [(e.step, e.value) for e in read.Scalars("to baseline")] == [(1024, -0.25)]


def test_wandb_gets_the_curve(campaign: Campaign, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[Any] = []
    run = SimpleNamespace(
        log=lambda values, step: said.append((step, values)), finish=lambda: said.append("end")
    )
    start: Any = SimpleNamespace(init=lambda **asked: (said.append(asked), run)[1])  # type: ignore[func-returns-value]
    monkeypatch.setitem(sys.modules, "wandb", start)
    draw(campaign, "wandb")
    assert said[0]["group"] == "mine-7" and said[0]["name"] == "00003-Net-explore-0"
    assert said[1:] == [
        (1, {"loss": 2.0, "tokens": 512}),
        (2, {"loss": 1.0, "to baseline": -0.25, "tokens": 1024}),
        "end",
    ]


def test_a_missing_package_is_named_with_its_command(
    campaign: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(MissingExtra, match=r"pip install 'asi-arch\[wandb\]'"):
        draw(campaign, "wandb")
