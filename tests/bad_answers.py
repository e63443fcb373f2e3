"""Bad answers by task and kind, and a model that gives them: experiment k meets kind k."""

import json
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, get_args

from asi_arch.backends.scripted import ScriptedBackend
from asi_arch.records import RoleSettings
from asi_arch.testing import Fault
from asi_arch.testing.faults import AnyFault
from asi_arch.testing.scripted_answers import KINDS, answer, write_program

Json: TypeAlias = dict[str, Any]
Messages: TypeAlias = list[dict[str, str]]
Task: TypeAlias = Literal[
    "propose", "diversify", "implement", "repair", "analyse", "distill", "judge", "trace", "compare"
]
End: TypeAlias = Literal["accepted", "recovered", "lost"]
"""Taken as it is; a later attempt is taken; no answer, which a `lost` experiment may survive."""

TASKS: tuple[Task, ...] = get_args(Task)
TURNS = 6
MEGABYTE = 2**20


@dataclass(frozen=True)
class Kind:
    """A way to answer badly: `spoil` makes the bad text from a good one, `fault` the HTTP answer.

    `once` and `always` are how it ends when only the first answer is bad, or every one; `is_read`
    says whether a client can tell what was answered.
    """

    name: str
    once: End
    always: End
    spoil: Callable[[str], str] = str
    fault: Callable[[str], AnyFault] | None = None
    is_read: bool = True


@dataclass(frozen=True)
class Case:
    """A kind of bad answer that comes once, or at every attempt, and how that ends."""

    kind: Kind
    always: bool

    @property
    def end(self) -> End:
        return self.kind.always if self.always else self.kind.once

    def __str__(self) -> str:
        return f"{self.kind.name} {'always' if self.always else 'once'}"


def wire(name: str, fault: AnyFault, once: End = "recovered") -> Kind:
    """Something that goes wrong before there is a text."""
    return Kind(name, once, "lost", fault=lambda good: fault, is_read=False)


def body(name: str, make: Callable[[str], Json], end: End = "accepted") -> Kind:
    """An odd HTTP answer with status 200."""
    always: End = "accepted" if end == "accepted" else "lost"
    return Kind(name, end, always, fault=lambda good: Fault(body=make(good)))


def bad(name: str, spoil: Callable[[str], str], always: End = "lost") -> Kind:
    """A text that cannot be taken."""
    return Kind(name, "recovered", always, spoil)


def odd(name: str, spoil: Callable[[str], str]) -> Kind:
    """A text that can be taken."""
    return Kind(name, "accepted", "accepted", spoil)


def changed(good: str, **values: Any) -> str:
    """The answer with some of its fields changed."""
    return json.dumps({**json.loads(good), **values})


def with_words(good: str, words: str) -> str:
    """The answer with these words in one of its texts, in code as a comment."""
    value: Json = json.loads(good)
    if "code" in value:
        value["code"] = f"# {words}\n{value['code']}"
    elif "lessons" in value:
        value["lessons"][0]["text"] += words
    elif "motivation" in value or "components" not in value:
        name = next(name for name in ("motivation", "summary", "reason") if name in value)
        value[name] += words
    else:
        value["components"][0]["reason"] += words
    return json.dumps(value)


def every_value(good: str, value: str) -> str:
    """The answer with this JSON in place of every value."""
    return "{" + ", ".join(f"{json.dumps(name)}: {value}" for name in json.loads(good)) + "}"


def completion(message: Json, **values: Any) -> Json:
    """A chat completion around a message."""
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": "stop"}
    return {"object": "chat.completion", "model": "m", "choices": [choice], **values}


def spent(tokens: float) -> Callable[[str], Json]:
    """A good answer that says it has used this."""
    usage = {"prompt_tokens": tokens, "completion_tokens": tokens}
    return lambda good: completion({"content": good}, usage=usage)


SILENCE = wire("no answer in time", "hang")
HTTP = (
    wire("status 400", 400, once="lost"),
    wire("status 401", 401, once="lost"),
    wire("status 429", 429),
    wire("status 429 with Retry-After", Fault(status=429, headers={"Retry-After": "0"})),
    wire("no credit", Fault(status=429, code="insufficient_quota"), once="lost"),
    wire("status 500", 500),
    wire("status 503", 503),
    wire("an unprintable error", Fault(status=500, message="\0\ud800\x07 line\nline " * 2000)),
    wire("connection reset", "reset"),
    wire("truncated body", "truncate"),
    wire("garbage with status 200", "garbage"),
    wire("error with status 200", Fault(body={"error": {"message": "full", "code": 503}})),
    wire("no choices", Fault(body={"choices": []})),
    wire("a list of bytes for a text", Fault(body=completion({"content": [1, 2]}))),
    body("the refusal field", lambda good: completion({"refusal": "I cannot."}), "recovered"),
    body("an infinite usage", spent(float("inf"))),
    body("an absurd usage", spent(10**30)),
    body("an unprintable model", lambda good: completion({"content": good}, model="\0\ud800")),
    body("text in parts", lambda good: completion({"content": [{"text": good}]})),
)
TEXTS = (
    bad("empty text", lambda good: ""),
    bad("white space", lambda good: " \n\t"),
    bad("truncated JSON", lambda good: good[: len(good) * 2 // 3]),
    bad("invalid JSON", lambda good: good.replace('":', '"')),
    bad("wrong fields", lambda good: '{"answer": 42, "confidence": "high"}'),
    bad("wrong types", lambda good: every_value(good, "[[7]]")),
    bad("nulls", lambda good: every_value(good, "null")),
    bad("numbers that are none", lambda good: every_value(good, "NaN")),
    bad("infinite numbers", lambda good: every_value(good, "-Infinity")),
    bad("numbers of 5,000 digits", lambda good: every_value(good, "9" * 5000)),
    bad("a list of words", lambda good: '["no", "object"]'),
    bad("a refusal in words", lambda good: "I'm sorry, but I can't help with that."),
    bad("1 MB of text", lambda good: "word " * (MEGABYTE // 5)),
    bad("1 MB of braces", lambda good: "{" * MEGABYTE),
    bad("1 MB in a wrong field", lambda good: json.dumps({"x" * MEGABYTE: 1})),
    bad("NUL in a value", lambda good: with_words(good, "a\0b")),
    bad("lone surrogates in a value", lambda good: with_words(good, "a\ud800b")),
    bad("deeply nested objects", lambda good: '{"a":' * 100_000),
    bad("deeply nested lists", lambda good: '{"a":' + "[" * 100_000),
    odd("an object in a list", lambda good: f"[{good}]"),
    odd("extra fields", lambda good: changed(good, confidence=0.9, notes=["a", None])),
    odd("prose around", lambda good: f"Sure {{here it is}}:\n{good}\nAnything else?"),
    odd("a fence", lambda good: f"```json\n{good}\n```"),
    odd("thoughts in front", lambda good: f"<think>{{}} perhaps</think>{good}"),
    odd("1 MB in front", lambda good: "word " * (MEGABYTE // 5) + good),
    odd("NUL in the text", lambda good: f"\0{good}\0"),
    odd("lone surrogates in the text", lambda good: f"\ud800{good}\udfff"),
    odd("control characters", lambda good: with_words(good, "a\x07\x1bb")),
    odd("unicode", lambda good: with_words(good, "é 日本 \U0001f642 ‮")),
)


def components(good: str, **values: Any) -> str:
    """The answer with these values in its first component."""
    first, *others = json.loads(good)["components"]
    return changed(good, components=[{**first, **values}, *others])


def lesson(text: str, *evidence: str) -> Callable[[str], str]:
    """One lesson with this evidence."""
    return lambda good: json.dumps({"lessons": [{"text": text, "evidence": evidence}]})


def _shown(good: str) -> list[str]:
    """The evidence of the first lesson of an answer."""
    return list(json.loads(good)["lessons"][0]["evidence"])


def unknown(origin: str, *citations: str) -> Callable[[str], str]:
    return lambda good: components(good, origin=origin, citations=citations)


_LONG = "x" * MEGABYTE
_RESEARCHER = (
    bad("an unknown paper", unknown("cognition", "1706.99999"), always="recovered"),
    bad("an unknown experiment", unknown("analysis", "4711"), always="recovered"),
    bad("a citation of 1 MB", unknown("cognition", _LONG), always="recovered"),
    bad("no citation", unknown("cognition"), always="recovered"),
    bad("an unknown origin", unknown("inspiration")),
    bad("a name that is a keyword", lambda good: changed(good, name="class")),
    bad("a name that is no identifier", lambda good: changed(good, name="Gated DeltaNet 2")),
    bad("a unicode name", lambda good: changed(good, name="Größe")),
    bad("an empty name", lambda good: changed(good, name="")),
    bad("a name of 1 MB", lambda good: changed(good, name=_LONG)),
    bad("no components", lambda good: changed(good, components=[])),
    bad("1,000 components", lambda g: changed(g, components=json.loads(g)["components"] * 334)),
    odd("the name of a baseline", lambda good: changed(good, name="deltanet")),
)
_ENGINEER = (
    bad("empty code", lambda good: changed(good, code="")),
    bad("code that does not parse", lambda good: changed(good, code="class A(:\n  pass")),
    bad("code of another class", lambda good: changed(good, code="class Another:\n    pass")),
    bad("code of 10,000 other classes", lambda good: changed(good, code=_many_classes())),
    bad("deep parentheses", lambda good: _with_line(good, "(" * 5000 + ")" * 5000)),
    bad("a deep sum", lambda good: _with_line(good, "+".join(["1"] * 5000))),
    bad("a sum that is only just deep", lambda good: _with_line(good, "+".join(["1"] * 980))),
    bad("a deep negation", lambda good: _with_line(good, "-" * 100_000 + "1")),
    bad("a number of 5,000 digits", lambda good: _with_line(good, "9" * 5000)),
    bad("1 MB of code", lambda good: with_words(good, _LONG)),
    bad("prose for code", lambda good: changed(good, code="The class is as before.")),
    odd("a fence without JSON", lambda good: f"```python\n{json.loads(good)['code']}\n```"),
)
_OWN: dict[Task, tuple[Kind, ...]] = {
    "propose": _RESEARCHER,
    "diversify": _RESEARCHER,
    "implement": _ENGINEER,
    "repair": (*_ENGINEER, bad("code that did not change", lambda good: changed(good, code="{}"))),
    "analyse": (
        bad("an empty summary", lambda good: changed(good, summary="  ")),
        bad("1,000 rules", lambda good: changed(good, keep=["the gate"] * 1000)),
    ),
    "distill": (
        bad("evidence that was not shown", lesson("Gates help.", "4711")),
        bad("evidence in words", lesson("Gates help.", "all of them")),
        bad("evidence of 1 MB", lesson("Gates help.", _LONG)),
        bad(
            "the same evidence 1,000 times",
            lambda good: lesson("Gates.", *_shown(good) * 1000)(good),
        ),
        bad("a lesson without evidence", lesson("Gates help.")),
        bad("13 lessons", lambda good: changed(good, lessons=json.loads(good)["lessons"] * 13)),
        odd("no lessons", lambda good: '{"lessons": []}'),
    ),
    "judge": (
        bad("score 11", lambda good: changed(good, score=11)),
        bad("score -1", lambda good: changed(good, score=-1)),
        bad("score 7.5", lambda good: changed(good, score=7.5)),
        bad("a score in words", lambda good: changed(good, score="high")),
    ),
    "trace": (
        bad("a component misnamed", lambda good: components(good, name="another part")),
        bad("a component twice", lambda g: changed(g, components=json.loads(g)["components"] * 2)),
        bad("no components", lambda good: changed(good, components=[])),
        bad("a paper that was not shown", unknown("cognition", "1706.99999")),
        bad("a citation of 1 MB", unknown("cognition", _LONG)),
    ),
    "compare": (
        bad("a twin that was not shown", lambda good: changed(good, same_as="4711")),
        bad("a twin in words", lambda good: changed(good, same_as="the first one")),
        bad("a twin of 1 MB", lambda good: changed(good, same_as=_LONG)),
    ),
}


def cases(task: Task, always: bool) -> list[Case]:
    """The kinds of bad answers that a task meets; what is taken needs no second chance.

    The kinds that do not depend on the task are all met by the first task, and by turns by the
    others.
    """
    shared: tuple[Kind, ...] = (*HTTP, *TEXTS)
    if task != TASKS[0]:
        shared = shared[TASKS.index(task) % TURNS :: TURNS]
    every = [Case(kind, always) for kind in (*shared, *_OWN[task])]
    return [case for case in every if always or case.end != "accepted"]


def silent_cases() -> list[Case]:
    """The cases that take time."""
    return [Case(SILENCE, always=True), Case(SILENCE, always=False)]


def _with_line(good: str, expression: str) -> str:
    return changed(good, code=f"{json.loads(good)['code']}\nDEEP = {expression}\n")


def _many_classes() -> str:
    return "\n".join(f"class Another{number}: pass" for number in range(10_000))


def good_answer(messages: Messages) -> str:
    """The scripted model's answer, with a name, components and a program of the experiment's own.

    So every prompt that follows from a proposal tells which experiment it is for.
    """
    task, prompt = task_of(messages), messages[1]["content"]
    if task in ("propose", "diversify"):
        return _proposal(json.loads(answer(messages)), task, case_of(task, messages))
    if task in ("implement", "repair"):
        name = re.findall(r"the class `(\w+)`", prompt)[-1]
        return json.dumps({"code": _program(name, case_of(task, messages), task == "repair")})
    return answer(messages[:2])


def _proposal(value: Json, task: Task, number: int) -> str:
    name = f"{KINDS[number % 3]}{task.title()}Case{number}"
    for part in value["components"]:
        part["name"] += f" of Case{number}"
    return json.dumps({**value, "name": name})


def _program(name: str, number: int, repaired: bool) -> str:
    """A program that has no twin among those of other experiments."""
    return f"{write_program(KINDS[number % 3], name, int(repaired))}\n\nNUMBER = {number}\n"


_WORDS: dict[str, Task] = {
    "Your last proposal repeats": "diversify",
    "You are the Researcher": "propose",
    "and you repair": "repair",
    "You are the Engineer": "implement",
    "and you distil": "distill",
    "and you judge": "judge",
    "and you trace": "trace",
    "and you compare": "compare",
    "You are the Analyst": "analyse",
}


def task_of(messages: Messages) -> Task:
    """Which task a prompt is for."""
    return next(task for words, task in _WORDS.items() if words in messages[0]["content"])


def case_of(task: Task, messages: Messages) -> int:
    """The number of the case that a prompt is for: that of the experiment.

    For lessons it is that of the last experiment shown; the first that is compared is the second.
    """
    prompt = messages[1]["content"]
    if task in ("propose", "diversify"):
        return int(re.findall(r"as candidate (\d+)", prompt)[-1])
    if task == "distill":
        return int(re.findall(r"^experiment (\d+):", prompt, re.M)[-1]) - 3
    return int(re.findall(r"Case(\d+)", prompt)[-1]) - (task == "compare")


class GoodModel(ScriptedBackend):
    """The backend of the roles that are not under test."""

    def __init__(self, settings: RoleSettings) -> None:
        super().__init__(settings, good_answer)


@dataclass
class BadModel:
    """Answers of a server: those to one task are bad, in experiment k as in case k.

    `answered` holds the numbers of the requests whose answers could be read.
    """

    task: Task
    cases: list[Case]
    answered: set[int] = field(default_factory=set)
    _met: set[int] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, messages: Messages) -> str:
        """Return the reply's text."""
        good = good_answer(messages)
        kind = self._kind(messages)
        if kind is None or kind.fault is not None or not self._is_bad(messages):
            return good
        if kind.name == "code that did not change":
            return json.dumps({"code": _shown_program(messages)})
        return kind.spoil(good)

    def fault(self, number: int, body: Json) -> AnyFault:
        """Return what goes wrong with the HTTP answer."""
        messages: Messages = body["messages"]
        kind = self._kind(messages)
        spoilt = kind is not None and kind.fault is not None and self._is_bad(messages)
        if not spoilt or (kind and kind.is_read):
            self.answered.add(number)
        return kind.fault(good_answer(messages)) if spoilt and kind and kind.fault else 200

    def _kind(self, messages: Messages) -> Kind | None:
        if task_of(messages) != self.task:
            return None
        number = case_of(self.task, messages)
        return self.cases[number - 1].kind if number <= len(self.cases) else None

    def _is_bad(self, messages: Messages) -> bool:
        number = case_of(self.task, messages)
        with self._lock:
            first = number not in self._met
            self._met.add(number)
        return first or self.cases[number - 1].always


def _shown_program(messages: Messages) -> str:
    """The program of a prompt for a repair."""
    return messages[1]["content"].partition("```python\n")[2].rpartition("\n```")[0]
