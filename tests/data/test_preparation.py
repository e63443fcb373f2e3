"""The whole way from files to shards: the same bytes, whoever was killed on the way."""

import errno
import gzip
import hashlib
import json
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from asi_arch.data import load, part
from asi_arch.data.check import check
from asi_arch.data.encode import Rules
from asi_arch.data.manifest import SPLITS, Source, read_manifest
from asi_arch.data.preparation import prepare_folder
from asi_arch.data.request import Request
from asi_arch.data.sources import Place, find_files
from asi_arch.data.tokenizer import tokenizer_of
from asi_arch.data.workers import Batch, encode_all
from asi_arch.errors import UserError
from asi_arch.evaluate.ngrams import reference_losses

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


def texts(count: int, seed: int = 0) -> list[str]:
    rng = random.Random(seed)
    return [f"{n} " + " ".join(rng.choices(WORDS, k=rng.randint(5, 60))) for n in range(count)]


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Documents in files of every kind, and the pattern that finds them."""
    folder = tmp_path / "source"
    folder.mkdir()
    some = texts(400)
    table = pa.table({"text": [*some[:100], None], "id": list(range(101))})
    pq.write_table(table, folder / "a.parquet", row_group_size=30)
    lines = [json.dumps({"id": n, "text": text}) for n, text in enumerate(some[100:200])]
    (folder / "b.jsonl").write_text("\n".join([*lines[:50], "", *lines[50:]]) + "\n")
    zipped = "\n".join(json.dumps({"text": text}) for text in some[200:300])
    (folder / "c.jsonl.gz").write_bytes(gzip.compress(zipped.encode()))
    for number, text in enumerate(some[300:]):
        (folder / f"d{number:03}.txt").write_text(text)
    return folder


def request(files: Path, **changes: Any) -> Request:
    source = Source(kind="files", files=find_files([f"{files}/*"]))
    return Request(source=source, **{"heldout_percent": 20.0, "shard_tokens": 1500, **changes})


def content(folder: Path) -> dict[str, str]:
    """Digests of all files below a folder, by name."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_every_document_is_in_one_part_whole_and_in_order(
    files: Path, tokenizer_file: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    manifest = prepare_folder(request(files, tokenizer=str(tokenizer_file)), out).manifest
    tokenizer, found = tokenizer_of(out), dict[str, list[str]]()
    for split in ("train", "heldout"):
        tokens, starts = load(part(out, split)), np.load(out / split / "documents.npy")
        ends = [*starts[1:], len(tokens)]
        rows = [tokens[a:b] for a, b in zip(starts, ends, strict=True)]
        assert all(row[-1] == tokenizer.end for row in rows)
        found[split] = [tokenizer.decode(row[:-1].tolist()) for row in rows]
        described = getattr(manifest, split)
        assert described.documents == len(rows) and described.tokens == len(tokens)
        assert described.bytes == sum(len(text.encode()) for text in found[split])
        assert {shard.tokens for shard in described.shards[:-1]} <= {1500}
    everything = texts(400)
    assert sorted(found["train"] + found["heldout"]) == sorted(everything)
    assert found["train"] == [text for text in everything if text in set(found["train"])]
    assert 40 < len(found["heldout"]) < 120
    assert manifest.dtype == "uint16" and len(manifest.train.shards) > 3
    check(out, manifest)


def test_bytes_end_with_a_newline(files: Path, tmp_path: Path) -> None:
    manifest = prepare_folder(request(files), tmp_path / "out").manifest
    bytes_of = [np.frombuffer(bytes(load(part(tmp_path / "out", s))[:]), np.uint8) for s in SPLITS]
    assert manifest.references["unigram"] == pytest.approx(reference_losses(*bytes_of)["unigram"])
    heldout = bytes(load(tmp_path / "out" / "heldout")[:])
    assert heldout.endswith(b"\n") and set(heldout[:-1].decode().split("\n")) <= set(texts(400))


def test_the_same_text_is_on_the_same_side_whatever_the_order(files: Path, tmp_path: Path) -> None:
    prepare_folder(request(files), tmp_path / "a")
    again = tmp_path / "again"
    again.mkdir()
    shuffled = sorted(texts(400), key=lambda text: hashlib.md5(text.encode()).digest())
    (again / "x.jsonl").write_text("\n".join(json.dumps({"text": text}) for text in shuffled))
    prepare_folder(request(again), tmp_path / "b")
    sides = [set(bytes(load(tmp_path / n / "heldout")[:]).split(b"\n")) for n in ("a", "b")]
    assert sides[0] == sides[1]


def test_any_number_of_processes_gives_the_same_bytes(
    files: Path, tokenizer_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("asi_arch.data.workers.BATCH_CHARACTERS", 2000)
    asked = request(files, tokenizer=str(tokenizer_file))
    prepare_folder(asked, tmp_path / "one", jobs=1)
    monkeypatch.setattr("asi_arch.data.workers.BATCH_CHARACTERS", 7000)
    prepare_folder(asked, tmp_path / "three", jobs=3)
    assert content(tmp_path / "one") == content(tmp_path / "three")


def test_tokens_end_with_a_whole_document(
    files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = prepare_folder(request(files), tmp_path / "whole").manifest
    monkeypatch.setattr("asi_arch.data.workers.BATCH_CHARACTERS", 3000)
    manifest = prepare_folder(request(files, tokens=20_000), tmp_path / "some").manifest
    total = manifest.train.tokens + manifest.heldout.tokens
    assert 20_000 <= total < 20_000 + 400 < whole.train.tokens
    some, all_ = (load(tmp_path / name / "train")[:] for name in ("some", "whole"))
    assert some[-1] == ord("\n") and (all_[: len(some)] == some).all()


def test_a_finished_folder_is_left_alone_and_another_request_refused(
    files: Path, tmp_path: Path
) -> None:
    asked = request(files)
    assert prepare_folder(asked, tmp_path / "out").fresh
    before = content(tmp_path / "out")
    assert not prepare_folder(asked, tmp_path / "out").fresh
    assert content(tmp_path / "out") == before
    assert sorted(before) == sorted(["manifest.json", "request.json", *_files_of(tmp_path / "out")])
    with pytest.raises(UserError, match="begun with another command"):
        prepare_folder(request(files, tokens=5), tmp_path / "out")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("x")
    with pytest.raises(UserError, match="exists and is something else"):
        prepare_folder(asked, tmp_path / "mine")


def _files_of(folder: Path) -> list[str]:
    manifest = read_manifest(folder)
    return [
        f"{split}/{name}"
        for split in ("train", "heldout")
        for name in (
            "index.json",
            "documents.npy",
            *(shard.file for shard in getattr(manifest, split).shards),
        )
    ]


Spoil = Callable[[Path], object]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda f: (f / "b.jsonl").write_text('{"text": "a"}\n{"text": '), r"b\.jsonl, line 2"),
        (lambda f: (f / "b.jsonl").write_text('{"body": 1, "id": 2}'), r"'text'.*: body, id$"),
        (lambda f: (f / "b.jsonl").write_text('{"text": 3}'), r"line 1.*holds int, not text"),
        (lambda f: (f / "b.jsonl").write_text("[1]"), r"line 1 is no JSON object"),
        (lambda f: (f / "a.parquet").write_bytes(b"PAR1 no"), r"cannot read .*a\.parquet"),
        (lambda f: (f / "c.jsonl.gz").write_bytes(b"no gzip"), r"cannot read .*c\.jsonl\.gz"),
        (lambda f: (f / "d000.txt").unlink(), r"cannot read .*d000\.txt"),
        (
            lambda f: pq.write_table(pa.table({"body": ["x"]}), f / "a.parquet"),
            r"a\.parquet has no column 'text'; .* one of: body",
        ),
    ],
)
def test_what_cannot_be_read_is_named(
    files: Path, tmp_path: Path, spoil: Spoil, message: str
) -> None:
    asked = request(files)
    spoil(files)
    with pytest.raises(UserError, match=message):
        prepare_folder(asked, tmp_path / "out")


def test_empty_results_are_explained(tmp_path: Path) -> None:
    (tmp_path / "empty.txt").write_text("")
    (tmp_path / "one.txt").write_text("a text")
    nothing = Source(kind="files", files=find_files([str(tmp_path / "empty.txt")]))
    with pytest.raises(UserError, match="holds no text"):
        prepare_folder(Request(source=nothing), tmp_path / "a")
    one = Source(kind="files", files=find_files([str(tmp_path / "one.txt")]))
    with pytest.raises(UserError, match=r"none of 1 documents is in the part 'heldout'"):
        prepare_folder(Request(source=one), tmp_path / "b")
    with pytest.raises(UserError, match="no file matches"):
        find_files([str(tmp_path / "*.parquet")])


def test_a_full_disk_is_explained_and_the_same_command_goes_on(
    files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as full:
        full.setattr("os.fsync", _no_space)
        with pytest.raises(UserError, match=r"No space left.*run the same command again"):
            prepare_folder(request(files), tmp_path / "out")
    prepare_folder(request(files), tmp_path / "out")
    prepare_folder(request(files), tmp_path / "other")
    assert content(tmp_path / "out") == content(tmp_path / "other")


def _no_space(file: int) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_killed_worker_is_explained(files: Path, tmp_path: Path) -> None:
    """The first batch that is asked for kills the worker; `os._exit` is what it unpickles to."""
    rules = Rules("bytes", "uint8", 1.0, ())
    batches = [Batch([_Deadly()], Place())] * 3  # type: ignore[list-item]
    with pytest.raises(UserError, match=r"a worker process was killed.*smaller --jobs"):
        list(encode_all(batches, rules, 2))


class _Deadly:
    def __reduce__(self) -> tuple[Any, ...]:
        return os._exit, (9,)
