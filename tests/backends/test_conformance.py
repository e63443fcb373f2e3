import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from asi_arch.backends import make_backend
from asi_arch.backends.scripted import ScriptedBackend
from asi_arch.errors import BackendError
from asi_arch.interfaces import Backend
from asi_arch.records import Message, Reply, Request, RoleSettings
from asi_arch.testing import check_backend, llm_server
from asi_arch.testing.conformance import Word
from asi_arch.testing.scripted_answers import answer
from asi_arch.testing.server import FORMATS


class PluginBackend:
    def __init__(self, settings: RoleSettings) -> None:
        self.settings = settings

    async def complete(self, request: Request) -> Reply:
        await asyncio.sleep(0)
        return Reply(text=answer([message.model_dump() for message in request.messages]))


class LoopBound(PluginBackend):
    def __init__(self, settings: RoleSettings) -> None:
        super().__init__(settings)
        self.loop: asyncio.AbstractEventLoop | None = None

    async def complete(self, request: Request) -> Reply:
        self.loop = self.loop or asyncio.get_running_loop()
        assert self.loop is asyncio.get_running_loop(), "another loop"
        return await super().complete(request)


class Prose(PluginBackend):
    async def complete(self, request: Request) -> Reply:
        return Reply(text="The word is ready.")


class Greedy(PluginBackend):
    async def complete(self, request: Request) -> Reply:
        reply = await super().complete(request)
        return reply.model_copy(update={"cached_tokens": 1})


class Verbose(PluginBackend):
    async def complete(self, request: Request) -> Reply:
        reply = await super().complete(request)
        return reply.model_copy(update={"faults": ("two\nlines",)})


class Stubborn(PluginBackend):
    async def complete(self, request: Request) -> Reply:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(0.05)
        return await super().complete(request)


class Careless(PluginBackend):
    async def complete(self, request: Request) -> Reply:
        self.task = asyncio.ensure_future(asyncio.sleep(0.1))
        await asyncio.shield(self.task)
        return await super().complete(request)


class Mixed(PluginBackend):
    last: Request | None = None

    async def complete(self, request: Request) -> Reply:
        self.last = request
        await asyncio.sleep(0)
        return await super().complete(self.last)


def test_scripted() -> None:
    asyncio.run(check_backend(lambda: make_backend("scripted", RoleSettings())))


@pytest.mark.parametrize("api", ["chat", "responses"])
@pytest.mark.parametrize("format", FORMATS)
def test_openai(format: str, api: Any) -> None:
    with llm_server(answer, formats=(format,)) as server:
        settings = RoleSettings(model="m", base_url=server.url, api=api)
        asyncio.run(check_backend(lambda: make_backend("openai", settings)))


@pytest.mark.parametrize("api", ["chat", "responses"])
def test_azure(api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", "key")
    with llm_server(answer, formats=("json_schema",)) as server:
        settings = RoleSettings(model="m", base_url=server.root, api=api)
        asyncio.run(check_backend(lambda: make_backend("azure", settings)))


def test_every_promise_is_kept_by_a_server_that_often_fails() -> None:
    kinds = ("reset", 429, 200, "truncate", 200, "garbage", 200)
    faults = lambda number, body: kinds[number % len(kinds)]  # noqa: E731
    with llm_server(answer, faults=faults) as server:
        settings = RoleSettings(model="m", base_url=server.url)
        asyncio.run(check_backend(lambda: make_backend("openai", settings)))


def test_replay_of_the_questions_themselves(tmp_path: Path) -> None:
    """What a scripted backend was asked and answered is the recording."""
    made: list[ScriptedBackend] = []

    def make() -> Backend:
        made.append(ScriptedBackend(RoleSettings()))
        return made[-1]

    asyncio.run(check_backend(make))
    file = tmp_path / "recording.jsonl"
    requests = [request for backend in made for request in backend.requests]
    file.write_text("\n".join(map(recorded, requests)))
    settings = RoleSettings(base_url=str(file))
    asyncio.run(check_backend(lambda: make_backend("replay", settings)))


def recorded(request: Request) -> str:
    reply = answer([message.model_dump() for message in request.messages])
    place = request.model_dump(include={"experiment_id", "role", "task", "attempt"})
    return json.dumps({"kind": "call", "key": request.key, "reply": reply, **place})


def test_dotted_path() -> None:
    path = f"{__name__}:PluginBackend"
    asyncio.run(check_backend(lambda: make_backend(path, RoleSettings())))


@pytest.mark.parametrize(
    ("broken", "sentence"),
    [
        (LoopBound, "another loop"),
        (Prose, "ignored"),
        (Mixed, "mixed up"),
        (Greedy, "a part of prompt_tokens"),
        (Verbose, "one line of text"),
        (Stubborn, "let CancelledError through"),
        (Careless, "left a task running"),
    ],
)
def test_broken_promises_are_found(
    broken: Callable[[RoleSettings], Backend], sentence: str
) -> None:
    with pytest.raises(AssertionError, match=sentence):
        asyncio.run(check_backend(lambda: broken(RoleSettings())))


def test_scripted_answers_in_order_and_ends() -> None:
    backend = ScriptedBackend(RoleSettings(), ["one"])
    request = Request(
        experiment_id=0,
        role="r",
        task="t",
        messages=(Message(role="user", content="x"),),
        answer_type=Word,
    )
    assert asyncio.run(backend.complete(request)).text == "one"
    with pytest.raises(BackendError, match="no more answers"):
        asyncio.run(backend.complete(request))
    assert backend.requests == [request, request]
