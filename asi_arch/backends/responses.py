"""The format of the Responses API."""

from dataclasses import dataclass
from typing import Any

from asi_arch.backends.dialect import Dialect
from asi_arch.backends.schema import closed_schema, in_words, name_of
from asi_arch.backends.trouble import Trouble, unreadable
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

_STATUS = {"server_error": 500, "rate_limit_exceeded": 429}


@dataclass(frozen=True)
class Responses:
    """POST /responses."""

    path: str = "/responses"

    def body(self, request: Request, model: str, dialect: Dialect) -> dict[str, Any]:
        """Return what is posted; the server is asked not to keep the answer."""
        form, words = _form(request, dialect)
        messages = messages_of(request, dialect, words)
        body = {"model": model, "input": messages, "store": False, **form}
        body["max_output_tokens"] = request.settings.max_tokens
        if request.settings.temperature is not None and dialect.takes("temperature"):
            body["temperature"] = request.settings.temperature
        if request.settings.reasoning_effort and dialect.takes("effort"):
            body["reasoning"] = {"effort": request.settings.reasoning_effort}
        return body

    def read(self, value: dict[str, Any], request: Request) -> Answer:
        """Return what the output items hold; those of reasoning are passed over."""
        if value.get("status") == "failed":
            raise _failed(table(value, "error"))
        if not isinstance(value.get("output"), list):
            raise unreadable("no list of output items")
        text, faults = _text(value)
        usage = usage_of(value, "input_tokens", "output_tokens", "input_tokens_details")
        return Answer(text, str(value.get("model") or ""), faults=faults + _end(value), **usage)


def _form(request: Request, dialect: Dialect) -> tuple[dict[str, Any], str]:
    """Return how the answer is asked for: members of the body, and words."""
    name = name_of(request.answer_type)
    schema, strict = closed_schema(request.answer_type)
    match dialect.format:
        case "json_schema":
            strict = strict and dialect.takes("strict")
            wanted = {"type": "json_schema", "name": name, "schema": schema, "strict": strict}
            return {"text": {"format": wanted}}, ""
        case "tool":
            function = {"type": "function", "name": name, "parameters": schema, "strict": False}
            return {"tools": [function], "tool_choice": {"type": "function", "name": name}}, ""
        case "json_object":
            words = in_words(request.answer_type, fenced=False)
            return {"text": {"format": {"type": "json_object"}}}, words
        case _:
            return {}, in_words(request.answer_type, fenced=True)


def _text(value: dict[str, Any]) -> tuple[str, tuple[str, ...]]:
    """Return the text of the messages, else the arguments of a call, else a refusal."""
    items = list(tables(value, "output"))
    parts = [part for item in items for part in tables(item, "content")]
    messages = [item.get("content") for item in items if item.get("type") == "message"]
    text = "".join(map(text_of, messages))
    calls = [str(i.get("arguments") or "") for i in items if i.get("type") == "function_call"]
    text = text if text.strip() else next(filter(None, calls), "")
    refusal = next((str(part["refusal"]) for part in parts if part.get("refusal")), "")
    return (refusal, (REFUSED,)) if refusal and not text else (text, ())


def _end(value: dict[str, Any]) -> tuple[str, ...]:
    if value.get("status") != "incomplete":
        return ()
    reason = table(value, "incomplete_details").get("reason")
    return (FILTERED,) if reason == "content_filter" else (CUT,)


def _failed(error: dict[str, Any]) -> Trouble:
    code = str(error.get("code") or "server_error")
    message = str(error.get("message") or code)
    return Trouble("failed", f"failed: {code}", message, words=code, status=_STATUS.get(code))
