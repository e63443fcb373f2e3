import math
from datetime import UTC, datetime, timedelta

import pytest

from asi_arch.errors import UserError
from asi_arch.records import Campaign, Conclusion, Experiment
from asi_arch.store import Store


def test_created_campaign_is_the_latest_and_runs(store: Store, campaign: Campaign) -> None:
    second = store.create_campaign("second", 2**40, {"search": {"pool": 3}}, "elsewhere")

    assert store.campaign() == second
    assert store.campaign(campaign.id) == campaign
    assert store.campaigns() == [campaign, second]
    assert (second.status, second.seed, second.config) == (
        "running",
        2**40,
        {"search": {"pool": 3}},
    )


def test_created_is_now_in_utc(campaign: Campaign) -> None:
    created = datetime.fromisoformat(campaign.created)
    assert created.tzinfo is not None
    assert created.utcoffset() == timedelta(0)
    assert abs(datetime.now(UTC) - created) < timedelta(minutes=1)


def test_unknown_campaign_names_the_known_ones(store: Store, campaign: Campaign) -> None:
    with pytest.raises(UserError, match=f"no campaign 99; choose one of: {campaign.id}"):
        store.campaign(99)
    for ask in (store.events, store.leaderboard, store.runs, store.experiments, store.calls):
        with pytest.raises(UserError, match="no campaign 99"):
            ask(99)


def test_empty_database_says_how_to_start(store: Store) -> None:
    with pytest.raises(UserError, match="asi-arch run"):
        store.campaign()


def test_changes_of_a_campaign(store: Store, campaign: Campaign) -> None:
    conclusion = Conclusion(difference=0.1, low=-math.inf, high=math.nan, sentence="within")
    store.set_campaign_status(campaign.id, "stopped", "budget")
    store.set_campaign_config(campaign.id, {"name": "changed"})
    store.add_seconds(campaign.id, 1.5)
    store.add_seconds(campaign.id, 2.0)
    store.save_conclusion(campaign.id, conclusion)

    after = store.campaign(campaign.id)
    assert (after.status, after.reason, after.seconds) == ("stopped", "budget", 3.5)
    assert after.config == {"name": "changed"}
    assert after.conclusion is not None
    assert (after.conclusion.low, after.conclusion.difference) == (-math.inf, 0.1)
    assert math.isnan(after.conclusion.high or 0)


def test_events_come_oldest_first_and_the_limit_keeps_the_newest(
    store: Store, campaign: Campaign, candidate: Experiment
) -> None:
    store.log_event(campaign.id, None, "start", "one")
    store.log_event(campaign.id, candidate.id, "phase", "two")
    store.log_event(campaign.id, candidate.id, "phase", "three")

    assert [event.message for event in store.events(campaign.id)] == ["one", "two", "three"]
    last = store.events(campaign.id, limit=2)
    assert [(event.message, event.experiment_id) for event in last] == [
        ("two", candidate.id),
        ("three", candidate.id),
    ]
