"""Count what operations do and hold, the same every time: no clock, no process memory.

Sees what passes through torch. What leaves it (NumPy, lists) is named instead of counted; memory
that an operation takes and gives back inside itself is not seen.
"""

import math
import sys
import weakref
from collections import Counter
from collections.abc import Callable, Mapping, Sequence, Set
from types import FrameType
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from asi_arch.train.layer import ContractError, program_line
from asi_arch.verify.trace import calling_frame

MOST_CALLS = 200_000
"""So many torch calls in one forward are a loop over pairs of tokens; nobody waits for its end."""

_SORTED = {"sort", "argsort", "topk", "msort"}
_TRANSFORMED = {"_fft_r2c", "_fft_c2r", "_fft_c2c"}
_SOLVED = {
    *("linalg_solve_triangular", "triangular_solve", "_linalg_solve_ex", "cholesky_solve"),
    *("linalg_inv_ex", "linalg_cholesky_ex", "linalg_lu_factor_ex", "linalg_lu", "linalg_qr"),
    *("_linalg_svd", "_linalg_eigh", "linalg_eig", "linalg_matrix_exp", "_linalg_det"),
}


class Meter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the work of every torch operation, and the most bytes that were held at once.

    Work is floating-point operations where there is a formula (matrix products, convolutions,
    attention, solvers, Fourier transforms, sorting), and else the elements that an operation reads
    and writes.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.work = 0
        self.peak_bytes = 0
        self._bytes = 0
        self._held: set[int] = set()

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Run an operation and count it."""
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        inputs, outputs = [*_tensors(args), *_tensors(kwargs)], _tensors(result)
        given = {tensor.untyped_storage()._cdata for tensor in inputs}
        made = [tensor for tensor in outputs if self._hold(tensor, given)]
        counted = _operations(func, args, kwargs, result)
        if counted is not None:
            self.work += counted
        elif made or func._schema.is_mutable:
            self.work += sum(tensor.numel() for tensor in (*inputs, *outputs))
        return result

    def _hold(self, tensor: Tensor, given: Set[int]) -> bool:
        """Note the memory of a tensor until it is freed; False for a view of what was given."""
        storage = tensor.untyped_storage()
        key, size = storage._cdata, storage.nbytes()
        if key in self._held or key in given:
            return False
        self._held.add(key)
        self._bytes += size
        self.peak_bytes = max(self.peak_bytes, self._bytes)
        weakref.finalize(storage, self._release, key, size)
        return True

    def _release(self, key: int, size: int) -> None:
        self._held.discard(key)
        self._bytes -= size


def _operations(
    func: Any, args: Sequence[Any], kwargs: Mapping[str, Any], result: Any
) -> int | None:
    """Return the floating-point operations of what has a formula, else None."""
    formula = flop_registry.get(func._overloadpacket)
    if formula is not None:
        return int(formula(*args, **kwargs, out_val=result))
    name = func._overloadpacket.__name__
    given = _tensors(args)
    if "scaled_dot_product" in name:
        query, key = given[:2]
        return 4 * query.numel() * key.shape[-2]
    if name in _SOLVED:
        return given[0].shape[-1] * sum(tensor.numel() for tensor in given)
    if name in _TRANSFORMED:
        size = max(given[0].numel(), _tensors(result)[0].numel())
        return round(size * math.log2(max(2, math.prod(given[0].shape[d] for d in args[1]))))
    if name in _SORTED and given[0].dim():
        return round(given[0].numel() * math.log2(max(2, *given[0].shape)))
    return None


def _tensors(value: Any) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, dict):
        return _tensors(list(value.values()))
    if isinstance(value, list | tuple):
        return [tensor for item in value for tensor in _tensors(item)]
    return []


_EXITS = ("numpy", "tolist", "__array__", "__dlpack__")


class Calls(TorchFunctionMode):
    """Counts how often each place of a program asks torch for something.

    A place is an instruction, of the program or of what it calls, and the module it belongs to.
    """

    def __init__(self, module_name: str, length: int) -> None:
        super().__init__()
        self.module_name = module_name
        self.length = length
        self.turns: Counter[tuple[Any, ...]] = Counter()
        self.lines: dict[tuple[Any, ...], str] = {}
        self.exits: list[str] = []
        self._total = 0

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Run the operation and count its place."""
        own = calling_frame(self.module_name)
        if own is not None:
            self._count(own, sys._getframe(1))
            if self._leaves(func, args):
                self.exits.append(program_line(own, own.f_lineno))
        return func(*args, **(kwargs or {}))

    def _count(self, own: FrameType, caller: FrameType) -> None:
        part = 0 if caller is own else id(caller.f_locals.get("self"))
        place = (own.f_code, own.f_lasti, caller.f_code, caller.f_lasti, part)
        if place not in self.lines:
            self.lines[place] = program_line(own, own.f_lineno)
        self.turns[place] += 1
        self._total += 1
        if self._total > MOST_CALLS:
            raise ContractError(
                f"more than {MOST_CALLS:,} torch calls for {self.length} tokens",
                evidence=self.lines[place],
                hint="Write the loops over tokens as matrix products over chunks.",
            )

    def _leaves(self, func: Callable[..., Any], args: Sequence[Any]) -> bool:
        """Whether values of all tokens leave torch."""
        if getattr(func, "__name__", "") not in _EXITS or not isinstance(args[0], Tensor):
            return False
        is_number = args[0].dtype not in (torch.bool, torch.int64)
        return is_number and args[0].numel() >= self.length
