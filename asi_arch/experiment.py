"""The life of one experiment: each step ends in one transaction that moves its status on."""

from collections.abc import Awaitable, Callable, Mapping, Sequence

from asi_arch.errors import AsiArchError, BackendError
from asi_arch.fingerprint import fingerprint
from asi_arch.knowledge import search as search_knowledge
from asi_arch.lab import Lab
from asi_arch.records import (
    Analysis,
    Context,
    Entry,
    Experiment,
    Finding,
    Outcome,
    Program,
    Run,
    Status,
)
from asi_arch.signature import agree, signature_of
from asi_arch.standings import standings

Step = Callable[[Lab, Experiment], Awaitable[Experiment]]


async def run_experiment(lab: Lab, experiment: Experiment) -> Experiment:
    """Take an experiment from where it stands to its end.

    Raises:
        BudgetSpent: a language model would be needed and may not be paid.
    """
    while not experiment.status.is_finished:
        try:
            experiment = await _STEPS[experiment.status](lab, experiment)
        except BackendError as error:
            experiment = lab.finish(experiment, Status.FAILED, str(error))
    return experiment


async def run_baseline(lab: Lab, experiment: Experiment) -> Experiment:
    """Verify and train a baseline by the same steps; its fitness needs the other baselines."""
    _note_verified(lab)
    while experiment.status is not Status.TRAINED and not experiment.status.is_finished:
        experiment = await _STEPS[experiment.status](lab, experiment)
        _note_verified(lab)
    return experiment


def _note_verified(lab: Lab) -> None:
    """Let candidates be compared with the baselines once all of these are verified."""
    baselines = lab.store.experiments(lab.campaign.id, kind="baseline")
    if all(baseline.status is not Status.IMPLEMENTED for baseline in baselines):
        lab.baselines_verified.set()


def visible_outcomes(lab: Lab, number: int) -> list[Outcome]:
    """Return what may be known when experiment `number` is proposed.

    Experiments in flight at the same time do not see each other: number n sees the results of
    1 … n - in_flight, whatever has really finished by then. So the order in which jobs happen to
    end changes nothing.
    """
    up_to = number - lab.config.in_flight
    if up_to > 0:
        return lab.store.outcomes(lab.campaign.id, up_to=up_to)
    baselines = lab.store.experiments(lab.campaign.id, kind="baseline")
    return [_unmeasured(baseline) for baseline in baselines]


def _unmeasured(baseline: Experiment) -> Outcome:
    return Outcome(
        experiment_id=baseline.id,
        number=baseline.number,
        kind=baseline.kind,
        parent_id=None,
        status=Status.COMPLETE,
        fitness=None,
        choices={},
        name=baseline.name,
    )


async def _propose(lab: Lab, experiment: Experiment) -> Experiment:
    if len(experiment.rejections) >= lab.config.search.proposals:
        return lab.finish(experiment, Status.REJECTED, experiment.rejections[-1])
    context = _context(lab, experiment)
    async with lab.thinking(experiment, "propose"):
        proposal = await lab.team.researcher.propose(context)
    return lab.store.save_proposal(experiment.id, proposal)


async def _implement(lab: Lab, experiment: Experiment) -> Experiment:
    assert experiment.proposal is not None and experiment.parent_id is not None
    parent = lab.store.experiment(experiment.parent_id)
    async with lab.thinking(experiment, "implement"):
        program = await lab.team.engineer.implement(experiment, experiment.proposal, parent)
    twin = lab.store.find_twin(fingerprint(program.source), among=_known(lab, experiment))
    if twin is not None:
        return lab.store.reject_proposal(experiment.id, f"the same program as experiment {twin}")
    return _save(lab, experiment, program, round=0)


async def _verify(lab: Lab, experiment: Experiment) -> Experiment:
    findings = await lab.verify(experiment)
    failed = [finding for finding in findings if not finding.passed]
    twin = None if failed else await _same_function(lab, experiment, findings)
    if twin is not None:
        return lab.store.reject_proposal(experiment.id, f"the same function as experiment {twin}")
    verified = not failed
    experiment = lab.store.save_findings(experiment.id, experiment.round, findings, verified)
    return experiment if verified else await _repair(lab, experiment, failed)


async def _same_function(
    lab: Lab, experiment: Experiment, findings: Sequence[Finding]
) -> int | None:
    """Return the first of the known experiments that computes the same, None if none does."""
    if experiment.kind == "baseline":
        return None
    await lab.baselines_verified.wait()
    own = next((signature_of(f) for f in findings if f.check == "sameness"), "")
    known = lab.store.signatures(_known(lab, experiment))
    return next((id for id, theirs in known.items() if agree(own, theirs)), None)


def _known(lab: Lab, experiment: Experiment) -> list[int]:
    """Return the ids of the experiments that this one must differ from."""
    return [outcome.experiment_id for outcome in visible_outcomes(lab, experiment.number)]


async def _repair(lab: Lab, experiment: Experiment, failed: Sequence[Finding]) -> Experiment:
    assert experiment.program is not None
    if experiment.kind == "baseline" or experiment.round >= lab.config.search.repairs:
        return lab.finish(experiment, Status.REJECTED, f"{failed[0].check}: {failed[0].evidence}")
    async with lab.thinking(experiment, "repair"):
        program = await lab.team.engineer.repair(experiment, experiment.program, failed)
    return _save(lab, experiment, program, round=experiment.round + 1)


async def _train(lab: Lab, experiment: Experiment) -> Experiment:
    """Probe, then explore; whoever fails or does not pass the gate goes no further."""
    probes = await lab.run_stage(experiment, "probe", lab.config.probe.seeds)
    stop = _failure(probes) or _gate(lab, experiment, probes)
    if stop is None:
        explore = lab.config.explore
        is_baseline = experiment.kind == "baseline"
        seeds = explore.baseline_seeds if is_baseline else explore.seeds
        stop = _failure(await lab.run_stage(experiment, "explore", seeds))
    if stop is not None:
        return lab.finish(experiment, *stop)
    return lab.store.set_status(experiment.id, Status.TRAINED)


def _failure(runs: Sequence[Run]) -> tuple[Status, str] | None:
    """Return why not every run of a stage gave a measurement, None if all did."""
    for run in (run for run in runs if run.status != "complete"):
        if run.status == "dishonest":
            return Status.REJECTED, f"dishonest: {run.stage} seed {run.seed}: {run.reason}"
        return Status.FAILED, f"{run.stage}: {run.reason}"
    return None


def _gate(lab: Lab, experiment: Experiment, probes: Sequence[Run]) -> tuple[Status, str] | None:
    """Return why the best probe of a candidate is not good enough, None if it is."""
    scores = [run.measurement.scores[0].value for run in probes if run.measurement]
    least = lab.config.probe.min_accuracy
    if experiment.kind == "baseline" or max(scores) >= least:
        return None
    return Status.REJECTED, f"recall accuracy {max(scores):.3f} is below the gate of {least}"


async def _analyse(lab: Lab, experiment: Experiment) -> Experiment:
    assert experiment.parent_id is not None
    await lab.baselines_done.wait()
    gain = measured_fitness(lab, experiment)
    experiment = experiment.model_copy(update={"fitness": gain})
    async with lab.thinking(experiment, "analyse"):
        analysis = await _explain(lab, experiment)
    lab.store.save_analysis(experiment.id, analysis)
    return lab.finish(experiment, Status.COMPLETE, fitness=gain)


async def _explain(lab: Lab, experiment: Experiment) -> Analysis:
    """Return the Analyst's words; without them the measurement counts all the same."""
    try:
        return await lab.team.analyst.analyse(experiment, _relatives(lab, experiment))
    except BackendError as error:
        return Analysis(summary=f"No analysis: {error}")


def measured_fitness(lab: Lab, experiment: Experiment) -> float:
    """Return the gain over the strongest baseline at `explore`, in units of the noise floor.

    Raises:
        AsiArchError: the baselines' losses have no spread to measure the noise by.
    """
    found = standings(lab.store, lab.campaign.id, "explore")
    gain = found.gain(experiment.id)
    if gain is None or not found.noise:
        raise AsiArchError("the noise floor of explore cannot be measured: no spread of losses")
    return gain / found.noise


def _context(lab: Lab, experiment: Experiment) -> Context:
    assert experiment.parent_id is not None
    history = visible_outcomes(lab, experiment.number)
    seen = {outcome.experiment_id: outcome.fitness for outcome in history}
    parent = lab.store.experiment(experiment.parent_id)
    parent = parent.model_copy(update={"fitness": seen[parent.id]})
    return Context(
        experiment_id=experiment.id,
        number=experiment.number,
        seed=lab.campaign.seed,
        parent=parent,
        references=tuple(lab.store.experiment(other) for other in experiment.reference_ids),
        history=tuple(history),
        knowledge=_knowledge(parent),
        rejections=experiment.rejections,
    )


def _knowledge(parent: Experiment) -> tuple[Entry, ...]:
    """Return the entries nearest to what the parent is made of."""
    parts = parent.proposal.components if parent.proposal else ()
    words = " ".join(part.name for part in parts) or parent.name
    return tuple(search_knowledge(f"{words} linear attention recall decay gating", limit=5))


def _relatives(lab: Lab, experiment: Experiment) -> list[Experiment]:
    """Return the parent and the finished siblings that may be known, in order of number."""
    known = {o.experiment_id for o in visible_outcomes(lab, experiment.number)}
    everyone = lab.store.experiments(lab.campaign.id)
    return [
        other
        for other in everyone
        if other.id == experiment.parent_id
        or (other.id in known and other.parent_id == experiment.parent_id)
    ]


def _save(lab: Lab, experiment: Experiment, program: Program, round: int) -> Experiment:
    return lab.store.save_program(experiment.id, program, round, fingerprint(program.source))


_STEPS: Mapping[Status, Step] = {
    Status.SAMPLED: _propose,
    Status.PROPOSED: _implement,
    Status.IMPLEMENTED: _verify,
    Status.VERIFIED: _train,
    Status.TRAINED: _analyse,
}
