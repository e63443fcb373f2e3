"""`data prepare`, `data info` and campaigns on what was prepared."""

import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from asi_arch.configure import load_config
from asi_arch.errors import UserError
from asi_arch.jobs.spec import prepare_job

Call = Callable[..., Result]
WORDS = [
    "the",
    "model",
    "reads",
    "a",
    "text",
    "and",
    "learns",
    "what",
    "follows",
    "each",
    "word",
    "of",
    "it",
]


@pytest.fixture
def text() -> str:
    """A pattern for some files of JSON lines in the working directory."""
    rng = random.Random(0)
    for name in ("a", "b"):
        rows = [{"text": f"{name}{n} " + " ".join(rng.choices(WORDS, k=30))} for n in range(100)]
        Path(f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return "*.jsonl"


@pytest.fixture
def prepared(call: Call, text: str) -> Path:
    done = call("data", "prepare", "--files", text, "--heldout-percent", 20, "--out", "out")
    assert done.exit_code == 0, done.output
    return Path("out")


def test_prepare_shows_what_it_made(call: Call, prepared: Path, text: str) -> None:
    shown = call("data", "info", prepared)
    assert "files 2 files" in shown.stdout and "bytes, 256 ids, uint8" in shown.stdout
    found = json.loads(call("data", "info", prepared, "--check", "--json").stdout)
    assert found["train"]["documents"] + found["heldout"]["documents"] == 200
    assert found["folder"] == "out" and found["tokenizer"]["name"] == "bytes"


def test_the_same_command_again_does_nothing(call: Call, prepared: Path, text: str) -> None:
    arguments = ("data", "prepare", "--files", text, "--out", prepared, "--heldout-percent", 20)
    again = call(*arguments, "--jobs", 2, "--json")
    assert again.exit_code == 0 and "finished already" in again.stderr
    assert json.loads(again.stdout)["train"]["tokens"] > 0
    other = call(*arguments, "--tokens", "1e4")
    assert other.exit_code == 2 and "another command" in other.stderr


def test_tokens_are_a_round_number(call: Call, text: str) -> None:
    done = call(
        "data", "prepare", "--files", text, "--heldout-percent", 20, "--tokens", "1e4",
        "--out", "out", "--json",
    )  # fmt: skip
    found = json.loads(done.stdout)
    assert 10_000 <= found["train"]["tokens"] + found["heldout"]["tokens"] < 10_300


def test_overlaps_with_benchmarks_are_listed(call: Call, text: str) -> None:
    line = json.loads(Path("a.jsonl").read_text().splitlines()[7])["text"]
    Path("quiz").mkdir()
    Path("quiz/all.jsonl").write_text(json.dumps({"question": f"Say: {line.upper()}!"}))
    some = ("data", "prepare", "--files", text, "--heldout-percent", 20)
    arguments = (*some, "--benchmarks", "quiz/all.jsonl")
    done = call(*arguments, "--out", "with")
    assert "overlap with all.jsonl: 1, kept" in done.stdout, done.output
    dropped = call(*arguments, "--drop-overlaps", "--out", "without", "--json")
    found = json.loads(dropped.stdout)
    assert found["train"]["documents"] + found["heldout"]["documents"] == 199
    assert found["overlaps"]["found"][0]["document"] == 7 and found["overlaps"]["dropped"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--files", "*.nothing"), "no file matches '*.nothing'"),
        ((), "give either --dataset NAME or --files GLOB"),
        (("--files", "*.jsonl", "--tokens", "0"), "--tokens 0 must be at least 1"),
        (("--files", "*.jsonl", "--heldout-percent", "100"), "above 0 and below 100"),
        (("--files", "*.jsonl", "--text-column", "body"), "--text-column one of: text"),
        (("--files", "*.jsonl", "--tokenizer", "gone.json"), "no tokenizer 'gone.json'"),
        (("--files", "*.jsonl", "--benchmarks", "gone.txt"), "no file matches 'gone.txt'"),
    ],
)
def test_mistakes_are_explained(
    call: Call, text: str, arguments: tuple[str, ...], message: str
) -> None:
    done = call("data", "prepare", "--out", "out", *arguments)
    assert done.exit_code == 2, done.output
    assert message in " ".join(done.stderr.split())


def test_a_corrupted_shard_is_named(call: Call, prepared: Path) -> None:
    shard = prepared / "heldout" / "00000.bin"
    content = bytearray(shard.read_bytes())
    content[100] ^= 1
    shard.write_bytes(content)
    assert call("data", "info", prepared).exit_code == 0
    done = call("data", "info", prepared, "--check")
    assert done.exit_code == 2
    assert "shard out/heldout/00000.bin is corrupted" in " ".join(done.stderr.split())
    assert call("data", "info", ".").exit_code == 2


SMALL = (
    "--set", "explore.tokens=512", "--set", "explore.length=32", "--set", "explore.batch_size=4",
    "--set", "explore.hidden_size=16", "--set", "explore.parameters=16000",
    "--set", "explore.heldout_windows=4", "--set", "explore.audit_positions=4",
)  # fmt: skip


@pytest.fixture
def layer() -> Path:
    from asi_arch.baselines import baseline_program

    Path("layer.py").write_text(baseline_program("gated_deltanet").source)
    return Path("layer.py")


def test_a_program_is_trained_on_what_was_prepared(call: Call, prepared: Path, layer: Path) -> None:
    before = sorted(path.name for path in prepared.rglob("*"))
    done = call(
        "train", layer, "--stage", "explore", "--no-verify", "--data", prepared, *SMALL, "--json"
    )
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["measurement"]["loss"] > 0 and found["references"].keys() == {"unigram"}
    assert sorted(path.name for path in prepared.rglob("*")) == before


def test_the_folder_of_a_configuration_is_absolute_and_needed() -> None:
    config = load_config(settings=["data.source=prepared", "data.folder=here"]).settled()
    assert config.data.folder == str(Path.cwd() / "here")
    with pytest.raises(UserError, match=r"needs --data DIR"):
        prepare_job(load_config(settings=["data.source=prepared"]), Path("own"))
