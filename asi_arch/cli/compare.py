"""`asi-arch compare`."""

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from asi_arch.cli.facts import COLOURS
from asi_arch.cli.opened import opened
from asi_arch.cli.options import DEFAULT_DB, LARGEST_ID, CampaignId, Db, Debug, Json, ScoredStage
from asi_arch.cli.output import NONE, Column, out, print_json, table
from asi_arch.cli.stage_table import comparison_document, difference
from asi_arch.errors import UserError
from asi_arch.search.paired import SMALLEST_P

if TYPE_CHECKING:
    from asi_arch.store import Store
    from asi_arch.versus import Versus


def compare(
    experiments: Annotated[
        list[str],
        typer.Argument(metavar="ID...", help="Ids of experiments, or names of baselines."),
    ],
    references: Annotated[
        str,
        typer.Option(
            "--with",
            metavar="NAMES",
            help="Baselines or ids, with commas between; not given: the strongest baseline.",
        ),
    ] = "",
    stage: Annotated[
        ScoredStage | None,
        typer.Option(help="Where; not given: the largest stage that all were trained at."),
    ] = None,
    campaign: CampaignId = None,
    db: Db = DEFAULT_DB,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Test whether experiments are better than references.

    By the paired difference in held-out loss over the same windows and seeds, both of which are
    samples. The verdict counts how many pairs are looked at: p-values are Holm's.

    Example: asi-arch compare 12 57 --with gated_deltanet,mamba2
    """
    from asi_arch.versus import find, largest_stage, strongest_baseline, versus

    with opened(db) as (store, _):
        id = _campaign(store, campaign, experiments)
        found = [find(store, id, word) for word in dict.fromkeys(experiments)]
        named = [find(store, id, word) for word in dict.fromkeys(_words(references))]
        at = stage or largest_stage(store, id, [*found, *named])
        against = named or [strongest_baseline(store, id, at)]
        pairs = versus(store, id, at, found, against)
    if not pairs:
        raise UserError("an experiment cannot be compared with itself; name others with --with")
    if json:
        print_json(_document(id, at, pairs))
    else:
        _print(at, pairs, out())


def _words(text: str) -> list[str]:
    return [word for word in (part.strip() for part in text.split(",")) if word]


def _campaign(store: "Store", campaign: int | None, words: list[str]) -> int:
    """Return the campaign asked for, else that of the first id, else the latest."""
    ids = [int(word) for word in words if word.isdecimal() and int(word) <= LARGEST_ID]
    if campaign is None and ids:
        return store.experiment(ids[0]).campaign_id
    return store.campaign(campaign).id


def _print(stage: str, pairs: "list[Versus]", console: Console) -> None:
    columns = [
        Column["Versus"]("id", lambda pair: str(pair.experiment.id)),
        Column["Versus"]("name", lambda pair: pair.experiment.name, left=True),
        Column["Versus"]("with", lambda pair: pair.reference.name, left=True),
        Column["Versus"]("difference ± 95 %", lambda pair: difference(pair.comparison)),
        Column["Versus"]("p", lambda pair: chance(pair.comparison.p), 4),
        Column["Versus"]("p (Holm)", lambda pair: chance(pair.corrected), 3),
        Column["Versus"]("verdict", _verdict, 0, left=True),
        Column["Versus"]("seeds", lambda pair: str(pair.comparison.seeds), 2),
        Column["Versus"]("windows", lambda pair: str(pair.comparison.windows), 5),
    ]
    title = f"At {stage}: how much lower the held-out loss is, nats per token"
    console.print(table(columns, pairs, console.width, title=title))
    for note in notes(stage, pairs):
        console.print(Text(note, "italic"))


def chance(p: float | None) -> str:
    """Return a p-value."""
    if p is None:
        return NONE
    return f"<{SMALLEST_P:.0e}" if p <= SMALLEST_P else f"{p:.2g}"


def _verdict(pair: "Versus") -> Text:
    return Text(pair.verdict, COLOURS[pair.verdict])


def notes(stage: str, pairs: "list[Versus]") -> list[str]:
    """Return what must be known to read the pairs."""
    found = [f"Sampled: {text}." for text in sorted({pair.comparison.sampled for pair in pairs})]
    if len(pairs) > 1:
        found.append(
            f"{len(pairs)} comparisons were made: each interval is for one of them, the verdict "
            "is of p-values corrected for all (Holm)."
        )
    if stage == "explore" and any(pair.experiment.kind == "candidate" for pair in pairs):
        found.append(
            "These seeds also chose the best candidates, which no figure here accounts for; only "
            "confirm and final, with fresh seeds, decide."
        )
    return found


def _document(campaign: int, stage: str, pairs: "list[Versus]") -> dict[str, Any]:
    return {
        "campaign": campaign,
        "stage": stage,
        "comparisons": [_pair_document(pair) for pair in pairs],
        "count": len(pairs),
        "notes": notes(stage, pairs),
    }


def _pair_document(pair: "Versus") -> dict[str, Any]:
    return {
        "experiment": {"id": pair.experiment.id, "name": pair.experiment.name},
        "reference": {"id": pair.reference.id, "name": pair.reference.name},
        **comparison_document(pair.comparison),
        "holm": pair.corrected,
        "verdict": pair.verdict,
    }
