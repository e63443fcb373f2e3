"""Text to token ids and back: bytes, or any tokenizer that the `tokenizers` library reads."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from asi_arch.errors import UserError

if TYPE_CHECKING:
    import tokenizers

TOKENIZER_FILE = "tokenizer.json"
_ENDS = ("<|endoftext|>", "<|end_of_text|>", "</s>", "<eos>", "<|im_end|>", "[SEP]")


class Tokenizer(Protocol):
    """What turns text into ids below `vocab_size`; `end` is the id that ends a text, if any."""

    name: str
    vocab_size: int
    end: int | None
    sha256: str

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text, with no special ids around them."""

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the ids of each text."""

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of ids; what is no text becomes a replacement character."""

    def save(self, folder: Path) -> None:
        """Leave in `folder` what `tokenizer_of` needs, nothing for bytes."""


class ByteTokenizer:
    """UTF-8, one byte a token."""

    name = "bytes"
    vocab_size = 256
    end: int | None = None
    sha256 = hashlib.sha256(b"bytes").hexdigest()

    def encode(self, text: str) -> list[int]:
        """Return the bytes of a text; half a surrogate pair, which has none, becomes `?`."""
        return list(text.encode(errors="replace"))

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the bytes of each text."""
        return [self.encode(text) for text in texts]

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of bytes."""
        return bytes(ids).decode(errors="replace")

    def save(self, folder: Path) -> None:
        """Bytes need no file."""


class FileTokenizer:
    """A tokenizer of the `tokenizers` library; `definition` is its tokenizer.json."""

    def __init__(self, name: str, definition: str) -> None:
        self.name = name
        self.sha256 = hashlib.sha256(definition.encode()).hexdigest()
        self._definition = definition
        self._tokenizer = _parse(name, definition)
        vocabulary = self._tokenizer.get_vocab(with_added_tokens=True)
        self.vocab_size = max(vocabulary.values(), default=-1) + 1
        self.end = next((vocabulary[end] for end in _ENDS if end in vocabulary), None)

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text."""
        return self.encode_batch([text])[0]

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the ids of each text."""
        found = self._tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
        return [encoding.ids for encoding in found]

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of ids, special ones included."""
        return self._tokenizer.decode(list(ids), skip_special_tokens=False)

    def definition(self) -> dict[str, Any]:
        """Return its tokenizer.json with everything that older files leave out."""
        return dict(json.loads(self._tokenizer.to_str()))

    def save(self, folder: Path) -> None:
        """Write tokenizer.json."""
        (folder / TOKENIZER_FILE).write_text(self._definition, encoding="utf-8", newline="")


def load_tokenizer(name: str) -> Tokenizer:
    """Return "bytes", that of a tokenizer.json or a folder with one, or a Hugging Face name.

    Raises:
        UserError: there is none, or it cannot be read or fetched.
    """
    if name == ByteTokenizer.name:
        return ByteTokenizer()
    path = Path(name).expanduser()
    if path.is_dir():
        path = path / TOKENIZER_FILE
    if path.is_file():
        return FileTokenizer(_short(path), _read(path))
    if path.suffix == ".json" or path.name == TOKENIZER_FILE:
        raise UserError(f"there is no tokenizer {name!r}; name a tokenizer.json that is there")
    return FileTokenizer(name, _fetch(name))


def tokenizer_of(folder: Path) -> Tokenizer:
    """Return the tokenizer of a prepared data folder."""
    return load_tokenizer(str(folder) if (folder / TOKENIZER_FILE).is_file() else "bytes")


def _short(path: Path) -> str:
    """Return what a file is called, without the place where it lies."""
    return path.stem if path.name != TOKENIZER_FILE else path.resolve().parent.name


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read the tokenizer {path}: {error}; name a valid one") from error


def _parse(name: str, definition: str) -> "tokenizers.Tokenizer":
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_str(definition)
    except Exception as error:
        raise UserError(f"{name!r} is not a tokenizer: {error}; name a tokenizer.json") from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    tokenizer.encode_special_tokens = True  # a text that spells one out does not end there
    return tokenizer


def _fetch(name: str) -> str:
    try:
        return _download(name)
    except Exception as error:
        raise UserError(
            f"cannot get the tokenizer {name!r} from Hugging Face; check its name and the network, "
            "or give the path of a tokenizer.json"
        ) from error


def _download(name: str) -> str:
    from tokenizers import Tokenizer

    return Tokenizer.from_pretrained(name).to_str()
