"""The chat-completions format."""

import json
from dataclasses import dataclass
from typing import Any

from asi_arch.backends.dialect import Dialect
from asi_arch.backends.schema import closed_schema, in_words, name_of
from asi_arch.backends.trouble import unreadable
from asi_arch.backends.wire import (
    CUT,
    FILTERED,
    REFUSED,
    Answer,
    messages_of,
    table,
    tables,
    text_of,
    usage_of,
)
from asi_arch.records import Request

_ENDS = {"length": (CUT,), "content_filter": (FILTERED,)}
_LIMITS = ("max_tokens", "max_completion_tokens")


@dataclass(frozen=True)
class Chat:
    """POST /chat/completions; `limit` is the name the server is thought to have for max_tokens."""

    limit: str = "max_tokens"
    path: str = "/chat/completions"

    def body(self, request: Request, model: str, dialect: Dialect) -> dict[str, Any]:
        """Return what is posted."""
        form, words = _form(request, dialect)
        body = {"model": model, "messages": messages_of(request, dialect, words), **form}
        body[self._limit(dialect)] = request.settings.max_tokens
        if request.settings.temperature is not None and dialect.takes("temperature"):
            body["temperature"] = request.settings.temperature
        if request.settings.reasoning_effort and dialect.takes("effort"):
            body["reasoning_effort"] = request.settings.reasoning_effort
        return body

    def read(self, value: dict[str, Any], request: Request) -> Answer:
        """Return what the first choice holds, whichever way the model chose to answer."""
        choice = next(tables(value, "choices"), None)
        if choice is None or not isinstance(choice.get("message"), dict):
            raise unreadable("no choices with a message")
        text, faults = _text(choice["message"], name_of(request.answer_type))
        faults += _ENDS.get(str(choice.get("finish_reason")), ())
        usage = usage_of(value, "prompt_tokens", "completion_tokens", "prompt_tokens_details")
        return Answer(text, str(value.get("model") or ""), faults=faults, **usage)

    def _limit(self, dialect: Dialect) -> str:
        if dialect.takes("limit"):
            return self.limit
        return next(name for name in _LIMITS if name != self.limit)


def _form(request: Request, dialect: Dialect) -> tuple[dict[str, Any], str]:
    """Return how the answer is asked for: members of the body, and words."""
    name = name_of(request.answer_type)
    schema, strict = closed_schema(request.answer_type)
    match dialect.format:
        case "json_schema":
            strict = strict and dialect.takes("strict")
            wanted = {"name": name, "schema": schema, "strict": strict}
            return {"response_format": {"type": "json_schema", "json_schema": wanted}}, ""
        case "tool":
            function = {"name": name, "description": "Give the answer.", "parameters": schema}
            choice = {"type": "function", "function": {"name": name}}
            tools = [{"type": "function", "function": function}]
            return {"tools": tools, "tool_choice": choice}, ""
        case "json_object":
            words = in_words(request.answer_type, fenced=False)
            return {"response_format": {"type": "json_object"}}, words
        case _:
            return {}, in_words(request.answer_type, fenced=True)


def _text(message: dict[str, Any], name: str) -> tuple[str, tuple[str, ...]]:
    """Return the answer of a message: a call of our tool, its text, any other call, a refusal."""
    calls = [table(call, "function") for call in tables(message, "tool_calls")]
    calls += [table(message, "function_call")]
    ours = [call for call in calls if call.get("name") == name]
    text = next(map(_arguments, ours), "") or text_of(message.get("content"))
    text = text if text.strip() else next(filter(None, map(_arguments, calls)), "")
    refusal = message.get("refusal")
    if not text and isinstance(refusal, str) and refusal:
        return refusal, (REFUSED,)
    return text, ()


def _arguments(call: dict[str, Any]) -> str:
    """Return the arguments of a call; a few servers send them as an object."""
    arguments = call.get("arguments")
    return arguments if isinstance(arguments, str) else json.dumps(arguments) if arguments else ""
