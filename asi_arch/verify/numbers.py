"""Do the numbers stay sane: in bfloat16, for large inputs, in a deep model, from the first step?"""

import math
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from asi_arch.records import Finding
from asi_arch.train.layer import ContractError, call_layer, candidate_code
from asi_arch.train.model import LanguageModel
from asi_arch.verify.chance import seed_all
from asi_arch.verify.compare import Problem, relative_change, rounded, told
from asi_arch.verify.subject import Subject

LENGTH = 100
LARGER = (10.0, 100.0)
BFLOAT16_TOLERANCE = 0.2
"""Largest root mean square of the change, in the output's scale, that bfloat16 may cause: eight
bits make 0.01, products of many gates or another choice by a top-k a few times that."""

FLOAT64_TOLERANCE = 1e-3
DEPTH = 8
LARGEST_SCALE = 300.0
"""Largest root mean square of the hidden states after DEPTH blocks whose input has one of 1."""

VOCABULARY = 256
LOSS_BAND = 0.5
"""How far, in nats, the first loss of a model may lie from that of guessing, ln of VOCABULARY."""

LOGIT_WIDTH = 64
"""Every model has the range of logits of this width, 1.3: one that knows every next token is then
1.3 nats below guessing at any width, and one that repeats its input near it."""


def check(subject: Subject) -> Finding:
    """Run in other precisions, on larger inputs, eight deep, and in a fresh language model."""
    measured: dict[str, float | int | str] = {}
    problems = [
        *_bfloat16(subject, measured),
        *_larger(subject),
        *_float64(subject, measured),
        *_deep(subject, measured),
        *_first_loss(subject, measured),
    ]
    return Finding(check="numbers", passed=not problems, measured=measured, **told(problems))


def _bfloat16(subject: Subject, measured: dict[str, float | int | str]) -> Iterator[Problem]:
    """Run forward and backward under autocast, as training does on a GPU."""
    module, inputs = subject.build(), subject.inputs(2, LENGTH)
    plain = subject.run(module, inputs)
    with torch.autocast("cpu", torch.bfloat16):
        output = _call(subject, module, inputs, "forward under bfloat16 autocast").float()
    subject.backward(output.square().sum())
    change = _typical_change(plain, output.detach())
    measured["bfloat16_change"] = rounded(change)
    hint = (
        "Compute what needs range or precision (exponentials, cumulative sums, normalisation) "
        "in float32: x.float() before it, .to(x.dtype) after it."
    )
    if not change <= BFLOAT16_TOLERANCE:
        yield (
            f"under bfloat16 autocast the output moves by {rounded(change):.2g} of its scale",
            hint,
        )
    elif bad := _bad_gradients(module):
        yield f"under bfloat16 autocast the gradient of {bad[0]} is not finite", hint


def _typical_change(before: Tensor, after: Tensor) -> float:
    """Return how far two outputs lie apart, as a share of the scale of the first."""
    scale = before.square().mean().sqrt().clamp(min=1e-12)
    return float((after - before).square().mean().sqrt() / scale)


def _larger(subject: Subject) -> Iterator[Problem]:
    """Run forward and backward on inputs that are larger than a normalised model's."""
    hint = (
        "Bound what is exponentiated (log-sigmoid, clamp, subtract the maximum), add an epsilon to "
        "what is divided by, and normalise queries and keys."
    )
    for factor in LARGER:
        module = subject.build()
        output = subject.forward(module, subject.inputs(2, LENGTH) * factor)
        if not output.isfinite().all():
            yield f"inputs times {factor:g} make the output infinite or not a number", hint
            return
        subject.backward(output.mean())
        if bad := _bad_gradients(module):
            yield f"inputs times {factor:g} make the gradient of {bad[0]} not finite", hint
            return


def _bad_gradients(module: nn.Module) -> list[str]:
    return [
        name
        for name, parameter in module.named_parameters()
        if parameter.grad is not None and not parameter.grad.isfinite().all()
    ]


def _float64(subject: Subject, measured: dict[str, float | int | str]) -> Iterator[Problem]:
    module, inputs = subject.build(), subject.inputs(2, LENGTH)
    single = subject.run(module, inputs)
    with torch.no_grad():
        double = _call(subject, module.double(), inputs.double(), "forward in float64")
    if double.dtype != torch.float64:
        raise ContractError(
            f"the output of a float64 input is {double.dtype}",
            hint="Take the dtype from the input: no torch.float32 or torch.bfloat16 in forward "
            "that is not undone at its end.",
        )
    change = relative_change(double, single.double())
    measured["float64_change"] = rounded(change)
    if change > FLOAT64_TOLERANCE:
        yield (
            f"float32 and float64 differ by {rounded(change):.2g} of the output's scale",
            "Something cancels or overflows in float32: look for differences of large sums, "
            "products of many factors, and divisions by nearly nothing.",
        )


def _deep(subject: Subject, measured: dict[str, float | int | str]) -> Iterator[Problem]:
    x = subject.inputs(2, LENGTH)
    width = (x.shape[-1],)
    for _ in range(DEPTH):
        x = x + subject.run(subject.build(), F.rms_norm(x, width))
    scale = float(x.square().mean().sqrt())
    measured["scale_at_depth_8"] = rounded(scale)
    if not scale <= LARGEST_SCALE:
        yield (
            f"after {DEPTH} residual blocks the hidden states have a scale of {rounded(scale):.3g}",
            "The output is too large for its input: normalise what is read from the memory, or "
            "initialise the output projection smaller.",
        )


def _first_loss(subject: Subject, measured: dict[str, float | int | str]) -> Iterator[Problem]:
    loss = _loss_of_fresh_model(subject)
    measured["first_loss"] = rounded(loss)
    if not abs(loss - math.log(VOCABULARY)) <= LOSS_BAND:
        yield (
            f"a fresh model of two such layers has a loss of {loss:.2f} nats; guessing has "
            f"{math.log(VOCABULARY):.2f}",
            "Not a number: look for a division by a distance or variance that is zero where a "
            "token comes twice. Otherwise the untrained layer carries the next token, or its "
            "opposite: look for one that reaches the output before its time.",
        )


@torch.no_grad()
def _loss_of_fresh_model(subject: Subject) -> float:
    settings = subject.settings
    seed_all(settings.seed)
    model = LanguageModel(
        nn.Identity,
        vocab_size=VOCABULARY,
        hidden_size=settings.hidden_size,
        num_layers=2,
        num_heads=settings.num_heads,
        mlp_width=settings.hidden_size,
    ).eval()
    model.norm.weight.mul_(LOGIT_WIDTH / settings.hidden_size)
    for index, block in enumerate(model.blocks):
        block.mixer = subject.build(seed=settings.seed + index)
    generator = torch.Generator().manual_seed(settings.seed)
    tokens = torch.randint(VOCABULARY, (2, LENGTH + 1), generator=generator)
    with candidate_code("forward in a language model", subject.layer.__module__):
        logits = model(tokens[:, :-1])
    return F.cross_entropy(logits.float().flatten(0, 1), tokens[:, 1:].flatten()).item()


def _call(subject: Subject, module: nn.Module, inputs: Tensor, action: str) -> Tensor:
    """Return the output in whatever precision it comes."""
    seed_all(subject.settings.seed)
    with candidate_code(action, subject.layer.__module__):
        return call_layer(module, inputs)
