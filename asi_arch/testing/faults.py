"""What goes wrong at the local server, on demand."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, get_args

from asi_arch.testing.protocol import Json

Kind: TypeAlias = Literal["", "reset", "hang", "truncate", "garbage"]


@dataclass(frozen=True)
class Fault:
    """What goes wrong with one request.

    `kind` is "reset" (the socket closes in mid-answer), "hang" (no answer for longer than a client
    waits), "truncate" (half of the JSON) or "garbage" (HTML with status 200); without a kind the
    answer is an error with this status, and 200 is no fault. `headers` go with it, for instance
    Retry-After; `body` takes the place of the error, or of the answer where the status is 200.
    """

    kind: Kind = ""
    status: int = 200
    message: str = ""
    code: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Json | None = None


AnyFault: TypeAlias = Fault | int | str
Faults: TypeAlias = Sequence[AnyFault] | Callable[[int, Json], AnyFault]


def chosen_fault(faults: Faults, number: int, body: Json) -> Fault:
    """Return what goes wrong with a request; status 200 means nothing."""
    if callable(faults):
        return _read(faults(number, body))
    return _read(faults[number]) if number < len(faults) else Fault()


def _read(fault: AnyFault) -> Fault:
    if isinstance(fault, Fault):
        return fault
    if isinstance(fault, int):
        return Fault(status=fault)
    for kind in get_args(Kind):
        if kind == fault:
            return Fault(kind=kind)
    return Fault(status=418, message=f"there is no fault {fault!r}; see Fault")
