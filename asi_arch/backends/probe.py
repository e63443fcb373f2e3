"""Ask a server of OpenAI's protocol one question for each thing it may understand."""

import time
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import Any, Literal, TypeAlias

from asi_arch.backends.dialect import FORMATS, Dialect, Feature
from asi_arch.backends.openai import OpenAIBackend
from asi_arch.backends.retries import persist
from asi_arch.backends.trouble import Trouble
from asi_arch.backends.wire import Answer
from asi_arch.errors import BackendError
from asi_arch.records import Request
from asi_arch.team.llm.ask import read_answer
from asi_arch.testing.conformance import conformance_request

State: TypeAlias = Literal["ok", "no", "fail"]

_SHOWN = 120  # characters of a refusal
_PLAIN = Dialect().without("strict", "json_schema", "tool", "json_object", "temperature", "effort")
_TITLES: dict[Feature, str] = {
    "json_schema": "JSON schema",
    "tool": "tool call",
    "json_object": "JSON mode",
    "temperature": "temperature",
    "effort": "reasoning effort",
}


@dataclass(frozen=True)
class Verdict:
    """What was looked at and what was seen; "no" is something that can be done without."""

    name: str
    state: State
    detail: str


@dataclass(frozen=True)
class Probed:
    """What a server understands, in which dialect it will be asked, and whether that works."""

    verdicts: tuple[Verdict, ...]
    dialect: str
    usable: bool


async def probe(backend: OpenAIBackend) -> Probed:
    """Look at one capability after another; each costs a short question."""
    async with backend.client() as client:
        prober = _Prober(backend, client)
        verdicts = await prober.basics()
        if prober.base is not None:
            verdicts += [await prober.feature(feature) for feature in _TITLES]
            verdicts += [await prober.words(), *prober.usage()]
    if verdicts[-1].state == "fail":
        return Probed(tuple(verdicts), "", False)
    last = await _complete(backend)
    return Probed((*verdicts, last), _describe(backend.dialect), last.state == "ok")


class _Prober:
    """Asks with one client and keeps the answers for what is said about all of them."""

    def __init__(self, backend: OpenAIBackend, client: Any) -> None:
        self.base: Dialect | None = None
        self._backend = backend
        self._client = client
        self._answers: list[Answer] = []
        self._seconds: list[float] = []

    async def basics(self) -> list[Verdict]:
        """Find a plain request that is answered at all."""
        dialect = _PLAIN
        while True:
            try:
                answer = await self._ask(_question("ready"), dialect)
            except Trouble as trouble:
                simpler = dialect.simpler(trouble)
                if simpler is None:
                    return self._unanswered(trouble)
                dialect = simpler
            else:
                break
        reached = Verdict("server", "ok", self._backend.base_url)
        if answer.is_empty:
            return [reached, Verdict("plain text", "fail", "the answer is empty")]
        self.base = dialect
        return [reached, Verdict("plain text", "ok", f"{answer.model or 'a model'} answers")]

    async def feature(self, feature: Feature) -> Verdict:
        """Ask with this feature and without all others."""
        assert self.base is not None
        left_out = self.base.refused - {feature}
        if feature == "json_schema":
            left_out -= {"strict"}
        return await self._fits(_TITLES[feature], _question(feature), Dialect(left_out))

    async def words(self) -> Verdict:
        """Ask for JSON in words alone."""
        assert self.base is not None
        return await self._fits("fenced text", _question("fenced"), self.base)

    def usage(self) -> list[Verdict]:
        """Say what the answers told about their cost and how long they took."""
        asked = sum(answer.prompt_tokens for answer in self._answers)
        counted = Verdict("usage", "ok", f"{asked} prompt tokens so far")
        if not asked:
            counted = Verdict("usage", "no", "tokens are not counted; budgets of them do not work")
        known = [a.cached_tokens for a in self._answers if a.cached_tokens is not None]
        cache = Verdict("prompt cache", "ok", f"reported, {sum(known)} tokens cached so far")
        if not known:
            cache = Verdict("prompt cache", "no", "cached tokens are not reported")
        seconds = f"median {median(self._seconds):.2f} s, longest {max(self._seconds):.2f} s"
        return [counted, cache, Verdict("latency", "ok", seconds)]

    async def _fits(self, name: str, request: Request, dialect: Dialect) -> Verdict:
        """Say whether an answer came and is of the wanted type."""
        try:
            answer = await self._ask(request, dialect)
        except Trouble as trouble:
            return Verdict(name, "no", f"refused: {trouble.message[:_SHOWN]}")
        value, problem = read_answer(answer.text, request.answer_type)
        if value is None:
            return Verdict(name, "no", f"taken, but {problem}")
        return Verdict(name, "ok", "taken and answered")

    async def _ask(self, request: Request, dialect: Dialect) -> Answer:
        ask = partial(self._backend.ask, self._client, request, dialect)
        retries, started = self._backend.settings.retries, time.monotonic()
        answer = await persist(ask, request.key, retries, [], dialect.simpler)
        self._seconds.append(time.monotonic() - started)
        self._answers.append(answer)
        return answer

    def _unanswered(self, trouble: Trouble) -> list[Verdict]:
        sentence = self._backend.explain(trouble)
        if trouble.kind in ("connection", "silence", "unreadable"):
            return [Verdict("server", "fail", sentence)]
        reached = Verdict("server", "ok", self._backend.base_url)
        return [reached, Verdict("plain text", "fail", sentence)]


def _question(word: str) -> Request:
    """Return a small question with everything that a role may set."""
    request = conformance_request(word)
    settings = request.settings.model_copy(update={"temperature": 0.2, "reasoning_effort": "low"})
    return request.model_copy(update={"settings": settings})


async def _complete(backend: OpenAIBackend) -> Verdict:
    """Ask as a campaign does."""
    request = _question("final")
    try:
        reply = await backend.complete(request)
    except BackendError as error:
        return Verdict("as a role asks", "fail", str(error))
    value, problem = read_answer(reply.text, request.answer_type)
    if value is None:
        return Verdict("as a role asks", "fail", f"an answer of the wrong type: {problem}")
    return Verdict("as a role asks", "ok", f"answered by {reply.model} in {reply.seconds:.2f} s")


def _describe(dialect: Dialect) -> str:
    """Return the format of answers and what is left out of requests."""
    words = {"effort": "reasoning effort", "limit": "the usual name of max_tokens"}
    dropped = dialect.refused - set(FORMATS)
    left_out = [words.get(feature, feature) for feature in sorted(dropped)]
    return ", ".join([dialect.format, *(f"without {name}" for name in left_out)])
