"""Prepare a folder of tokens from any source; a killed preparation goes on where it stood."""

import errno
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np

from asi_arch.data.encode import SPLIT_RULE, Encoded, Rules
from asi_arch.data.manifest import (
    SPLITS,
    Manifest,
    Overlap,
    Overlaps,
    Source,
    SourceFile,
    TokenizerFacts,
    manifest_file,
    part,
    read_manifest,
    smallest_dtype,
    write_manifest,
)
from asi_arch.data.request import Request, State, claim, drop_state, read_state, write_state
from asi_arch.data.shards import PartWriter, tidy
from asi_arch.data.sources import Place, hub_revision, read_documents
from asi_arch.data.tokenizer import TOKENIZER_FILE, ByteTokenizer, Tokenizer, load_tokenizer
from asi_arch.data.unigram import unigram_loss
from asi_arch.data.workers import Batch, encode_all, in_batches
from asi_arch.errors import UserError
from asi_arch.records import Record

CHECKPOINT_TOKENS = 2**24
_LISTED = 1000

Progress = Callable[[int], object]


class Prepared(Record):
    """A finished folder; `fresh` says whether this call had anything to do."""

    manifest: Manifest
    fresh: bool


def prepare_folder(
    request: Request, folder: Path, jobs: int = 1, on_tokens: Progress = lambda tokens: None
) -> Prepared:
    """Prepare `folder`, or go on with it; `on_tokens` is told how many tokens there are.

    The same request gives the same bytes, whatever `jobs` is and however often it was killed.

    Raises:
        UserError: the folder is something else, or the source or the tokenizer cannot be used.
    """
    with _full_disk_explained(folder):
        claim(folder, request)
        fresh = not manifest_file(folder).exists()
        if fresh:
            with closing(_Preparation(request, folder)) as preparation:
                preparation.run(jobs, on_tokens)
                preparation.finish()
        for split in SPLITS:
            tidy(part(folder, split))
        drop_state(folder)
    return Prepared(manifest=read_manifest(folder), fresh=fresh)


class _Preparation:
    """One process at work on a folder."""

    def __init__(self, request: Request, folder: Path) -> None:
        self._request, self._folder = request, folder
        self._tokenizer = load_tokenizer(request.tokenizer)
        self._tokenizer.save(folder)
        self._state = read_state(folder) or _first_state(request, self._tokenizer)
        _require_same(self._tokenizer, self._state, folder)
        self._dtype = smallest_dtype(self._tokenizer.vocab_size)
        self._writers = {
            split: PartWriter(
                part(folder, split), self._dtype, request.shard_tokens, getattr(self._state, split)
            )
            for split in SPLITS
        }
        self._saved = self._tokens
        write_state(folder, self._state)

    @property
    def _tokens(self) -> int:
        return sum(writer.done.tokens for writer in self._writers.values())

    @property
    def _is_enough(self) -> bool:
        return self._request.tokens is not None and self._tokens >= self._request.tokens

    def run(self, jobs: int, on_tokens: Progress) -> None:
        """Add documents until there are enough or no more."""
        if self._is_enough:
            return
        source = self._request.source.model_copy(update={"revision": self._state.revision})
        documents = read_documents(source, self._request.text_column, self._state.place)
        with closing(encode_all(in_batches(documents), self._rules(), jobs)) as encoded:
            for batch, documents_of_batch in encoded:
                self._add(batch, documents_of_batch)
                on_tokens(self._tokens)
                if self._is_enough:
                    return
                if self._tokens - self._saved >= CHECKPOINT_TOKENS:
                    self._save()

    def finish(self) -> None:
        """Close both parts and write the manifest.

        Raises:
            UserError: a part is empty.
        """
        self._save()
        self._refuse_empty()
        parts = {s: self._writers[s].finish(self._tokenizer.vocab_size) for s in SPLITS}
        manifest = Manifest(
            source=_without_places(self._request.source, self._state.revision),
            text_column=self._request.text_column,
            tokenizer=TokenizerFacts.model_validate(self._tokenizer, from_attributes=True),
            dtype=self._dtype,
            heldout_percent=self._request.heldout_percent,
            split_rule=SPLIT_RULE,
            train=parts["train"],
            heldout=parts["heldout"],
            overlaps=self._overlaps(),
            references={"unigram": unigram_loss(self._folder)},
        )
        write_manifest(self._folder, manifest)

    def close(self) -> None:
        """Let go of the files."""
        for writer in self._writers.values():
            writer.close()

    def _rules(self) -> Rules:
        is_bytes = self._tokenizer.name == ByteTokenizer.name
        return Rules(
            tokenizer=ByteTokenizer.name if is_bytes else str(self._folder / TOKENIZER_FILE),
            dtype=self._dtype,
            heldout_percent=self._request.heldout_percent,
            benchmarks=tuple(Path(file.path) for file in self._request.benchmarks),
        )

    def _add(self, batch: Batch, encoded: Encoded) -> None:
        """Add the documents of a batch up to the one that makes it enough."""
        wanted = np.ones(len(encoded.lengths), bool)
        if self._request.drop_overlaps:
            wanted[list(encoded.matches)] = False
        count = self._enough(np.where(wanted, encoded.lengths, 0))
        wanted[count:] = False
        for split in SPLITS:
            chosen = wanted & (encoded.heldout == (split == "heldout"))
            ids = encoded.ids[np.repeat(chosen, encoded.lengths)]
            size = int(encoded.sizes[chosen].sum())
            self._writers[split].add(ids, encoded.lengths[chosen], size)
        self._note(encoded, count, batch.end)

    def _enough(self, lengths: np.ndarray[tuple[int], np.dtype[np.int64]]) -> int:
        """Return how many of the documents are needed."""
        if self._request.tokens is None:
            return len(lengths)
        missing = self._request.tokens - self._tokens
        return int(np.searchsorted(np.cumsum(lengths), missing)) + 1

    def _note(self, encoded: Encoded, count: int, end: Place) -> None:
        """Remember where reading goes on and which documents overlap with benchmarks."""
        state, found = self._state, {n: m for n, m in encoded.matches.items() if n < count}
        new = [
            Overlap(
                document=state.documents + number,
                split="heldout" if encoded.heldout[number] else "train",
                benchmark=Path(self._request.benchmarks[match.benchmark].path).name,
                item=match.item,
                shared=match.shared,
            )
            for number, match in found.items()
        ]
        self._state = state.model_copy(
            update={
                "place": end,
                "documents": state.documents + min(count, len(encoded.lengths)),
                "overlapping": state.overlapping + len(found),
                "overlaps": (*state.overlaps, *new)[:_LISTED],
            }
        )

    def _save(self) -> None:
        parts = {str(split): self._writers[split].checkpoint() for split in SPLITS}
        self._state = self._state.model_copy(update=parts)
        write_state(self._folder, self._state)
        self._saved = self._tokens

    def _refuse_empty(self) -> None:
        if not self._state.documents:
            raise UserError("the source holds no text; see --files, --split and --text-column")
        for split in SPLITS:
            if not self._writers[split].done.documents:
                raise UserError(
                    f"none of {self._state.documents} documents is in the part {split!r}; remove "
                    f"{self._folder} and give more documents or another --heldout-percent than "
                    f"{self._request.heldout_percent:g}"
                )

    def _overlaps(self) -> Overlaps:
        return Overlaps(
            benchmarks=tuple(map(_without_place, self._request.benchmarks)),
            documents=self._state.overlapping,
            dropped=self._request.drop_overlaps,
            found=self._state.overlaps,
        )


def _first_state(request: Request, tokenizer: Tokenizer) -> State:
    source = request.source
    asked = source.kind == "huggingface"
    revision = hub_revision(source.name, source.revision) if asked else ""
    return State(revision=revision, tokenizer_sha256=tokenizer.sha256)


def _require_same(tokenizer: Tokenizer, state: State, folder: Path) -> None:
    if tokenizer.sha256 != state.tokenizer_sha256:
        raise UserError(
            f"the tokenizer {tokenizer.name!r} has changed since {folder} was begun; remove the "
            "folder or name another --out"
        )


def _without_places(source: Source, revision: str) -> Source:
    """Return a source as it is on any machine."""
    files = tuple(map(_without_place, source.files))
    name = Path(source.name).name if Path(source.name).is_absolute() else source.name
    return source.model_copy(update={"name": name, "files": files, "revision": revision})


def _without_place(file: SourceFile) -> SourceFile:
    return file.model_copy(update={"path": Path(file.path).name})


@contextmanager
def _full_disk_explained(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise UserError(
            f"cannot write {folder}: {error.strerror}; free some space and run the same command "
            "again to go on"
        ) from error
