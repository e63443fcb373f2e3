"""What a server understands: which formats of an answer, which parameters. Found once, shared."""

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from asi_arch.backends.trouble import Trouble

Format: TypeAlias = Literal["json_schema", "tool", "json_object", "text"]
Feature: TypeAlias = Literal[
    "strict", "json_schema", "tool", "json_object", "temperature", "effort", "limit", "system"
]
Server: TypeAlias = tuple[str, str, str]
"""Base URL, model and API."""

FORMATS: tuple[Format, ...] = get_args(Format)
_FORMAT = ("response_format", "text.format", "grammar")
_NAMES: dict[Feature, tuple[str, ...]] = {
    "temperature": ("temperature",),
    "limit": ("max_tokens", "max_completion_tokens"),
    "effort": ("reasoning_effort", "reasoning.effort", "reasoning effort", "'reasoning'"),
    "system": (
        "system role",
        "role 'system'",
        "role system",
        "support 'system'",
        "system message",
        "developer instr",
    ),
    "strict": ("additionalproperties", "strict", "'required' is required"),
    "json_schema": (*_FORMAT, "json_schema", "structured output", "schema"),
    "tool": ("tool", "function"),
    "json_object": (*_FORMAT, "json_object", "json mode"),
}
_TOO_MUCH = ("too large", "at most", "less than", "maximum", "exceed")


@dataclass(frozen=True)
class Dialect:
    """What the server has refused so far; `limit` stands for the usual name of max_tokens."""

    refused: frozenset[Feature] = frozenset()

    @property
    def format(self) -> Format:
        """The best format of an answer that is left."""
        return next(name for name in FORMATS if name not in self.refused)

    def takes(self, feature: Feature) -> bool:
        """Whether the server has not refused it."""
        return feature not in self.refused

    def without(self, *features: Feature) -> "Dialect":
        """The dialect without these."""
        return Dialect(self.refused | set(features))

    def simpler(self, trouble: Trouble) -> "Dialect | None":
        """What to try after this refusal; None where it was not about the dialect."""
        if trouble.status not in (400, 422, 500, 501) or trouble.is_about_length:
            return None
        for feature, names in _NAMES.items():
            if self._speaks(feature) and any(name in trouble.words for name in names):
                amount = feature == "limit" and any(name in trouble.words for name in _TOO_MUCH)
                return None if amount else self.without(feature)
        return None

    @property
    def simplest(self) -> "Dialect | None":
        """Words alone, for a server that refuses without a reason; None if this is it."""
        plain = self.without("json_schema", "tool", "json_object", "temperature", "effort")
        return None if plain == self else plain

    @property
    def next_format(self) -> "Dialect | None":
        """The same with the next format, None after the last."""
        return None if self.format == "text" else self.without(self.format)

    def _speaks(self, feature: Feature) -> bool:
        """Whether a request in this dialect may have it."""
        if feature in FORMATS:
            return feature == self.format
        if feature == "strict":
            return self.takes("strict") and self.format == "json_schema"
        return self.takes(feature)


_known: dict[Server, Dialect] = {}


def known(server: Server) -> Dialect | None:
    """Return the dialect in which the server has answered before."""
    return _known.get(server)


def remember(server: Server, dialect: Dialect) -> None:
    """Keep what an answer has shown, for every role that asks the same server and model."""
    before = _known.get(server, dialect)
    _known[server] = before.without(*dialect.refused)


def forget_dialects() -> None:
    """Find out anew what servers understand; for tests."""
    _known.clear()
