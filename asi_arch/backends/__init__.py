"""Language models: find a backend by name, entry point or dotted path and construct it."""

import logging
from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points

from asi_arch.errors import UserError
from asi_arch.interfaces import Backend
from asi_arch.records import RoleSettings

__all__ = ["backend_names", "make_backend"]

GROUP = "asi_arch.backends"
_SHIPPED = {
    "openai": "asi_arch.backends.openai:OpenAIBackend",
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
    names = set(_SHIPPED)
    for name, point in _plugins().items():
        try:
            point.load()
        except _LOAD_ERRORS as error:
            log.warning("backend %r (%s) is broken, skipped: %s", name, point.value, error)
        else:
            names.add(name)
    return sorted(names)


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
    return {point.name: point for point in entry_points(group=GROUP) if point.name not in _SHIPPED}
