import asyncio
import json
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asi_arch.backends.scripted import ScriptedBackend
from asi_arch.errors import BackendError
from asi_arch.records import Message, Reply, Request, RoleSettings
from asi_arch.team.llm.answers import AnalysisAnswer, ProgramAnswer, ProposalAnswer
from asi_arch.team.llm.ask import AnswerRefused, ask, read_answer
from asi_arch.testing import MemoryLedger

GOOD = '{"summary": "s", "keep": [], "drop": ["x"]}'


def request() -> Request:
    return Request(
        experiment_id=1,
        role="analyst",
        task="analyse",
        messages=(Message(role="system", content="s"), Message(role="user", content="u")),
        answer_type=AnalysisAnswer,
    )


def accept(answer: AnalysisAnswer) -> str:
    return ""


def run(answers: Iterable[str], ledger: MemoryLedger) -> tuple[AnalysisAnswer, ScriptedBackend]:
    backend = ScriptedBackend(RoleSettings(), answers)
    return asyncio.run(ask(backend, ledger, request(), accept)), backend


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        f"Here it is:\n```json\n{GOOD}\n```\nI hope it helps {{really}}.",
        f"Let me think {{about}} it. {GOOD}",
        '{"summary": "two\nlines", "keep": [], "drop": [], "extra": 1}',
        '{"thought": "first"} ' + GOOD,
        "<think>" + '{"summary": "draft", "keep": [], "drop": []}' * 300 + "</think>" + GOOD,
    ],
)
def test_json_is_found_in_what_surrounds_it(text: str) -> None:
    answer, problem = read_answer(text, AnalysisAnswer)
    assert isinstance(answer, AnalysisAnswer) and not problem
    assert answer.summary != "draft"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "no complete JSON"),
        ("I cannot help with that.", "no complete JSON"),
        (GOOD[:-5], "no complete JSON"),
        ('{"summary": 1, "keep": []}', "drop: Field required"),
        ('{"summary": "a\\u0000b", "keep": [], "drop": []}', "NUL"),
        ('{"summary": "\\ud800", "keep": [], "drop": []}', "surrogates"),
        ('{"a":' * 100_000, "no complete JSON"),
        ("{" * 1_000_000, "no complete JSON"),
        ("[1, 2]", "no complete JSON"),
    ],
)
def test_what_is_wrong_is_said(text: str, problem: str) -> None:
    answer, found = read_answer(text, AnalysisAnswer)
    assert answer is None and problem in found


@given(st.text(max_size=300) | st.text(alphabet='{}[]",:`a\\\n', max_size=300))
@settings(max_examples=200, deadline=None)
def test_no_text_breaks_the_reader(text: str) -> None:
    for answer_type in (AnalysisAnswer, ProgramAnswer, ProposalAnswer):
        answer, problem = read_answer(text, answer_type)
        assert (answer is None) == bool(problem)


def test_a_fenced_program_needs_no_json() -> None:
    answer, _ = read_answer("Sure.\n```python\nx = {'a': 1}\n```\n", ProgramAnswer)
    assert answer == ProgramAnswer(code="x = {'a': 1}")


def test_a_bad_answer_is_asked_again_with_its_error() -> None:
    ledger = MemoryLedger()
    answer, backend = run(["nonsense", '{"summary": "s"}', GOOD], ledger)
    assert answer.drop == ["x"]
    assert [r.attempt for r in backend.requests] == [0, 1, 2]
    last = backend.requests[2].messages
    assert len(last) == 4 and last[2].content == '{"summary": "s"}'
    assert "keep: Field required" in last[3].content


def test_three_attempts_then_an_error() -> None:
    ledger = MemoryLedger()
    with pytest.raises(BackendError, match="analyst gave no usable answer to 'analyse'"):
        run(["bad"] * 4, ledger)
    assert len(ledger.requests) == 3


def test_an_answer_that_the_check_refuses_is_kept_with_the_error() -> None:
    def refuse(answer: AnalysisAnswer) -> str:
        return "not good enough"

    backend = ScriptedBackend(RoleSettings(), [GOOD, "bad", "bad"])
    with pytest.raises(AnswerRefused) as caught:
        asyncio.run(ask(backend, MemoryLedger(), request(), refuse))
    assert isinstance(caught.value.answer, AnalysisAnswer)
    assert "not good enough" in backend.requests[1].messages[-1].content


def test_stored_replies_are_used_before_the_model_is_asked() -> None:
    ledger = MemoryLedger()
    run(["bad", GOOD], ledger)
    _, backend = run([], ledger)
    assert backend.requests == [] and len(ledger.requests) == 2


def test_a_reply_is_stored_before_it_is_used() -> None:
    ledger = MemoryLedger()

    def crash(answer: AnalysisAnswer) -> str:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(ask(ScriptedBackend(RoleSettings(), [GOOD]), ledger, request(), crash))
    assert ledger.find_reply(request()) is not None


def test_what_a_database_cannot_store_is_dropped() -> None:
    ledger = MemoryLedger()
    run(["\0bad \ud800", GOOD], ledger)
    stored = ledger.find_reply(request())
    assert stored is not None and stored.text == "bad ?"


def test_a_huge_reply_is_shortened_when_it_is_sent_back() -> None:
    ledger = MemoryLedger()
    _, backend = run(["x" * 1_000_000, GOOD], ledger)
    assert sum(len(m.content) for m in backend.requests[1].messages) < 25_000


def test_faults_of_the_backend_pass_through_and_store_nothing() -> None:
    class Down:
        async def complete(self, request: Request) -> Reply:
            raise BackendError("down")

    ledger = MemoryLedger()
    with pytest.raises(BackendError, match="down"):
        asyncio.run(ask(Down(), ledger, request(), accept))
    assert ledger.requests == []


def test_schemas_are_closed_and_all_fields_required() -> None:
    for answer_type in (AnalysisAnswer, ProgramAnswer, ProposalAnswer):
        schema = answer_type.model_json_schema()
        for part in [schema, *schema.get("$defs", {}).values()]:
            if part["type"] == "object":
                assert part["additionalProperties"] is False
                assert sorted(part["required"]) == sorted(part["properties"])
        assert "default" not in json.dumps(schema)


class Broken:
    """A plug-in with a mistake of its own."""

    def __init__(self, outcome: object) -> None:
        self.outcome = outcome

    async def complete(self, request: Request) -> Reply:
        if isinstance(self.outcome, BaseException):
            raise self.outcome
        return self.outcome  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("outcome", "sentence"),
    [
        (KeyError("choices"), "the backend 'openai' broke: KeyError: 'choices'"),
        (None, "the backend 'openai' gave NoneType, not a Reply"),
        ("text", "the backend 'openai' gave str, not a Reply"),
    ],
)
def test_a_backend_that_breaks_is_named_and_its_call_closed(outcome: object, sentence: str) -> None:
    ledger = MemoryLedger()
    with pytest.raises(BackendError, match=sentence):
        asyncio.run(ask(Broken(outcome), ledger, request(), accept))
    assert ledger.failures == [sentence]


def test_what_ends_the_process_is_let_through() -> None:
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(ask(Broken(asyncio.CancelledError()), MemoryLedger(), request(), accept))
