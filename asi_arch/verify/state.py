"""Does forward leave something behind, or depend on anything but its input and parameters?"""

import sys
from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Any

import torch
from torch import Tensor, nn

from asi_arch.records import Finding
from asi_arch.verify.chance import drawn
from asi_arch.verify.compare import TOLERANCE, relative_change, rounded
from asi_arch.verify.subject import State, Subject

CALLS = 24
"""So often is a layer called before its output is looked at again."""

LENGTH = 65
_DEEPEST = 3

Snapshot = dict[str, Any]
Problem = tuple[str, str]


def check(subject: Subject) -> Finding:
    """Call a layer many times in each mode, and compare what it gives and what it holds."""
    problems = [
        *_memory(subject, State(perturbed=True)),
        *_chance(subject),
        *_memory(subject, State(perturbed=True, train=True)),
    ]
    measured: dict[str, float | int | str] = {"calls": CALLS, "problems": len(problems)}
    if not problems:
        return Finding(check="state", passed=True, measured=measured)
    evidence, hint = problems[0]
    return Finding(check="state", passed=False, measured=measured, evidence=evidence, hint=hint)


def _memory(subject: Subject, state: State) -> Iterator[Problem]:
    """Yield what differs after many calls; a table made or grown on first use does not count."""
    module, inputs = subject.build(state), subject.inputs(2, LENGTH)
    first = subject.run(subject.build(state), inputs)
    subject.run(module, subject.inputs(2, LENGTH, seed=1))
    held = _snapshot(module)
    for number in range(1, CALLS):
        subject.run(module, subject.inputs(2, LENGTH, seed=number + 1))
    change = relative_change(first, subject.run(module, inputs))
    written = _changed(held, _snapshot(module))
    names = f"; it writes {', '.join(written[:4])}" if written else ""
    if change > TOLERANCE:
        yield (
            f"the same input gives another output after {CALLS} calls ({state}): it moved by "
            f"{rounded(change):.2g} of its scale{names}",
            "Forward remembers earlier calls: a counter, a schedule, a running statistic or a "
            f"cache{names}. Compute it from the input of this call alone.",
        )
    elif written:
        yield (
            f"forward changes what the layer holds ({state}){names}",
            f"Keep nothing between calls{names}: a count, a statistic or a copy of the last input "
            "makes a layer depend on what it has seen.",
        )


def _chance(subject: Subject) -> Iterator[Problem]:
    """Yield whether the output in eval mode has to do with a random generator."""
    module, inputs = subject.build(State(perturbed=True)), subject.inputs(2, LENGTH)
    subject.run(module, inputs)  # what is drawn once and kept is no chance
    output = subject.run(module, inputs)
    names = drawn(subject.settings.seed)
    change = relative_change(output, subject.run(module, inputs, seed=subject.settings.seed + 1))
    if names or change > TOLERANCE:
        yield (
            f"forward in eval mode draws random numbers from {', '.join(names) or 'a generator'}; "
            f"with another seed the output moves by {rounded(change):.2g} of its scale",
            "Draw nothing in eval mode: guard noise and dropout by self.training, and make random "
            "features once, in __init__, as a buffer.",
        )


def _snapshot(module: nn.Module) -> Snapshot:
    """Return copies of all tensors and plain values of a layer, its parts and its program."""
    found: Snapshot = {}
    for name, part in module.named_modules():
        for key, value in vars(part).items():
            if key != "_modules":
                found.update(_flat(f"{name}.{key}".strip("."), value, _DEEPEST))
    program = vars(sys.modules[type(module).__module__])
    classes = [(f"{v.__name__}.{k}", x) for v in _own_classes(program) for k, x in vars(v).items()]
    for name, value in (*program.items(), *classes):
        if not name.startswith("__"):
            found.update(_flat(name, value, _DEEPEST))
    return found


def _own_classes(program: Mapping[str, Any]) -> Iterator[type]:
    """Yield the classes that the program itself defines."""
    for value in list(program.values()):
        if isinstance(value, type) and value.__module__ == program["__name__"]:
            yield value


def _flat(name: str, value: Any, depth: int) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Tensor):
        yield name, value.detach().clone()
    elif isinstance(value, int | float | str | bool):
        yield name, value
    elif depth and isinstance(value, Mapping):
        for key, item in value.items():
            yield from _flat(f"{name}.{key}", item, depth - 1)
    elif isinstance(value, Set):
        yield f"{name}.length", len(value)
    elif depth and _is_own(value):
        yield from _flat(name, vars(value), depth - 1)
    elif depth and isinstance(value, Sequence):
        yield f"{name}.length", len(value)
        for key, item in enumerate(value):
            yield from _flat(f"{name}.{key}", item, depth - 1)


def _is_own(value: Any) -> bool:
    """Whether it is an object of a class of the program, but not a layer."""
    own = type(value).__module__ == "candidate" and hasattr(value, "__dict__")
    return own and not isinstance(value, nn.Module)


def _changed(before: Snapshot, after: Snapshot) -> list[str]:
    """Names of what is not as it was, as a program would write them."""
    names = [name for name in {**before, **after} if _differ(before.get(name), after.get(name))]
    return [name.replace("_buffers.", "").replace("_parameters.", "") for name in names]


def _differ(old: Any, new: Any) -> bool:
    if isinstance(old, Tensor) and isinstance(new, Tensor):
        return not torch.equal(old.nan_to_num(), new.nan_to_num())
    return bool(old is None or new is None or isinstance(old, Tensor) or old != new)
