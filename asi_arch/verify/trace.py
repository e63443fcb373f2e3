"""Which line of the program the future enters at: the first whose result before t moves."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import FrameType
from typing import Any

from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from asi_arch.train.layer import program_line
from asi_arch.verify.compare import TOLERANCE, relative_change
from asi_arch.verify.subject import Subject


@dataclass(frozen=True)
class Step:
    """The result of one torch operation and the line of the program that asked for it."""

    line: str
    result: Tensor


class Recorder(TorchFunctionMode):
    """Keeps every floating-point result that has a dimension of `length`."""

    def __init__(self, module_name: str, length: int) -> None:
        super().__init__()
        self.module_name = module_name
        self.length = length
        self.steps: list[Step] = []

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
            self.steps.append(Step(line, result.detach().clone()))
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
        if _moved(old.result, new.result, inputs.shape[1], start):
            return old.line
    return ""


def _record(subject: Subject, module: nn.Module, inputs: Tensor) -> list[Step]:
    recorder = Recorder(subject.layer.__module__, inputs.shape[1])
    with recorder:
        subject.run(module, inputs)
    return recorder.steps


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


def _moved(before: Tensor, after: Tensor, length: int, start: int) -> bool:
    """Whether the part before `start` of every dimension as long as the sequence differs."""
    part = tuple(slice(start) if n == length else slice(None) for n in before.shape[1:])
    index = (slice(None), *part)
    return relative_change(before[index], after[index], before) > TOLERANCE
