"""Proofs by execution that a candidate is honest, before any training is paid for."""

import warnings
from collections.abc import Callable, Mapping, Sequence

from asi_arch.errors import UserError
from asi_arch.records import Finding
from asi_arch.train.kernels import install
from asi_arch.train.layer import ContractError, load_layer
from asi_arch.verify import (
    batch,
    causality,
    contract,
    cost,
    deployability,
    interference,
    numbers,
    parameters,
    prefix,
    sameness,
    state,
    training,
)
from asi_arch.verify.settings import DEFAULTS, VerifySettings
from asi_arch.verify.subject import Subject
from asi_arch.verify.watch import watch

__all__ = ["CHECKS", "FIRST", "VerifySettings", "known_checks", "verify"]

CHECKS: Mapping[str, Callable[[Subject], Finding]] = {
    "interference": interference.check,
    "contract": contract.check,
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
    is the only finding. The random states of Python, NumPy and torch are reseeded. Without a GPU,
    PyTorch stands in for fla's kernels from now on.

    Raises:
        ImportError: the real fla was imported before, on a machine without a GPU.
        UserError: `settings.only` names a check that does not exist.
    """
    wanted = known_checks(settings.only)
    install()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with watch() as effects:
                layer = load_layer(source)
        except ContractError as error:
            return [_failure("contract", error)]
        return _findings(Subject(layer, settings, effects, source), wanted)


def _findings(subject: Subject, wanted: Sequence[str]) -> list[Finding]:
    found = []
    for name in FIRST:
        finding = _run(name, subject)
        if not finding.passed:
            return [finding]
        found.append(finding)
    rest = [_run(name, subject) for name in wanted if name not in FIRST]
    return [finding for finding in found if finding.check in wanted] + rest


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
