import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from asi_arch.backends.replay import ReplayBackend, read_recording
from asi_arch.errors import BackendError, UserError
from asi_arch.records import Message, Reply, Request, RoleSettings
from asi_arch.testing.conformance import Word


def request(text: str = "q", **more: Any) -> Request:
    fields: dict[str, Any] = {"experiment_id": 4, "role": "researcher", "task": "propose", **more}
    messages = (Message(role="user", content=text),)
    return Request(messages=messages, answer_type=Word, **fields)


def call(reply: str | None, of: Request | None = None, **more: Any) -> dict[str, Any]:
    """A line of a recording; without a request its key is that of no question."""
    asked = of or request()
    return {
        "kind": "call",
        "experiment_id": asked.experiment_id,
        "role": asked.role,
        "task": asked.task,
        "attempt": asked.attempt,
        "key": asked.key if of else "another",
        "model": "m",
        "reply": reply,
        "prompt_tokens": 10,
        "cached_tokens": 4,
        "completion_tokens": 3,
        "cost": 0.5,
        "error": "",
        **more,
    }


def replay(folder: Path, *lines: dict[str, Any]) -> ReplayBackend:
    file = folder / "recording.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return ReplayBackend(RoleSettings(base_url=str(file)))


def ask(backend: ReplayBackend, asked: Request) -> Reply:
    return asyncio.run(backend.complete(asked))


def test_the_same_question_gets_its_answer(tmp_path: Path) -> None:
    backend = replay(
        tmp_path,
        {"kind": "experiment", "number": 1},
        call("first", request("a")),
        call("second", request("b")),
    )
    assert ask(backend, request("b")) == Reply(
        text="second",
        model="m",
        prompt_tokens=10,
        cached_tokens=4,
        completion_tokens=3,
        cost=0.5,
    )
    assert ask(backend, request("a")).text == "first"
    assert ask(backend, request("a")).text == "first"
    assert backend.differing == 0


def test_another_prompt_gets_the_next_unused_answer(tmp_path: Path) -> None:
    backend = replay(
        tmp_path,
        call("a", request("a")),
        call("other task", request(task="other")),
        call("b", request("b")),
        call("later attempt", request(attempt=1)),
    )
    assert ask(backend, request("a")).text == "a"
    assert ask(backend, request("new wording")).text == "b"
    assert ask(backend, request("new wording", attempt=1)).text == "later attempt"
    assert backend.differing == 2
    with pytest.raises(BackendError) as caught:
        ask(backend, request("third"))
    for words in ("recording.jsonl", "the researcher's question 'propose'", "attempt 0", "of exp"):
        assert words in str(caught.value)


def test_a_recorded_error_is_raised(tmp_path: Path) -> None:
    backend = replay(
        tmp_path,
        call(None, request("a"), error="the server was down", model=None, cost=None),
        call("up again", request("a")),
    )
    with pytest.raises(BackendError, match="the server was down"):
        ask(backend, request("a"))
    assert ask(backend, request("a")).text == "up again"
    assert ask(backend, request("a")).text == "up again"


def test_little_is_required_of_a_line(tmp_path: Path) -> None:
    line = {"kind": "call", "experiment_id": 4, "role": "researcher", "task": "propose"}
    nothing = {"reply": "x", "prompt_tokens": None, "error": None, "seconds": 1.5, "key": ""}
    assert ask(replay(tmp_path, {**line, **nothing}), request()) == Reply(text="x")


def test_roles_share_the_reading_and_not_the_place(tmp_path: Path) -> None:
    first = replay(tmp_path, call("only"))
    file = tmp_path / "recording.jsonl"
    second = ReplayBackend(RoleSettings(base_url=str(file), model="other"))
    assert read_recording(file) is read_recording(file)
    assert ask(first, request()).text == ask(second, request()).text == "only"


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("{", "Invalid JSON"),
        ("[]", "object"),
        ("{}", "kind: Field required"),
        ('{"kind": "call", "experiment_id": 1, "role": "r"}', "task: Field required"),
        ('{"kind": "call", "experiment_id": "x", "role": "r", "task": "t"}', "experiment_id"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: str, sentence: str) -> None:
    file = tmp_path / "bad.jsonl"
    file.write_text('{"kind": "campaign"}\n\n' + line + "\n")
    with pytest.raises(UserError, match=rf"bad\.jsonl, line 3: .*{sentence}"):
        ReplayBackend(RoleSettings(base_url=str(file)))


def test_a_recording_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no recording is named; add --base-url FILE"):
        ReplayBackend(RoleSettings())
    for path in (tmp_path / "none.jsonl", tmp_path):
        with pytest.raises(UserError, match="cannot read the recording"):
            ReplayBackend(RoleSettings(base_url=str(path)))
    (tmp_path / "binary").write_bytes(b"\xff\xfe\n")
    with pytest.raises(UserError, match="not UTF-8"):
        ReplayBackend(RoleSettings(base_url=str(tmp_path / "binary")))
