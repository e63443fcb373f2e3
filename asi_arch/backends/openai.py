"""Any server that speaks OpenAI's chat-completions protocol: vLLM, Ollama, llama.cpp, LiteLLM."""

import json
import os
import time
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from asi_arch.errors import BackendError, UserError
from asi_arch.records import Reply, Request, RoleSettings

OFFICIAL = "https://api.openai.com/v1"
TIMEOUT = 600.0
RETRIES = 5
_FORMATS = ("json_schema", "json_object", "text")


@dataclass(frozen=True)
class _Dialect:
    """What the server is taken to understand: an index into the formats, and the temperature."""

    format: int = 0
    temperature: bool = True

    def simpler(self, complaint: str) -> "_Dialect | None":
        """The next thing to try after the server has refused this one; None when all were."""
        if self.temperature and "temperature" in complaint:
            return replace(self, temperature=False)
        if self.format + 1 < len(_FORMATS):
            return replace(self, format=self.format + 1)
        return None


class OpenAIBackend:
    """Asks one model at one base URL; what the server understands is found once and remembered.

    The key is OPENAI_API_KEY; the base URL is that of the settings, else OPENAI_BASE_URL, else the
    official service, which alone insists on a key.
    """

    def __init__(self, settings: RoleSettings) -> None:
        self.model = settings.model
        self.base_url = settings.base_url or os.environ.get("OPENAI_BASE_URL") or OFFICIAL
        self._key = os.environ.get("OPENAI_API_KEY", "")
        self._official = _check_url(self.base_url) == urlsplit(OFFICIAL).hostname
        self._dialect: _Dialect | None = None
        if not self.model:
            raise UserError("no model is named; add --model NAME or set roles.researcher.model")
        if self._official and not self._key:
            raise UserError(
                "OPENAI_API_KEY is not set; export it, or name another server with --base-url"
            )

    async def complete(self, request: Request) -> Reply:
        """Return the model's answer, after retries with growing pauses for passing faults.

        Raises:
            BackendError: no answer; the sentence names the base URL and what to do.
        """
        import openai

        started = time.monotonic()
        # One client a call: it lives in one event loop and nothing is left open.
        async with openai.AsyncOpenAI(
            api_key=self._key or "none",
            base_url=self.base_url,
            timeout=TIMEOUT,
            max_retries=RETRIES,
        ) as client:
            try:
                completion = await self._negotiate(client, request)
            except openai.OpenAIError as error:
                raise BackendError(self._explain(error)) from error
            except json.JSONDecodeError as error:
                raise BackendError(self._not_protocol()) from error
        return self._reply(completion, time.monotonic() - started)

    async def _negotiate(self, client: Any, request: Request) -> Any:
        """Try simpler and simpler requests until the server takes one; remember which it was."""
        import openai

        dialect = self._dialect or _Dialect()
        while True:
            try:
                completion = await client.chat.completions.create(**self._body(request, dialect))
            except (openai.BadRequestError, openai.UnprocessableEntityError) as error:
                simpler = None if self._dialect else dialect.simpler(str(error))
                if simpler is None:
                    raise
                dialect = simpler
            else:
                self._dialect = dialect
                return completion

    def _body(self, request: Request, dialect: _Dialect) -> dict[str, Any]:
        messages = [message.model_dump() for message in request.messages]
        schema = request.answer_type.model_json_schema()
        limit = "max_completion_tokens" if self._official else "max_tokens"
        body = {"model": self.model, "messages": messages, limit: request.settings.max_tokens}
        if dialect.temperature and request.settings.temperature is not None:
            body["temperature"] = request.settings.temperature
        match _FORMATS[dialect.format]:
            case "json_schema":
                name = request.answer_type.__name__
                json_schema = {"name": name, "schema": schema, "strict": True}
                body["response_format"] = {"type": "json_schema", "json_schema": json_schema}
                return body
            case "json_object":
                body["response_format"] = {"type": "json_object"}
        messages[-1]["content"] += (
            f"\n\nAnswer with one JSON object that fits this JSON schema:\n{json.dumps(schema)}"
        )
        return body

    def _reply(self, completion: Any, seconds: float) -> Reply:
        choices = getattr(completion, "choices", None)
        message = choices[0].message if choices else None
        if message is None or not isinstance(message.content, str | None):
            raise BackendError(self._not_protocol())
        usage = completion.usage
        return Reply(
            text=message.content or "",
            model=completion.model or self.model,
            prompt_tokens=getattr(usage, "prompt_tokens", None) or 0,
            completion_tokens=getattr(usage, "completion_tokens", None) or 0,
            seconds=seconds,
        )

    def _explain(self, error: Exception) -> str:
        import openai

        match error:
            case openai.AuthenticationError() | openai.PermissionDeniedError():
                fix = "refused the key; set OPENAI_API_KEY to a key that is valid there"
            case openai.NotFoundError():
                fix = f"has no model {self.model!r}, or the URL is wrong (it often ends in /v1)"
            case openai.APITimeoutError():
                fix = f"did not answer within {TIMEOUT:.0f} seconds; is it overloaded?"
            case openai.APIConnectionError():
                fix = "cannot be reached; start the server or correct --base-url"
            case openai.RateLimitError():
                fix = "allows no more requests now; wait, lower --llm-jobs or check the quota"
            case _:
                fix = "gave no answer"
        return f"{self.base_url} {fix} ({_first_line(error)})"

    def _not_protocol(self) -> str:
        return f"{self.base_url} does not speak the chat-completions protocol; correct --base-url"


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:300]


def _check_url(url: str) -> str:
    """Return the host of the base URL."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UserError(f"base URL {url!r} is not valid; write it as http://localhost:8000/v1")
    return parts.hostname
