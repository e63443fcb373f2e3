"""What every backend must do; plug-in authors run it in a test of their own."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from pydantic import BaseModel

from asi_arch.interfaces import Backend
from asi_arch.records import Message, Reply, Request, RoleSettings

_STARTED = 0.02  # seconds into a call when it is cancelled
_PATIENCE = 5.0  # seconds that a cancelled call may take to end

Make: TypeAlias = Callable[[], Backend]


class Word(BaseModel):
    """The answer that the checks ask for."""

    word: str


async def check_backend(make: Make) -> None:
    """Ask a backend a few harmless questions and check how it answers.

    Args:
        make: constructs the backend; called once for each check.

    Raises:
        AssertionError: the sentence says which promise is broken.
    """
    for check in CHECKS.values():
        await check(make)


def conformance_request(word: str) -> Request:
    """The question whose answer is this word."""
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
    cached = 0 <= reply.cached_tokens <= reply.prompt_tokens
    assert cached, "cached_tokens must be a part of prompt_tokens"
    assert reply.cost is None or reply.cost >= 0, "cost must be None (unknown) or not negative"
    assert reply.seconds >= 0, "seconds must not be negative"
    lines = [isinstance(fault, str) and len(fault.splitlines()) == 1 for fault in reply.faults]
    assert all(lines), "each of the faults must be one line of text"


async def _check_fields(make: Make) -> None:
    _check_reply(await make().complete(conformance_request("ready")))


async def _check_answer(make: Make) -> None:
    from asi_arch.team.llm.ask import read_answer

    reply = await make().complete(conformance_request("ready"))
    answer, problem = read_answer(reply.text, Word)
    assert answer is not None, f"the answer type was ignored: {problem} Reply: {reply.text[:200]!r}"


async def _check_concurrency(make: Make) -> None:
    """Calls at the same time must all come back, each with its own answer."""
    backend = make()
    questions = [conformance_request(f"w{i}") for i in range(3)]
    for i, reply in enumerate(await asyncio.gather(*map(backend.complete, questions))):
        _check_reply(reply)
        assert f"w{i}" in reply.text, "replies to concurrent calls were mixed up"


async def _check_event_loops(make: Make) -> None:
    """A backend must not tie itself to the loop of its first call."""
    backend = make()
    _check_reply(await backend.complete(conformance_request("first")))
    again = backend.complete(conformance_request("second"))
    _check_reply(await asyncio.to_thread(asyncio.run, again))


async def _check_request_untouched(make: Make) -> None:
    request = conformance_request("same")
    key = request.key
    await make().complete(request)
    assert request.key == key, "complete() must not change the request"


async def _check_cancellation(make: Make) -> None:
    """A call that is cancelled ends, leaves no task behind, and the next one is answered."""
    backend, before = make(), asyncio.all_tasks()
    call = asyncio.ensure_future(backend.complete(conformance_request("ready")))
    await asyncio.wait([call], timeout=_STARTED)
    was_running = not call.done()
    call.cancel()
    await asyncio.wait([call], timeout=_PATIENCE)
    assert call.done(), f"a cancelled call went on for {_PATIENCE:g} seconds"
    assert call.cancelled() or not was_running, "complete() must let CancelledError through"
    await asyncio.sleep(0)
    left = asyncio.all_tasks() - before
    assert not left, "a cancelled call left a task running"
    _check_reply(await backend.complete(conformance_request("ready")))


CHECKS: dict[str, Callable[[Make], Awaitable[None]]] = {
    "the reply's fields": _check_fields,
    "the wanted answer type": _check_answer,
    "calls at the same time": _check_concurrency,
    "another event loop": _check_event_loops,
    "the request stays as it is": _check_request_untouched,
    "a cancelled call": _check_cancellation,
}
"""Each promise and what checks it."""
