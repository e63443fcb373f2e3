"""Watch what a program does to the process it runs in.

Sees what passes through Python: replaced code, changed settings, audited events and calls of the
program's own lines. What a call replaces and puts back itself is not seen, unless it is the inside
of a function; `look` sees what is put back later. Machine code that a program brings along, and
what it does to this watch itself, are not seen here: the sandbox and the audit are for that.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, NamedTuple

import torch

from asi_arch.verify.ambient import ambient
from asi_arch.verify.listening import deaf, listening, note
from asi_arch.verify.surroundings import Surroundings, changes, look_around


class _Watch(NamedTuple):
    """What has been seen, and how everything was before."""

    seen: list[str]
    surroundings: Surroundings
    settings: dict[str, Any]


_active: list[_Watch] = []


@contextmanager
def watch(calls: bool = True) -> Iterator[list[str]]:
    """Collect what the program does; the list is complete when the context ends.

    Listening to `calls` doubles the time of Python code; without, clocks, seeds, threads and
    settings for a moment go unheard.
    """
    settle()
    seen: list[str] = []
    with _collector_minds_the_program():
        _active.append(_Watch(seen, look_around(), ambient()))
        try:
            with listening(seen, calls):
                yield seen
        finally:
            look()
            _active.pop()


@contextmanager
def _collector_minds_the_program() -> Iterator[None]:
    """Keep garbage of before from being collected, and those from being told who want to know.

    What either does would seem the program's doing, in whose midst the collector runs.
    """
    frozen_before, told = gc.get_freeze_count() > 0, gc.callbacks[:]
    gc.callbacks.clear()
    if not frozen_before:
        gc.freeze()
    try:
        yield
    finally:
        gc.callbacks[:0] = told
        if not frozen_before:
            gc.unfreeze()


def look() -> None:
    """Note what is different now: the program may put it back before the watch ends."""
    seen, surroundings, settings = _active[-1]
    with deaf():
        for change in changes(surroundings):
            note(seen, change)
        for name, value in ambient().items():
            if value != settings[name]:
                note(seen, f"changes {name}")


@cache
def settle() -> None:
    """Compile and train one number: torch replaces functions of its own when it first does so."""
    torch.compile(torch.nn.Identity(), backend="eager")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        number = torch.nn.Linear(1, 1)
        for kind in (torch.optim.SGD, torch.optim.AdamW):
            number(torch.zeros(1, 1)).sum().backward()
            kind(number.parameters(), lr=0.1).step()
    look_around()
