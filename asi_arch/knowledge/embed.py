"""Vectors of entries and queries, from any server that speaks OpenAI's embeddings protocol."""

import hashlib
import math
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import urlsplit

from pydantic import BaseModel, Field, FiniteFloat, ValidationError

from asi_arch.errors import BackendError, UserError
from asi_arch.knowledge.clean import clean
from asi_arch.records import Embedding, Entry

if TYPE_CHECKING:
    from asi_arch.store import Store

Vector: TypeAlias = tuple[float, ...]

OFFICIAL = "https://api.openai.com/v1"
_BATCH = 64
_TIMEOUT = 120.0  # seconds
_LONGEST = (
    6_000  # characters of a text that is embedded; many models read no more than 2,000 tokens
)


class _Item(BaseModel):
    embedding: list[FiniteFloat] = Field(min_length=1)
    index: int = 0


class _Answer(BaseModel):
    data: list[_Item] = Field(min_length=1)

    def vectors(self) -> list[Vector]:
        """The vectors in the order of the texts."""
        return [tuple(item.embedding) for item in sorted(self.data, key=lambda item: item.index)]


class OpenAIEmbedder:
    """Asks one model at one base URL; vectors of entries are kept in the store, if there is one.

    The key is OPENAI_API_KEY; the base URL is the one given, else OPENAI_BASE_URL, else the
    official service, which alone insists on a key.
    """

    def __init__(self, model: str, base_url: str = "", store: "Store | None" = None) -> None:
        self.model = model
        self.base_url = base_url or os.environ.get("OPENAI_BASE_URL") or OFFICIAL
        self._key = os.environ.get("OPENAI_API_KEY", "")
        self._store = store
        self._known = store.embeddings(model) if store is not None else {}
        self._check()

    def similarities(self, query: str, entries: Sequence[Entry]) -> list[float]:
        """Return the cosine of the query and of each entry.

        Raises:
            BackendError: the server gives no vectors.
        """
        (asked,) = self._embed([clean(query)])
        return [_cosine(asked, vector) for vector in self._vectors(entries, len(asked))]

    def _vectors(self, entries: Sequence[Entry], size: int) -> list[Vector]:
        """Return the vectors of entries; what is new, changed or of another size is embedded."""
        texts = {entry.id: _text(entry) for entry in entries}
        digests = {id: hashlib.sha256(text.encode()).hexdigest() for id, text in texts.items()}
        new = [id for id, digest in digests.items() if not self._has(id, digest, size)]
        for start in range(0, len(new), _BATCH):
            batch = new[start : start + _BATCH]
            vectors = self._embed([texts[id] for id in batch], size)
            self._keep({id: _kept(digests[id], v) for id, v in zip(batch, vectors, strict=True)})
        return [self._known[entry.id].vector for entry in entries]

    def _has(self, id: str, digest: str, size: int) -> bool:
        known = self._known.get(id)
        return known is not None and known.digest == digest and len(known.vector) == size

    def _keep(self, embeddings: dict[str, Embedding]) -> None:
        self._known |= embeddings
        if self._store is not None:
            self._store.save_embeddings(self.model, embeddings)

    def _embed(self, texts: Sequence[str], size: int = 0) -> list[Vector]:
        """Return a unit vector for each text; all have `size` numbers, if that is known."""
        import openai

        try:
            with openai.OpenAI(
                api_key=self._key or "none", base_url=self.base_url, timeout=_TIMEOUT
            ) as client:
                body = {"model": self.model, "input": list(texts), "encoding_format": "float"}
                answer = client.post("/embeddings", body=body, cast_to=str)
            vectors = _Answer.model_validate_json(answer).vectors()
        except openai.OpenAIError as error:
            raise BackendError(self._explain(error)) from error
        except ValidationError as error:
            raise BackendError(self._no_vectors()) from error
        if len(vectors) != len(texts) or {len(v) for v in vectors} != {size or len(vectors[0])}:
            raise BackendError(self._no_vectors())
        return [_unit(vector) for vector in vectors]

    def _no_vectors(self) -> str:
        return (
            f"{self.base_url} gave no vectors; is {self.model!r} a model of embeddings, and does "
            "the URL end in /v1?"
        )

    def _check(self) -> None:
        parts = urlsplit(self.base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UserError(
                f"embedding URL {self.base_url!r} is not valid; write it as "
                "http://localhost:8000/v1"
            )
        if parts.hostname == urlsplit(OFFICIAL).hostname and not self._key:
            raise UserError(
                "OPENAI_API_KEY is not set; export it, or name another server with --embedding-url"
            )

    def _explain(self, error: Exception) -> str:
        import openai

        match error:
            case openai.AuthenticationError() | openai.PermissionDeniedError():
                fix = "refused the key; set OPENAI_API_KEY to a key that is valid there"
            case openai.NotFoundError():
                fix = f"has no embeddings, or no model {self.model!r}; the URL often ends in /v1"
            case openai.APITimeoutError():
                fix = f"did not answer within {_TIMEOUT:.0f} seconds; is it overloaded?"
            case openai.APIConnectionError():
                fix = "cannot be reached; start the server or correct --embedding-url"
            case _:
                fix = "gave no embeddings"
        reason = (str(error).splitlines() or [type(error).__name__])[0][:300]
        return f"{self.base_url} {fix} ({reason})"


def _text(entry: Entry) -> str:
    return f"{entry.title}\n{', '.join(entry.tags)}\n{entry.text}"[:_LONGEST]


def _kept(digest: str, vector: Vector) -> Embedding:
    return Embedding(digest=digest, vector=vector)


def _unit(vector: Vector) -> Vector:
    length = math.sqrt(sum(x * x for x in vector))
    return tuple(x / length for x in vector) if length > 0 else vector


def _cosine(one: Vector, other: Vector) -> float:
    return sum(x * y for x, y in zip(one, other, strict=True))
