import asyncio
from typing import Any

import pytest

from asi_arch.backends.azure import VERSION, AzureBackend
from asi_arch.errors import BackendError, UserError
from asi_arch.records import RoleSettings
from asi_arch.testing import llm_server
from asi_arch.testing.conformance import conformance_request

ANSWER = '{"word": "ready"}'


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", "secret")


def settings(**more: Any) -> RoleSettings:
    return RoleSettings(model="my-gpt", retries=0, **more)


@pytest.mark.parametrize(
    ("api", "path"),
    [
        ("chat", "/openai/deployments/my-gpt/chat/completions"),
        ("responses", "/openai/responses"),
    ],
)
def test_address_key_and_limit(api: str, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with llm_server(lambda messages: ANSWER) as server:
        monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", server.root)
        backend = AzureBackend(settings(api=api))
        reply = asyncio.run(backend.complete(conformance_request("ready")))
    assert reply.text == ANSWER
    (received,) = server.requests
    assert received.path == path and received.headers["api-key"] == "secret"
    assert received.headers["idempotency-key"]
    assert {"max_completion_tokens", "max_output_tokens"} & set(received.body)


def test_the_setting_goes_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", "https://a.openai.azure.com")
    assert AzureBackend(settings()).base_url == "https://a.openai.azure.com"
    assert AzureBackend(settings(base_url="https://b.x")).base_url == "https://b.x"


def test_the_version(monkeypatch: pytest.MonkeyPatch) -> None:
    backend = AzureBackend(settings(base_url="https://b.x"))

    def version() -> str:
        return str(backend.client()._custom_query["api-version"])

    assert version() == VERSION
    monkeypatch.setenv("OPENAI_API_VERSION", "2030-01-01")
    assert version() == "2030-01-01"


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="AZURE_OPENAI_ENDPOINT is not set"):
        AzureBackend(settings())
    monkeypatch.delenv("AZURE_OPENAI_API_KEY")
    with pytest.raises(UserError, match="AZURE_OPENAI_API_KEY is not set"):
        AzureBackend(settings(base_url="https://b.x"))


@pytest.mark.parametrize(
    ("status", "sentence"),
    [(401, "set AZURE_OPENAI_API_KEY"), (404, "no deployment 'my-gpt' for api=chat")],
)
def test_lasting_faults(status: int, sentence: str) -> None:
    with (
        llm_server(lambda messages: ANSWER, faults=(status,)) as server,
        pytest.raises(BackendError, match=sentence),
    ):
        backend = AzureBackend(settings(base_url=server.root))
        asyncio.run(backend.complete(conformance_request("ready")))
