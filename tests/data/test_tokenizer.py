import shutil
from pathlib import Path

import pytest

from asi_arch.data.tokenizer import ByteTokenizer, load_tokenizer, tokenizer_of
from asi_arch.errors import UserError


def test_bytes_are_utf_8() -> None:
    tokenizer = load_tokenizer("bytes")
    assert tokenizer.encode("é\n") == [0xC3, 0xA9, 10]
    assert tokenizer.decode([0xC3, 0xA9, 0xFF]) == "é\ufffd"
    assert (tokenizer.name, tokenizer.vocab_size, tokenizer.end) == ("bytes", 256, None)


def test_a_file_gives_the_same_text_back(tokenizer_file: Path) -> None:
    tokenizer = load_tokenizer(str(tokenizer_file))
    text = "the model reads Ünïcode\n  and learns"
    assert tokenizer.decode(tokenizer.encode(text)) == text
    assert tokenizer.encode_batch([text, ""]) == [tokenizer.encode(text), []]
    assert tokenizer.name == "words" and tokenizer.end == 0
    assert max(tokenizer.encode(text)) < tokenizer.vocab_size <= 300


def test_a_text_that_spells_the_end_out_does_not_end(tokenizer_file: Path) -> None:
    tokenizer = load_tokenizer(str(tokenizer_file))
    assert tokenizer.end not in tokenizer.encode("a <|endoftext|> b")
    assert tokenizer.decode([0]) == "<|endoftext|>"


def test_a_folder_has_the_tokenizer_that_was_saved_in_it(
    tokenizer_file: Path, tmp_path: Path
) -> None:
    tokenizer = load_tokenizer(str(tokenizer_file))
    assert isinstance(tokenizer_of(tmp_path), ByteTokenizer)
    tokenizer.save(tmp_path)
    assert tokenizer_of(tmp_path).sha256 == tokenizer.sha256
    named = tmp_path / "mine"
    named.mkdir()
    shutil.copy(tokenizer_file, named / "tokenizer.json")
    assert load_tokenizer(str(named)).name == "mine"


def test_missing_and_broken_ones_are_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken.json").write_text("{}")
    with pytest.raises(UserError, match=r"'broken' is not a tokenizer"):
        load_tokenizer(str(tmp_path / "broken.json"))
    with pytest.raises(UserError, match=r"no tokenizer 'gone.json'"):
        load_tokenizer("gone.json")
    monkeypatch.setattr("asi_arch.data.tokenizer._download", _no_network)
    with pytest.raises(UserError, match=r"'gpt2' from Hugging Face.*path of a tokenizer.json"):
        load_tokenizer("gpt2")


def _no_network(name: str) -> str:
    raise OSError("no network")
