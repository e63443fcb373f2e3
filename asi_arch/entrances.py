"""Why experiments came to a stage, as the events of a campaign have it."""

from collections.abc import Mapping, Sequence

from asi_arch.search.gates import Entrant, Why, note, noted
from asi_arch.store import Store


def notes(store: Store, campaign_id: int) -> Mapping[str, Mapping[int, Why]]:
    """Return {stage: {experiment id: why it came there}}."""
    return noted((e.experiment_id, e.kind, e.message) for e in store.events(campaign_id))


def write_notes(store: Store, campaign_id: int, stage: str, promoted: Sequence[Entrant]) -> None:
    """Write down why experiments came to a stage; what is written stays."""
    known = notes(store, campaign_id).get(stage, {})
    for entrant in promoted:
        if entrant.experiment.id not in known:
            store.log_event(campaign_id, entrant.experiment.id, *note(entrant.why, stage))
