"""Any server that speaks OpenAI's protocol."""

import asyncio
import json
import os
import time
from functools import partial
from typing import Any, ClassVar
from urllib.parse import urlsplit

from asi_arch.backends.chat import Chat
from asi_arch.backends.dialect import Dialect, Server, known
from asi_arch.backends.explain import explain
from asi_arch.backends.negotiate import negotiate
from asi_arch.backends.responses import Responses
from asi_arch.backends.trouble import Trouble, from_client, refused, unreadable
from asi_arch.backends.wire import Answer, Wire
from asi_arch.errors import BackendError, UserError
from asi_arch.records import Reply, Request, RoleSettings

OFFICIAL = "https://api.openai.com/v1"


class OpenAIBackend:
    """Any server with OpenAI's protocol: the service itself, vLLM, Ollama, llama.cpp, LiteLLM.

    The key is OPENAI_API_KEY; the base URL is that of the settings, else OPENAI_BASE_URL, else the
    official service, which alone insists on a key. What the server understands is found with the
    first answers and shared by all who ask the same model there.
    """

    KEY: ClassVar[str] = "OPENAI_API_KEY"

    def __init__(self, settings: RoleSettings) -> None:
        self.settings = settings
        self.base_url = self._find_url()
        self._key = os.environ.get(self.KEY, "")
        host = _check_url(self.base_url)
        if not settings.model:
            raise UserError("no model is named; add --model NAME or set roles.researcher.model")
        self._check_key(host)
        self.wire = self._choose_wire(host)

    @property
    def server(self) -> Server:
        """Whose dialect it is."""
        return (self.base_url, self.settings.model, self.settings.api)

    @property
    def dialect(self) -> Dialect:
        """What the server understands, as far as it is known."""
        return known(self.server) or Dialect()

    async def complete(self, request: Request) -> Reply:
        """Return the model's answer, after retries with growing pauses for passing faults.

        Raises:
            BackendError: no answer; the sentence names the base URL and what to do.
        """
        started = time.monotonic()
        faults: list[str] = []
        # One client a call: it lives in one event loop and nothing is left open.
        async with self.client() as client:
            try:
                ask = partial(self.ask, client, request)
                answer = await negotiate(
                    ask, self.server, request.key, self.settings.retries, faults
                )
            except Trouble as trouble:
                tries = (*faults, trouble.fault)
                raise BackendError(self.explain(trouble), tries) from trouble
        return Reply(
            text=answer.text,
            model=answer.model or self.settings.model,
            prompt_tokens=answer.prompt_tokens,
            cached_tokens=answer.cached_tokens or 0,
            completion_tokens=answer.completion_tokens,
            seconds=time.monotonic() - started,
            faults=(*faults, *answer.faults),
        )

    async def ask(self, client: Any, request: Request, dialect: Dialect) -> Answer:
        """Ask once in this dialect.

        Raises:
            Trouble: what came instead of an answer.
        """
        import openai

        body = self.wire.body(request, self.settings.model, dialect)
        options = {"headers": {"Idempotency-Key": request.key}}
        try:
            async with asyncio.timeout(self.settings.timeout):
                text = await client.post(self.wire.path, body=body, cast_to=str, options=options)
        except (openai.OpenAIError, TimeoutError) as error:
            raise from_client(error, self.settings.timeout) from error
        return self.wire.read(_object(text), request)

    def client(self) -> Any:
        """Return a client of the openai package, to be closed by the caller."""
        import openai

        return openai.AsyncOpenAI(
            api_key=self._key or "none",
            base_url=self.base_url,
            timeout=self.settings.timeout,
            max_retries=0,
        )

    def explain(self, trouble: Trouble) -> str:
        """Return one sentence: the server, what is wrong, what to do."""
        sentence = explain(trouble, self.settings, self.KEY, self._missing())
        return f"{self.base_url} {sentence} ({trouble.message})"

    def _find_url(self) -> str:
        return self.settings.base_url or os.environ.get("OPENAI_BASE_URL") or OFFICIAL

    def _check_key(self, host: str) -> None:
        if host == urlsplit(OFFICIAL).hostname and not self._key:
            raise UserError(
                f"{self.KEY} is not set; export it, or name another server with --base-url"
            )

    def _choose_wire(self, host: str) -> Wire:
        if self.settings.api == "responses":
            return Responses()
        official = host == urlsplit(OFFICIAL).hostname
        return Chat("max_completion_tokens" if official else "max_tokens")

    def _missing(self) -> str:
        if self.settings.api == "responses":
            return (
                f"has no model {self.settings.model!r} or no Responses API; set api=chat, or "
                "correct the URL (it often ends in /v1)"
            )
        return f"has no model {self.settings.model!r}, or the URL is wrong (it often ends in /v1)"


def _object(text: str) -> dict[str, Any]:
    """Return the JSON object of an answer; some servers put an error in one with status 200."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise unreadable(f"not JSON: {text[:80]!r}") from error
    if not isinstance(value, dict):
        raise unreadable(f"no JSON object: {text[:80]!r}")
    inside = value.get("error")
    if inside and "choices" not in value and "output" not in value:
        code = inside.get("code") if isinstance(inside, dict) else None
        raise refused(code if isinstance(code, int) else 500, value)
    return value


def _check_url(url: str) -> str:
    """Return the host of the base URL."""
    try:
        parts = urlsplit(url)
        host = parts.hostname if parts.scheme in ("http", "https") else None
    except ValueError:
        host = None
    if not host:
        raise UserError(f"base URL {url!r} is not valid; write it as http://localhost:8000/v1")
    return host
