"""Proofs by execution that a candidate is honest, before any training is paid for."""

from collections.abc import Callable, Mapping, Sequence

from asi_arch.errors import UserError
from asi_arch.records import Finding
from asi_arch.train.layer import ContractError, load_layer
from asi_arch.verify import batch, causality, contract, parameters, prefix, state, training
from asi_arch.verify.settings import DEFAULTS, VerifySettings
from asi_arch.verify.subject import Subject

__all__ = ["CHECKS", "VerifySettings", "known_checks", "verify"]

CHECKS: Mapping[str, Callable[[Subject], Finding]] = {
    "contract": contract.check,
    "training": training.check,
    "causality": causality.check,
    "prefix": prefix.check,
    "batch": batch.check,
    "state": state.check,
    "parameters": parameters.check,
}


def verify(source: str, settings: VerifySettings = DEFAULTS) -> list[Finding]:
    """Run the checks on a program, in order, and return one finding each.

    Where the program does not load or breaks the contract, that is the only finding. The random
    states of Python, NumPy and torch are reseeded.

    Raises:
        UserError: `settings.only` names a check that does not exist.
    """
    wanted = known_checks(settings.only)
    try:
        subject = Subject(load_layer(source), settings)
    except ContractError as error:
        return [_failure("contract", error)]
    first = _run("contract", subject)
    if not first.passed:
        return [first]
    rest = [_run(name, subject) for name in wanted if name != "contract"]
    return [first, *rest] if "contract" in wanted else rest


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
