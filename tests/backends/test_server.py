"""The local server itself, through the openai client as a stranger would use it."""

import math
import socket
import threading
from operator import mul
from typing import Any
from urllib.parse import urlsplit

import openai
import pytest

from asi_arch.testing import LLMServer, llm_server
from asi_arch.testing.protocol import embedding
from tests.watching import eventually

MESSAGES: Any = [{"role": "user", "content": "hello there"}]


def client(server: LLMServer) -> openai.OpenAI:
    return openai.OpenAI(api_key="none", base_url=server.url, max_retries=0)


def test_chat_and_responses_and_models() -> None:
    with (
        llm_server(lambda messages: messages[-1]["content"].upper()) as server,
        client(server) as c,
    ):
        chat = c.chat.completions.create(model="m", messages=MESSAGES)
        response = c.responses.create(model="m", input=MESSAGES)
        assert chat.choices[0].message.content == response.output_text == "HELLO THERE"
        assert response.usage and response.usage.input_tokens_details.cached_tokens == 2
        assert [model.id for model in c.models.list()] == ["scripted"]
    assert [received.path for received in server.requests] == [
        "/v1/chat/completions",
        "/v1/responses",
    ]
    assert server.requests[0].time <= server.requests[1].time


def test_embeddings() -> None:
    texts = ["a gated delta rule", "the gated delta rule", "softmax attention"]
    with llm_server(lambda messages: "") as server, client(server) as c:
        found = c.embeddings.create(model="m", input=texts)
    vectors = [item.embedding for item in found.data]
    assert vectors == [embedding(text) for text in texts]
    assert all(math.hypot(*vector) == pytest.approx(1) and len(vector) == 64 for vector in vectors)
    near, far = (sum(map(mul, vectors[0], other)) for other in vectors[1:])
    assert near > far


@pytest.mark.parametrize("text", ["", "...", "x y z " * 99])
def test_every_text_has_a_vector_of_length_one(text: str) -> None:
    assert math.hypot(*embedding(text)) == pytest.approx(1)


def test_a_fault_that_does_not_exist_is_said() -> None:
    with (
        llm_server(lambda messages: "", faults=("rest",)) as server,
        client(server) as c,
        pytest.raises(openai.APIStatusError, match="no fault 'rest'"),
    ):
        c.embeddings.create(model="m", input="x")


def test_a_client_that_goes_away_in_mid_question_is_passed_over(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def is_busy() -> bool:
        return any("process_request" in thread.name for thread in threading.enumerate())

    with llm_server(lambda messages: "") as server:
        address = urlsplit(server.url)
        with socket.create_connection((address.hostname, address.port or 0)) as client:
            client.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nContent-Length: 10\r\n\r\n{")
            assert eventually(is_busy)
        assert eventually(lambda: not is_busy())
        assert server.received == 0
    assert capsys.readouterr().err == ""
