"""The parts of a proposal: where their ideas come from, as claimed and as traced."""

from collections.abc import Callable
from typing import NamedTuple

from rich.console import Console
from rich.text import Text

from asi_arch.cli.output import NONE, Column, table
from asi_arch.records import Component, Experiment, Trace


class Part(NamedTuple):
    """A component of the taken proposal, and what the Analyst traced it to, if it did."""

    component: Component
    trace: Trace | None


def parts(experiment: Experiment) -> list[Part]:
    """Return the parts of an experiment's proposal; traces are found by place, else by name."""
    components = experiment.proposal.components if experiment.proposal else ()
    return [Part(part, _trace(experiment, place, part)) for place, part in enumerate(components)]


def _trace(experiment: Experiment, place: int, part: Component) -> Trace | None:
    here = experiment.traces[place : place + 1]
    return next((t for t in (*here, *experiment.traces) if t.component == part.name), None)


def print_parts(experiment: Experiment, console: Console) -> None:
    """Print a table of the parts, and the claims that nothing supports."""
    found = parts(experiment)
    columns = [
        Column[Part]("component", _of(lambda part: part.name), left=True),
        Column[Part]("category", _of(lambda part: part.category), 2, left=True),
        Column[Part]("origin", _origin, left=True),
        Column[Part]("traced", _traced, 3, left=True),
        Column[Part]("cites", _of(lambda part: ", ".join(part.citations) or NONE), 1, left=True),
    ]
    console.print(table(columns, found, console.width))
    for part, _ in found:
        if part.unsupported:
            claim = f"{part.origin.value}: unsupported ({part.unsupported})"
            console.print(Text(f"  {part.name}: {claim}", "yellow"))


def _of(value: Callable[[Component], str]) -> Callable[[Part], str]:
    return lambda part: value(part.component)


def _origin(part: Part) -> Text:
    return Text(part.component.origin.value, "yellow" if part.component.unsupported else "")


def _traced(part: Part) -> Text:
    """Return the traced origin in green where it is the claimed one, in yellow where not."""
    if part.trace is None:
        return Text(NONE)
    agreed = part.trace.origin == part.component.origin
    return Text(part.trace.origin.value, "green" if agreed else "yellow")
