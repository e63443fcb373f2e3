"""Which submodule the future enters: the first whose output before t moves."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from asi_arch.verify.compare import TOLERANCE, relative_change
from asi_arch.verify.subject import State, Subject


@dataclass(frozen=True)
class Call:
    """What one call of a submodule was given and returned, in the order the calls ended."""

    name: str
    kind: str
    given: Tensor | None
    returned: Tensor | None


def entry_module(subject: Subject, state: State, batch: int, length: int, start: int) -> str:
    """Return where outputs before `start` first move, in words; empty where it cannot be told."""
    module = subject.build(state)
    inputs = subject.inputs(batch, length)
    replaced = torch.cat([inputs[:, :start], subject.inputs(batch, length, seed=1)[:, start:]], 1)
    before = _record(subject, module, inputs)
    after = _record(subject, module, replaced)
    for old, new in zip(before, after, strict=False):
        if old.name != new.name:
            return ""
        if _moved(old.returned, new.returned, length, start):
            where = f"{old.name} ({old.kind})"
            entered_before = _moved(old.given, new.given, length, start)
            return f"forward, ahead of {where}" if entered_before else where
    return f"forward of {subject.layer.__name__} itself" if before else ""


def _record(subject: Subject, module: nn.Module, inputs: Tensor) -> list[Call]:
    calls: list[Call] = []
    handles = [
        child.register_forward_hook(_hook(name, calls))
        for name, child in module.named_modules()
        if name
    ]
    subject.run(module, inputs)
    for handle in handles:
        handle.remove()
    return calls


def _hook(name: str, calls: list[Call]) -> Callable[[nn.Module, Any, Any], None]:
    def note(child: nn.Module, given: Any, returned: Any) -> None:
        calls.append(Call(name, type(child).__name__, _tensor(given), _tensor(returned)))

    return note


def _tensor(value: Any) -> Tensor | None:
    """Return a copy of the first floating tensor of an argument list or result."""
    values = value if isinstance(value, tuple | list) else (value,)
    found = next((v for v in values if isinstance(v, Tensor) and v.is_floating_point()), None)
    return None if found is None else found.detach().clone()


def _moved(before: Tensor | None, after: Tensor | None, length: int, start: int) -> bool:
    """Whether the part before `start` differs; time is dimension 1, else the last that fits."""
    if before is None or after is None or before.shape != after.shape:
        return False
    times = [d for d in (1, -1, -2) if before.dim() > 1 and before.shape[d] >= length]
    if not times:
        return False
    old, new = (value.narrow(times[0], 0, start) for value in (before, after))
    return relative_change(old, new, before) > TOLERANCE
