"""The settings of torch, Python and the process that belong to everybody in it."""

import copyreg
import gc
import importlib
import locale
import logging
import os
import signal
import sys
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import torch

_FLAGS = {
    "torch.backends.cuda.matmul": ("allow_tf32", "allow_fp16_reduced_precision_reduction"),
    "torch.backends.cudnn": ("enabled", "benchmark", "deterministic", "allow_tf32"),
    "torch.backends.mkldnn": ("enabled", "deterministic"),
    "torch.backends.opt_einsum": ("enabled", "strategy"),
    "torch.backends.quantized": ("engine",),
    "torch.utils.deterministic": ("fill_uninitialized_memory",),
}


class _AtMost(Counter[str]):
    """Equal to an earlier count while nothing is on top of it: what others end is their doing."""

    def __eq__(self, earlier: object) -> bool:
        return isinstance(earlier, Counter) and not self - earlier

    def __ne__(self, earlier: object) -> bool:
        return not self == earlier

    __hash__ = None  # type: ignore[assignment]


def ambient() -> dict[str, Any]:
    """Return what everybody shares, by a name that fits behind `changes`."""
    return {**_numbers_of_torch(), **_modes_of_torch(), **_hooks(), **_python(), **_process()}


def _numbers_of_torch() -> dict[str, Any]:
    return {
        "the default dtype of torch": torch.get_default_dtype(),
        "the default device of torch": torch.get_default_device(),
        "the precision of float32 products": torch.get_float32_matmul_precision(),
        "torch's deterministic mode": (
            torch.get_deterministic_debug_mode(),
            torch.is_deterministic_algorithms_warn_only_enabled(),
        ),
        "the number of torch threads": torch.get_num_threads(),
        "what torch does with the smallest numbers": _tiny().item(),
        "what NumPy does with errors": np.geterr(),
        "the flags of torch.backends": _flags(),
    }


def _tiny() -> torch.Tensor:
    """Return a number that vanishes where torch flushes the smallest ones to zero."""
    return torch.full((1,), 1e-30) * 1e-10


def _flags() -> list[Any]:
    return [
        *(getattr(_module(name), flag) for name, flags in _FLAGS.items() for flag in flags),
        torch._C._get_flash_sdp_enabled(),
        torch._C._get_mem_efficient_sdp_enabled(),
        torch._C._get_math_sdp_enabled(),
        torch.backends.mha.get_fastpath_enabled(),
    ]


def _module(name: str) -> Any:
    *path, last = name.split(".")
    return getattr(importlib.import_module(".".join(path)), last)


def _modes_of_torch() -> dict[str, Any]:
    return {
        "whether torch keeps gradients": torch.is_grad_enabled(),
        "whether torch is in inference mode": torch.is_inference_mode_enabled(),
        "whether torch looks for anomalies": torch.is_anomaly_enabled(),
        "whether torch always warns": torch.is_warn_always_enabled(),
        "whether autocast is on": [torch.is_autocast_enabled(kind) for kind in ("cpu", "cuda")],
        "the dtype of autocast": [torch.get_autocast_dtype(kind) for kind in ("cpu", "cuda")],
        "the modes of torch": (
            torch._C._len_torch_function_stack(),
            torch._C._len_torch_dispatch_stack(),
        ),
        "the kernels of torch": {name for name in torch.library._impls if _is_kernel(name)},
        "what torch prints": vars(torch._tensor_str.PRINT_OPTS).copy(),
    }


def _is_kernel(name: str) -> bool:
    """Whether this is one that computes, of torch's own: `aten/relu/CPU`."""
    key = name.rpartition("/")[2]
    return name.startswith("aten/") and key.startswith(("CPU", "CUDA", "Autograd", "Composite"))


def _hooks() -> dict[str, Any]:
    return {
        "the hooks of all modules": _tables("torch.nn.modules.module"),
        "the hooks of all optimizers": _tables("torch.optim.optimizer"),
    }


def _tables(module: str) -> list[list[Any]]:
    names = vars(importlib.import_module(module)).items()
    found = (value for name, value in names if name.startswith("_global_"))
    return [list(value.values()) for value in found if isinstance(value, dict)]


def _python() -> dict[str, Any]:
    root = logging.root
    return {
        "the path of modules": list(sys.path),
        "the way modules are found": [*sys.meta_path, *sys.path_hooks],
        "the streams of the process": [sys.stdin, sys.stdout, sys.stderr],
        "the tracing of Python": [sys.gettrace(), threading.gettrace(), threading.getprofile()],
        "the recursion limit": sys.getrecursionlimit(),
        "how often threads take turns": sys.getswitchinterval(),
        "the garbage collector": (gc.isenabled(), gc.get_threshold(), len(gc.callbacks)),
        "the logging of everybody": (root.level, list(root.handlers), root.manager.disable),
        "the locale": locale.setlocale(locale.LC_ALL),
        "the way objects are pickled": {
            kind: reduce
            for kind, reduce in copyreg.dispatch_table.items()
            if kind.__module__.startswith(("builtins", "torch", "numpy"))
        },
    }


def _process() -> dict[str, Any]:
    return {
        "the environment": dict(os.environ),
        "the working folder": Path.cwd(),
        "the threads of the process": _AtMost(t.name for t in threading.enumerate()),
        "the number of open files": _AtMost("file" for _ in Path("/proc/self/fd").iterdir()),
        "the handlers of signals": [signal.getsignal(n) for n in signal.valid_signals()],
    }
