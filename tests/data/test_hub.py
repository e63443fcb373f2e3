"""The way over `datasets`, on files: streaming from the hub needs a network."""

import json
import sys
from pathlib import Path

import pytest

from asi_arch.data import load
from asi_arch.data.manifest import Source
from asi_arch.data.preparation import prepare_folder
from asi_arch.data.request import Request
from asi_arch.data.sources import Place, hub_revision, read_documents
from asi_arch.errors import UserError


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Source:
    pytest.importorskip("datasets", reason="needs the extra: data")
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "set"
    folder.mkdir()
    rows = [{"text": f"text {n}"} for n in range(50)]
    (folder / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return Source(kind="huggingface", name=str(folder), split="train")


def test_rows_come_in_order_from_any_place_on(source: Source) -> None:
    every = list(read_documents(source, "text", Place()))
    assert [document.text for document in every] == [f"text {n}" for n in range(50)]
    assert list(read_documents(source, "text", Place(item=every[9].item))) == every[10:]


def test_a_data_set_becomes_a_folder(source: Source, tmp_path: Path) -> None:
    asked = Request(source=source, heldout_percent=20)
    manifest = prepare_folder(asked, tmp_path / "out").manifest
    assert manifest.train.documents + manifest.heldout.documents == 50
    assert b"text 1\n" in bytes(load(tmp_path / "out" / "train")[:])
    assert hub_revision(source.name, "") == ""
    assert manifest.source.name == "set"


def test_mistakes_are_explained(source: Source, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"row 1 has no column 'body'.*one of: text"):
        list(read_documents(source, "body", Place()))
    with pytest.raises(UserError, match=r"cannot read the dataset .*--split"):
        list(read_documents(source.model_copy(update={"split": "no"}), "text", Place()))


def test_the_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    source = Source(kind="huggingface", name="x", split="train")
    with pytest.raises(UserError, match=r"pip install 'asi-arch\[data\]'"):
        list(read_documents(source, "text", Place()))
