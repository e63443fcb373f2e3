"""A local server that speaks OpenAI's protocol, answers from a function and fails on demand."""

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import ThreadingHTTPServer
from typing import TypeAlias

from asi_arch.testing.faults import Faults, chosen_fault
from asi_arch.testing.handler import Handler, Sent
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

FORMATS = ("json_schema", "tool", "json_object", "text")


@dataclass(frozen=True)
class Received:
    """A request as it came; header names are in small letters, `time` is that of a clock."""

    path: str
    headers: dict[str, str]
    body: Json
    time: float


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

    def handle(self, path: str, headers: dict[str, str], body: Json) -> Sent:
        """Return what is sent for one request."""
        with self._lock:
            number = len(self.requests)
            self.requests.append(Received(path, headers, body, time.monotonic()))
        time.sleep(self.latency)
        fault = chosen_fault(self.faults, number, body)
        if fault.kind == "hang":
            self._stopped.wait(60)
            return Sent(503, encoded(error_body("nobody waits for this any more")))
        if fault.kind == "garbage":
            return Sent(200, b"<html>busy</html>", {"Content-Type": "text/html"})
        if fault.status != 200 or fault.body is not None:
            message = fault.message or f"fault {fault.status} on purpose"
            error = fault.body or error_body(message, fault.code)
            return Sent(fault.status, encoded(error), fault.headers, fault.kind)
        status, value = self._answer(path, body)
        return Sent(status, encoded(value), fault.headers, fault.kind)

    def stop(self) -> None:
        """Let go of every client that hangs."""
        self._stopped.set()

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
    http = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, server.handle))
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


def _is(path: str, name: str) -> bool:
    """Whether the path is that of an interface, also at Azure's address."""
    return path == f"/v1{name}" or (path.startswith("/openai/") and path.endswith(name))
