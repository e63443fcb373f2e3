"""A local server that speaks OpenAI's protocol, answers from a function and fails on demand."""

import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal, TypeAlias, get_args

from asi_arch.testing.protocol import (
    Json,
    Question,
    chat_answer,
    chat_question,
    embeddings_answer,
    encoded,
    error_body,
    responses_answer,
    responses_question,
)

Answer: TypeAlias = Callable[[list[dict[str, str]]], str]
Kind: TypeAlias = Literal["", "reset", "hang", "truncate", "garbage"]

FORMATS = ("json_schema", "tool", "json_object", "text")
_SOON = (429, 500, 503)  # statuses whose client is told to come back at once


@dataclass(frozen=True)
class Fault:
    """What goes wrong with one request.

    `kind` is "reset" (the socket closes in mid-answer), "hang" (no answer for longer than a client
    waits), "truncate" (half of the JSON) or "garbage" (HTML with status 200); without a kind the
    answer is an error with this status, and 200 is no fault. `headers` go with it, for instance
    Retry-After; `body` takes the place of the error, or of the answer where the status is 200.
    """

    kind: Kind = ""
    status: int = 200
    message: str = ""
    code: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Json | None = None


AnyFault: TypeAlias = Fault | int | str
Faults: TypeAlias = Sequence[AnyFault] | Callable[[int, Json], AnyFault]


@dataclass(frozen=True)
class Received:
    """A request as it came; header names are in small letters, `time` is that of a clock."""

    path: str
    headers: dict[str, str]
    body: Json
    time: float


@dataclass(frozen=True)
class _Sent:
    """An answer before it is sent."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    kind: Kind = ""


@dataclass
class LLMServer:
    """A running server: `url` is its base URL, `root` that without /v1.

    `requests` holds all that came, `bodies` the questions that were answered with 200.
    """

    answer: Answer
    latency: float = 0.0
    faults: Faults = ()
    formats: Sequence[str] = FORMATS
    temperature: bool = True
    effort: bool = True
    limit: str = ""
    root: str = ""
    requests: list[Received] = field(default_factory=list)
    bodies: list[Json] = field(default_factory=list)
    _seen: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _stopped: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        """The base URL."""
        return f"{self.root}/v1"

    @property
    def received(self) -> int:
        """How many requests came."""
        return len(self.requests)

    @property
    def calls(self) -> int:
        """How many questions were answered."""
        return len(self.bodies)

    def handle(self, path: str, headers: dict[str, str], body: Json) -> _Sent:
        """Return what is sent for one request."""
        with self._lock:
            number = len(self.requests)
            self.requests.append(Received(path, headers, body, time.monotonic()))
        time.sleep(self.latency)
        fault = self._fault(number, body)
        if fault.kind == "hang":
            self._stopped.wait(60)
        if fault.kind == "garbage":
            return _Sent(200, b"<html>busy</html>", {"Content-Type": "text/html"})
        if fault.status != 200 or fault.body is not None:
            message = fault.message or f"fault {fault.status} on purpose"
            error = fault.body or error_body(message, fault.code)
            return _Sent(fault.status, encoded(error), fault.headers, fault.kind)
        status, value = self._answer(path, body)
        return _Sent(status, encoded(value), fault.headers, fault.kind)

    def stop(self) -> None:
        """Let go of every client that hangs."""
        self._stopped.set()

    def _fault(self, number: int, body: Json) -> Fault:
        if callable(self.faults):
            fault = self.faults(number, body)
        else:
            fault = self.faults[number] if number < len(self.faults) else 200
        if isinstance(fault, Fault):
            return fault
        if isinstance(fault, int):
            return Fault(status=fault)
        for kind in get_args(Kind):
            if kind == fault:
                return Fault(kind=kind)
        return Fault(status=418, message=f"there is no fault {fault!r}; see Fault")

    def _answer(self, path: str, body: Json) -> tuple[int, Json]:
        """Return the status and the answer to a request that meets no fault."""
        if path == "/v1/embeddings":
            return 200, embeddings_answer(body)
        if _is(path, "/chat/completions"):
            question, make = chat_question(body), chat_answer
        elif _is(path, "/responses"):
            question, make = responses_question(body), responses_answer
        else:
            return 404, error_body(f"unknown path {path}")
        refusal = self._refusal(question, body)
        if refusal:
            return 400, error_body(refusal, "unsupported_value")
        text = self.answer(question.messages)
        with self._lock:
            prompt = json.dumps(question.messages)
            cached = question.prompt_tokens if prompt in self._seen else 0
            self._seen.add(prompt)
            self.bodies.append(body)
        return 200, make(body, question, text, cached)

    def _refusal(self, question: Question, body: Json) -> str:
        """Return what this server does not understand, empty if it takes the question."""
        if question.format not in self.formats:
            name = "tools" if question.tool else f"response_format {question.format}"
            return f"{name} is not supported"
        if not self.temperature and question.temperature:
            return "temperature is not supported with this model"
        if not self.effort and question.effort:
            return "reasoning_effort is not supported with this model"
        other = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}
        if self.limit and other.get(self.limit) in body:
            return f"Unsupported parameter: {other[self.limit]!r}. Use {self.limit!r} instead."
        return ""


@contextmanager
def llm_server(
    answer: Answer,
    *,
    latency: float = 0.0,
    faults: Faults = (),
    formats: Sequence[str] = FORMATS,
    temperature: bool = True,
    effort: bool = True,
    limit: str = "",
) -> Iterator[LLMServer]:
    """Run a server on a free local port.

    It answers chat completions, the Responses API, embeddings, and chat and responses at Azure's
    addresses. A prompt that comes a second time counts as cached.

    Args:
        answer: makes the reply's text from the messages.
        latency: seconds before each reply.
        faults: what goes wrong with the first requests, in order, or a function of the number of
            the request (from 0) and its body: an HTTP status (200 means no fault), the kind of a
            fault, or a `Fault`.
        formats: the forms of an answer the server takes; it refuses others with status 400.
        temperature: whether the server takes a temperature.
        effort: whether the server takes a reasoning effort.
        limit: the only name it takes for the longest answer, max_tokens or max_completion_tokens;
            both if empty.
    """
    server = LLMServer(answer, latency, faults, formats, temperature, effort, limit)
    http = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, server))
    http.daemon_threads = True
    server.root = f"http://127.0.0.1:{http.server_address[1]}"
    thread = threading.Thread(target=http.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.stop()
        http.shutdown()
        http.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    def __init__(self, server: LLMServer, *args: Any) -> None:
        self.llm = server
        super().__init__(*args)

    def do_GET(self) -> None:
        """List the models."""
        if self.path == "/v1/models":
            models = {"object": "list", "data": [{"id": "scripted", "object": "model"}]}
            self._send(_Sent(200, encoded(models)))
        else:
            self._send(_Sent(404, encoded(error_body(f"unknown path {self.path}"))))

    def do_POST(self) -> None:
        """Answer a question."""
        length = int(self.headers["Content-Length"])
        sent = self.rfile.read(length)
        if len(sent) < length:
            return  # the client has gone away in mid-question
        body = json.loads(sent)
        headers = {name.lower(): value for name, value in self.headers.items()}
        self._send(self.llm.handle(self.path.partition("?")[0], headers, body))

    def log_message(self, format: str, *args: Any) -> None:
        """Keep quiet."""

    def _send(self, sent: _Sent) -> None:
        half = sent.body[: len(sent.body) // 2]
        data = half if sent.kind == "truncate" else sent.body
        headers = {"Content-Type": "application/json", "Content-Length": str(len(data))}
        if sent.status in _SOON and not any(n.lower() == "retry-after" for n in sent.headers):
            headers["Retry-After-Ms"] = "10"
        self.send_response(sent.status)
        for name, value in (headers | dict(sent.headers)).items():
            self.send_header(name, value)
        with suppress(ConnectionError):  # the client may have gone away
            self.end_headers()
            self.wfile.write(half if sent.kind == "reset" else data)
            if sent.kind == "reset":
                self._reset()

    def _reset(self) -> None:
        """Close the socket so that the client sees a reset and no end."""
        self.wfile.flush()
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.connection.close()


def _is(path: str, name: str) -> bool:
    """Whether the path is that of an interface, also at Azure's address."""
    return path == f"/v1{name}" or (path.startswith("/openai/") and path.endswith(name))
