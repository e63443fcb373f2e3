"""Ask a language model until its answer is valid, a bounded number of times, paying once."""

import json
import traceback
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar, cast

from pydantic import BaseModel, ValidationError

from asi_arch.errors import BackendError
from asi_arch.interfaces import Backend, Ledger
from asi_arch.records import Message, Reply, Request

ATTEMPTS = 3
_SHOWN = 20_000  # characters of a refused reply that go back to the model
_TOLD = 2_000  # characters of what is wrong with it that do
_SAID = 500  # characters of it in the reason of a failure
_NAMED = 200  # characters of a model's name
_STARTS = 200  # opening braces tried as the start of the answer

A = TypeVar("A", bound=BaseModel)


class AnswerRefused(BackendError):
    """No attempt gave an acceptable answer; `answer` is the last one that was at least valid."""

    def __init__(self, message: str, answer: BaseModel | None) -> None:
        super().__init__(message)
        self.answer = answer


async def ask(backend: Backend, ledger: Ledger, request: Request, check: Callable[[A], str]) -> A:
    """Return a valid answer to `request`, of its answer type.

    A stored reply is used before the model is asked, and a new reply is stored before it is used.
    `check` returns what is wrong with an answer, or an empty string.

    Raises:
        AnswerRefused: no answer was acceptable in three attempts.
        BackendError: the model could not be reached.
        BudgetSpent: the question may not be paid.
    """
    question, problem, valid = request, "", None
    for _ in range(ATTEMPTS):
        reply = ledger.find_reply(question) or await _complete(backend, ledger, question)
        answer, problem = read_answer(reply.text, question.answer_type)
        if answer is not None:
            valid = cast(A, answer)
            problem = check(valid)
            if not problem:
                return valid
        question = _again(request, question.attempt + 1, reply, problem)
    raise AnswerRefused(
        f"{request.role} gave no usable answer to {request.task!r} in {ATTEMPTS} attempts: "
        f"{_plain(problem, _SAID)}",
        valid,
    )


async def _complete(backend: Backend, ledger: Ledger, question: Request) -> Reply:
    """Return a new reply, stored before anybody uses it; a failure is stored too."""
    ledger.open_call(question)
    try:
        reply = _clean(await _reply(backend, question))
    except BackendError as error:
        plain = BackendError(_plain(str(error), _TOLD), _plain_lines(error.faults))
        ledger.save_failure(question, str(plain), plain.faults)
        raise plain from error
    ledger.save_reply(question, reply)
    return reply


async def _reply(backend: Backend, question: Request) -> Reply:
    """Return what the backend says; a backend that breaks ends its experiment, not the campaign."""
    try:
        reply = await backend.complete(question)
    except BackendError:
        raise
    except Exception as error:
        trace = traceback.format_exception(error)[-3:]
        said = f"{type(error).__name__}: {error}"
        raise BackendError(
            f"the backend {question.settings.backend!r} broke: {said}", tuple(trace)
        ) from error
    if not isinstance(reply, Reply):
        what = type(reply).__name__
        raise BackendError(f"the backend {question.settings.backend!r} gave {what}, not a Reply")
    return reply


def read_answer(text: str, answer_type: type[BaseModel]) -> tuple[BaseModel | None, str]:
    """Find the answer in a reply, with or without prose and code fences round its JSON.

    Text without any JSON goes to the answer type as it is, thoughts in front are passed over.
    Returns the answer or the problem.
    """
    text = text.rpartition("</think>")[2]
    problem = ""
    for value in [*_objects(text), text]:
        try:
            return answer_type.model_validate(value), ""
        except ValidationError as error:
            problem = problem or _explain(error)
    return None, problem


def _objects(text: str) -> Iterator[dict[str, Any]]:
    """Yield the JSON objects in the text, the outermost first; raw line breaks are let pass."""
    decoder = json.JSONDecoder(strict=False)
    start = text.find("{")
    for _ in range(_STARTS):
        if start < 0:
            return
        end = start + 1
        try:
            value, end = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            value = None
        if isinstance(value, dict):
            yield value
        start = text.find("{", end)


def _explain(error: ValidationError) -> str:
    if any(not item["loc"] and item["type"] == "model_type" for item in error.errors()):
        return "the reply holds no complete JSON object."
    parts = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()[:5]]
    return "the JSON does not fit: " + "; ".join(parts) + "."


def _again(request: Request, attempt: int, reply: Reply, problem: str) -> Request:
    """The first question with the refused reply and the reason behind it."""
    refused = Message(role="assistant", content=reply.text[:_SHOWN] or "(nothing)")
    problem = _plain(problem, _TOLD)
    reason = f"This answer cannot be used: {problem}\nSend one corrected JSON object, nothing else."
    messages = (*request.messages, refused, Message(role="user", content=reason))
    return request.model_copy(update={"messages": messages, "attempt": attempt})


def _clean(reply: Reply) -> Reply:
    """Drop what databases cannot store: NUL characters and lone surrogates."""
    text = reply.text.replace("\0", "").encode("utf-8", "replace").decode("utf-8")
    faults, model = _plain_lines(reply.faults), _plain(reply.model, _NAMED)
    return reply.model_copy(update={"text": text, "model": model, "faults": faults})


def _plain(text: str, longest: int) -> str:
    """The text on one line, with nothing that cannot be stored or printed, cut when it is long."""
    line = "".join(mark if mark.isprintable() else " " for mark in text[: 2 * longest])
    line = " ".join(line.split())
    return line if len(line) <= longest else line[:longest] + " …"


def _plain_lines(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(_plain(text, _NAMED) for text in texts)
