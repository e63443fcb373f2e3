"""Do a program's own Triton kernels compute what its PyTorch reference does?

On a GPU they run as they are; elsewhere in Triton's interpreter, which is right in float32 and
float16 and silently wrong in bfloat16: there it multiplies bit patterns.
"""

import ast
import os
import time
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from asi_arch.records import Finding
from asi_arch.train.layer import ContractError, candidate_code
from asi_arch.train.reference import KERNEL_FORWARD, REFERENCE
from asi_arch.verify.compare import Problem, relative_change, rounded, told
from asi_arch.verify.subject import State, Subject

TOLERANCES = {torch.float32: 1e-4, torch.float16: 0.02, torch.bfloat16: 0.1}
"""Largest change relative to the scale: sums in another order make 1e-6 and 1e-3, and 1e-2."""

LENGTHS = (1, 16, 37, 64)
STATES = (State(), State(perturbed=True, train=True))
INTERPRET = "TRITON_INTERPRET"
HINT = "forward and reference must be the same function, for every length, also in their gradients."


def check(subject: Subject) -> Finding:
    """Compare outputs and gradients of kernels and reference, by type, length and state."""
    if not torch.cuda.is_available() and os.environ.get(INTERPRET) != "1":
        return _finding([(f"without a GPU this needs {INTERPRET}=1", _IN_ADVANCE)], {})
    if not torch.cuda.is_available() and _names_bfloat16(subject.source):
        return _finding([("the program names bfloat16", _NO_BFLOAT16)], {})
    largest, problems = dict[str, float](), list[Problem]()
    for kind in _types():
        worst, where = max(_differences(subject, kind), key=lambda found: found[0])
        name = str(kind).removeprefix("torch.")
        largest[name] = rounded(worst)
        if worst > TOLERANCES[kind]:
            problems.append((f"in {name} {where} differ by {worst:.2g} of their scale", HINT))
    return _finding(problems, {**largest, **_speed(subject)})


_IN_ADVANCE = "Set it before Python starts, or use asi-arch verify, which does."
_NO_BFLOAT16 = (
    "Use the type of the inputs (x.dtype) instead: without a GPU, kernels are proved in Triton's "
    "interpreter, which is silently wrong in bfloat16."
)


def _finding(problems: Sequence[Problem], measured: dict[str, float]) -> Finding:
    return Finding(check="kernels", passed=not problems, measured=measured, **told(problems))


def _types() -> list[torch.dtype]:
    types = [torch.float32, torch.float16]
    return [*types, torch.bfloat16] if torch.cuda.is_available() else types


def _differences(subject: Subject, kind: torch.dtype) -> Iterator[tuple[float, str]]:
    """Yield how far kernels and reference are apart, and where."""
    for state in STATES:
        module = _moved(subject.build(state), kind)
        for length in LENGTHS:
            given = subject.inputs(2, length).to(next(module.parameters()))
            kernels = _results(subject, module, given, KERNEL_FORWARD)
            reference = _results(subject, module, given, REFERENCE)
            names = ["outputs", "gradients of the input", *dict(module.named_parameters())]
            for name, one, other in zip(names, kernels, reference, strict=True):
                yield relative_change(other, one), f"{name} at length {length} ({state})"


def _moved(module: nn.Module, kind: torch.dtype) -> nn.Module:
    return module.to("cuda" if torch.cuda.is_available() else "cpu", kind)


def _results(subject: Subject, module: nn.Module, given: Tensor, name: str) -> list[Tensor]:
    """Return the output and the gradients of the input and of all parameters, in float32."""
    x = given.detach().clone().requires_grad_()
    with candidate_code(f"{name} on {list(x.shape)} {x.dtype}", subject.layer.__module__):
        output = getattr(module, name)(x)
        output = output[0] if isinstance(output, tuple | list) else output
        if not isinstance(output, Tensor) or output.shape != x.shape:
            raise ContractError(f"{name} did not return [batch, length, hidden_size]", hint=HINT)
        weights = torch.linspace(-1, 1, output.numel(), device=x.device).view_as(output)
        wanted = [x, *module.parameters()]
        found = torch.autograd.grad((output.float() * weights).sum(), wanted, allow_unused=True)
    gradients = [
        torch.zeros_like(w) if g is None else g for w, g in zip(wanted, found, strict=True)
    ]
    return [tensor.detach().float() for tensor in (output, *gradients)]


def _speed(subject: Subject) -> dict[str, float]:
    """Return how many times as fast as the reference the kernels are, where they really run."""
    if not torch.cuda.is_available():
        return {}
    module, given = _moved(subject.build(), torch.float32), subject.inputs(4, 1024).cuda()
    seconds = {}
    for name in (KERNEL_FORWARD, REFERENCE):
        _results(subject, module, given, name)
        torch.cuda.synchronize()
        started = time.perf_counter()
        for _ in range(5):
            _results(subject, module, given, name)
        torch.cuda.synchronize()
        seconds[name] = time.perf_counter() - started
    return {"speedup": rounded(seconds[REFERENCE] / seconds[KERNEL_FORWARD])}


def _names_bfloat16(source: str) -> bool:
    names = {node.attr for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Attribute)}
    return bool(names & {"bfloat16", "bf16"})
