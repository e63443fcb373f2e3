"""What every backend must do; plug-in authors run it in a test of their own."""

import asyncio
from collections.abc import Callable

from pydantic import BaseModel

from asi_arch.interfaces import Backend
from asi_arch.records import Message, Reply, Request, RoleSettings


class Word(BaseModel):
    """The answer that the checks ask for."""

    word: str


async def check_backend(make: Callable[[], Backend]) -> None:
    """Ask a backend a few harmless questions and check how it answers.

    Args:
        make: constructs the backend; called once for each check.

    Raises:
        AssertionError: the sentence says which promise is broken.
    """
    _check_reply(await make().complete(_request("ready")))
    await _check_answer(make())
    await _check_concurrency(make())
    await _check_event_loops(make())
    await _check_request_untouched(make())


def _request(word: str) -> Request:
    return Request(
        experiment_id=0,
        role="tester",
        task="conformance",
        messages=(
            Message(role="system", content="You answer with one JSON object and nothing else."),
            Message(role="user", content=f'Answer with exactly this JSON: {{"word": "{word}"}}'),
        ),
        answer_type=Word,
        settings=RoleSettings(max_tokens=2048),
    )


def _check_reply(reply: Reply) -> None:
    assert isinstance(reply, Reply), f"complete() must return a Reply, not {type(reply).__name__}"
    assert reply.text, "the reply's text is empty"
    assert reply.prompt_tokens >= 0, "prompt_tokens must not be negative"
    assert reply.completion_tokens >= 0, "completion_tokens must not be negative"
    assert reply.cost is None or reply.cost >= 0, "cost must be None (unknown) or not negative"
    assert reply.seconds >= 0, "seconds must not be negative"


async def _check_answer(backend: Backend) -> None:
    from asi_arch.team.llm.ask import read_answer

    reply = await backend.complete(_request("ready"))
    answer, problem = read_answer(reply.text, Word)
    assert answer is not None, f"the answer type was ignored: {problem} Reply: {reply.text[:200]!r}"


async def _check_concurrency(backend: Backend) -> None:
    """Calls at the same time must all come back, each with its own answer."""
    replies = await asyncio.gather(*(backend.complete(_request(f"w{i}")) for i in range(3)))
    for i, reply in enumerate(replies):
        _check_reply(reply)
        assert f"w{i}" in reply.text, "replies to concurrent calls were mixed up"


async def _check_event_loops(backend: Backend) -> None:
    """A backend must not tie itself to the loop of its first call."""
    _check_reply(await backend.complete(_request("first")))
    second = await asyncio.to_thread(asyncio.run, backend.complete(_request("second")))
    _check_reply(second)


async def _check_request_untouched(backend: Backend) -> None:
    request = _request("same")
    key = request.key
    await backend.complete(request)
    assert request.key == key, "complete() must not change the request"
