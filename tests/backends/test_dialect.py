"""What a server refuses is found out once, and nothing else is taken for a refusal."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from pydantic import BaseModel

from asi_arch.backends.dialect import FORMATS, Dialect
from asi_arch.backends.openai import OpenAIBackend
from asi_arch.backends.trouble import refused
from asi_arch.errors import BackendError
from asi_arch.records import Message, Reply, Request, RoleSettings
from asi_arch.testing import Fault, LLMServer, llm_server
from asi_arch.testing.protocol import Json


class Word(BaseModel):
    word: str


class Table(BaseModel):
    cells: dict[str, str]
    note: str = ""


ANSWER = '{"word": "yes"}'
BOTH = pytest.mark.parametrize("api", ["chat", "responses"])


def request(answer_type: type[BaseModel] = Word) -> Request:
    return Request(
        experiment_id=1,
        role="researcher",
        task="propose",
        messages=(Message(role="system", content="s"), Message(role="user", content="u" * 40)),
        answer_type=answer_type,
        settings=RoleSettings(temperature=0.5, reasoning_effort="low", max_tokens=77),
    )


def backend(server: LLMServer, api: Any = "chat", model: str = "m") -> OpenAIBackend:
    settings = RoleSettings(model=model, base_url=server.url, api=api, retries=1)
    return OpenAIBackend(settings)


def ask(asked: OpenAIBackend, answer_type: type[BaseModel] = Word) -> Reply:
    return asyncio.run(asked.complete(request(answer_type)))


def last(server: LLMServer) -> str:
    """The last message of the last request."""
    body = server.bodies[-1]
    return str((body.get("messages") or body["input"])[-1]["content"])


@BOTH
@pytest.mark.parametrize("tries", [1, 2, 3, 4])
def test_the_format_is_found_once(api: str, tries: int) -> None:
    with llm_server(lambda messages: ANSWER, formats=FORMATS[tries - 1 :]) as server:
        first, second = ask(backend(server, api)), ask(backend(server, api))
    assert first.text == second.text == ANSWER
    assert server.received == tries + 1 and server.calls == 2
    assert len(first.faults) == tries - 1 and second.faults == ()
    assert ("JSON schema" in last(server)) == (tries > 2)
    assert ("```json" in last(server)) == (tries == 4)


@BOTH
def test_what_is_known_holds_for_one_server_model_and_api(api: str) -> None:
    with llm_server(lambda messages: ANSWER, formats=("tool",)) as server:
        assert len(ask(backend(server, api)).faults) == 1
        assert len(ask(backend(server, api, model="other")).faults) == 1
        assert ask(backend(server, api, model="other")).faults == ()


@BOTH
@pytest.mark.parametrize(
    ("refusal", "member"),
    [({"temperature": False}, "temperature"), ({"effort": False}, "reasoning")],
)
def test_a_parameter_that_is_refused_is_left_out(
    api: str, refusal: dict[str, Any], member: str
) -> None:
    with llm_server(lambda messages: ANSWER, **refusal) as server:
        assert ask(backend(server, api)).text == ANSWER
        ask(backend(server, api))
    assert server.received == 3
    assert not [name for body in server.bodies for name in body if name.startswith(member)]
    assert backend(server, api).dialect.format == "json_schema"


@pytest.mark.parametrize("limit", ["max_tokens", "max_completion_tokens"])
def test_either_name_of_the_limit(limit: str) -> None:
    with llm_server(lambda messages: ANSWER, limit=limit) as server:
        ask(backend(server))
    assert server.bodies[0][limit] == 77
    assert server.received == (1 if limit == "max_tokens" else 2)


def test_all_refusals_together() -> None:
    with llm_server(
        lambda messages: ANSWER,
        formats=("text",),
        temperature=False,
        effort=False,
        limit="max_completion_tokens",
    ) as server:
        reply = ask(backend(server))
        assert reply.text == ANSWER and len(reply.faults) == 6
        assert ask(backend(server)).faults == ()


@pytest.mark.parametrize(
    "message",
    [
        "System role not supported",
        "Unsupported value: 'messages[0].role' does not support 'system' with this model.",
    ],
)
def test_a_server_without_a_system_role(message: str) -> None:
    def faults(number: int, body: Json) -> Fault:
        with_system = body["messages"][0]["role"] == "system"
        return Fault(status=400, message=message) if with_system else Fault()

    with llm_server(lambda messages: ANSWER, faults=faults) as server:
        ask(backend(server))
    assert server.bodies[0]["messages"][0] == {"role": "user", "content": f"s\n\n{'u' * 40}"}


def test_a_strict_schema_that_is_refused_is_sent_as_a_hint() -> None:
    def faults(number: int, body: Json) -> Fault:
        strict = body["response_format"]["json_schema"]["strict"]
        message = "Invalid schema for response_format: 'strict' is not possible here"
        return Fault(status=400, message=message) if strict else Fault()

    with llm_server(lambda messages: ANSWER, faults=faults) as server:
        ask(backend(server))
    assert server.received == 2 and backend(server).dialect == Dialect(frozenset({"strict"}))


@BOTH
def test_schemas_are_closed_where_they_can_be(api: str) -> None:
    with llm_server(lambda messages: ANSWER) as server:
        ask(backend(server, api))
        ask(backend(server, api), Table)
    forms = [b.get("response_format", b.get("text", {}).get("format")) for b in server.bodies]
    word, table = [form.get("json_schema", form) for form in forms]
    assert word["strict"] and word["schema"]["additionalProperties"] is False
    assert not table["strict"] and "additionalProperties" not in table["schema"]


@pytest.mark.parametrize("code", ["context_length_exceeded", None])
@BOTH
def test_a_prompt_that_is_too_long_is_no_refusal_of_the_dialect(api: str, code: str | None) -> None:
    message = "This model's maximum context length is 8 tokens; 'max_tokens' is 77."
    fault = Fault(status=400, message=message, code=code)
    with llm_server(lambda messages: ANSWER, faults=(fault, fault)) as server:
        with pytest.raises(BackendError, match=r"lower max_tokens or choose a model .* longer"):
            ask(backend(server, api))
        with pytest.raises(BackendError, match="maximum context length"):
            ask(backend(server, api))
        assert server.received == 2
        assert ask(backend(server, api)).faults == ()
    assert backend(server, api).dialect == Dialect()


def test_a_limit_that_is_too_large_is_the_users_to_mend() -> None:
    message = "max_tokens is too large: 77. This model supports at most 8 completion tokens."
    fault = Fault(status=400, message=message)
    with (
        llm_server(lambda messages: ANSWER, faults=(fault,) * 3) as server,
        pytest.raises(BackendError, match="supports at most 8"),
    ):
        ask(backend(server))
    assert server.received == 1 and backend(server).dialect == Dialect()


@pytest.mark.parametrize(
    "code", ["content_filter", "model_not_found", "billing_hard_limit_reached"]
)
def test_a_refusal_with_another_reason_is_final(code: str) -> None:
    with (
        llm_server(lambda messages: ANSWER, faults=(Fault(status=400, code=code),)) as server,
        pytest.raises(BackendError, match="fault 400 on purpose"),
    ):
        ask(backend(server))
    assert server.received == 1


def test_a_refusal_without_a_reason_is_met_in_words_once_and_not_remembered() -> None:
    def faults(number: int, body: Json) -> int:
        return 400 if "response_format" in body else 200

    with llm_server(lambda messages: ANSWER, faults=faults) as server:
        assert ask(backend(server)).text == ANSWER
        assert ask(backend(server)).text == ANSWER
        assert backend(server).dialect == Dialect()
    assert server.received == 4 and "temperature" not in server.bodies[0]


def test_a_refusal_that_words_do_not_mend_is_an_error() -> None:
    with (
        llm_server(lambda messages: ANSWER, faults=(400,) * 9) as server,
        pytest.raises(BackendError, match="fault 400 on purpose"),
    ):
        ask(backend(server))
    assert server.received == 2


def test_a_known_server_that_refuses_for_no_reason_is_not_asked_in_words() -> None:
    with llm_server(lambda messages: ANSWER, faults=(200, 400)) as server:
        ask(backend(server))
        with pytest.raises(BackendError, match="fault 400 on purpose"):
            ask(backend(server))
        assert ask(backend(server)).faults == ()
    assert server.received == 3


def test_a_known_server_that_has_changed_is_asked_more_simply() -> None:
    with llm_server(lambda messages: ANSWER) as server:
        ask(backend(server))
        server.formats = ("json_object",)
        assert ask(backend(server)).text == ANSWER
        assert backend(server).dialect.format == "json_object"


def test_a_format_that_breaks_the_server_is_not_waited_for() -> None:
    fault = Fault(status=500, message="failed to parse grammar")
    with llm_server(lambda messages: ANSWER, faults=(fault,)) as server:
        assert len(ask(backend(server)).faults) == 1
    assert server.received == 2 and "tools" in server.bodies[0]


def empty_until(format: str) -> Any:
    """A server that takes every format and answers nothing before this one."""

    def faults(number: int, body: Json) -> Fault:
        has_it = format == "text" and "tools" not in body and "response_format" not in body
        has_it = has_it or (format == "tool" and "tools" in body)
        message = {"role": "assistant", "content": "", "reasoning_content": "I think"}
        choice = {"message": message, "finish_reason": "stop"}
        usage = {"prompt_tokens": 10, "completion_tokens": 5}
        return Fault() if has_it else Fault(body={"choices": [choice], "usage": usage})

    return faults


@pytest.mark.parametrize(("format", "empty"), [("tool", 1), ("text", 3)])
def test_empty_answers_lead_to_the_next_format_and_are_counted(format: str, empty: int) -> None:
    with llm_server(lambda messages: ANSWER, faults=empty_until(format)) as server:
        reply = ask(backend(server))
        assert reply.text == ANSWER and len(reply.faults) == empty
        assert reply.completion_tokens == 3 + 5 * empty
        assert backend(server).dialect.format == format


def test_nothing_but_empty_answers_teach_nothing() -> None:
    with llm_server(lambda messages: "") as server:
        reply = ask(backend(server))
    assert reply.text == "" and server.received == 4
    assert backend(server).dialect == Dialect()


def test_questions_at_the_same_time_learn_together() -> None:
    async def many(server: LLMServer) -> Sequence[Reply]:
        asked = backend(server)
        return await asyncio.gather(*(asked.complete(request()) for _ in range(4)))

    with llm_server(lambda messages: ANSWER, formats=("text",), temperature=False) as server:
        assert [reply.text for reply in asyncio.run(many(server))] == [ANSWER] * 4
        assert ask(backend(server)).faults == ()


@pytest.mark.parametrize("status", [401, 404, 429, 503])
def test_other_statuses_are_never_about_the_dialect(status: int) -> None:
    trouble = refused(status, {"error": {"message": "temperature, tools, response_format"}})
    assert Dialect().simpler(trouble) is None
