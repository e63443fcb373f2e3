"""Does forward leave something behind, or depend on anything but its input and parameters?"""

import sys
from collections.abc import Iterator
from dataclasses import replace

from torch import Tensor, nn

from asi_arch.records import Finding
from asi_arch.train.layer import ContractError, load_layer
from asi_arch.verify.chance import drawn
from asi_arch.verify.compare import TOLERANCE, Problem, relative_change, rounded
from asi_arch.verify.snapshot import changed, snapshot
from asi_arch.verify.subject import State, Subject

CALLS = 24
"""So often is a layer called before its output is looked at again."""

BACKWARD_EVERY = 8
LENGTH, LONGER = 65, 130


def check(subject: Subject) -> Finding:
    """Call a layer many times in each mode, and compare what it gives and what it holds."""
    problems = [
        *_memory(subject, State(perturbed=True)),
        *_chance(subject),
        *_memory(subject, State(perturbed=True, train=True)),
        *_first_use(subject),
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
    for length in (LONGER, LENGTH):
        subject.run(module, subject.inputs(2, length, seed=1))
    held = snapshot(module)
    for number in range(1, CALLS):
        _call(subject, module, number)
    change = relative_change(first, subject.run(module, inputs))
    written = changed(held, snapshot(module))
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


def _first_use(subject: Subject) -> Iterator[Problem]:
    """Yield whether the program keeps what its very first input was, loaded afresh for each."""
    if not subject.source:
        return
    try:
        one, other = (_after_first(subject, seed) for seed in (1, 2))
    except ContractError:  # not every program can be loaded twice
        return
    change = relative_change(one, other)
    if change > TOLERANCE:
        yield (
            f"the output depends on the first input that the program ever saw: it moves by "
            f"{rounded(change):.2g} of its scale",
            "Something outside the layer is filled at the first call (a global, a cache, a "
            "closure): fill it with what does not depend on the input.",
        )


def _after_first(subject: Subject, seed: int) -> Tensor:
    """Return an output of the program, loaded anew, after another input has come first."""
    name = subject.layer.__module__
    known = sys.modules[name]
    try:
        afresh = replace(subject, layer=load_layer(subject.source, name))
        state, inputs = State(perturbed=True), subject.inputs(2, LENGTH)
        afresh.run(afresh.build(state), afresh.inputs(2, LENGTH, seed=seed))
        return afresh.run(afresh.build(state), inputs)
    finally:
        sys.modules[name] = known


def _call(subject: Subject, module: nn.Module, number: int) -> None:
    """Call the layer; in train mode with a backward every now and then."""
    inputs = subject.inputs(2, LENGTH, seed=number + 1)
    if not (module.training and number % BACKWARD_EVERY == 1):
        subject.run(module, inputs)
    elif (loss := subject.forward(module, inputs).sum()).requires_grad:
        subject.backward(loss)


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
