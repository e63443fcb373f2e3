"""`asi-arch agreement`."""

from rich.text import Text

from asi_arch.cli.judged import judged, print_judged
from asi_arch.cli.opened import opened
from asi_arch.cli.options import DEFAULT_DB, CampaignId, Db, Debug, Json
from asi_arch.cli.output import out, print_json
from asi_arch.cli.traced import print_traced, traced


def agreement(
    campaign: CampaignId = None,
    db: Db = DEFAULT_DB,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Compare what models said with what was measured, and with each other.

    The Analyst's opinion of a program with its fitness; the origin that the Researcher claims for
    a part with the one that the Analyst traces it to. Intervals are of 2000 bootstrap draws.

    Example: asi-arch agreement --campaign 2
    """
    with opened(db, campaign) as (store, record):
        candidates = store.experiments(record.id, kind="candidate")
    opinions, origins = judged(candidates), traced(candidates)
    if json:
        documents = {"judge": opinions, "origins": origins}
        found = {name: one and one.document() for name, one in documents.items()}
        print_json({"campaign": record.id, **found})
        return
    console = out()
    console.print(Text("The judge and what was measured", "bold underline"))
    print_judged(opinions, console)
    console.print(Text("\nClaimed and traced origins", "bold underline"))
    print_traced(origins, console)
