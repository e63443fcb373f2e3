"""The memory for words gives what the tokenizer gives."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

from asi_arch.data.tokenizer import FileTokenizer, load_tokenizer
from asi_arch.data.words import _PATTERNS, WordMemory, keeps_words_apart

SAMPLE = (
    "It's the model's text, isn't it?  two  spaces\n\n  and 12345 numbers \t tabs a1 b2 ... x=y "
    "naïve café 你好 世界 \u00a0 no-break\r\nend "
)


def trained(
    cutter: pre_tokenizers.PreTokenizer, normalizer: normalizers.Normalizer | None = None
) -> FileTokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = cutter
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    trainer = trainers.BpeTrainer(
        vocab_size=600,
        special_tokens=["<|endoftext|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([SAMPLE] * 5, trainer)
    return FileTokenizer("words", tokenizer.to_str())


def cutting(pattern: str) -> pre_tokenizers.PreTokenizer:
    from tokenizers import Regex

    return pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(pattern), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )


KNOWN = {
    "gpt2": trained(pre_tokenizers.ByteLevel(add_prefix_space=False)),
    **{str(n): trained(cutting(p), normalizers.NFC()) for n, p in enumerate(_PATTERNS)},
}


@pytest.mark.parametrize("name", KNOWN)
@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [*" \n\t\r'.,a1é", "  ", "'s", "word", " two", "\u0301", "\u00a0", "\x1c", "\x85", "好"]
        ),
        max_size=30,
    ).map("".join)
)
def test_any_text_is_the_words_in_a_row(name: str, text: str) -> None:
    tokenizer = KNOWN[name]
    assert keeps_words_apart(tokenizer)
    memory = WordMemory(tokenizer, "uint16")
    for _ in range(2):
        (found,) = memory.encode_batch([text])
        assert found.tolist() == tokenizer.encode(text)


def test_words_that_are_known_are_not_encoded_again() -> None:
    tokenizer = KNOWN["gpt2"]
    memory = WordMemory(tokenizer, "uint16")
    first = memory.encode_batch([SAMPLE, SAMPLE])
    memory._tokenizer = None  # type: ignore[assignment]
    memory._learn = lambda words: None if not words else 1 / 0  # type: ignore[assignment]
    assert [row.tolist() for row in memory.encode_batch([SAMPLE])] == [first[0].tolist()]


def test_the_memory_is_emptied_when_it_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("asi_arch.data.words._MOST_CHARACTERS", 10)
    memory = WordMemory(KNOWN["gpt2"], "uint32")
    for _ in range(2):
        assert memory.encode_batch([SAMPLE])[0].tolist() == KNOWN["gpt2"].encode(SAMPLE)
        assert not memory._known


def test_other_tokenizers_are_not_cut_at_spaces(tokenizer_file: Path) -> None:
    assert keeps_words_apart(load_tokenizer(str(tokenizer_file)))
    assert not keeps_words_apart(load_tokenizer("bytes"))
    definition = json.loads(tokenizer_file.read_text())
    for change in (
        {"normalizer": {"type": "Lowercase"}},
        {"pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True}},
        {"pre_tokenizer": None},
        {"added_tokens": [dict(definition["added_tokens"][0], special=False)]},
    ):
        assert not keeps_words_apart(FileTokenizer("other", json.dumps(definition | change)))


def test_older_files_leave_things_out(tokenizer_file: Path) -> None:
    definition = json.loads(tokenizer_file.read_text())
    del definition["pre_tokenizer"]["use_regex"], definition["model"]["dropout"]
    assert keeps_words_apart(FileTokenizer("old", json.dumps(definition)))
