"""A whole campaign whose team is a language model behind HTTP."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from asi_arch.backends.scripted import ScriptedBackend
from asi_arch.config import Config
from asi_arch.errors import BackendError
from asi_arch.launch import make_campaign, new_campaign
from asi_arch.records import Campaign, Reply, Request, Status
from asi_arch.store import Store
from asi_arch.testing import LLMServer, llm_server
from asi_arch.testing.scripted_answers import answer
from tests.campaigns import Silence, run_campaign, text_folder, tiny_config
from tests.over_http import go_on
from tests.simulation import success

ROLES = ("researcher", "engineer", "analyst")


def llm_settings(**role: str) -> list[str]:
    return ["team=llm", *(f"roles.{r}.{key}={role[key]}" for r in ROLES for key in role)]


def play_once(store: Store, config: Config, folder: Path) -> Campaign:
    """Run a new campaign whose jobs answer at once, as far as it comes."""
    record = new_campaign(store, config, folder)
    go_on(store, record, config, success)
    return store.campaign(record.id)


@pytest.fixture
def server() -> Iterator[LLMServer]:
    with llm_server(answer, faults=[200, 500, 200, 429]) as server:
        yield server


def test_a_campaign_through_http(server: LLMServer, tmp_path: Path) -> None:
    text = text_folder(tmp_path / "text")
    settings = llm_settings(backend="openai", base_url=server.url, model="scripted")
    run_campaign(str(tmp_path / "a.db"), tiny_config(text, *settings), tmp_path)
    with Store.open(str(tmp_path / "a.db")) as store:
        campaign = store.campaign()
        calls = store.calls(campaign.id)
        candidates = store.experiments(campaign.id, kind="candidate")
        spend = store.total_spend(campaign.id)
    assert campaign.status == "complete" and campaign.conclusion is not None
    assert [c.status for c in candidates] == [Status.COMPLETE] * 3
    assert {(call.role, call.task) for call in calls} >= {
        ("researcher", "propose"),
        ("engineer", "implement"),
        ("analyst", "analyse"),
    }
    assert len(calls) == server.calls and spend.tokens > 0
    assert all(c.proposal and c.proposal.components for c in candidates)


def test_stored_replies_are_not_asked_again(server: LLMServer, tmp_path: Path) -> None:
    """The process ends after the first implementation; the next one goes on without new calls."""
    text = text_folder(tmp_path / "text")
    settings = llm_settings(backend="openai", base_url=server.url, model="scripted")
    config = tiny_config(text, *settings, "budget.experiments=1")
    with Store.open(str(tmp_path / "a.db")) as store:
        record = new_campaign(store, config, tmp_path)
        stop = _StopAt("verify", experiment=4)
        with pytest.raises(KeyboardInterrupt):
            asyncio.run(make_campaign(store, record, stop).run())
        before = store.calls(record.id)
        asked = [body["messages"] for body in server.bodies]
        asyncio.run(make_campaign(store, record, Silence()).run())
        after = store.calls(record.id)
    assert len(before) == 2 and after[:2] == before
    assert not [body for body in server.bodies[len(asked) :] if body["messages"] in asked]


class _StopAt(Silence):
    def __init__(self, phase: str, experiment: int) -> None:
        super().__init__()
        self.stop = (experiment, phase)

    def on_phase(self, experiment: object, phase: str) -> None:
        super().on_phase(experiment, phase)  # type: ignore[arg-type]
        if self.phases[-1] == self.stop:
            raise KeyboardInterrupt


def test_a_token_budget_stops_calls_and_more_of_it_goes_on(
    server: LLMServer, tmp_path: Path
) -> None:
    text = text_folder(tmp_path / "text")
    settings = llm_settings(backend="openai", base_url=server.url, model="scripted")
    settings += [f"roles.{role}.max_tokens=100" for role in ROLES]
    config = tiny_config(text, *settings, "budget.tokens=9000")
    with Store.open(str(tmp_path / "a.db")) as store:
        record = play_once(store, config, tmp_path)
        assert record.conclusion is None
        assert record.status == "stopped" and "9000 tokens are spent" in record.reason
        assert 0 < store.total_spend(record.id).tokens <= 9000


def test_a_money_budget_stops_calls(server: LLMServer, tmp_path: Path) -> None:
    text = text_folder(tmp_path / "text")
    settings = llm_settings(
        backend="openai", base_url=server.url, model="scripted", input_price="2", output_price="8"
    )
    settings += [f"roles.{role}.max_tokens=1000" for role in ROLES]
    config = tiny_config(text, *settings, "budget.money=0.03")
    with Store.open(str(tmp_path / "a.db")) as store:
        record = play_once(store, config, tmp_path)
        spent, calls = store.total_spend(record.id), store.calls(record.id)
    assert record.status == "stopped" and "US dollars are spent" in record.reason
    dollars = sum(2 * c.prompt_tokens + 8 * c.completion_tokens for c in calls) / 1e6
    assert spent.cost == pytest.approx(dollars) and 0 < spent.cost <= 0.03


def test_a_dead_server_fails_experiments_and_not_the_campaign(tmp_path: Path) -> None:
    text = text_folder(tmp_path / "text")
    dead = "http://127.0.0.1:9/v1"
    settings = llm_settings(backend="openai", base_url=dead, model="none", retries="1")
    config = tiny_config(text, *settings, "budget.experiments=1")
    with Store.open(str(tmp_path / "a.db")) as store:
        campaign = play_once(store, config, tmp_path)
        (candidate,) = store.experiments(campaign.id, kind="candidate")
    assert candidate.status is Status.FAILED and "127.0.0.1:9" in candidate.reason
    assert campaign.conclusion is not None
    assert "No candidate came as far" in campaign.conclusion.sentence


class NoAnalyst(ScriptedBackend):
    """Gives up when the Analyst is asked."""

    async def complete(self, request: Request) -> Reply:
        if request.role == "analyst":
            raise BackendError("out of words")
        return await super().complete(request)


def test_a_measurement_counts_without_an_analysis(tmp_path: Path) -> None:
    text = text_folder(tmp_path / "text")
    settings = llm_settings(backend=f"{__name__}:NoAnalyst", model="none")
    config = tiny_config(text, *settings, "budget.experiments=1")
    with Store.open(str(tmp_path / "a.db")) as store:
        record = play_once(store, config, tmp_path)
        (candidate,) = store.experiments(record.id, kind="candidate")
    assert candidate.status is Status.COMPLETE and candidate.fitness is not None
    assert candidate.analysis is not None and "out of words" in candidate.analysis.summary


@pytest.mark.parametrize("backend", ["scripted", "asi_arch.backends.scripted:ScriptedBackend"])
def test_a_backend_by_name_or_dotted_path(backend: str, tmp_path: Path) -> None:
    text = text_folder(tmp_path / "text")
    settings = llm_settings(backend=backend, model="none")
    config = tiny_config(text, *settings, "budget.experiments=1")
    with Store.open(str(tmp_path / "a.db")) as store:
        assert play_once(store, config, tmp_path).status == "complete"
