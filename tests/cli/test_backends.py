"""What `asi-arch backends` lists and what its check says."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

import asi_arch.backends as found_backends
from asi_arch.backends.dialect import forget_dialects
from asi_arch.testing import llm_server
from asi_arch.testing.scripted_answers import answer

Call = Callable[..., Result]


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    forget_dialects()
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "AZURE_OPENAI_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(found_backends, "entry_points", lambda group: [])


def test_the_table(call: Call) -> None:
    result = call("backends")
    assert result.exit_code == 0 and "scripted" in result.stdout and "ready" in result.stdout
    rows = {row["name"]: row for row in json.loads(call("backends", "--json").stdout)}
    assert list(rows) == ["openai", "azure", "replay", "scripted"]
    assert rows["scripted"]["ready"] and "OPENAI_API_KEY" in rows["openai"]["problem"]
    assert all(row["summary"] and row["origin"] == "shipped" for row in rows.values())


def test_a_key_makes_it_ready(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-x")
    rows = json.loads(call("backends", "--json").stdout)
    assert rows[0]["ready"] and "sk-x" not in json.dumps(rows)


@pytest.mark.parametrize("api", ["chat", "responses"])
def test_a_server_that_takes_everything(call: Call, api: str) -> None:
    with llm_server(answer) as server:
        options = ("--base-url", server.url, "--model", "m", "--api", api)
        found = json.loads(call("backends", "check", "openai", *options, "--json").stdout)
    assert found["usable"] and found["dialect"] == "json_schema"
    assert {check["state"] for check in found["checks"]} == {"ok"}
    assert [check["name"] for check in found["checks"]] == [
        "server",
        "plain text",
        "JSON schema",
        "tool call",
        "JSON mode",
        "temperature",
        "reasoning effort",
        "fenced text",
        "usage",
        "prompt cache",
        "latency",
        "as a role asks",
    ]


def test_a_server_that_takes_little(call: Call) -> None:
    with llm_server(
        answer,
        formats=("tool", "text"),
        temperature=False,
        effort=False,
        limit="max_completion_tokens",
    ) as server:
        result = call("backends", "check", "openai", "--base-url", server.url, "--model", "m")
    assert result.exit_code == 0
    words = " ".join(result.stdout.split())
    assert "no JSON schema refused: response_format json_schema is not supported" in words
    assert "ok tool call taken and answered" in words
    assert "in this form: tool, without reasoning effort, without the usual name" in words


def test_passing_faults_do_not_spoil_the_check(call: Call) -> None:
    with llm_server(answer, faults=lambda number, body: 429 if number % 3 == 0 else 200) as server:
        result = call("backends", "check", "openai", "--base-url", server.url, "--model", "m")
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize(
    ("spoken", "sentence"),
    [("prose", "an answer of the wrong type"), ("", "the answer is empty")],
)
def test_a_model_that_cannot_answer(call: Call, spoken: str, sentence: str) -> None:
    with llm_server(lambda messages: spoken) as server:
        result = call("backends", "check", "openai", "--base-url", server.url, "--model", "m")
    assert result.exit_code == 1
    assert sentence in " ".join(result.stdout.split()) and "openai is not usable" in result.stdout


@pytest.mark.parametrize("fault", ["garbage", 401, 404, 400])
def test_a_server_that_gives_no_answer(call: Call, fault: Any) -> None:
    with llm_server(answer, faults=lambda number, body: fault) as server:
        options = ("--base-url", server.url, "--model", "m", "--json")
        result = call("backends", "check", "openai", *options)
    assert result.exit_code == 1
    found = json.loads(result.stdout)
    assert not found["usable"] and found["checks"][-1]["state"] == "fail"
    assert server.url in found["checks"][-1]["detail"]


def test_a_server_that_counts_nothing(call: Call) -> None:
    def bare(number: int, body: dict[str, Any]) -> Any:
        from asi_arch.testing import Fault

        text = answer(body["messages"])
        return Fault(body={"choices": [{"message": {"content": text}}]})

    with llm_server(answer, faults=bare) as server:
        options = ("--base-url", server.url, "--model", "m", "--json")
        found = json.loads(call("backends", "check", "openai", *options).stdout)
    states = {check["name"]: check["state"] for check in found["checks"]}
    assert found["usable"] and states["usage"] == states["prompt cache"] == "no"


def test_other_backends_are_held_to_their_promises(call: Call) -> None:
    found = json.loads(call("backends", "check", "scripted", "--json").stdout)
    assert found["usable"] and len(found["checks"]) == 6


@pytest.mark.parametrize("calls", [0, 2])
def test_a_recording_is_only_read(call: Call, tmp_path: Path, calls: int) -> None:
    line = {"kind": "call", "experiment_id": 1, "role": "researcher", "task": "propose"}
    (tmp_path / "r.jsonl").write_text(f"{json.dumps(line)}\n" * calls)
    result = call("backends", "check", "replay", "--base-url", "r.jsonl", "--json")
    assert result.exit_code == (0 if calls else 1)
    assert json.loads(result.stdout)["checks"][0]["detail"] == f"{calls} calls"


class Broken:
    """Promises much."""

    def __init__(self, settings: object) -> None:
        self.settings = settings

    async def complete(self, request: object) -> object:
        raise KeyError("choices")


def test_a_plugins_mistake_is_a_verdict(call: Call) -> None:
    result = call("backends", "check", f"{__name__}:Broken", "--json")
    assert result.exit_code == 1
    checks = json.loads(result.stdout)["checks"]
    assert {check["detail"] for check in checks} == {"KeyError: 'choices'"}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("telepathy",), "unknown backend 'telepathy'; available: openai"),
        (("openai",), "no model is named; add --model"),
        (("openai", "--model", "m"), "OPENAI_API_KEY is not set"),
        (("openai", "--model", "m", "--base-url", "here"), "base URL 'here' is not valid"),
        (("replay",), "no recording is named"),
    ],
)
def test_mistakes(call: Call, arguments: tuple[str, ...], sentence: str) -> None:
    result = call("backends", "check", *arguments)
    assert result.exit_code == 2 and sentence in result.stderr and result.stdout == ""
