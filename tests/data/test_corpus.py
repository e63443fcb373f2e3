import hashlib
import math
import sysconfig
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from asi_arch.config import Data
from asi_arch.data import (
    Ids,
    batches,
    closing_windows,
    load,
    part,
    prepare,
    vocab_size,
    windows,
)
from asi_arch.data.check import _check_shard
from asi_arch.data.manifest import Source, read_manifest
from asi_arch.data.preparation import prepare_folder
from asi_arch.data.request import Request
from asi_arch.data.sources import find_files
from asi_arch.errors import UserError


def make_files(folder: Path, count: int = 60, size: int = 8000) -> Path:
    folder.mkdir()
    for number in range(count):
        (folder / f"{number}.txt").write_bytes(bytes([65 + number % 26]) * size)
    return folder


def digest(ids: Ids) -> str:
    return hashlib.sha256(ids.astype(np.int64).tobytes()).hexdigest()[:16]


def test_the_library_of_this_interpreter_is_split_by_file(tmp_path: Path) -> None:
    dataset = prepare(Data(), tmp_path)
    manifest = read_manifest(tmp_path)
    root = Path(sysconfig.get_paths()["stdlib"])
    assert all((root / file.path).is_file() for file in manifest.source.files)
    assert not any("site-packages" in f.path or "/test/" in f.path for f in manifest.source.files)
    assert len(manifest.source.files) == dataset.train_documents + dataset.heldout_documents
    assert dataset.train_documents > dataset.heldout_documents > 0
    assert dataset.references["unigram"] > dataset.references["bigram"]
    assert len(load(part(tmp_path, "train"))) == dataset.train_tokens
    assert len(load(part(tmp_path, "heldout"))) == dataset.heldout_tokens == dataset.heldout_bytes


def test_byte_corpora_give_the_tokens_they_always_gave(tmp_path: Path) -> None:
    """The digests were recorded before there were shards."""
    (tmp_path / "text").mkdir()
    rng = np.random.default_rng(7)
    for number in range(40):
        content = rng.integers(0, 256, 3000 + number * 37).astype(np.uint8).tobytes()
        (tmp_path / "text" / f"{number:02}.txt").write_bytes(content)
    data = Data(source="files", files=str(tmp_path / "text"), heldout_percent=30)
    dataset = prepare(data, tmp_path / "data")
    train, heldout = (load(part(tmp_path / "data", split)) for split in ("train", "heldout"))
    assert (len(train), len(heldout)) == (84_895, 64_003)
    assert (digest(train[:]), digest(heldout[:])) == ("d911cdfb61876759", "7f3680e1980e474a")
    assert digest(np.stack(list(batches(train, 5, 3, 64, 1)))) == "14a2ca7b846238f6"
    assert digest(windows(heldout, 20, 50)) == "a91a66e9e6bb7289"
    assert digest(closing_windows(train, 64)) == "8da54bf21af72899"
    assert dataset.references["trigram"] == pytest.approx(6.194163050142254, abs=1e-12)


def test_documents_start_where_their_files_do(tmp_path: Path) -> None:
    text = make_files(tmp_path / "text")
    data = Data(source="files", files=str(text), heldout_percent=30)
    dataset = prepare(data, tmp_path / "data")
    starts = np.load(tmp_path / "data" / "heldout" / "documents.npy")
    assert starts.tolist() == [8001 * n for n in range(dataset.heldout_documents)]
    assert dataset.heldout_tokens == 8001 * dataset.heldout_documents - 1


def test_files_of_the_user_can_be_trained_on(tmp_path: Path) -> None:
    data = Data(source="files", files=str(make_files(tmp_path / "text")), heldout_percent=30)
    dataset = prepare(data, tmp_path / "data")
    assert dataset.train_documents + dataset.heldout_documents == 60
    (tmp_path / "text" / "0.txt").unlink()
    assert dataset == prepare(data, tmp_path / "data")


def test_a_folder_of_the_earlier_layout_is_made_anew(tmp_path: Path) -> None:
    data = Data(source="files", files=str(make_files(tmp_path / "text")), heldout_percent=30)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "manifest.json").write_text('{"name": "files", "documents": []}')
    dataset = prepare(data, tmp_path / "data")
    assert len(load(part(tmp_path / "data", "train"))) == dataset.train_tokens


def test_a_missing_folder_and_too_little_text_are_explained(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nowhere"):
        prepare(Data(source="files", files="nowhere"), tmp_path / "a")
    few = make_files(tmp_path / "few", count=2, size=10)
    with pytest.raises(UserError, match="at least 20000"):
        prepare(Data(source="files", files=str(few)), tmp_path / "b")


@pytest.fixture
def prepared(tmp_path: Path, tokenizer_file: Path) -> Path:
    (tmp_path / "text.jsonl").write_text(
        "".join(f'{{"text": "the model reads {n}"}}\n' for n in range(100))
    )
    source = Source(kind="files", files=find_files([str(tmp_path / "text.jsonl")]))
    asked = Request(source=source, tokenizer=str(tokenizer_file), heldout_percent=20)
    prepare_folder(asked, tmp_path / "mine")
    return tmp_path / "mine"


def test_prepared_data_are_described_and_left_alone(prepared: Path, tmp_path: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in prepared.rglob("*")}
    dataset = prepare(Data(source="prepared", folder=str(prepared)), tmp_path / "own")
    assert (dataset.name, dataset.tokenizer) == ("mine", "words")
    assert 1 < dataset.references["unigram"] < math.log(dataset.vocab_size)
    assert dataset.vocab_size == vocab_size(prepared / "train") > 256
    assert dataset.train_documents + dataset.heldout_documents == 100
    bits = dataset.bits_per_byte(math.log(2))
    assert bits == dataset.heldout_tokens / dataset.heldout_bytes
    assert {path: path.stat().st_mtime_ns for path in prepared.rglob("*")} == before
    assert not (tmp_path / "own").exists()


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda f: flip(f / "train" / "00000.bin"), r"train/00000\.bin is corrupted"),
        (lambda f: (f / "heldout" / "00000.bin").unlink(), r"heldout/00000\.bin is gone"),
        (lambda f: (f / "manifest.json").unlink(), r"has no manifest\.json"),
        (lambda f: (f / "manifest.json").write_text("{}"), r"manifest\.json cannot be read"),
        (lambda f: (f / "tokenizer.json").unlink(), r"tokenizer in .* does not fit"),
        (lambda f: (f / "train" / "index.json").write_text("{}"), r"index\.json cannot be read"),
        (
            lambda f: (f / "train" / "index.json").write_text(
                (f / "train" / "index.json").read_text().replace("uint16", "uint8")
            ),
            r"index of .*train is not what the manifest says",
        ),
    ],
)
def test_prepared_data_that_are_not_as_they_should_be_are_refused(
    prepared: Path, spoil: Callable[[Path], object], message: str
) -> None:
    spoil(prepared)
    with pytest.raises(UserError, match=message):
        prepare(Data(source="prepared", folder=str(prepared)), prepared)


def test_ids_beyond_the_vocabulary_are_refused(prepared: Path) -> None:
    """A tokenizer that says less of itself than it gave."""
    manifest = read_manifest(prepared)
    facts = manifest.tokenizer.model_copy(update={"vocab_size": 100})
    shard = manifest.train.shards[0]
    with pytest.raises(UserError, match=r"has the id \d+, its tokenizer only 100"):
        _check_shard(prepared / "train", shard, manifest.model_copy(update={"tokenizer": facts}))
