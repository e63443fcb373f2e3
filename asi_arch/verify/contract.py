"""Does the layer construct, and map [batch, length, hidden_size] to the same shape and dtype?"""

import torch

from asi_arch.records import Finding
from asi_arch.train.layer import ContractError
from asi_arch.verify.subject import State, Subject, shape_text

OTHER_LENGTHS = (7, 70)
"""Lengths that the other sizes are run at, each as another layer of a model."""


def check(subject: Subject) -> Finding:
    """Construct at every size and run every length, in both modes, and every batch size."""
    settings = subject.settings
    module = subject.build()
    for length in settings.lengths:
        for batch in settings.batch_sizes:
            _check_call(subject, module, subject.inputs(batch, length))
    for turn, length in enumerate(settings.more_lengths):
        batch = settings.batch_sizes[turn % len(settings.batch_sizes)]
        _check_call(subject, module, subject.inputs(batch, length))
    module.train()
    for length in settings.lengths:
        _check_call(subject, module, subject.inputs(2, length))
    for place, size in enumerate(settings.other_sizes, start=1):
        other = subject.under(State(size=size, layer=place))
        module = other.build(other.state)
        for length in OTHER_LENGTHS:
            _check_call(other, module, other.inputs(2, length))
    lengths = sorted({*settings.lengths, *settings.more_lengths})
    return Finding(
        check="contract",
        passed=True,
        measured={
            "layer": subject.layer.__name__,
            "shapes": len(settings.lengths) * len(settings.batch_sizes)
            + len(settings.more_lengths),
            "sizes": 1 + len(settings.other_sizes),
        },
        evidence=f"{subject.layer.__name__} keeps shape and dtype for batch "
        f"{list(settings.batch_sizes)} and length {lengths}",
    )


def _check_call(subject: Subject, module: torch.nn.Module, inputs: torch.Tensor) -> None:
    given = inputs.clone()
    output = subject.run(module, inputs)
    if not torch.equal(given, inputs):
        raise ContractError(
            f"forward changed its input {shape_text(inputs)} in place",
            hint="Another branch of the model still needs hidden_states: write x = x + y rather "
            "than x += y, and clone before any method that ends in an underscore.",
        )
    if not output.isfinite().all():
        raise ContractError(
            f"the output of a standard normal input {shape_text(inputs)} is not finite",
            hint="Look for a division by zero, an exponential without an upper bound, or a row "
            "of a softmax that is masked completely.",
        )
