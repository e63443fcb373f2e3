"""A campaign to write into, and short ways to make what goes in."""

from collections.abc import Callable
from typing import Any

import pytest

from asi_arch.records import (
    Campaign,
    Component,
    Experiment,
    Measurement,
    Origin,
    Proposal,
    Status,
)
from asi_arch.store import Store


@pytest.fixture
def campaign(store: Store) -> Campaign:
    return store.create_campaign("first", seed=7, config={"name": "first"}, folder="files")


@pytest.fixture
def baseline(store: Store, campaign: Campaign) -> Experiment:
    start = store.start_experiment(campaign.id, 0, "baseline", name="deltanet")
    return store.finish_experiment(start.id, Status.COMPLETE, fitness=0.0)


@pytest.fixture
def candidate(store: Store, campaign: Campaign, baseline: Experiment) -> Experiment:
    return store.start_experiment(campaign.id, 1, "candidate", parent_id=baseline.id)


@pytest.fixture
def propose() -> Callable[..., Proposal]:
    def propose(name: str = "Mixer", *origins: Origin, category: str = "decay") -> Proposal:
        parts = tuple(
            Component(name=f"part {i}", category=category, origin=origin, citations=("yang2024",))
            for i, origin in enumerate(origins or (Origin.COGNITION,))
        )
        return Proposal(name=name, motivation="why", components=parts, choices={"gate": "output"})

    return propose


@pytest.fixture
def measure() -> Callable[..., Measurement]:
    def measure(stage: str = "explore", seed: int = 0, **fields: Any) -> Measurement:
        values = {
            "parameters": 100_000,
            "non_embedding": 80_000,
            "mlp_width": 96,
            "tokens": 1_000_000,
            "loss": 1.7,
            "loss_error": 0.02,
        }
        return Measurement(stage=stage, seed=seed, **{**values, **fields})

    return measure
