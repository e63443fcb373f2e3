"""`asi-arch stages`."""

from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from asi_arch.cli.estimates import SIGN_COLOURS, shown
from asi_arch.cli.facts import noise_floors
from asi_arch.cli.opened import opened
from asi_arch.cli.options import DEFAULT_DB, STAGES, CampaignId, Db, Debug, Json
from asi_arch.cli.output import NONE, Column, count, duration, number, out, print_json, table

if TYPE_CHECKING:
    from asi_arch.ranks import Agreement
    from asi_arch.store.records import EffortRow

_CAPTION = (
    "rank correlation: Spearman's, of the candidates that came to both stages, by the gain over "
    "the strongest baseline (at probe by recall). Of winners alone it says little, for they are "
    "alike; the losers drawn by chance show what the gate misses. overlooked: losers better than "
    "the median winner at the larger stage."
)


def stages(
    campaign: CampaignId = None,
    db: Db = DEFAULT_DB,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Show how well the small stages foretell the large ones, and what each has taken.

    The rank correlation between stages, what became of losers that were promoted by chance, the
    noise floor, tokens, parameters and time. Intervals are of 2000 bootstrap draws, from five
    candidates on.

    Example: asi-arch stages
    """
    from asi_arch.ranks import agreements

    with opened(db, campaign) as (store, record):
        pairs, floors = agreements(store, record.id), noise_floors(store, record)
        efforts = sorted(store.efforts(record.id), key=_place)
    if json:
        print_json(_document(record.id, pairs, efforts, floors))
        return
    console = out()
    console.print(table(_effort_columns(floors), efforts, console.width, title="Stages"))
    _print_agreements(pairs, console)


def _place(effort: "EffortRow") -> tuple[int, str]:
    return STAGES.index(effort.stage), effort.device


def _effort_columns(floors: dict[str, float | None]) -> "list[Column[EffortRow]]":
    return [
        Column["EffortRow"]("stage", lambda e: e.stage, left=True),
        Column["EffortRow"]("runs", lambda e: count(e.runs)),
        Column["EffortRow"]("failed", lambda e: count(e.failed), 3),
        Column["EffortRow"]("parameters", _parameters, 4),
        Column["EffortRow"]("tokens", lambda e: count(e.tokens), 2),
        Column["EffortRow"]("time", lambda e: duration(e.seconds), 1),
        Column["EffortRow"]("device", lambda e: e.device or NONE, 5, left=True),
        Column["EffortRow"]("noise", lambda e: number(floors.get(e.stage))),
    ]


def _parameters(effort: "EffortRow") -> str:
    low, high = effort.fewest_parameters, effort.most_parameters
    return count(low) if low == high else f"{count(low)} to {count(high)}"


def _print_agreements(pairs: "list[Agreement]", console: Console) -> None:
    if not pairs:
        console.print(
            Text(
                "no two stages have two candidates in common: too few to say how well they agree; "
                "asi-arch promote --to confirm --top N trains more",
                "yellow",
            )
        )
        return
    columns = [
        Column["Agreement"]("stages", lambda a: f"{a.smaller}, {a.larger}", left=True),
        Column["Agreement"]("candidates", lambda a: count(a.count)),
        Column["Agreement"]("rank correlation", _correlation, left=True),
        Column["Agreement"]("winners", lambda a: count(a.winners), 2),
        Column["Agreement"]("losers", lambda a: count(a.losers), 1),
        Column["Agreement"]("overlooked", _overlooked, 3, left=True),
    ]
    console.print(table(columns, pairs, console.width, title="Agreement"))
    console.print(Text(_CAPTION, "italic"))


def _correlation(pair: "Agreement") -> Text:
    return Text(shown(pair.correlation), SIGN_COLOURS[pair.correlation.sign])


def _overlooked(pair: "Agreement") -> str:
    share = pair.overlooked
    if share is None:
        return NONE
    low, high = share.interval
    return f"{share.count} of {share.total} ({low:.0%} to {high:.0%})"


def _document(
    campaign: int,
    pairs: "list[Agreement]",
    efforts: "list[EffortRow]",
    floors: dict[str, float | None],
) -> dict[str, Any]:
    return {
        "campaign": campaign,
        "stages": [effort.model_dump() | {"noise": floors.get(effort.stage)} for effort in efforts],
        "agreement": [_pair_document(pair) for pair in pairs],
    }


def _pair_document(pair: "Agreement") -> dict[str, Any]:
    share = pair.overlooked
    return {
        "stages": [pair.smaller, pair.larger],
        "candidates": pair.count,
        "correlation": vars(pair.correlation),
        "winners": pair.winners,
        "losers": pair.losers,
        "overlooked": share
        and {"count": share.count, "total": share.total, "interval": share.interval},
    }
