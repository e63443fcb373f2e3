"""Language models: find a backend by name, entry point or dotted path and construct it."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from asi_arch.errors import UserError
from asi_arch.interfaces import Backend
from asi_arch.records import RoleSettings

__all__ = ["Listed", "backend_names", "list_backends", "make_backend"]

GROUP = "asi_arch.backends"
_SHIPPED = {
    "openai": "asi_arch.backends.openai:OpenAIBackend",
    "azure": "asi_arch.backends.azure:AzureBackend",
    "replay": "asi_arch.backends.replay:ReplayBackend",
    "scripted": "asi_arch.backends.scripted:ScriptedBackend",
}
_LOAD_ERRORS = (
    ImportError,
    AttributeError,
    NameError,
    TypeError,
    ValueError,
    SyntaxError,
    RuntimeError,
    OSError,
)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Listed:
    """A backend that can be named: where it is from, what it is, what keeps it from working."""

    name: str
    origin: str
    summary: str
    problem: str = ""


def make_backend(name: str, settings: RoleSettings) -> Backend:
    """Construct the backend called `name`, or the class at the dotted path `package.module:Class`.

    Raises:
        UserError: no such backend, it cannot be loaded, or it refuses the settings.
    """
    backend_class = _load(name)
    try:
        backend = backend_class(settings)
    except TypeError as error:
        raise UserError(f"backend {name!r} must be callable with RoleSettings: {error}") from error
    if not callable(getattr(backend, "complete", None)):
        raise UserError(f"backend {name!r} has no method complete(request)")
    return backend


def backend_names() -> list[str]:
    """Names of the backends that can be loaded; a broken entry point is logged and left out."""
    names = list(_SHIPPED)
    for name, point in _plugins().items():
        try:
            point.load()
        except _LOAD_ERRORS as error:
            log.warning("backend %r (%s) is broken, skipped: %s", name, point.value, error)
        else:
            names.append(name)
    return names


def list_backends() -> list[Listed]:
    """The shipped backends and those of other packages, also what is broken.

    A shipped backend is tried with a model's name and no more; a plug-in is only loaded.
    """
    shipped = [_describe(_find(name), "shipped", try_it=True) for name in _SHIPPED]
    plugins = [_describe(point, _package(point), try_it=False) for point in _plugins().values()]
    return shipped + plugins


def _describe(point: EntryPoint, origin: str, try_it: bool) -> Listed:
    try:
        backend_class = point.load()
    except _LOAD_ERRORS as error:
        problem = f"cannot load {point.value}: {type(error).__name__}: {error}"
        return Listed(point.name, origin, "", problem)
    summary = next(iter((backend_class.__doc__ or "").strip().splitlines()), "").rstrip(".")
    return Listed(point.name, origin, summary, _problem(backend_class) if try_it else "")


def _problem(backend_class: Callable[[RoleSettings], Any]) -> str:
    """Return why a backend does not start from what the environment says; empty if it does."""
    try:
        backend_class(RoleSettings(model="any"))
    except UserError as error:
        return str(error)
    return ""


def _package(point: EntryPoint) -> str:
    """Return the package that brings an entry point, with its version."""
    return f"{point.dist.name} {point.dist.version}" if point.dist else "unknown package"


def _load(name: str) -> Callable[[RoleSettings], Backend]:
    """Return the class behind `name`; a plug-in's mistakes become one sentence."""
    point = _find(name)
    try:
        return point.load()  # type: ignore[no-any-return]
    except _LOAD_ERRORS as error:
        raise UserError(
            f"cannot load backend {name!r} ({point.value}): {error}; install its package "
            f"or add its folder to PYTHONPATH. Available: {', '.join(backend_names())}"
        ) from error


def _find(name: str) -> EntryPoint:
    if name in _SHIPPED:
        return EntryPoint(name, _SHIPPED[name], GROUP)
    if name in _plugins():
        return _plugins()[name]
    module, _, attribute = name.partition(":")
    if module and attribute:
        return EntryPoint(name, name, GROUP)
    raise UserError(
        f"unknown backend {name!r}; available: {', '.join(backend_names())}, "
        "or the path of a class such as my_package.my_module:MyBackend"
    )


def _plugins() -> dict[str, EntryPoint]:
    points = sorted(entry_points(group=GROUP), key=lambda point: point.name)
    return {point.name: point for point in points if point.name not in _SHIPPED}
