"""The openai backend against a LiteLLM proxy whose models are a handler of ours."""

import asyncio
import os
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from asi_arch.backends.dialect import Dialect
from asi_arch.backends.openai import OpenAIBackend
from asi_arch.errors import BackendError
from asi_arch.records import Reply, RoleSettings
from asi_arch.testing import check_backend
from asi_arch.testing.conformance import conformance_request

LITELLM = os.environ.get("ASI_ARCH_LITELLM", "")
ROOT = Path(__file__).parents[2]
PATIENCE = 120.0

pytestmark = [
    pytest.mark.litellm,
    pytest.mark.skipif(not LITELLM, reason="needs a LiteLLM proxy; run make test-litellm"),
]

HANDLER = '''
from litellm import ChatCompletionMessageToolCall, CustomLLM
from litellm.llms.custom_llm import CustomLLMError
from litellm.types.utils import Function, Usage

from asi_arch.testing.scripted_answers import answer


class Handler(CustomLLM):
    """Answers as the scripted backend does; the name of the model says what it refuses."""

    def __init__(self):
        super().__init__()
        self.asked = {}

    async def acompletion(self, model, messages, model_response, optional_params, **rest):
        self.asked[model] = self.asked.get(model, 0) + 1
        if model == "limited" and self.asked[model] == 1:
            raise CustomLLMError(status_code=429, message="slow down")
        if model == "broke":
            raise CustomLLMError(status_code=429, message="insufficient_quota: no credit")
        if model == "short":
            raise CustomLLMError(status_code=400, message="the maximum context length is 8 tokens")
        if model != "willing" and "response_format" in optional_params:
            raise CustomLLMError(status_code=400, message="response_format is not supported here")
        if model == "wordy" and "tools" in optional_params:
            raise CustomLLMError(status_code=400, message="no tools here")
        message = model_response.choices[0].message
        message.content = answer([{**m, "content": str(m["content"])} for m in messages])
        if "tools" in optional_params:
            name = optional_params["tools"][0]["function"]["name"]
            function = Function(name=name, arguments=message.content)
            call = ChatCompletionMessageToolCall(id="call", type="function", function=function)
            message.content, message.tool_calls = None, [call]
        model_response.usage = Usage(prompt_tokens=7, completion_tokens=3, total_tokens=10)
        return model_response


handler = Handler()
'''
MODELS = ("willing", "tools", "wordy", "limited", "broke", "short")
CONFIG = """
litellm_settings:
  num_retries: 0
  custom_provider_map:
    - {provider: ours, custom_handler: handler.handler}
router_settings:
  disable_cooldowns: true
model_list:
"""
ENVIRONMENT = {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true",
    "PYTHONPATH": str(ROOT),
}
BOTH = pytest.mark.parametrize("api", ["chat", "responses"])


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The base URL of a running proxy."""
    folder = tmp_path_factory.mktemp("litellm")
    lines = [f"  - {{model_name: {m}, litellm_params: {{model: ours/{m}}}}}\n" for m in MODELS]
    (folder / "handler.py").write_text(HANDLER)
    (folder / "config.yaml").write_text(CONFIG + "".join(lines))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with proxy(folder, port) as process:
        wait_for(f"http://127.0.0.1:{port}/health/liveliness", process, folder / "log")
        yield f"http://127.0.0.1:{port}/v1"


@contextmanager
def proxy(folder: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    command = [LITELLM, "--config", "config.yaml", "--host", "127.0.0.1", "--port", str(port)]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--telemetry", "False"],
            cwd=folder,
            env={**os.environ, **ENVIRONMENT},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def wait_for(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    started = time.monotonic()
    while process.poll() is None and time.monotonic() < started + PATIENCE:
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    pytest.fail(f"the proxy did not start: {log.read_text(errors='replace')[-2000:]}")


def backend(url: str, model: str, api: Any = "chat") -> OpenAIBackend:
    return OpenAIBackend(RoleSettings(model=model, base_url=url, api=api, timeout=30))


def ask(asked: OpenAIBackend, **settings: Any) -> Reply:
    request = conformance_request("ready")
    changed = request.settings.model_copy(update=settings)
    return asyncio.run(asked.complete(request.model_copy(update={"settings": changed})))


@BOTH
@pytest.mark.parametrize(
    ("model", "format"), [("willing", "json_schema"), ("tools", "tool"), ("wordy", "text")]
)
def test_conformance(url: str, model: str, format: str, api: str) -> None:
    asyncio.run(check_backend(lambda: backend(url, model, api)))
    assert backend(url, model, api).dialect.format == format


@BOTH
def test_a_parameter_that_the_proxy_refuses(url: str, api: str) -> None:
    asked = backend(url, "willing", api)
    reply = ask(asked, temperature=0.3, reasoning_effort="low")
    assert reply.text and len(reply.faults) == 1 and reply.prompt_tokens == 7
    assert asked.dialect == Dialect(frozenset({"effort"}))


def test_too_many_requests(url: str) -> None:
    reply = ask(backend(url, "limited"))
    assert reply.faults[0].startswith("429 Too Many Requests, waited")


@pytest.mark.parametrize(
    ("model", "sentence"),
    [
        ("broke", "add credit or lower the budget"),
        ("short", "choose a model with a longer context"),
        ("unknown", "Invalid model name"),
    ],
)
def test_lasting_faults(url: str, model: str, sentence: str) -> None:
    asked = backend(url, model)
    with pytest.raises(BackendError, match=sentence):
        ask(asked)
    assert asked.dialect == Dialect()
