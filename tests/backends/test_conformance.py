import asyncio
from collections.abc import Callable

import pytest

from asi_arch.backends import make_backend
from asi_arch.backends.scripted import ScriptedBackend
from asi_arch.errors import BackendError
from asi_arch.interfaces import Backend
from asi_arch.records import Message, Reply, Request, RoleSettings
from asi_arch.testing import check_backend, llm_server
from asi_arch.testing.conformance import Word
from asi_arch.testing.scripted_answers import answer


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


class Mixed(PluginBackend):
    last: Request | None = None

    async def complete(self, request: Request) -> Reply:
        self.last = request
        await asyncio.sleep(0)
        return await super().complete(self.last)


def test_scripted() -> None:
    asyncio.run(check_backend(lambda: make_backend("scripted", RoleSettings())))


@pytest.mark.parametrize("format", ["json_schema", "text"])
def test_openai(format: str) -> None:
    with llm_server(answer, formats=(format,)) as server:
        settings = RoleSettings(model="m", base_url=server.url)
        asyncio.run(check_backend(lambda: make_backend("openai", settings)))


def test_dotted_path() -> None:
    path = f"{__name__}:PluginBackend"
    asyncio.run(check_backend(lambda: make_backend(path, RoleSettings())))


@pytest.mark.parametrize(
    ("broken", "sentence"),
    [(LoopBound, "another loop"), (Prose, "ignored"), (Mixed, "mixed up")],
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
