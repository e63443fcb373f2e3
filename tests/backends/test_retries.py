"""Passing faults are waited for, as long as the server asks; lasting ones are not."""

import asyncio
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asi_arch.backends.openai import OpenAIBackend
from asi_arch.backends.retries import pause_after
from asi_arch.backends.trouble import Trouble, refused, wanted_pause
from asi_arch.errors import BackendError
from asi_arch.records import Reply, RoleSettings
from asi_arch.testing import Fault, LLMServer, llm_server
from asi_arch.testing.conformance import conformance_request

ANSWER = '{"word": "ready"}'
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
BOTH = pytest.mark.parametrize("api", ["chat", "responses"])


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that were wanted; none is made."""
    made: list[float] = []

    async def pause(seconds: float) -> None:
        made.append(seconds)

    monkeypatch.setattr("asi_arch.backends.retries.asyncio.sleep", pause)
    return made


def ask(server: LLMServer, **more: Any) -> Reply:
    backend = OpenAIBackend(RoleSettings(model="m", base_url=server.url, **more))
    return asyncio.run(backend.complete(conformance_request("ready")))


@BOTH
@pytest.mark.parametrize(
    ("fault", "line"),
    [
        (408, "408 Request Timeout"),
        (409, "409 Conflict"),
        (429, "429 Too Many Requests"),
        (500, "500 Internal Server Error"),
        (502, "502 Bad Gateway"),
        (529, "529"),
        ("reset", "the connection broke"),
        ("hang", "no answer within 0.5 s"),
        ("truncate", "an answer that cannot be read"),
        ("garbage", "an answer that cannot be read"),
        (Fault(body={"error": {"message": "busy", "code": 503}}), "503 Service Unavailable"),
        (Fault(body={"error": "busy"}), "500 Internal Server Error"),
    ],
)
def test_passing_faults_are_written_down(api: str, fault: Any, line: str) -> None:
    with llm_server(lambda messages: ANSWER, faults=(fault,)) as server:
        reply = ask(server, api=api, timeout=0.5)
    assert reply.text == ANSWER and server.received == 2
    (written,) = reply.faults
    assert written.startswith(f"{line}, waited 0.0") and written.endswith(" s")


def test_every_kind_of_fault_in_one_call() -> None:
    faults = ("reset", 429, "garbage", 503, "truncate")
    with llm_server(lambda messages: ANSWER, faults=faults) as server:
        assert len(ask(server).faults) == 5
    assert server.received == 6


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(
        st.sampled_from(["reset", "truncate", "garbage", 408, 429, 500, 503, 401]), max_size=6
    ),
    st.sampled_from(["chat", "responses"]),
    st.integers(0, 4),
)
def test_any_faults_in_any_order(faults: list[Any], api: str, retries: int) -> None:
    """The first lasting fault, or one more fault than retries, ends the call; nothing else does."""
    lasting = faults.index(401) if 401 in faults else len(faults)
    fails = (lasting < len(faults) and lasting <= retries) or lasting > retries
    with llm_server(lambda messages: ANSWER, faults=faults) as server:
        if fails:
            with pytest.raises(BackendError) as caught:
                ask(server, api=api, retries=retries)
            written = caught.value.faults
        else:
            written = ask(server, api=api, retries=retries).faults
    tries = min(lasting, retries) + 1
    assert server.received == tries and len(written) == (tries if fails else tries - 1)
    assert all(", waited 0.0" in line for line in written[: tries - 1])


def test_a_function_chooses_the_faults() -> None:
    with llm_server(
        lambda messages: ANSWER, faults=lambda number, body: 503 if number % 2 == 0 else 200
    ) as server:
        assert len(ask(server).faults) == len(ask(server).faults) == 1


@pytest.mark.parametrize(
    ("headers", "pause"),
    [
        ({"Retry-After": "3"}, 3.0),
        ({"Retry-After": "90.5"}, 90.5),
        ({"Retry-After": "86400"}, 600.0),
        ({"Retry-After-Ms": "1500"}, 1.5),
        ({"Retry-After-Ms": "250", "Retry-After": "7"}, 0.25),
    ],
)
def test_the_server_says_how_long_to_wait(
    pauses: list[float], headers: dict[str, str], pause: float
) -> None:
    fault = Fault(status=429, headers=headers)
    with llm_server(lambda messages: ANSWER, faults=(fault,)) as server:
        reply = ask(server)
    assert pauses == [pause]
    assert reply.faults == (f"429 Too Many Requests, waited {pause:.3g} s",)


@pytest.mark.parametrize(
    ("headers", "pause"),
    [
        ({"retry-after": format_datetime(NOW + timedelta(seconds=75), usegmt=True)}, 75.0),
        ({"retry-after": format_datetime(NOW - timedelta(seconds=75))}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after-ms": "x", "retry-after": "2"}, 2.0),
        ({}, None),
    ],
)
def test_how_a_pause_is_asked_for(headers: dict[str, str], pause: float | None) -> None:
    assert wanted_pause(headers, NOW) == pause


def test_pauses_grow_and_differ_from_question_to_question() -> None:
    trouble = refused(500, None)
    grown = [pause_after(trouble, "key", number) for number in range(12)]
    assert grown == [pause_after(trouble, "key", number) for number in range(12)]
    for number, pause in enumerate(grown):
        assert 0.7499 <= pause / min(0.01 * 2**number, 60) <= 1.2501
    assert len({pause_after(trouble, str(key), 0) for key in range(50)}) > 30


@BOTH
@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        (Fault(status=429, code="insufficient_quota"), "add credit or lower the budget"),
        (Fault(status=401), "refused the key; set OPENAI_API_KEY"),
        (Fault(status=403), "refused the key; set OPENAI_API_KEY"),
        (Fault(status=404), "has no model 'm'"),
        (Fault(status=413, message="context window"), "choose a model with a longer context"),
    ],
)
def test_lasting_faults_are_not_waited_for(api: str, fault: Fault, sentence: str) -> None:
    with llm_server(lambda messages: ANSWER, faults=(fault,) * 9) as server:
        with pytest.raises(BackendError, match=sentence) as caught:
            ask(server, api=api)
        assert server.url in str(caught.value) and "\n" not in str(caught.value)
    assert server.received == 1 and len(caught.value.faults) == 1


def test_no_retries_at_all() -> None:
    with (
        llm_server(lambda messages: ANSWER, faults=(503,)) as server,
        pytest.raises(BackendError, match="503 on purpose"),
    ):
        ask(server, retries=0)
    assert server.received == 1


def test_the_same_question_has_the_same_idempotency_key() -> None:
    with llm_server(lambda messages: ANSWER, faults=(500, "reset")) as server:
        ask(server)
    keys = [received.headers["idempotency-key"] for received in server.requests]
    assert keys == [conformance_request("ready").key] * 3


def test_a_trouble_says_what_it_is() -> None:
    assert str(Trouble("failed", "failed: x")) == "failed: x"
    assert refused(418, "short and\nstout").message == "short and stout"
