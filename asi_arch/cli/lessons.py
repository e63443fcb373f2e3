"""`asi-arch lessons`."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from asi_arch.cli.facts import COLOURS, mark
from asi_arch.cli.opened import opened
from asi_arch.cli.options import DEFAULT_DB, CampaignId, Db, Debug, Json
from asi_arch.cli.output import NONE, number, out, print_json
from asi_arch.records import Experiment, Lesson

_NONE = (
    "no lessons have been drawn yet: with --team llm the Analyst draws them every "
    "analyst.lessons_every experiments"
)


def lessons(
    campaign: CampaignId = None,
    db: Db = DEFAULT_DB,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Show what the experiments so far teach together.

    The latest lessons that the Analyst has drawn, each with the experiments that show it.

    Example: asi-arch lessons --campaign 2
    """
    with opened(db, campaign) as (store, record):
        up_to = store.lessons_drawn(record.id)
        found = store.lessons(record.id, up_to)
        experiments = {e.id: e for e in store.experiments(record.id)}
    if json:
        documents = [_document(lesson, experiments) for lesson in found]
        print_json({"campaign": record.id, "up_to": up_to, "lessons": documents})
    elif not found:
        out().print(Text(_NONE))
    else:
        out().print(Text(f"Lessons from the experiments up to number {up_to}", "bold underline"))
        for position, lesson in enumerate(found, start=1):
            _print(position, lesson, experiments, out())


def _document(lesson: Lesson, experiments: Mapping[int, Experiment]) -> dict[str, Any]:
    shown = [experiments[id] for id in lesson.evidence if id in experiments]
    return {
        "text": lesson.text,
        "evidence": [{"id": e.id, "name": e.name, "fitness": e.fitness} for e in shown],
    }


def _print(
    position: int, lesson: Lesson, experiments: Mapping[int, Experiment], console: Console
) -> None:
    shown = [_named(experiments[id]) for id in lesson.evidence if id in experiments]
    evidence = Text("shown by ").append(Text(", ").join(shown) if shown else Text("nothing"))
    console.print(Text(f"\n{position}. {lesson.text}"))
    console.print(Padding(evidence, (0, 0, 0, 3), expand=False))


def _named(experiment: Experiment) -> Text:
    text = Text(f"{experiment.id} {experiment.name or NONE}", "cyan")
    if experiment.fitness is None:
        return text.append(f" {experiment.status.value}", "bright_black")
    fitness = number(experiment.fitness, 2, sign=True)
    return text.append(f" {fitness}", COLOURS[mark(experiment.fitness)])
