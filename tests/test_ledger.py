"""What is on its way counts, and nothing goes beyond the budget."""

from pathlib import Path

import pytest
from pydantic import BaseModel

from asi_arch.backends.prices import Price
from asi_arch.config import Budget
from asi_arch.errors import BudgetSpent
from asi_arch.ledger import CampaignLedger
from asi_arch.records import Message, Reply, Request, RoleSettings
from asi_arch.store import Store


def request(id: int, text: str = "x" * 300, **settings: object) -> Request:
    chosen = RoleSettings.model_validate({"model": "m", "max_tokens": 100, **settings})
    return Request(
        experiment_id=id,
        role="researcher",
        task="propose",
        messages=(Message(role="user", content=text),),
        answer_type=BaseModel,
        settings=chosen,
    )


@pytest.fixture
def experiment_id(store: Store, tmp_path: Path) -> int:
    campaign = store.create_campaign("c", 0, {}, str(tmp_path))
    return store.start_experiment(campaign.id, 1, "candidate").id


def ledger(store: Store, **budget: float) -> CampaignLedger:
    return CampaignLedger(store, 1, Budget.model_validate(budget))


def test_what_is_on_its_way_counts_with_the_most_it_may_use(
    store: Store, experiment_id: int
) -> None:
    book = ledger(store, tokens=450)
    book.open_call(request(experiment_id, "a" * 300))  # 100 asked and at most 100 answered
    book.open_call(request(experiment_id, "b" * 300))
    with pytest.raises(BudgetSpent, match=r"400 of 450 tokens .* next call may need 200"):
        book.open_call(request(experiment_id, "c" * 300))
    book.save_reply(request(experiment_id, "a" * 300), Reply(text="t", prompt_tokens=50))
    book.open_call(request(experiment_id, "c" * 300))
    assert store.total_spend(1).tokens == 450


def test_a_failed_call_gives_its_share_back(store: Store, experiment_id: int) -> None:
    book = ledger(store, tokens=250)
    asked = request(experiment_id)
    book.open_call(asked)
    book.save_failure(asked, "the server is down", ("500", "500"))
    assert store.total_spend(1).tokens == 0
    (call,) = store.calls(1)
    assert (call.status, call.error, call.faults) == ("failed", "the server is down", ("500",) * 2)
    book.open_call(asked)
    book.save_reply(asked, Reply(text="t", prompt_tokens=5, completion_tokens=5))
    assert [c.status for c in store.calls(1)] == ["failed", "answered"]
    assert book.find_reply(asked) == Reply(
        text="t", model="m", prompt_tokens=5, completion_tokens=5
    )


def test_money_counts_by_the_price_and_a_reply_may_name_its_own(
    store: Store, experiment_id: int
) -> None:
    book = ledger(store, money=0.001)
    asked = request(experiment_id, input_price=2.0, output_price=8.0)  # at most 0.001 dollars
    book.open_call(asked)
    assert store.total_spend(1).cost == pytest.approx(0.001)
    with pytest.raises(BudgetSpent, match=r"US dollars .* next call may need 0\.0010"):
        book.open_call(request(experiment_id, "b" * 300, input_price=2.0, output_price=8.0))
    book.save_reply(asked, Reply(text="t", prompt_tokens=100, completion_tokens=10))
    assert store.total_spend(1).cost == pytest.approx((100 * 2 + 10 * 8) / 1e6)
    named = request(experiment_id, "d" * 3)
    book.save_reply(named, Reply(text="t", cost=0.5))
    assert store.total_spend(1).cost == pytest.approx(0.5 + 280e-6)


def test_prices_come_from_the_table_and_an_unknown_model_is_named_once(
    store: Store, experiment_id: int
) -> None:
    said: list[str] = []
    prices = {"m": Price(input=10.0, cached=1.0, output=20.0)}
    book = CampaignLedger(store, 1, Budget(), prices, said.append)
    reply = Reply(text="t", prompt_tokens=100, cached_tokens=60, completion_tokens=10)
    book.save_reply(request(experiment_id), reply)
    assert store.total_spend(1).cost == pytest.approx((40 * 10 + 60 * 1 + 10 * 20) / 1e6)
    for text in ("a", "b"):
        book.save_reply(request(experiment_id, text, model="home-made"), reply)
    assert said == ["home-made has no known price: its tokens are counted, its money is not"]
    assert [c.cost is None for c in store.calls(1)] == [False, True, True]
    assert [e.message for e in store.events(1) if e.kind == "price"] == said


def test_a_question_that_was_on_its_way_when_the_process_died_is_asked_again(
    store: Store, experiment_id: int
) -> None:
    book, asked = ledger(store), request(experiment_id)
    book.open_call(asked)
    store.end_lost_calls(1)
    assert store.total_spend(1).tokens == 100, "the prompt may have been paid"
    book.open_call(asked)
    book.save_reply(asked, Reply(text="t", prompt_tokens=7))
    lost, answered = store.calls(1)
    assert lost.status == "failed" and "interrupted" in lost.error and lost.prompt_tokens == 100
    assert answered.status == "answered" and answered.prompt_tokens == 7
