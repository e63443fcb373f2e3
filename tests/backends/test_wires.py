"""Answers in all the shapes that servers give them."""

from typing import Any

import pytest

from asi_arch.backends.chat import Chat
from asi_arch.backends.dialect import Dialect
from asi_arch.backends.responses import Responses
from asi_arch.backends.trouble import Trouble
from asi_arch.backends.wire import Answer
from asi_arch.testing.conformance import conformance_request

TEXT = '{"word": "ready"}'
REQUEST = conformance_request("ready")
CALL = {"function": {"name": "Word", "arguments": TEXT}}
OTHER_CALL = {"function": {"name": "search", "arguments": '{"q": 1}'}}


def chat(message: dict[str, Any], **more: Any) -> Answer:
    choice = {"message": message, "finish_reason": more.pop("end", "stop")}
    return Chat().read({"choices": [choice], "model": "m", **more}, REQUEST)


def responses(*output: dict[str, Any], **more: Any) -> Answer:
    return Responses().read({"output": list(output), "model": "m", **more}, REQUEST)


def message(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"type": "message", "content": list(parts)}


@pytest.mark.parametrize(
    "given",
    [
        {"content": TEXT},
        {"content": TEXT, "reasoning_content": "hm", "tool_calls": None, "refusal": None},
        {"content": [{"type": "text", "text": TEXT[:5]}, {"type": "text", "text": TEXT[5:]}]},
        {"content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": TEXT}]},
        {"content": "", "tool_calls": [CALL]},
        {"content": None, "tool_calls": [{"function": {"name": "Word", "arguments": {"word": "ready"}}}]},
        {"content": "I will answer.", "tool_calls": [OTHER_CALL, CALL]},
        {"content": TEXT, "tool_calls": [OTHER_CALL]},
        {"content": "", "tool_calls": [{"function": {"name": "Words", "arguments": TEXT}}]},
        {"content": None, "function_call": {"name": "Word", "arguments": TEXT}},
    ],
)  # fmt: skip
def test_chat_answers(given: dict[str, Any]) -> None:
    assert chat(given).text == TEXT and chat(given).faults == ()


@pytest.mark.parametrize(
    "output",
    [
        [message({"type": "output_text", "text": TEXT})],
        [
            {"type": "reasoning", "summary": [], "content": [{"text": "hm"}]},
            message({"text": TEXT}),
        ],
        [message({"text": TEXT[:5]}, {"text": TEXT[5:]})],
        [message({"text": TEXT[:5]}), message({"text": TEXT[5:]})],
        [{"type": "function_call", "name": "Word", "arguments": TEXT}],
        [message({"text": ""}), {"type": "function_call", "name": "Word", "arguments": TEXT}],
    ],
)
def test_responses_answers(output: list[dict[str, Any]]) -> None:
    assert responses(*output).text == TEXT and responses(*output).faults == ()


def test_an_answer_that_was_cut_comes_as_it_is() -> None:
    cut = ("the answer was cut at max_tokens",)
    assert chat({"content": TEXT[:5]}, end="length") == Answer(TEXT[:5], "m", faults=cut)
    details = {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}
    assert responses(message({"text": TEXT[:5]}), **details) == Answer(TEXT[:5], "m", faults=cut)
    assert not chat({"content": ""}, end="length").is_empty


def test_filtered_and_refused_answers_say_so() -> None:
    assert chat({"content": ""}, end="content_filter").faults == (
        "the answer was cut by a content filter",
    )
    details = {"status": "incomplete", "incomplete_details": {"reason": "content_filter"}}
    assert "filter" in responses(**details).faults[0]
    for refused in (
        chat({"content": None, "refusal": "I must not."}),
        responses(message({"type": "refusal", "refusal": "I must not."})),
    ):
        assert refused.text == "I must not." and refused.faults == ("the model refused",)


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        ({"prompt_tokens": 9, "completion_tokens": 4}, (9, None, 4)),
        ({"prompt_tokens": 9, "prompt_tokens_details": {"cached_tokens": 5}}, (9, 5, 0)),
        ({"prompt_tokens": 9, "prompt_tokens_details": {"cached_tokens": 50}}, (9, 9, 0)),
        ({"prompt_tokens": -9, "completion_tokens": "x"}, (0, None, 0)),
        (None, (0, None, 0)),
        ([], (0, None, 0)),
    ],
)
def test_usage(usage: Any, tokens: tuple[int, int | None, int]) -> None:
    found = chat({"content": TEXT}, usage=usage)
    assert (found.prompt_tokens, found.cached_tokens, found.completion_tokens) == tokens


def test_usage_of_the_responses_api() -> None:
    usage = {"input_tokens": 9, "output_tokens": 4, "input_tokens_details": {"cached_tokens": 5}}
    assert responses(message({"text": TEXT}), usage=usage) == Answer(TEXT, "m", 9, 5, 4)


@pytest.mark.parametrize(
    "value", [{}, {"choices": None}, {"choices": [1]}, {"choices": [{"message": "x"}]}]
)
def test_what_is_no_chat_completion(value: dict[str, Any]) -> None:
    with pytest.raises(Trouble, match="no choices") as caught:
        Chat().read(value, REQUEST)
    assert caught.value.is_passing


def test_what_is_no_response() -> None:
    with pytest.raises(Trouble, match="no list of output"):
        Responses().read({"output": "x"}, REQUEST)


@pytest.mark.parametrize(
    ("error", "passing"),
    [
        ({"code": "rate_limit_exceeded", "message": "slow down"}, True),
        ({"code": "server_error"}, True),
        ({"code": "invalid_prompt", "message": "no"}, False),
        (None, True),
    ],
)
def test_a_response_that_failed(error: Any, passing: bool) -> None:
    with pytest.raises(Trouble) as caught:
        Responses().read({"status": "failed", "error": error, "output": []}, REQUEST)
    assert caught.value.is_passing is passing and caught.value.fault.startswith("failed: ")


def test_tokens_of_answers_add_up() -> None:
    both = Answer("b", "m", 4, None, 5).after(Answer("", "m", 1, 2, 3))
    assert both == Answer("b", "m", 5, 2, 8) and both.after(None) == both


def test_a_request_is_not_changed_by_its_body() -> None:
    before = REQUEST.model_copy(deep=True)
    for wire in (Chat(), Responses()):
        wire.body(REQUEST, "m", Dialect(frozenset({"json_schema", "tool", "system"})))
    assert before == REQUEST
