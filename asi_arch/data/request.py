"""What a preparation was asked for and how far it has come, as files in its folder.

request.json    what was asked for; stays
state.json      how far it has come: written when the shards it speaks of are on the disk
"""

from pathlib import Path

from pydantic import Field

from asi_arch.data.manifest import Overlap, Part, Source, SourceFile
from asi_arch.data.shards import SHARD_TOKENS
from asi_arch.data.sources import Place
from asi_arch.errors import UserError
from asi_arch.jobs.paths import write_whole
from asi_arch.records import Record


class Request(Record):
    """What was asked for; the number of processes is no part of it."""

    source: Source
    text_column: str = "text"
    tokenizer: str = "bytes"
    tokens: int | None = Field(None, ge=1)
    heldout_percent: float = Field(1.0, gt=0, lt=100)
    shard_tokens: int = Field(SHARD_TOKENS, ge=1)
    benchmarks: tuple[SourceFile, ...] = ()
    drop_overlaps: bool = False


class State(Record):
    """How far a preparation has come, and with which commit and tokenizer it was begun."""

    revision: str
    tokenizer_sha256: str
    place: Place = Place()
    documents: int = 0
    train: Part = Part()
    heldout: Part = Part()
    overlapping: int = 0
    overlaps: tuple[Overlap, ...] = ()


def claim(folder: Path, request: Request) -> None:
    """Make a folder that of a request, or see that it is.

    Raises:
        UserError: it is something else, or was begun with another request.
    """
    path = folder / "request.json"
    if path.exists():
        if path.read_text() != _text(request):
            raise UserError(
                f"{folder} was begun with another command or from files that have changed since; "
                "give the same options, remove it, or name another --out"
            )
        return
    if folder.exists() and not _is_free(folder):
        raise UserError(f"{folder} exists and is something else; name another --out")
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(path, _text(request))


def read_state(folder: Path) -> State | None:
    """Return how far the preparation of a folder has come, None before it began."""
    try:
        return State.model_validate_json((folder / "state.json").read_text())
    except FileNotFoundError:
        return None


def write_state(folder: Path, state: State) -> None:
    """Say how far a preparation has come."""
    write_whole(folder / "state.json", state.model_dump_json())


def drop_state(folder: Path) -> None:
    """Forget how far a preparation has come, as it is finished."""
    (folder / "state.json").unlink(missing_ok=True)


def _text(request: Request) -> str:
    return request.model_dump_json(indent=1) + "\n"


def _is_free(folder: Path) -> bool:
    """Whether nothing is in the way; a process that died at once leaves a part of its request."""
    return folder.is_dir() and {path.name for path in folder.iterdir()} <= {"request.json.part"}
