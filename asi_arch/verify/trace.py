"""Which line of the program the future enters at: the first whose result before t moves."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any

from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from asi_arch.train.layer import program_line
from asi_arch.verify.compare import relative_change
from asi_arch.verify.subject import Subject


@dataclass(frozen=True)
class Step:
    """The result of one torch operation, the line of the program and the submodule it is from."""

    line: str
    part: str
    result: Tensor


class Recorder(TorchFunctionMode):
    """Keeps every floating-point result that has a dimension of `length`."""

    def __init__(self, module_name: str, length: int) -> None:
        super().__init__()
        self.module_name = module_name
        self.length = length
        self.steps: list[Step] = []
        self.parts: list[str] = []

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Run the operation and keep a copy of what it returns."""
        result = func(*args, **(kwargs or {}))
        if self._has_time(result):
            line = calling_line(self.module_name)
            self.steps.append(
                Step(line, self.parts[-1] if self.parts else "", result.detach().clone())
            )
        return result

    def _has_time(self, result: Any) -> bool:
        floats = isinstance(result, Tensor) and result.is_floating_point()
        return floats and self.length in result.shape[1:]


def entry_line(
    subject: Subject, module: nn.Module, inputs: Tensor, replaced: Tensor, start: int
) -> str:
    """Return the line where results before `start` first differ; empty where none can be told.

    Results without a time dimension are not looked at, so a statistic over time shows on the
    line that uses it.
    """
    before, after = (_record(subject, module, values) for values in (inputs, replaced))
    for old, new in zip(before, after, strict=False):
        if old.line != new.line or old.result.shape != new.result.shape:
            return ""
        change = _change(old.result, new.result, inputs.shape[1], start)
        if change > subject.state.tolerance:
            return f"{old.line} (submodule {old.part})" if old.part else old.line
    return ""


def _record(subject: Subject, module: nn.Module, inputs: Tensor) -> list[Step]:
    recorder = Recorder(subject.layer.__module__, inputs.shape[1])
    with recorder, _named_parts(module, recorder.parts):
        subject.run(module, inputs)
    return recorder.steps


@contextmanager
def _named_parts(module: nn.Module, parts: list[str]) -> Iterator[None]:
    """Keep the names of the submodules that are being called, outermost first, in `parts`."""
    handles = []
    for name, part in module.named_modules():
        handles.append(part.register_forward_pre_hook(lambda *_, name=name: parts.append(name)))
        handles.append(part.register_forward_hook(lambda *_: (parts.pop(), None)[1]))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def calling_line(module_name: str) -> str:
    """Return the line of the program that is being executed, empty where none is."""
    frame = calling_frame(module_name)
    return "" if frame is None else program_line(frame, frame.f_lineno)


def calling_frame(module_name: str) -> FrameType | None:
    """Return the innermost frame of the program, None where it is not being executed."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_globals.get("__name__") != module_name:
        frame = frame.f_back
    return frame


def _change(before: Tensor, after: Tensor, length: int, start: int) -> float:
    """How far the part before `start` of every dimension as long as the sequence has moved."""
    part = tuple(slice(start) if n == length else slice(None) for n in before.shape[1:])
    index = (slice(None), *part)
    return relative_change(before[index], after[index], before)
