"""Answer as a recording says, without a model: what was asked before is answered as before."""

from collections import defaultdict, deque
from functools import lru_cache
from pathlib import Path
from typing import Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from asi_arch.errors import BackendError, UserError
from asi_arch.records import Reply, Request, RoleSettings

_Place: TypeAlias = tuple[int, str, str, int]


class RecordedCall(BaseModel):
    """One question of a recording and what came of it; members that are not named are let pass."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    kind: Literal["call"]
    experiment_id: int
    role: str
    task: str
    attempt: int = 0
    key: str = ""
    model: str | None = ""
    reply: str | None = ""
    prompt_tokens: int | None = Field(0, ge=0)
    cached_tokens: int | None = Field(0, ge=0)
    completion_tokens: int | None = Field(0, ge=0)
    cost: float | None = Field(None, ge=0)
    error: str | None = ""

    @property
    def place(self) -> _Place:
        """Which question of which experiment it was."""
        return (self.experiment_id, self.role, self.task, self.attempt)


class _Line(BaseModel):
    """A line of which only the kind is known."""

    kind: str


class ReplayBackend:
    """Answers from a recording of an earlier campaign, named by the base URL.

    A question with the same key gets the recorded answer. Else the next unused answer to the same
    task and attempt of the same experiment is given; `differing` counts how often. `calls` is how
    many answers there are.
    """

    def __init__(self, settings: RoleSettings) -> None:
        if not settings.base_url:
            raise UserError("no recording is named; add --base-url FILE (JSON lines of calls)")
        self.differing = 0
        self._file = Path(settings.base_url).expanduser()
        self._unused: dict[_Place, deque[RecordedCall]] = defaultdict(deque)
        self._by_key: dict[str, deque[RecordedCall]] = defaultdict(deque)
        recorded = read_recording(self._file)
        self.calls = len(recorded)
        for call in recorded:
            self._unused[call.place].append(call)
            if call.key:
                self._by_key[call.key].append(call)

    async def complete(self, request: Request) -> Reply:
        """Return the recorded answer.

        Raises:
            BackendError: the recorded one, or the recording does not answer the question.
        """
        call = self._same(request.key) or self._next(request)
        if call.error:
            raise BackendError(call.error)
        prompt = call.prompt_tokens or 0
        return Reply(
            text=call.reply or "",
            model=call.model or "",
            prompt_tokens=prompt,
            cached_tokens=min(call.cached_tokens or 0, prompt),
            completion_tokens=call.completion_tokens or 0,
            cost=call.cost,
        )

    def _same(self, key: str) -> RecordedCall | None:
        """Return the next answer to the very same question, the last one again and again."""
        calls = self._by_key.get(key)
        if not calls:
            return None
        call = calls[0] if len(calls) == 1 else calls.popleft()
        if call in self._unused[call.place]:
            self._unused[call.place].remove(call)
        return call

    def _next(self, request: Request) -> RecordedCall:
        place = (request.experiment_id, request.role, request.task, request.attempt)
        if not self._unused[place]:
            raise BackendError(
                f"the recording {self._file} does not answer the {request.role}'s question "
                f"{request.task!r}, attempt {request.attempt}, of experiment "
                f"{request.experiment_id}; replay with the configuration it was made with"
            )
        self.differing += 1
        return self._unused[place].popleft()


def read_recording(file: Path) -> tuple[RecordedCall, ...]:
    """Return the calls of a recording in order; lines of other kinds are passed over.

    Raises:
        UserError: the file cannot be read, or a line is none of a recording.
    """
    try:
        stat = file.stat()
        return _read(file, stat.st_mtime_ns, stat.st_size)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise UserError(
            f"cannot read the recording {file}: {reason}; name a file of JSON lines"
        ) from error


@lru_cache(maxsize=8)
def _read(file: Path, changed: int, size: int) -> tuple[RecordedCall, ...]:
    """Read a file once for all roles, until it changes."""
    lines = enumerate(file.read_text(encoding="utf-8").split("\n"), start=1)
    calls = (_call(file, number, line) for number, line in lines if line.strip())
    return tuple(call for call in calls if call is not None)


def _call(file: Path, number: int, line: str) -> RecordedCall | None:
    try:
        if _Line.model_validate_json(line).kind != "call":
            return None
        return RecordedCall.model_validate_json(line)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the line"
        raise UserError(
            f"{file}, line {number}: {where}: {first['msg']}; mend or remove the line"
        ) from error
