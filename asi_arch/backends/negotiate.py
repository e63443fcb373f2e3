"""Find the form of request that a server takes, asking simpler and simpler."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeAlias

from asi_arch.backends.dialect import Dialect, Server, known, remember
from asi_arch.backends.retries import persist
from asi_arch.backends.trouble import Trouble
from asi_arch.backends.wire import Answer

Ask: TypeAlias = Callable[[Dialect], Awaitable[Answer]]

_OTHER_REASONS = (
    "content_filter",
    "content management",
    "invalid model",
    "model_not_found",
    "does not exist",
    "api key",
    "billing",
    "quota",
    "max_tokens",
    "max_output_tokens",
)


async def negotiate(ask: Ask, server: Server, key: str, retries: int, faults: list[str]) -> Answer:
    """Return an answer and remember in which dialect it came.

    A refusal that names what it is about, or an empty answer of a server that has not answered
    before, leads to the next simpler request; what empty answers used is added to the last.

    Raises:
        Trouble: a lasting fault, or one that the retries did not outlast.
    """
    dialect, spent = known(server) or Dialect(), None
    while True:
        try:
            answer = await persist(partial(ask, dialect), key, retries, faults, dialect.simpler)
        except Trouble as trouble:
            simpler = dialect.simpler(trouble)
            if simpler is None:
                return await _in_words(ask, server, dialect, trouble, faults)
            faults.append(_step(trouble.fault, dialect, simpler))
            dialect = simpler
            continue
        answer = answer.after(spent)
        simpler = dialect.next_format
        if not answer.is_empty or known(server) or simpler is None:
            if answer.text.strip():
                remember(server, dialect)
            return answer
        faults.append(_step("an empty answer", dialect, simpler))
        dialect, spent = simpler, answer


async def _in_words(
    ask: Ask, server: Server, dialect: Dialect, trouble: Trouble, faults: list[str]
) -> Answer:
    """Ask a new server that refused for no stated reason once more, in words alone.

    That teaches nothing, so it is not remembered.
    """
    simplest = dialect.simplest
    if not _is_vague(trouble) or known(server) or simplest is None:
        raise trouble
    faults.append(_step(trouble.fault, dialect, simplest))
    return await ask(simplest)


def _is_vague(trouble: Trouble) -> bool:
    """Whether a request was refused and nothing in the words says why."""
    if trouble.status not in (400, 422) or trouble.is_about_length:
        return False
    return not any(name in trouble.words for name in _OTHER_REASONS)


def _step(reason: str, old: Dialect, new: Dialect) -> str:
    dropped = ", ".join(sorted(new.refused - old.refused))
    return f"{reason}, asked again without {dropped}"
