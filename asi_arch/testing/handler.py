"""The HTTP of the local server, and how it breaks."""

import json
import socket
import struct
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any, TypeAlias

from asi_arch.testing.faults import Kind
from asi_arch.testing.protocol import Json, encoded, error_body

_SOON = (429, 500, 503)  # statuses whose client is told to come back at once


@dataclass(frozen=True)
class Sent:
    """An answer before it is sent."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    kind: Kind = ""


Handle: TypeAlias = Callable[[str, dict[str, str], Json], Sent]
"""Path, headers (names in small letters) and body to what is sent."""


class Handler(BaseHTTPRequestHandler):
    """Passes what is posted to a function and sends what that returns."""

    def __init__(self, handle: Handle, *args: Any) -> None:
        self._handle = handle
        super().__init__(*args)

    def do_GET(self) -> None:
        """List the models."""
        if self.path == "/v1/models":
            models = {"object": "list", "data": [{"id": "scripted", "object": "model"}]}
            self._send(Sent(200, encoded(models)))
        else:
            self._send(Sent(404, encoded(error_body(f"unknown path {self.path}"))))

    def do_POST(self) -> None:
        """Answer a question."""
        length = int(self.headers["Content-Length"])
        sent = self.rfile.read(length)
        if len(sent) < length:
            return  # the client has gone away in mid-question
        body = json.loads(sent)
        headers = {name.lower(): value for name, value in self.headers.items()}
        self._send(self._handle(self.path.partition("?")[0], headers, body))

    def log_message(self, format: str, *args: Any) -> None:
        """Keep quiet."""

    def _send(self, sent: Sent) -> None:
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
