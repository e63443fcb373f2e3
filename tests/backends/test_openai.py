import asyncio
import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from pydantic import BaseModel

from asi_arch.backends.openai import OpenAIBackend
from asi_arch.errors import BackendError, UserError
from asi_arch.records import Message, Request, RoleSettings
from asi_arch.testing import llm_server


class Word(BaseModel):
    word: str


ANSWER = '{"word": "yes"}'


def request(temperature: float | None = 0.5) -> Request:
    return Request(
        experiment_id=1,
        role="researcher",
        task="propose",
        messages=(Message(role="system", content="s"), Message(role="user", content="u" * 40)),
        answer_type=Word,
        settings=RoleSettings(temperature=temperature, max_tokens=77),
    )


def backend(url: str, **settings: Any) -> OpenAIBackend:
    return OpenAIBackend(RoleSettings(model="tiny", base_url=url, **settings))


def test_answer_usage_and_body() -> None:
    with llm_server(lambda messages: ANSWER) as server:
        reply = asyncio.run(backend(server.url).complete(request()))
    assert reply.text == ANSWER and reply.model == "tiny"
    assert (reply.prompt_tokens, reply.completion_tokens) == (10, 3)
    assert reply.seconds > 0 and reply.cost is None
    body = server.bodies[0]
    assert reply.faults == () and reply.cached_tokens == 0
    assert server.requests[0].headers["idempotency-key"] == request().key
    assert body["max_tokens"] == 77 and body["temperature"] == 0.5
    assert body["response_format"]["json_schema"]["schema"]["required"] == ["word"]


def test_passing_faults_are_retried() -> None:
    with llm_server(lambda messages: ANSWER, faults=(429, 500)) as server:
        reply = asyncio.run(backend(server.url).complete(request()))
    assert reply.text == ANSWER and server.received == 3 and server.calls == 1
    lines = ("429 Too Many Requests, waited 0.01 s", "500 Internal Server Error, waited 0.01 s")
    assert reply.faults == lines


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        (401, "refused the key; set OPENAI_API_KEY"),
        (403, "refused the key; set OPENAI_API_KEY"),
        (404, "has no model 'tiny'"),
    ],
)
def test_lasting_faults_name_the_server_and_the_fix(status: int, sentence: str) -> None:
    with llm_server(lambda messages: ANSWER, faults=(status,)) as server:
        with pytest.raises(BackendError, match=sentence) as caught:
            asyncio.run(backend(server.url).complete(request()))
        assert server.url in str(caught.value) and "\n" not in str(caught.value)


def test_retries_end() -> None:
    with (
        llm_server(lambda messages: ANSWER, faults=(429,) * 9) as server,
        pytest.raises(BackendError, match="allows no more requests") as caught,
    ):
        asyncio.run(backend(server.url, retries=1).complete(request()))
    assert server.received == 2
    waited, last = caught.value.faults
    assert waited.startswith("429 Too Many Requests, waited") and last == "429 Too Many Requests"


def test_time_out() -> None:
    with (
        llm_server(lambda messages: ANSWER, faults=("hang",)) as server,
        pytest.raises(BackendError, match=r"did not answer within 0.1 seconds.*timeout") as caught,
    ):
        asyncio.run(backend(server.url, timeout=0.1, retries=0).complete(request()))
    assert caught.value.faults == ("no answer within 0.1 s",)


def test_nobody_listens() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/v1"
        with pytest.raises(BackendError, match=f"{url} cannot be reached") as caught:
            asyncio.run(backend(url, retries=0).complete(request()))
    assert caught.value.faults == ("the connection broke",)


def test_a_cancelled_call_closes_its_client(monkeypatch: pytest.MonkeyPatch) -> None:
    clients: list[Any] = []

    async def cancelled(asked: OpenAIBackend) -> None:
        clients.append(asked.client())
        monkeypatch.setattr(asked, "client", lambda: clients[0])
        call = asyncio.ensure_future(asked.complete(request()))
        await asyncio.wait([call], timeout=0.2)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert asyncio.all_tasks() == {asyncio.current_task()}

    with llm_server(lambda messages: ANSWER, faults=("hang",)) as server:
        asyncio.run(cancelled(backend(server.url)))
    assert [client.is_closed() for client in clients] == [True]


class Stranger(BaseHTTPRequestHandler):
    """A web server that is no language model."""

    content_type, body = "", b""

    def do_POST(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", self.content_type)
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("text/html", b"<html>welcome</html>"),
        ("application/json", b"{not json"),
        ("application/json", b"[]"),
        ("application/json", b'{"ok": true}'),
        ("application/json", b'{"choices": [], "model": "m"}'),
        ("application/json", b'{"choices": [{}], "model": "m"}'),
        ("application/json", b'{"choices": [{"message": {"content": [1]}}], "model": "m"}'),
        ("application/json", b"\xff\xfe"),
    ],
)
def test_a_server_that_speaks_something_else(content_type: str, body: bytes) -> None:
    handler = type("Handler", (Stranger,), {"content_type": content_type, "body": body})
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        url = f"http://127.0.0.1:{server.server_address[1]}/v1"
        try:
            with pytest.raises(BackendError, match="does not speak the chat-completions protocol"):
                asyncio.run(backend(url, retries=0).complete(request()))
        finally:
            server.shutdown()
            thread.join()


def test_wrong_path_on_the_server() -> None:
    with (
        llm_server(lambda messages: ANSWER) as server,
        pytest.raises(BackendError, match="often ends in /v1"),
    ):
        asyncio.run(backend(server.url.removesuffix("/v1")).complete(request()))


def test_the_official_service_needs_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="OPENAI_API_KEY is not set"):
        backend("")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-x")
    assert backend("").base_url == "https://api.openai.com/v1"


def test_base_url_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://elsewhere:9/v1")
    assert backend("").base_url == "http://elsewhere:9/v1"


def test_settings_are_checked_before_anything_starts() -> None:
    with pytest.raises(UserError, match="no model"):
        OpenAIBackend(RoleSettings(base_url="http://localhost:8000/v1"))
    for url in ("localhost:8000", "http://[::1", "ftp://x/v1"):
        with pytest.raises(UserError, match="is not valid; write it as http"):
            backend(url)
