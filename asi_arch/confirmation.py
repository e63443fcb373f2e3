"""The larger stages of a campaign: confirmation with fresh seeds, the final, the conclusion."""

from collections.abc import Mapping, Sequence

from asi_arch.entrances import notes, write_notes
from asi_arch.lab import Lab
from asi_arch.records import Conclusion, Experiment
from asi_arch.search.gates import entrants
from asi_arch.search.objective import conclude, noise_floor, spread_of, strongest
from asi_arch.search.paired import Part
from asi_arch.standings import standings
from asi_arch.store import Store
from asi_arch.together import together


async def confirm(lab: Lab) -> None:
    """Train who passes the gate and the strongest baselines at `confirm`."""
    stage = lab.config.confirm
    candidates = lab.store.experiments(lab.campaign.id, kind="candidate")
    promoted = entrants(candidates, stage, lab.campaign.seed)
    write_notes(lab.store, lab.campaign.id, "confirm", promoted)
    baselines = _strongest_baselines(lab, "explore", stage.baselines)
    await _train(lab, "confirm", [*(entrant.experiment for entrant in promoted), *baselines])


async def finals(lab: Lab) -> None:
    """Train at `final` who was named for it, if anybody was, and the strongest baselines."""
    named = notes(lab.store, lab.campaign.id).get("final", {})
    if not named:
        return
    known = standings(lab.store, lab.campaign.id, "confirm").baselines
    stage = lab.config.final
    baselines = _strongest_baselines(lab, "confirm" if known else "explore", stage.baselines)
    found = {e.id: e for e in (*map(lab.store.experiment, named), *baselines)}
    await _train(lab, "final", list(found.values()))


async def _train(lab: Lab, stage: str, found: Sequence[Experiment]) -> None:
    """Train experiments at a stage with its seeds, and say who gave no result."""
    if not found:
        return
    lab.watcher.on_message(f"{stage}: {', '.join(experiment.name for experiment in found)}")
    settings = getattr(lab.config, stage)
    for group in _in_turn(found) if settings.stops else [found]:
        runs = await together(lab.run_stage(one, stage, settings.seeds) for one in group)
        for run in (run for own in runs for run in own if run.status != "complete"):
            lab.watcher.on_message(
                f"experiment {run.experiment_id} at {stage} is {run.status}: {run.reason}"
            )


def _in_turn(found: Sequence[Experiment]) -> list[list[Experiment]]:
    """Put baselines first: the rules that end others early measure by them."""
    return [
        [experiment for experiment in found if (experiment.kind == "baseline") is first]
        for first in (True, False)
    ]


def _strongest_baselines(lab: Lab, stage: str, count: int) -> list[Experiment]:
    losses = standings(lab.store, lab.campaign.id, stage).baselines
    return [lab.store.experiment(id) for id in strongest(losses, count)]


def verdict(store: Store, campaign_id: int) -> Conclusion:
    """Return whether the best candidate of those confirmed beats the best baseline there."""
    runs, names = standings(store, campaign_id, "confirm"), _names(store, campaign_id)
    reference = runs.reference_id
    found = {id: runs.losses[id] for id in runs.losses if id not in runs.baselines}
    comparable = {id: seeds for id, seeds in found.items() if runs.gain(id) is not None}
    if reference is None or not comparable:
        return Conclusion(sentence=_nothing(store, campaign_id))
    best = strongest(comparable)[0]
    noise = noise_floor({**runs.baselines, best: found[best]})
    windows, count = store.heldout(campaign_id, "confirm"), len(comparable)
    spread = _spread({**runs.baselines, **comparable}, reference) if count > 1 else None
    documents = store.documents(campaign_id, "confirm")
    return conclude(best, reference, names, windows, noise, count, spread, documents)


def _spread(losses: Mapping[int, Mapping[int, float]], reference: int) -> Part | None:
    """Return how all that have the seeds of the reference vary between them."""
    seeds = losses[reference].keys()
    return spread_of({id: own for id, own in losses.items() if own.keys() == seeds})


def _nothing(store: Store, campaign_id: int) -> str:
    if store.experiments(campaign_id, kind="candidate"):
        return "No candidate came as far as the confirmation."
    baselines = store.experiments(campaign_id, kind="baseline")
    return f"No candidate was tried; {len(baselines)} baselines were measured."


def _names(store: Store, campaign_id: int) -> dict[int, str]:
    return {e.id: e.name for e in store.experiments(campaign_id)}
