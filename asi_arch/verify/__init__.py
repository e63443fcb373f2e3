"""Proofs by execution that a candidate is honest, before any training is paid for."""

import dataclasses
import importlib
import warnings
from collections.abc import Callable, Mapping, Sequence

from torch import nn

from asi_arch.errors import UserError
from asi_arch.records import Finding
from asi_arch.train.kernels import install
from asi_arch.train.kernels.serve import start_serving
from asi_arch.train.layer import ContractError, load_layer
from asi_arch.train.reference import KERNEL_FORWARD
from asi_arch.verify import (
    batch,
    causality,
    contract,
    cost,
    deployability,
    interference,
    kernels,
    numbers,
    parameters,
    prefix,
    sameness,
    state,
    training,
)
from asi_arch.verify.chance import kept_random_states
from asi_arch.verify.settings import DEFAULTS, VerifySettings
from asi_arch.verify.subject import Subject, width_of
from asi_arch.verify.watch import watch

__all__ = ["CHECKS", "FIRST", "VerifySettings", "assert_honest", "known_checks", "verify"]

CHECKS: Mapping[str, Callable[[Subject], Finding]] = {
    "interference": interference.check,
    "contract": contract.check,
    "kernels": kernels.check,
    "training": training.check,
    "causality": causality.check,
    "prefix": prefix.check,
    "batch": batch.check,
    "state": state.check,
    "cost": cost.check,
    "numbers": numbers.check,
    "parameters": parameters.check,
    "deployability": deployability.check,
    "sameness": sameness.check,
}


FIRST = ("interference", "contract")
"""Run whatever is asked for: without them, no other finding means anything."""


def verify(source: str, settings: VerifySettings = DEFAULTS) -> list[Finding]:
    """Run the checks on a program, in order, and return one finding each.

    Where the program does not load, breaks the contract or interferes with its surroundings, that
    is the only finding. The random states of Python, NumPy and torch are reseeded. The checks run
    on the CPU everywhere: PyTorch stands in for fla's kernels from now on.

    Raises:
        ImportError: the real fla was imported before.
        UserError: `settings.only` names a check that does not exist.
    """
    wanted = known_checks(settings.only)
    start_serving()
    if "fla.layers" in source:
        importlib.import_module("transformers.utils.logging")  # which adds to Python's loggers
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with watch() as effects:
                layer = load_layer(source)
        except ContractError as error:
            return [_failure("contract", error)]
        with watch(calls=False) as later:
            found = _findings(Subject(layer, settings, effects, source), wanted)
        named = any(one.check == "interference" and not one.passed for one in found)
        return [interference.finding(later)] if later and not named else found


def assert_honest(
    layer: nn.Module,
    *,
    hidden_size: int | None = None,
    only: Sequence[str] = (),
    settings: VerifySettings = DEFAULTS,
) -> None:
    """Run the checks on a layer that exists, as a test does; the layer itself is not touched.

        def test_my_layer_is_honest() -> None:
            assert_honest(MyLayer(hidden_size=64, num_heads=2), only=("causality", "cost"))

    Every check works on copies of the layer, which must be on the CPU in float32. Other sizes than
    its own are not tried and no program is looked for that is the same. Without `hidden_size`, the
    layer's attribute of that name says it, or else its first linear map.

    Raises:
        AssertionError: a check does not pass; the message has its evidence and a hint.
        UserError: a check is unknown, or the width of the layer cannot be told.
    """
    wanted = [name for name in known_checks(only) if name != "sameness" or only]
    install()
    own = dataclasses.replace(settings, hidden_size=hidden_size or width_of(layer), other_sizes=())
    with warnings.catch_warnings(), kept_random_states():
        warnings.simplefilter("ignore")
        found = _findings(Subject(type(layer), own, template=layer), wanted)
    failed = [finding for finding in found if not finding.passed]
    if failed:
        lines = (f"\n{finding.check}: {finding.evidence}\n  {finding.hint}" for finding in failed)
        raise AssertionError(f"{type(layer).__name__} is not honest:{''.join(lines)}")


def _findings(subject: Subject, wanted: Sequence[str]) -> list[Finding]:
    found = []
    for name in FIRST:
        finding = _run(name, subject)
        if not finding.passed:
            return [finding]
        found.append(finding)
    rest = [_run(name, subject) for name in wanted if name not in FIRST and _applies(name, subject)]
    return [finding for finding in found if finding.check in wanted] + rest


def _applies(name: str, subject: Subject) -> bool:
    """Whether a check is about such a layer: `kernels` only about those that bring some."""
    return name != "kernels" or hasattr(subject.layer, KERNEL_FORWARD)


def known_checks(only: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the checks to run, in order; all of them where `only` is empty.

    Raises:
        UserError: one of the names is unknown.
    """
    for name in only:
        if name not in CHECKS:
            raise UserError(f"unknown check {name!r}; choose from: {', '.join(CHECKS)}")
    return tuple(name for name in CHECKS if name in only or not only)


def _run(name: str, subject: Subject) -> Finding:
    try:
        return CHECKS[name](subject)
    except ContractError as error:
        return _failure(name, error)


def _failure(name: str, error: ContractError) -> Finding:
    evidence = f"{error}; {error.evidence}" if error.evidence else str(error)
    return Finding(check=name, passed=False, evidence=evidence, hint=error.hint)
