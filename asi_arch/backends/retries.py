"""Ask again after a passing fault, with growing pauses, and keep account of every fault."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from typing import TypeVar

from asi_arch.backends.trouble import Trouble

FIRST_PAUSE = 0.5  # seconds; doubled with every try
LONGEST_GROWN = 60.0
LONGEST_WANTED = 600.0
"""A server that asks for a longer pause than this is asked again after this."""

T = TypeVar("T")


async def persist(
    ask: Callable[[], Awaitable[T]],
    key: str,
    retries: int,
    faults: list[str],
    remedy: Callable[[Trouble], object | None],
) -> T:
    """Return what `ask` gives; a passing fault is written down and asked again `retries` times.

    A trouble for which there is a remedy better than waiting is not waited for.

    Raises:
        Trouble: it does not pass, or the last try had it too.
    """
    for number in range(retries):
        try:
            return await ask()
        except Trouble as trouble:
            if not trouble.is_passing or remedy(trouble) is not None:
                raise
            pause = pause_after(trouble, key, number)
            faults.append(f"{trouble.fault}, waited {pause:.3g} s")
            await asyncio.sleep(pause)
    return await ask()


def pause_after(trouble: Trouble, key: str, number: int) -> float:
    """Return how long to wait after the fault of try `number`: as asked for, else twice the last.

    The spread, a quarter up or down, comes from the question: the same in every run, and not the
    same for two questions that were refused together.
    """
    if trouble.pause is not None:
        return min(trouble.pause, LONGEST_WANTED)
    digest = hashlib.sha256(f"{key}:{number}".encode()).digest()
    spread = 0.75 + digest[0] / 510
    return float(min(FIRST_PAUSE * 2**number, LONGEST_GROWN) * spread)
