"""Which futures the causality check replaces: where, in which states, at which sizes."""

from collections.abc import Iterator, Sequence
from itertools import product

from asi_arch.train.layer import ContractError
from asi_arch.verify.replace import WAYS, cuts
from asi_arch.verify.settings import VerifySettings
from asi_arch.verify.subject import AUTOCAST, BFLOAT16, STATES, State, Subject
from asi_arch.verify.trials import Case, Trial, alone, attempt

RANDOM = "random values"
OTHERS = tuple(way for way in WAYS if way != RANDOM)

EVERYWHERE = 257
"""Up to this length the future is replaced at every position."""

GROUP = 64
IN_TRAIN = (1, 2)
"""Layers of a model that are looked at in train mode, the others in eval mode."""

MANY = 8
LONG = 2048
"""For settings that ask for EVERYWHERE tokens, the length at which few cuts are tried as well."""

TOKENS = 8192
"""For the same settings, one batch as in training has more tokens than this."""

CALLS = 24
"""So often is a layer called before a leak is looked for that waits for some calls to pass."""

CHANCES = 45
"""Seeds tried on a layer that draws random numbers: what happens at one in ten does at one here,
but for one in a hundred layers."""

CHANCE_LENGTH = 33


def replacements(subject: Subject) -> Iterator[Trial]:
    """Replace the future at every length in every state, at every position, and in special ones."""
    lengths = [length for length in subject.settings.lengths if length > 1]
    if not lengths:
        return
    longest = max(lengths)
    for turn, state in enumerate(STATES):
        yield from _in_state(subject, state, lengths, turn)
    yield from _called(subject, lengths[-2:])
    yield from _everywhere(subject, min(longest, EVERYWHERE))
    yield from _otherwise(subject, min(longest, 100))
    if longest >= EVERYWHERE:
        yield from attempt(subject, State(train=True), LONG, _random((128, 600, LONG - 1)))
        for length in subject.settings.more_lengths:
            yield from attempt(subject, State(train=True), length, _random(cuts(length)[::3]))
    yield from _by_chance(subject, longest)


def _in_state(subject: Subject, state: State, lengths: Sequence[int], turn: int) -> Iterator[Trial]:
    """Try every length, the longest also alone, or as one of many where it is as in training."""
    module, longest = subject.under(state).build(state), max(lengths)
    for length in lengths:
        cases = _varied(length, turn)
        if state.recorded and length == longest >= EVERYWHERE:
            cases += _random(range(1, TOKENS // length - len(cases) + 1))
        yield from attempt(subject, state, length, cases, module)
    yield from alone(subject, state, longest, (cuts(longest)[-2:][0], RANDOM), module)


def _random(starts: Sequence[int]) -> list[Case]:
    return [(start, RANDOM) for start in starts]


def _varied(length: int, turn: int) -> list[Case]:
    """Random values at every cut, at every second one of many, and at others another way."""
    starts = cuts(length)
    others = [(start, OTHERS[(n + turn) % len(OTHERS)]) for n, start in enumerate(starts)]
    some = (
        starts
        if len(starts) < MANY or turn == len(STATES) - 1
        else starts[(turn + 1) // 2 % 2 :: 2]
    )
    return _random(some) + others[turn % 2 :: 2]


def _called(subject: Subject, lengths: Sequence[int]) -> Iterator[Trial]:
    """Look again, in both modes, after a layer has been called."""
    module = subject.build(State(perturbed=True, called=CALLS))
    for train in (False, True):
        state = State(perturbed=True, train=train, called=CALLS)
        for length in lengths:
            cases = _random(cuts(length)[::3])
            yield from attempt(subject, state, length, cases, module.train(train))


def _everywhere(subject: Subject, longest: int) -> Iterator[Trial]:
    """Cut at every position, in groups, each in another layer of a model, at another size."""
    size = next(iter(subject.settings.other_sizes), None)
    for layer, first in enumerate(range(1, longest, GROUP)):
        last = min(first + GROUP, longest)
        state = State(perturbed=True, train=layer in IN_TRAIN, layer=layer, size=size)
        yield from _where_possible(subject, state, last, _random(range(first, last)))


def _otherwise(subject: Subject, length: int) -> Iterator[Trial]:
    """Try a few cuts at the other sizes and in half precision."""
    cases = _random(cuts(length)[::2])
    for size, train in product(_more_sizes(subject.settings), (False, True)):
        state = State(perturbed=True, train=train, size=size)
        yield from _where_possible(subject, state, length, cases)
    for precision in (AUTOCAST, BFLOAT16):
        state = State(perturbed=True, train=True, precision=precision)
        yield from _where_possible(subject, state, length, cases)


def _where_possible(
    subject: Subject, state: State, length: int, cases: Sequence[Case]
) -> list[Trial]:
    """Return the trials, none where a layer fails at that size or precision: others say so."""
    try:
        return list(attempt(subject, state, length, cases))
    except ContractError:
        return []


def _more_sizes(settings: VerifySettings) -> list[tuple[int, int]]:
    stage = (settings.stage_hidden_size, settings.stage_num_heads)
    own = (settings.hidden_size, settings.num_heads)
    hidden_size, num_heads = (given or usual for given, usual in zip(stage, own, strict=True))
    sizes = dict.fromkeys([*settings.other_sizes[1:], (hidden_size, num_heads)])
    return [size for size in sizes if size != own]


def _by_chance(subject: Subject, longest: int) -> Iterator[Trial]:
    """Try many seeds where forward draws random numbers in train mode."""
    module = subject.build(State(train=True))
    if not subject.draws(module, subject.inputs(2, longest)):
        return
    length = min(longest, CHANCE_LENGTH)
    for seed in range(CHANCES):
        state = State(train=True, seed=seed)
        yield from attempt(subject, state, length, [(length // 2, RANDOM)], module)
