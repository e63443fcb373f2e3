"""Can the layer be served: padded, packed, token by token, in other types, from saved weights?

Reported and stored; a reason to reject only where the settings say so.
"""

import inspect
from collections.abc import Callable

import torch
from torch import Tensor, nn

from asi_arch.records import Finding
from asi_arch.train.layer import ContractError, candidate_code
from asi_arch.verify.cache import call, decode
from asi_arch.verify.compare import relative_change, rounded
from asi_arch.verify.subject import State, Subject

TOLERANCE = 1e-4
"""Chunks that lie otherwise round otherwise; what is wrong is wrong by more than this."""

LENGTH = 40
PADDING = 15
PREFILLED = 33
"""So many tokens come at once; those up to LENGTH, and beyond a border of chunks, one by one."""

YES, NO, NOT_OFFERED = "yes", "no", "not offered"

Answer = tuple[str, str]
"""YES, NO or NOT_OFFERED, and what speaks for it."""


def check(subject: Subject) -> Finding:
    """Answer every question; fail only where deployability is required and one is not yes."""
    answers = {name: _answer(question, subject) for name, question in QUESTIONS.items()}
    lacking = [name for name, (verdict, _) in answers.items() if verdict != YES]
    required = subject.settings.require_deployable
    return Finding(
        check="deployability",
        passed=not (required and lacking),
        measured={name: verdict for name, (verdict, _) in answers.items()},
        evidence="; ".join(f"{name}: {answers[name][1]}" for name in lacking),
        hint=" ".join(HINTS[name] for name in lacking),
    )


def _answer(question: Callable[[Subject], Answer], subject: Subject) -> Answer:
    try:
        return question(subject)
    except ContractError as error:
        return NO, f"{error}; {error.evidence}" if error.evidence else str(error)


def _compared(expected: Tensor, output: Tensor) -> Answer:
    change = relative_change(expected, output)
    return YES if change <= TOLERANCE else NO, f"differs by {rounded(change):.2g} of its scale"


def _left_padding(subject: Subject) -> Answer:
    """Pad the second of two rows on its left: each must come out as it does alone."""
    module, inputs = subject.build(State(perturbed=True)), subject.inputs(2, LENGTH)
    mask = torch.ones(2, LENGTH)
    mask[1, :PADDING] = 0
    alone = [subject.run(module, row) for row in (inputs[:1], inputs[1:, PADDING:])]

    def run(**keyword: Tensor) -> Tensor:
        output, _ = call(subject, module, inputs, **keyword)
        return torch.cat((output[:1], output[1:, PADDING:]), 1)

    return _with_keyword(module, torch.cat(alone, 1), run, attention_mask=mask)


def _packing(subject: Subject) -> Answer:
    """Put two sequences into one row: the second must not see the first."""
    module, inputs = subject.build(State(perturbed=True)), subject.inputs(1, LENGTH)
    alone = [subject.run(module, part) for part in (inputs[:, :PADDING], inputs[:, PADDING:])]

    def run(**keyword: Tensor) -> Tensor:
        return call(subject, module, inputs, **keyword)[0]

    bounds = torch.tensor([0, PADDING, LENGTH])
    return _with_keyword(module, torch.cat(alone, 1), run, cu_seqlens=bounds)


def _with_keyword(
    module: nn.Module, expected: Tensor, run: Callable[..., Tensor], **keyword: Tensor
) -> Answer:
    """Compare what a keyword gives; one that is nowhere named and does nothing is not offered."""
    (name,) = keyword
    named = name in inspect.signature(module.forward).parameters
    try:
        output = run(**keyword)
    except ContractError:
        if named:
            raise
        return NOT_OFFERED, f"forward does not take {name}"
    if not named and torch.equal(output, run()):
        return NOT_OFFERED, f"forward ignores {name}"
    return _compared(expected, output)


def _cache(subject: Subject) -> Answer:
    """Decode the end token by token, once from the start and once after a prefix."""
    module, inputs = subject.build(State(perturbed=True)), subject.inputs(2, LENGTH)
    expected = subject.run(module, inputs)
    try:
        output, _ = decode(subject, module, _tokens(inputs))
    except ContractError as error:
        return (NO if error.evidence else NOT_OFFERED), f"{error}"
    parts = [inputs[:, :PREFILLED], *_tokens(inputs)[PREFILLED:]]
    prefilled, _ = decode(subject, module, parts)
    return _compared(torch.cat((expected, expected)), torch.cat((output, prefilled)))


def _tokens(inputs: Tensor) -> list[Tensor]:
    return [inputs[:, place : place + 1] for place in range(inputs.shape[1])]


def _runs_in(dtype: torch.dtype) -> Callable[[Subject], Answer]:
    """Return the question whether weights and inputs of a type give an output of that type."""

    def question(subject: Subject) -> Answer:
        module, inputs = subject.build().to(dtype), subject.inputs(2, LENGTH).to(dtype)
        output = subject.run(module, inputs)
        return YES if output.isfinite().all() else NO, "the output is not finite"

    return question


def _saved_weights(subject: Subject) -> Answer:
    """Load the weights of a layer that has been called into a fresh one of another seed."""
    module, inputs = subject.build(State(perturbed=True, train=True)), subject.inputs(2, LENGTH)
    subject.run(module, inputs)
    saved = {name: value.clone() for name, value in module.state_dict().items()}
    fresh = subject.build(seed=subject.settings.seed + 1)
    with candidate_code("loading saved weights", subject.layer.__module__):
        fresh.load_state_dict(saved)
    return _compared(subject.run(module.eval(), inputs), subject.run(fresh, inputs))


QUESTIONS: dict[str, Callable[[Subject], Answer]] = {
    "left_padding": _left_padding,
    "packed_sequences": _packing,
    "cached_decoding": _cache,
    "float32": _runs_in(torch.float32),
    "bfloat16": _runs_in(torch.bfloat16),
    "saved_weights": _saved_weights,
}

HINTS: dict[str, str] = {
    "left_padding": "Let padded tokens (0 in attention_mask) write nothing: multiply inputs and "
    "write strengths by the mask, and set their log decay to 0.",
    "packed_sequences": "Hand cu_seqlens to every convolution and operator.",
    "cached_decoding": "With use_cache, start from past_key_values[layer_idx] and put the states "
    "of recurrence and convolutions back with past_key_values.update(…).",
    "float32": "Take the dtype from the input, not from a constant.",
    "bfloat16": "Take the dtype from the input, not from a constant.",
    "saved_weights": "Register what the output depends on as a parameter or a persistent buffer.",
}
