"""Decorators that fla's own files use; stands in for `fla.utils`.

On the CPU there is no device to guard and nothing worth caching, so each returns its function.
"""

from collections.abc import Callable
from typing import Any, TypeVar

__all__ = ["checkpoint", "tensor_cache"]

F = TypeVar("F", bound=Callable[..., Any])


def tensor_cache(fn: F) -> F:
    """Return the function as it is."""
    return fn


checkpoint = tensor_cache
