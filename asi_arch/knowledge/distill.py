"""Make an entry of a document with a language model."""

import re
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from asi_arch.interfaces import Backend, Ledger
from asi_arch.knowledge.clean import one_line, paragraphs
from asi_arch.knowledge.document import Document
from asi_arch.knowledge.extract import FIRST_YEAR, identifier, year
from asi_arch.records import Entry, Reply, Request, RoleSettings
from asi_arch.team.llm.answers import Text
from asi_arch.team.llm.ask import ask
from asi_arch.team.llm.card import load_card

TOKENS = 24_000
"""So much of a document is shown to the model by default."""

_CHARACTERS = 3  # a token has at least so many in English
_LONGEST = 4_000  # characters of a field
_PARTS = ("problem", "mechanism", "measured", "when_it_helps", "pitfalls")


class EntryAnswer(BaseModel):
    """What a document says, in the parts of an entry; anything else in the answer is ignored."""

    model_config = ConfigDict(
        frozen=True, extra="ignore", json_schema_extra={"additionalProperties": False}
    )

    title: Text
    authors: Text
    year: int
    tags: list[Text]
    problem: Text
    mechanism: Text
    measured: Text
    when_it_helps: Text
    pitfalls: Text

    def problems(self) -> str:
        """What is wrong with the answer, an empty string if nothing is."""
        missing = [name for name in ("title", "problem", "mechanism") if not getattr(self, name)]
        long = [name for name in _PARTS if len(getattr(self, name)) > _LONGEST]
        if missing:
            return f"{', '.join(missing)} must not be empty."
        if long:
            return f"{', '.join(long)} must be shorter than {_LONGEST} characters."
        if self.year and not FIRST_YEAR <= self.year <= date.today().year:
            return f"year {self.year} is not one of a publication; give 0 if it is not known."
        return "" if len(self.tags) <= 12 else "there are more than twelve tags."

    def text(self) -> str:
        """The parts of the entry that say something."""
        said = [(name, getattr(self, name)) for name in _PARTS]
        return "\n\n".join(f"**{_heading(name)}.** {one_line(text)}" for name, text in said if text)


class BriefLedger:
    """Keeps replies in memory, for a question that no campaign asks, and counts their tokens."""

    def __init__(self) -> None:
        self.tokens = 0
        self._replies: dict[str, Reply] = {}

    def find_reply(self, request: Request) -> Reply | None:
        """Return the reply to the same question, if there is one."""
        return self._replies.get(request.key)

    def open_call(self, request: Request) -> None:
        """Allow every question."""

    def save_reply(self, request: Request, reply: Reply) -> None:
        """Keep a reply."""
        self.tokens += reply.prompt_tokens + reply.completion_tokens
        self._replies[request.key] = reply

    def save_failure(self, request: Request, error: str, faults: Sequence[str]) -> None:
        """Do nothing: whoever asked is told."""


async def distill_entry(
    document: Document,
    backend: Backend,
    settings: RoleSettings,
    ledger: Ledger,
    agents: Path | None = None,
    tokens: int = TOKENS,
) -> Entry:
    """Return the entry that a model makes of the first `tokens` tokens of a document.

    The role card is that of the folder `agents`, if it has one. The entry's id does not come
    from the model: the same document has the same id again.

    Raises:
        BackendError: the model cannot be reached or gives no valid answer.
        BudgetSpent: the ledger does not allow the question.
    """
    card = load_card("librarian", "distill", EntryAnswer, {"name", "text"}, agents)
    shown = fenced(beginning(document.text, tokens * _CHARACTERS))
    request = Request(
        experiment_id=0,
        role=card.role,
        task=card.task,
        messages=card.render(name=one_line(document.name), text=shown),
        answer_type=EntryAnswer,
        settings=card.settings(settings),
    )
    answer = await ask(backend, ledger, request, EntryAnswer.problems)
    return Entry(
        id=identifier(document),
        title=answer.title,
        authors=answer.authors,
        year=answer.year or year(document),
        tags=tuple(answer.tags),
        text=answer.text(),
        source=document.name,
    )


def fenced(text: str) -> str:
    """Return the text between fences that it cannot close."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{text}\n{fence}"


def beginning(text: str, characters: int) -> str:
    """Return the first paragraphs that fit, and say so where the rest is left out."""
    if len(text) <= characters:
        return text
    kept = "\n\n".join(_fitting(paragraphs(text), characters)) or text[:characters]
    return f"{kept}\n\n(the rest of the document is left out)"


def _fitting(parts: Sequence[str], characters: int) -> Iterator[str]:
    for part in parts:
        characters -= len(part) + 2
        if characters < 0:
            return
        yield part


def _heading(name: str) -> str:
    return name.replace("_", " ").capitalize()
