"""The two wire formats as one interface: what is posted where, and how an answer is read."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Protocol

from asi_arch.backends.dialect import Dialect
from asi_arch.backends.trouble import unreadable
from asi_arch.records import Request

CUT = "the answer was cut at max_tokens"
FILTERED = "the answer was cut by a content filter"
REFUSED = "the model refused"
_MOST = 10**9  # tokens; no answer uses more


@dataclass(frozen=True)
class Answer:
    """What one HTTP answer holds; `cached_tokens` is None where the server does not count them."""

    text: str
    model: str = ""
    prompt_tokens: int = 0
    cached_tokens: int | None = None
    completion_tokens: int = 0
    faults: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing in it and no reason for that."""
        return not self.text.strip() and not self.faults

    def after(self, other: "Answer | None") -> "Answer":
        """This answer with the tokens of an earlier one, which were used up too."""
        if other is None:
            return self
        cached = (other.cached_tokens or 0) + (self.cached_tokens or 0)
        return replace(
            self,
            prompt_tokens=other.prompt_tokens + self.prompt_tokens,
            cached_tokens=cached,
            completion_tokens=other.completion_tokens + self.completion_tokens,
        )


class Wire(Protocol):
    """A wire format."""

    @property
    def path(self) -> str:
        """Where it is posted, below the base URL."""

    def body(self, request: Request, model: str, dialect: Dialect) -> dict[str, Any]:
        """Return what is posted."""

    def read(self, value: dict[str, Any], request: Request) -> Answer:
        """Return what the answer holds; Trouble if it is not of this format."""


def messages_of(request: Request, dialect: Dialect, words: str) -> list[dict[str, str]]:
    """Return the messages, `words` behind the last; without a system role its text goes first."""
    messages = [message.model_dump() for message in request.messages]
    if not dialect.takes("system"):
        messages = _without_system(messages)
    messages[-1]["content"] += words
    return messages


def counted(value: Any) -> int:
    """Return a number of tokens, 0 for what cannot be one."""
    return int(value) if isinstance(value, int | float) and 0 < value <= _MOST else 0


def usage_of(value: dict[str, Any], asked: str, answered: str, details: str) -> dict[str, Any]:
    """Return the tokens of an answer from its `usage`, whose members have these names."""
    usage = table(value, "usage")
    prompt, cached = counted(usage.get(asked)), table(usage, details).get("cached_tokens")
    return {
        "prompt_tokens": prompt,
        "cached_tokens": None if cached is None else min(counted(cached), prompt),
        "completion_tokens": counted(usage.get(answered)),
    }


def table(value: dict[str, Any], name: str) -> dict[str, Any]:
    """Return a member that should be a JSON object, an empty one if it is not."""
    member = value.get(name)
    return member if isinstance(member, dict) else {}


def tables(value: dict[str, Any], name: str) -> Iterator[dict[str, Any]]:
    """Yield the JSON objects of a member that should be a list of them."""
    member = value.get(name)
    for item in member if isinstance(member, list) else ():
        if isinstance(item, dict):
            yield item


def text_of(content: Any) -> str:
    """Return the text of a message: a string, nothing, or a list of parts."""
    if content is None or isinstance(content, str):
        return content or ""
    if isinstance(content, list) and all(isinstance(part, dict) for part in content):
        texts = (part.get("text") for part in content)
        return "".join(text for text in texts if isinstance(text, str))
    raise unreadable(f"a message whose content is {content!r}"[:200])


def _without_system(messages: list[dict[str, str]]) -> list[dict[str, str]]:
    system = "\n\n".join(m["content"] for m in messages if m["role"] == "system")
    rest = [m for m in messages if m["role"] != "system"]
    if system and rest and rest[0]["role"] == "user":
        first = {"role": "user", "content": f"{system}\n\n{rest[0]['content']}"}
        return [first, *rest[1:]]
    return [{"role": "user", "content": system}, *rest] if system else rest
