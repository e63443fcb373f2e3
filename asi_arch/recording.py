"""A campaign as JSON lines: what it was to do, what was added to its reading, and every call."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from asi_arch.backends.replay import RecordedCall, read_recording
from asi_arch.errors import UserError
from asi_arch.jobs.paths import brief, write_whole
from asi_arch.records import Campaign, Entry, Record
from asi_arch.store import Store

VERSION = 1


class Begun(Record):
    """An experiment that the campaign had begun."""

    id: int
    kind: str
    number: int


class Header(Record):
    """The first line: which campaign it was."""

    version: int
    name: str
    seed: int
    config: dict[str, Any]
    experiments: tuple[Begun, ...]


class Recording(Record):
    """All that is needed to run a campaign again without a model."""

    header: Header
    entries: tuple[Entry, ...]
    calls: tuple[RecordedCall, ...]


def save_recording(store: Store, campaign: Campaign, path: Path, force: bool = False) -> int:
    """Write a campaign to a file and return how many calls it holds.

    Raises:
        UserError: the file is there already, unless `force`, or cannot be written.
    """
    if path.exists() and not force:
        raise UserError(f"{path} is there already; name another file with --out, or add --force")
    lines = [json.dumps(line, ensure_ascii=False) for line in _lines(store, campaign)]
    try:
        write_whole(path, "\n".join(lines) + "\n")
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}") from error
    return sum('"kind": "call"' in line[:20] for line in lines)


def load_recording(path: Path) -> Recording:
    """Read what `save_recording` has written.

    Raises:
        UserError: it cannot be read, or a line is none of a recording; the sentence names it.
    """
    calls = read_recording(path)
    headers, entries = [], []
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), start=1):
        value = json.loads(line) if line.strip() else {}
        kind = value.pop("kind", None)
        try:
            if kind == "campaign":
                headers.append(Header.model_validate(value))
            elif kind == "entry":
                entries.append(Entry.model_validate(value))
        except ValidationError as error:
            raise UserError(f"{path}, line {number}: {brief(error)}; mend the line") from error
    if len(headers) != 1 or headers[0].version != VERSION:
        raise UserError(
            f"{path} is no recording of a campaign: write one with asi-arch calls --out FILE"
        )
    return Recording(header=headers[0], entries=tuple(entries), calls=calls)


def _lines(store: Store, campaign: Campaign) -> Iterator[dict[str, Any]]:
    begun = sorted(store.experiments(campaign.id), key=lambda experiment: experiment.id)
    header = Header(
        version=VERSION,
        name=campaign.name,
        seed=campaign.seed,
        config=campaign.config,
        experiments=tuple(Begun(id=e.id, kind=e.kind, number=e.number) for e in begun),
    )
    yield {"kind": "campaign", **header.model_dump(mode="json")}
    for entry in store.knowledge():
        if entry.source:
            yield {"kind": "entry", **entry.model_dump(mode="json")}
    yield from _calls(store, campaign)


def _calls(store: Store, campaign: Campaign) -> Iterator[dict[str, Any]]:
    """Yield the calls that ended; a failed one that was asked again and answered is left out."""
    calls = store.calls(campaign.id)
    answered = {call.key for call in calls if call.status == "answered"}
    for call in calls:
        if call.status == "answered" or (call.status == "failed" and call.key not in answered):
            fields = call.model_dump(mode="json", exclude={"id", "status", "created"})
            yield {"kind": "call", **fields}
