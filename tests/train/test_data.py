from pathlib import Path

import numpy as np
import pytest

from asi_arch.config import Data
from asi_arch.errors import UserError
from asi_arch.train.data import batches, load, part, prepare, windows


def make_files(folder: Path, count: int = 60, size: int = 8000) -> Path:
    folder.mkdir()
    for number in range(count):
        (folder / f"{number}.txt").write_bytes(bytes([65 + number % 26]) * size)
    return folder


def test_the_library_of_this_interpreter_is_split_by_file(tmp_path: Path) -> None:
    dataset = prepare(Data(), tmp_path)
    train = {doc.path for doc in dataset.documents if doc.split == "train"}
    heldout = {doc.path for doc in dataset.documents if doc.split == "heldout"}
    assert train and heldout and not train & heldout
    assert not any("site-packages" in path or "/test/" in path for path in train | heldout)
    assert dataset.references["unigram"] > dataset.references["bigram"]
    assert len(load(part(tmp_path, "train"))) == dataset.train_tokens
    assert len(load(part(tmp_path, "heldout"))) == dataset.heldout_tokens


def test_files_of_the_user_can_be_trained_on(tmp_path: Path) -> None:
    data = Data(source="files", files=str(make_files(tmp_path / "text")), heldout_percent=30)
    dataset = prepare(data, tmp_path / "data")
    assert len(dataset.documents) == 60
    assert dataset == prepare(data, tmp_path / "data")


def test_a_missing_folder_and_too_little_text_are_explained(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nowhere"):
        prepare(Data(source="files", files="nowhere"), tmp_path / "a")
    few = make_files(tmp_path / "few", count=2, size=10)
    with pytest.raises(UserError, match="at least 20000"):
        prepare(Data(source="files", files=str(few)), tmp_path / "b")


def test_batches_depend_on_the_seed_only() -> None:
    tokens = np.arange(10_000).astype(np.uint8)
    first, again, other = (list(batches(tokens, 5, 3, 64, seed)) for seed in (1, 1, 2))
    assert all((a == b).all() for a, b in zip(first, again, strict=True))
    assert any((a != b).any() for a, b in zip(first, other, strict=True))
    assert first[0].shape == (3, 65)
    assert (np.diff(first[0].astype(int)) % 256 == 1).all()


def test_the_last_token_can_be_drawn() -> None:
    tokens = np.arange(66).astype(np.uint8)
    ends = {int(batch[0, -1]) for batch in batches(tokens, 200, 1, 64, 0)}
    assert ends == {64, 65}


def test_windows_cover_the_text_from_end_to_end() -> None:
    tokens = np.arange(250).astype(np.uint8)
    rows = windows(tokens, 10, 16)
    assert rows.shape == (10, 17)
    assert (rows[0, 0], rows[-1, -1]) == (0, 249)
