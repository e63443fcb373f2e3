"""Tokenizer files that `transformers` reads."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asi_arch.data.tokenizer import TOKENIZER_FILE, ByteTokenizer, Tokenizer

if TYPE_CHECKING:
    import tokenizers

_CONFIG = {
    "tokenizer_class": "PreTrainedTokenizerFast",
    "model_input_names": ["input_ids", "attention_mask"],
}


def write_tokenizer(tokenizer: Tokenizer, folder: Path) -> None:
    """Write tokenizer.json and tokenizer_config.json; the end of a text pads too."""
    if isinstance(tokenizer, ByteTokenizer):
        made = byte_tokenizer()
        made.save(str(folder / TOKENIZER_FILE))
        end: str | None = made.id_to_token(0)
    else:
        tokenizer.save(folder)
        end = None if tokenizer.end is None else tokenizer.decode([tokenizer.end])
    config: dict[str, Any] = {**_CONFIG, "clean_up_tokenization_spaces": False}
    if end is not None:
        config |= {"eos_token": end, "pad_token": end}
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=1) + "\n")


def byte_tokenizer() -> "tokenizers.Tokenizer":
    """Return a tokenizer whose 256 ids are the bytes; byte 0, which no text has, ends and pads."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    made = Tokenizer(models.BPE(vocab={_sign(b): b for b in range(256)}, merges=[]))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    made.decoder = decoders.ByteLevel()
    return made


def _sign(byte: int) -> str:
    """Return the printable character by which byte-level tokenizers write a byte."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    if byte in printable:
        return chr(byte)
    return chr(256 + sorted(set(range(256)) - set(printable)).index(byte))
