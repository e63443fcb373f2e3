"""A local server that speaks the chat-completions protocol and answers from a function."""

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeAlias

Answer: TypeAlias = Callable[[list[dict[str, str]]], str]


@dataclass
class LLMServer:
    """A running server: `url` is its base URL, `bodies` holds what was answered with 200."""

    answer: Answer
    latency: float = 0.0
    faults: Sequence[int] = ()
    formats: Sequence[str] = ("json_schema", "json_object", "text")
    temperature: bool = True
    url: str = ""
    received: int = 0
    bodies: list[dict[str, Any]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def calls(self) -> int:
        """How many questions were answered."""
        return len(self.bodies)

    def handle(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Return the HTTP status and the JSON answer to one chat-completions request."""
        with self._lock:
            number, self.received = self.received, self.received + 1
        time.sleep(self.latency)
        if number < len(self.faults) and self.faults[number] != 200:
            return self.faults[number], _error(f"fault {self.faults[number]} on purpose")
        format = body.get("response_format", {}).get("type", "text")
        if format not in self.formats:
            return 400, _error(f"response_format {format} is not supported")
        if not self.temperature and "temperature" in body:
            return 400, _error("temperature is not supported with this model")
        text = self.answer(body["messages"])
        with self._lock:
            self.bodies.append(body)
        return 200, _completion(body, text)


@contextmanager
def llm_server(
    answer: Answer,
    *,
    latency: float = 0.0,
    faults: Sequence[int] = (),
    formats: Sequence[str] = ("json_schema", "json_object", "text"),
    temperature: bool = True,
) -> Iterator[LLMServer]:
    """Run a server on a free local port.

    Args:
        answer: makes the reply's text from the messages.
        latency: seconds before each reply.
        faults: HTTP statuses of the first requests, in order; 200 means no fault.
        formats: the response formats the server takes; it refuses others with status 400.
        temperature: whether the server takes a temperature.
    """
    server = LLMServer(answer, latency, faults, formats, temperature)
    http = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, server))
    http.daemon_threads = True
    server.url = f"http://127.0.0.1:{http.server_address[1]}/v1"
    thread = threading.Thread(target=http.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
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
            self._send(200, {"object": "list", "data": [{"id": "scripted", "object": "model"}]})
        else:
            self._send(404, _error(f"unknown path {self.path}"))

    def do_POST(self) -> None:
        """Answer a chat completion."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/v1/chat/completions":
            self._send(*self.llm.handle(body))
        else:
            self._send(404, _error(f"unknown path {self.path}"))

    def log_message(self, format: str, *args: Any) -> None:
        """Keep quiet."""

    def _send(self, status: int, value: dict[str, Any]) -> None:
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        if status in (429, 500, 503):
            self.send_header("Retry-After-Ms", "10")
        with suppress(ConnectionError):  # the client may have gone away
            self.end_headers()
            self.wfile.write(data)


def _completion(body: dict[str, Any], text: str) -> dict[str, Any]:
    prompt = sum(len(message["content"]) for message in body["messages"]) // 4
    completion = len(text) // 4
    message = {"role": "assistant", "content": text}
    return {
        "id": "chatcmpl-scripted",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": body["model"],
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt + completion,
        },
    }


def _error(message: str) -> dict[str, Any]:
    return {"error": {"message": message, "type": "server_error", "code": None}}
