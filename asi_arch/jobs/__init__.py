"""Jobs: whatever runs generated code, in a process group of its own, under limits that kill."""

from asi_arch.jobs.local import LocalRunner
from asi_arch.jobs.paths import JobPaths

__all__ = ["JobPaths", "LocalRunner"]
