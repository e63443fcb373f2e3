"""Count what operations do and hold, the same every time: no clock, no process memory."""

import weakref
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from asi_arch.train.layer import program_line
from asi_arch.verify.trace import calling_frame


class Meter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the work of every torch operation, and the most bytes that were held at once.

    Work is floating-point operations where torch has a formula (matrix products, convolutions),
    and else the elements that an operation reads and writes.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.work = 0
        self.peak_bytes = 0
        self._held: dict[int, int] = {}

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Run an operation and count it."""
        result = func(*args, **(kwargs or {}))
        formula = flop_registry.get(func._overloadpacket)
        made = [tensor for tensor in _tensors(result) if self._hold(tensor)]
        if formula is not None:
            self.work += int(formula(*args, **(kwargs or {}), out_val=result))
        elif "scaled_dot_product" in str(func):
            self.work += _attention_work(*args[:2])
        elif made or func._schema.is_mutable:
            self.work += sum(tensor.numel() for tensor in _tensors([args, kwargs, result]))
        return result

    def _hold(self, tensor: Tensor) -> bool:
        """Note the memory of a tensor until it is freed; False for a view of known memory."""
        storage = tensor.untyped_storage()
        key = storage._cdata
        if key in self._held:
            return False
        self._held[key] = storage.nbytes()
        self.peak_bytes = max(self.peak_bytes, sum(self._held.values()))
        weakref.finalize(storage, self._held.pop, key, None)
        return True


def _attention_work(query: Tensor, key: Tensor) -> int:
    """Operations of a fused attention: every query against every key, and the values."""
    return 4 * query.numel() * key.shape[-2]


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _tensors(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _tensors(item)


class LineCounter(TorchFunctionMode):
    """Counts how often each place of a program asks torch for something."""

    def __init__(self, module_name: str) -> None:
        super().__init__()
        self.module_name = module_name
        self.calls: Counter[tuple[str, int]] = Counter()

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Run the operation and count the line."""
        frame = calling_frame(self.module_name)
        if frame is not None:
            self.calls[program_line(frame, frame.f_lineno), frame.f_lasti] += 1
        return func(*args, **(kwargs or {}))
