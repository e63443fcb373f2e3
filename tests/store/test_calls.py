import pytest

from asi_arch.errors import UserError
from asi_arch.records import Campaign, Experiment, Message, Proposal, Reply, Request, RoleSettings
from asi_arch.store import Store


def request(experiment: Experiment, text: str = "Propose.", attempt: int = 0) -> Request:
    return Request(
        experiment_id=experiment.id,
        role="researcher",
        task="propose",
        attempt=attempt,
        messages=(Message(role="user", content=text),),
        answer_type=Proposal,
        settings=RoleSettings(model="small"),
    )


def test_a_stored_reply_is_found_by_the_same_question(store: Store, candidate: Experiment) -> None:
    reply = Reply(
        text="an idea", model="big", prompt_tokens=10, completion_tokens=5, cost=0.25, seconds=1.5
    )
    assert store.find_reply(request(candidate)) is None
    store.save_reply(request(candidate), reply)
    assert store.find_reply(request(candidate)) == reply
    assert store.find_reply(request(candidate, attempt=1)) is None
    assert store.find_reply(request(candidate, "Else.")) is None


def test_the_first_reply_stays(store: Store, campaign: Campaign, candidate: Experiment) -> None:
    store.save_reply(request(candidate), Reply(text="first"))
    store.save_reply(request(candidate), Reply(text="second"))
    assert [call.reply for call in store.calls(campaign.id)] == ["first"]


def test_calls_are_kept_as_asked(
    store: Store, campaign: Campaign, baseline: Experiment, candidate: Experiment
) -> None:
    store.save_reply(request(candidate), Reply(text="a", prompt_tokens=10, completion_tokens=2))
    store.save_reply(request(baseline), Reply(text="b", prompt_tokens=1, cost=0.5))

    first, second = store.calls(campaign.id)
    assert (first.experiment_id, first.role, first.task) == (candidate.id, "researcher", "propose")
    assert first.messages == (Message(role="user", content="Propose."),)
    assert (first.model, first.key) == ("small", request(candidate).key)
    assert store.calls(campaign.id, baseline.id) == [second]
    spend = store.total_spend(campaign.id)
    assert (spend.tokens, spend.cost) == (13, 0.5)


def test_nothing_spent_is_zero(store: Store, campaign: Campaign) -> None:
    spend = store.total_spend(campaign.id)
    assert (spend.tokens, spend.cost) == (0, 0.0)


def test_odd_characters_in_a_reply_do_not_lose_it(store: Store, candidate: Experiment) -> None:
    odd = request(candidate, "nul \0")
    store.save_reply(odd, Reply(text="nul \0 and surrogate \udfff"))
    reply = store.find_reply(odd)
    assert reply is not None
    assert reply.text == "nul \\x00 and surrogate \\udfff"


def test_a_reply_needs_an_experiment(store: Store, candidate: Experiment) -> None:
    with pytest.raises(UserError, match="no experiment 77"):
        store.save_reply(request(candidate.model_copy(update={"id": 77})), Reply(text="x"))
