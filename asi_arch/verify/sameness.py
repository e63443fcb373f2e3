"""Is the program one we know: the same text but for names, or the same function?

Two programs are the same function when their outputs agree with all parameters set alike. Tensors
of one shape are set in the order in which the layers make them, so a program that makes them in
another order counts as new, as does one that differs only beyond LENGTH tokens or in train mode.
"""

import zlib
from collections import Counter
from collections.abc import Iterator

import torch
from torch import nn

from asi_arch.fingerprint import fingerprint
from asi_arch.records import Finding
from asi_arch.signature import agree
from asi_arch.verify.subject import Subject

DIGITS = 16
"""So much of a fingerprint tells programs apart."""

LENGTH = 130
PROJECTIONS = 8


def check(subject: Subject) -> Finding:
    """Compare text and function with those of the known programs."""
    text = fingerprint(subject.source)[:DIGITS] if subject.source else ""
    measured: dict[str, float | int | str] = {
        "fingerprint": text,
        "signature": signature(subject),
        "compared": len(subject.settings.known),
    }
    twins = [*_same_text(subject, text), *_same_function(subject, str(measured["signature"]))]
    if not twins:
        return Finding(check="sameness", passed=True, measured=measured)
    name, how = twins[0]
    return Finding(
        check="sameness",
        passed=False,
        measured=measured | {"twin": name},
        evidence=f"{how} as {name}",
        hint=f"Change what the layer computes, not how it is written or initialised: {name} has "
        "been measured already.",
    )


def _same_text(subject: Subject, text: str) -> Iterator[tuple[str, str]]:
    for name, known, _ in subject.settings.known:
        if text and text == known[:DIGITS]:
            yield name, "up to names and comments the same program"


def _same_function(subject: Subject, numbers: str) -> Iterator[tuple[str, str]]:
    for name, _, known in subject.settings.known:
        if agree(numbers, known):
            yield name, "with equal parameters the same output"


@torch.no_grad()
def signature(subject: Subject) -> str:
    """Return what the layer's function gives on fixed inputs; empty where that is not finite."""
    module = subject.build()
    _set_parameters(module)
    output = subject.run(module, subject.inputs(2, LENGTH)).flatten()
    if not output.isfinite().all():
        return ""
    generator = torch.Generator().manual_seed(PROJECTIONS)
    directions = torch.randn(PROJECTIONS, len(output), generator=generator)
    numbers = directions @ output / len(output) ** 0.5
    return " ".join(f"{number:.6g}" for number in numbers.tolist())


def _set_parameters(module: nn.Module) -> None:
    """Give each parameter values that depend on its shape and its turn among those alone."""
    seen: Counter[torch.Size] = Counter()
    for parameter in module.parameters():
        shape = parameter.shape
        generator = torch.Generator().manual_seed(zlib.crc32(repr((shape, seen[shape])).encode()))
        seen[shape] += 1
        spread = 0.5 if len(shape) < 2 else shape[1:].numel() ** -0.5
        parameter.copy_(torch.randn(shape, generator=generator) * spread)
