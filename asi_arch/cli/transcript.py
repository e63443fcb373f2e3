"""Calls to language models in full: what was asked and what was answered."""

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

if TYPE_CHECKING:
    from asi_arch.store.records import CallRecord


def call_title(call: "CallRecord") -> str:
    """Return which call it is."""
    return f"call {call.id}, {call.role}.{call.task}"


def print_transcript(calls: "Sequence[CallRecord]", console: Console) -> None:
    """Print every message, fault, reply and error of some calls."""
    for call in calls:
        about = f"about experiment {call.experiment_id}, attempt {call.attempt}, {call.status}"
        console.print(Text(f"{call_title(call)} {about}, {call.model}", "bold underline"))
        for name, text, colour in _parts(call):
            console.print(Text(f"\n--- {name}", f"bold {colour}"))
            console.print(Text(text), soft_wrap=True)
        console.print()


def _parts(call: "CallRecord") -> Iterator[tuple[str, str, str]]:
    """Yield a title, a text and the colour of the title for each part of a call."""
    for message in call.messages:
        yield message.role, message.content, "cyan"
    for fault in call.faults:
        yield "fault", fault, "yellow"
    if call.error:
        yield "error", call.error, "red"
    if call.reply:
        yield "reply", readable(call.reply), "green"


def readable(reply: str) -> str:
    """Return the members of a JSON object with their texts as lines; other text as it is."""
    try:
        members = json.loads(reply)
    except ValueError:
        return reply
    if not isinstance(members, dict):
        return reply
    return "\n".join(f"{name}: {_member(value)}" for name, value in members.items()) or reply


def _member(value: object) -> str:
    if isinstance(value, str):
        return f"\n{value}" if "\n" in value else value
    return json.dumps(value, indent=2, ensure_ascii=False)
