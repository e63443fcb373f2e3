"""What a campaign that has explored is asked for next: a wider gate, a final, more baselines.

Each changes what the database says of the campaign, and the campaign then goes on by running as
always: what is measured stays, what is missing is trained, and the conclusion is drawn anew.
"""

from collections.abc import Sequence
from typing import Any

from asi_arch.baselines import baseline_program
from asi_arch.config import Config, Stage
from asi_arch.configure import parse_config, stored_config
from asi_arch.entrances import notes, write_notes
from asi_arch.errors import UserError
from asi_arch.records import Campaign, Experiment, Status
from asi_arch.search.gates import Entrant, entrants
from asi_arch.store import Store


def wider_gate(store: Store, campaign: Campaign, top: int, losers: float | None) -> Stage:
    """Return the gate to `confirm` with these limits; without `losers` their share stays.

    Raises:
        UserError: the campaign still explores, or the gate would be narrower than it was.
    """
    config = stored_config(campaign)
    require_explored(store, campaign, config)
    share = config.confirm.losers if losers is None else losers
    if top < config.confirm.top or share < config.confirm.losers:
        raise UserError(
            f"--top {top} --losers {share:g} is a narrower gate than the one campaign "
            f"{campaign.id} has used; ask for at least --top {config.confirm.top} --losers "
            f"{config.confirm.losers:g}"
        )
    return _changed(config, "confirm", top=top, losers=share).confirm


def promoted(store: Store, campaign: Campaign, gate: Stage) -> list[Entrant]:
    """Return who comes through a gate."""
    candidates = store.experiments(campaign.id, kind="candidate")
    return entrants(candidates, gate, campaign.seed)


def widen_gate(store: Store, campaign: Campaign, gate: Stage) -> Campaign:
    """Let the campaign confirm all that come through this gate."""
    changes = {"top": gate.top, "losers": gate.losers}
    return _save(store, campaign, _changed(stored_config(campaign), "confirm", **changes))


def name_finalists(
    store: Store, campaign: Campaign, named: Sequence[Experiment], tokens: int | None
) -> Campaign:
    """Let the campaign train experiments at `final`, on so many tokens if a number is given.

    Raises:
        UserError: the campaign still explores, an experiment has not been trained, or others have
            been trained at `final` on another number of tokens.
    """
    config = stored_config(campaign)
    require_explored(store, campaign, config)
    for experiment in named:
        if experiment.status is not Status.COMPLETE:
            raise UserError(
                f"experiment {experiment.id} is {experiment.status.value} and cannot be trained at "
                "final; asi-arch leaderboard lists those that can"
            )
    if tokens is not None and tokens != config.final.tokens:
        _require_no_finals(store, campaign, config.final.tokens)
        config = _changed(config, "final", tokens=tokens)
    write_notes(store, campaign.id, "final", [Entrant(one, "named") for one in named])
    return _save(store, campaign, config)


def add_baselines(store: Store, campaign: Campaign, names: Sequence[str]) -> Campaign:
    """Let the campaign run baselines that it does not have yet.

    Where all of its baselines came to `confirm`, the new ones do too.

    Raises:
        UserError: the campaign still explores, or a baseline is unknown.
    """
    config = stored_config(campaign)
    require_explored(store, campaign, config)
    for name in names:
        baseline_program(name)
    all_came = config.confirm.baselines >= len(config.baselines)
    named = list(dict.fromkeys((*config.baselines, *names)))
    values = config.model_dump(mode="json") | {"baselines": named}
    if all_came:
        values["confirm"]["baselines"] = max(len(named), config.confirm.baselines)
    return _save(store, campaign, parse_config(values))


def require_explored(store: Store, campaign: Campaign, config: Config) -> None:
    """Raise a UserError unless all experiments of a campaign have ended."""
    candidates = store.experiments(campaign.id, kind="candidate")
    ended = sum(candidate.status.is_finished for candidate in candidates)
    if ended < config.budget.experiments:
        raise UserError(
            f"campaign {campaign.id} has ended {ended} of {config.budget.experiments} experiments; "
            f"go on with asi-arch resume --campaign {campaign.id}, or let it end there with --set "
            f"budget.experiments={len(candidates)}"
        )


def finalists(store: Store, campaign_id: int) -> list[int]:
    """Return the experiments that were named for `final`."""
    return list(notes(store, campaign_id).get("final", {}))


def _require_no_finals(store: Store, campaign: Campaign, tokens: int) -> None:
    if store.runs(campaign.id, stage="final"):
        raise UserError(
            f"campaign {campaign.id} has trained at final on {tokens} tokens, and what is compared "
            f"must be alike: leave out --tokens or give {tokens}"
        )


def _changed(config: Config, stage: str, **changes: Any) -> Config:
    values = config.model_dump(mode="json")
    return parse_config(values | {stage: values[stage] | changes})


def _save(store: Store, campaign: Campaign, config: Config) -> Campaign:
    store.set_campaign_config(campaign.id, config.model_dump(mode="json"))
    store.set_campaign_status(campaign.id, "stopped", "more is asked for")
    return store.campaign(campaign.id)
