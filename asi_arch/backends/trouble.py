"""What a server gave instead of an answer, read off the client's exceptions once."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal["refused", "failed", "silence", "connection", "unreadable"]

_PASSING = (408, 409, 429)
_PASSING_KINDS = ("silence", "connection", "unreadable")
_SHOWN = 300  # characters of a server's message in a sentence of ours
_CONTEXT = (
    "context_length_exceeded",
    "context length",
    "context window",
    "context size",
    "prompt is too long",
    "input is too long",
    "too many tokens",
)


class Trouble(Exception):
    """No answer came: `status` and `message` are the server's, `pause` is how long it wants peace.

    `fault` is the short line for the record, `words` all that was said, in small letters. Without
    a status there was no HTTP answer, or one that nobody can read.
    """

    def __init__(
        self,
        kind: Kind,
        fault: str,
        message: str = "",
        *,
        status: int | None = None,
        words: str = "",
        pause: float | None = None,
    ) -> None:
        self.kind = kind
        self.fault = fault
        self.message = " ".join((message or fault).split())[:_SHOWN]
        self.status = status
        self.words = f"{message} {words}".lower()
        self.pause = pause
        super().__init__(self.message)

    @property
    def is_passing(self) -> bool:
        """Whether the same question may be answered a little later."""
        if self.is_about_money or self.is_about_length:
            return False
        if self.status is not None:
            return self.status in _PASSING or self.status >= 500
        return self.kind in _PASSING_KINDS

    @property
    def is_about_money(self) -> bool:
        """Whether the account has no credit left, which no pause mends."""
        return self.status == 429 and "insufficient_quota" in self.words

    @property
    def is_about_length(self) -> bool:
        """Whether prompt and answer do not fit into the model's context."""
        return self.status in (400, 413, 422, 500) and any(name in self.words for name in _CONTEXT)


def unreadable(text: str) -> Trouble:
    """An HTTP answer that is not the protocol's."""
    return Trouble("unreadable", "an answer that cannot be read", text)


def refused(status: int, body: object, headers: Mapping[str, str] | None = None) -> Trouble:
    """An HTTP status other than 200, or the same inside the body of one."""
    error = body.get("error", body) if isinstance(body, dict) else body
    message = str(error.get("message") or error) if isinstance(error, dict) else str(error or "")
    return Trouble(
        "refused",
        f"{status} {_phrase(status)}".strip(),
        message or f"{status} {_phrase(status)}",
        status=status,
        words=json.dumps(error, default=str),
        pause=wanted_pause(headers or {}),
    )


def from_client(error: Exception, timeout: float) -> Trouble:
    """Read an exception of the openai client, or a time-out of ours."""
    import openai

    match error:
        case openai.APIStatusError():
            body = error.body if error.body is not None else str(error)
            return refused(error.status_code, body, error.response.headers)
        case TimeoutError() | openai.APITimeoutError():
            return Trouble("silence", f"no answer within {timeout:g} s")
        case openai.APIConnectionError():
            cause = str(error.__cause__ or error) or type(error.__cause__).__name__
            return Trouble("connection", "the connection broke", cause)
        case _:
            return unreadable(str(error))


def wanted_pause(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Return the seconds that Retry-After-Ms or Retry-After (seconds or a date) ask for."""
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    text = headers.get("retry-after")
    seconds = _number(text)
    if seconds is not None or not text:
        return seconds
    try:
        until = parsedate_to_datetime(text)
    except ValueError:
        return None
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return max(0.0, (until - (now or datetime.now(UTC))).total_seconds())


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if 0 <= value < float("inf") else None


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
