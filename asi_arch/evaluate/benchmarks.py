"""Which lm-eval tasks are meant, and by which number each is told."""

import difflib
import tomllib
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from asi_arch.errors import UserError
from asi_arch.records import Score


def group_names() -> list[str]:
    """Return the named lists of tasks."""
    return sorted(_tables()["groups"])


def wanted_tasks(words: Iterable[str], known: Sequence[str]) -> list[str]:
    """Return the tasks that words name, each a task, a list of ours, or several with commas.

    Raises:
        UserError: one is not among the known tasks.
    """
    names = [name.strip() for word in words for name in word.split(",") if name.strip()]
    groups = _tables()["groups"]
    tasks = list(dict.fromkeys(t for name in names for t in groups.get(name, [name])))
    if not tasks:
        raise UserError(f"no task is named; name some, or a list: {', '.join(group_names())}")
    for task in tasks:
        if task not in known:
            raise UserError(_unknown(task, known))
    return tasks


def main_score(scores: Sequence[Score], task: str) -> Score | None:
    """Return the score by which a task is told: of the table, else its first."""
    own = [score for score in scores if score.benchmark == task]
    metric = _tables()["metrics"].get(task)
    return next((score for score in own if score.metric == metric), next(iter(own), None))


def _unknown(task: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(task, [*known, *group_names()], n=1)
    guess = f"; did you mean {', '.join(close)}?" if close else ";"
    return (
        f"unknown task {task!r}{guess} lists of tasks are {', '.join(group_names())}, and your own "
        "come from YAML files with --include DIR"
    )


@cache
def _tables() -> dict[str, Any]:
    return tomllib.loads(Path(__file__).with_name("tasks.toml").read_text())
