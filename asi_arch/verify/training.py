"""Does every parameter get a gradient, and do a few optimiser steps learn something?"""

import torch
from torch import Tensor, nn

from asi_arch.records import Finding
from asi_arch.train.layer import ContractError
from asi_arch.verify.compare import rounded
from asi_arch.verify.subject import State, Subject

STEPS = 10
LEARNING_RATE = 3e-3
TOY_SHAPE = (4, 32)


def check(subject: Subject) -> Finding:
    """Backward at every length and ten AdamW steps; name dead parameters and bad gradients."""
    alive: set[str] = set()
    module = subject.build(State(train=True))
    for length in (*subject.settings.lengths, *subject.settings.more_lengths):
        alive |= _gradients_at(subject, module, length)
    first, last, module = _train(subject, alive)
    dead = [name for name, p in module.named_parameters() if p.requires_grad and name not in alive]
    learned = last < first
    return Finding(
        check="training",
        passed=learned and not dead,
        measured={
            "dead_parameters": len(dead),
            "first_loss": rounded(first),
            "last_loss": rounded(last),
            "steps": STEPS,
        },
        evidence=_evidence(dead, first, last),
        hint=_hint(dead, learned),
    )


def _gradients_at(subject: Subject, module: nn.Module, length: int) -> set[str]:
    """Names of the parameters with a non-zero gradient of a random projection of the output."""
    module.zero_grad()
    inputs = subject.inputs(2, length)
    output = subject.forward(module, inputs)
    subject.backward((output * subject.inputs(2, length, seed=1)).sum())
    return _alive(module, f"at length {length}")


def _alive(module: nn.Module, where: str) -> set[str]:
    gradients = {n: p.grad for n, p in module.named_parameters() if p.grad is not None}
    bad = [name for name, gradient in gradients.items() if not gradient.isfinite().all()]
    if bad:
        raise ContractError(
            f"gradients that are not finite {where}: {_listed(bad)}",
            hint="Infinite slopes come from sqrt or a norm at zero, log or division by a value "
            "that can vanish, and torch.where over a branch that overflows: add an epsilon inside "
            "the root or clamp before the operation.",
        )
    return {name for name, gradient in gradients.items() if bool((gradient != 0).any())}


def _train(subject: Subject, alive: set[str]) -> tuple[float, float, nn.Module]:
    """Fit a fixed linear map of the inputs; what first moves after a step counts as alive too."""
    module = subject.build(State(train=True))
    inputs = subject.inputs(*TOY_SHAPE, seed=2)
    target = inputs @ _mixing_matrix(subject)
    parameters = [p for p in module.parameters() if p.requires_grad]
    if not parameters:
        raise ContractError("the layer has no parameter to train")
    optimiser = torch.optim.AdamW(parameters, lr=LEARNING_RATE)
    first = _loss(subject, module, inputs, target)
    for _ in range(STEPS):
        optimiser.zero_grad()
        loss = (subject.forward(module, inputs) - target).square().mean()
        subject.backward(loss)
        alive |= _alive(module, "while training on the toy task")
        optimiser.step()
    return first, _loss(subject, module, inputs, target), module


def _loss(subject: Subject, module: nn.Module, inputs: Tensor, target: Tensor) -> float:
    return float((subject.run(module, inputs) - target).square().mean())


def _mixing_matrix(subject: Subject) -> Tensor:
    width = subject.settings.hidden_size
    return subject.inputs(1, width, seed=3)[0].div(width**0.5)


def _evidence(dead: list[str], first: float, last: float) -> str:
    text = f"loss on the toy task {first:.2g} before, {last:.2g} after {STEPS} AdamW steps"
    return f"{text}; no gradient in {_listed(dead)}" if dead else text


def _hint(dead: list[str], learned: bool) -> str:
    if dead:
        return (
            f"The output does not depend on {_listed(dead)}: use it in forward, remove it, or "
            "look for a detach, an argmax, a rounding or a product with zero on its way out."
        )
    if not learned:
        return (
            "The gradients do not point downhill: look for a detached main path, a wrong sign in "
            "a custom backward, or an output scale so large that a step of 0.003 overshoots."
        )
    return ""


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - 6} more" if len(names) > 6 else ""
    return ", ".join(names[:6]) + more
