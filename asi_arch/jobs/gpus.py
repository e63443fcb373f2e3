"""Which GPUs jobs may use; each job sees one."""

import os
from collections import Counter
from pathlib import Path

from asi_arch.errors import UserError

VISIBLE = "CUDA_VISIBLE_DEVICES"


def machine_gpus() -> list[str]:
    """Return the GPUs of this machine that we may use, by the names that CUDA takes."""
    allowed = os.environ.get(VISIBLE)
    if allowed is not None:
        return [name.strip() for name in allowed.split(",") if name.strip() not in ("", "-1")]
    numbers = (path.name.removeprefix("nvidia") for path in Path("/dev").glob("nvidia[0-9]*"))
    return sorted(numbers, key=int)


class Gpus:
    """Hands GPUs to jobs, the least used one first; `wanted` of them, or all there are."""

    def __init__(self, wanted: int | None) -> None:
        self.names = machine_gpus()[:wanted]
        self.wanted = wanted
        self._jobs: Counter[str] = Counter()

    def require(self) -> None:
        """Make sure that there are as many as were asked for.

        Raises:
            UserError: there are fewer.
        """
        if len(self.names) < (self.wanted or 0):
            raise UserError(
                f"{self.wanted} GPUs are asked for and this machine gives {len(self.names)}; ask "
                f"for fewer with --gpus, or --gpus 0 for the CPU, and see: asi-arch doctor"
            )

    def take(self) -> str:
        """Return what a job may see: one GPU, or none by the empty name."""
        if not self.names:
            return ""
        least = min(self.names, key=lambda name: self._jobs[name])
        self._jobs[least] += 1
        return least

    def give_back(self, name: str) -> None:
        """Say that a job that had taken a GPU has ended."""
        self._jobs[name] -= 1
