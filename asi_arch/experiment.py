"""The life of one experiment: each step ends in one transaction that moves its status on."""

from collections.abc import Awaitable, Callable, Mapping, Sequence

from asi_arch.advice import draw_lessons, judge, trace
from asi_arch.errors import AsiArchError, BackendError
from asi_arch.fingerprint import fingerprint
from asi_arch.lab import Lab
from asi_arch.records import (
    Analysis,
    Experiment,
    Finding,
    Outcome,
    Program,
    Proposal,
    Run,
    Status,
)
from asi_arch.search.novelty import alike
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


def sample(lab: Lab, number: int, attempt: int = 0) -> tuple[int, tuple[int, ...]]:
    """Draw parent and references for an experiment, others for each attempt."""
    baselines = lab.store.experiments(lab.campaign.id, kind="baseline")
    barred = {b.id for b in baselines if b.name not in lab.config.search.roots}
    outcomes = [o for o in lab.memory.outcomes(number) if o.experiment_id not in barred]
    weight = lab.config.analyst.judge_weight
    judged = [_with_opinion(outcome, weight) for outcome in outcomes]
    return lab.sampler.sample(judged, number, lab.campaign.seed, attempt)


def _with_opinion(outcome: Outcome, weight: float) -> Outcome:
    """Return the outcome with the Analyst's opinion added to its fitness, as the user weighs it."""
    if outcome.fitness is None or outcome.judged is None:
        return outcome
    return outcome.model_copy(update={"fitness": outcome.fitness + weight * outcome.judged})


async def _propose(lab: Lab, experiment: Experiment) -> Experiment:
    if _out_of_ideas(lab, experiment):
        experiment = _other_parent(lab, experiment)
        if experiment.status.is_finished:
            return experiment
    await draw_lessons(lab, experiment)
    context = lab.memory.context(experiment)
    researcher = lab.team.researcher
    again = bool(context.rejections)
    ask = researcher.diversify if again else researcher.propose
    async with lab.thinking(experiment, "diversify" if again else "propose"):
        proposal = await ask(context)
    return lab.store.save_proposal(experiment.id, proposal)


def _out_of_ideas(lab: Lab, experiment: Experiment) -> bool:
    """Whether as many proposals as one parent may have were not taken."""
    refused = len(experiment.rejections)
    return refused > 0 and refused % lab.config.search.proposals == 0


def _other_parent(lab: Lab, experiment: Experiment) -> Experiment:
    """Start the experiment from another parent, or end it when enough of them were tried."""
    tried = len(experiment.rejections) // lab.config.search.proposals
    if tried >= lab.config.novelty.parents:
        return lab.finish(experiment, Status.REJECTED, experiment.rejections[-1])
    parent, references = sample(lab, experiment.number, attempt=tried)
    lab.store.log_event(lab.campaign.id, experiment.id, "parent", f"starts anew from {parent}")
    return lab.store.change_parent(experiment.id, parent, references)


async def _implement(lab: Lab, experiment: Experiment) -> Experiment:
    assert experiment.proposal is not None and experiment.parent_id is not None
    twin = await _same_idea(lab, experiment, experiment.proposal)
    if twin is not None:
        return _reject(lab, experiment, "idea", twin)
    parent = lab.store.experiment(experiment.parent_id)
    async with lab.thinking(experiment, "implement"):
        program = await lab.team.engineer.implement(experiment, experiment.proposal, parent)
    known = lab.memory.known(experiment)
    twin = lab.store.find_twin(fingerprint(program.source), among=known)
    if twin is not None:
        return _reject(lab, experiment, "program", twin)
    return lab.store.save_program(experiment.id, program, 0, fingerprint(program.source))


async def _same_idea(lab: Lab, experiment: Experiment, proposal: Proposal) -> int | None:
    """Return the first known experiment whose idea the proposal repeats, None if none does."""
    limits = lab.config.novelty
    known = lab.memory.proposals(experiment)
    near = alike(proposal, known, limits.similarity, limits.compared)
    if not near:
        return None
    others = [lab.store.experiment(id) for id, _ in near]
    async with lab.thinking(experiment, "compare"):
        return await lab.team.analyst.compare(experiment, proposal, others)


def _reject(lab: Lab, experiment: Experiment, what: str, twin: int) -> Experiment:
    """Send the proposal back; a twin that failed is named with its failure."""
    other = lab.store.experiment(twin)
    failed = other.status in (Status.REJECTED, Status.FAILED) and other.reason
    ending = f", which was {other.status}: {other.reason}" if failed else ""
    reason = f"the same {what} as experiment {twin}{ending}"
    return lab.store.reject_proposal(experiment.id, reason, twin)


async def _verify(lab: Lab, experiment: Experiment) -> Experiment:
    findings = await lab.verify(experiment)
    failed = [finding for finding in findings if not finding.passed]
    twin = None if failed else await _same_function(lab, experiment, findings)
    if twin is not None:
        return _reject(lab, experiment, "function", twin)
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
    known = lab.store.signatures(lab.memory.known(experiment))
    return next((id for id, theirs in known.items() if agree(own, theirs)), None)


async def _repair(lab: Lab, experiment: Experiment, failed: Sequence[Finding]) -> Experiment:
    if not _may_be_repaired(lab, experiment):
        return lab.finish(experiment, Status.REJECTED, f"{failed[0].check}: {failed[0].evidence}")
    program = await _repaired(lab, experiment, failed)
    mark = fingerprint(program.source)
    return lab.store.save_program(experiment.id, program, experiment.round + 1, mark)


def _may_be_repaired(lab: Lab, experiment: Experiment) -> bool:
    return experiment.kind == "candidate" and experiment.round < lab.config.search.repairs


async def _repaired(lab: Lab, experiment: Experiment, failed: Sequence[Finding]) -> Program:
    assert experiment.program is not None
    async with lab.thinking(experiment, "repair"):
        return await lab.team.engineer.repair(experiment, experiment.program, failed)


async def _train(lab: Lab, experiment: Experiment) -> Experiment:
    """Probe, then explore; whoever fails or does not pass the gate goes no further."""
    await judge(lab, experiment)
    probes = await lab.run_stage(experiment, "probe", lab.config.probe.seeds)
    failure = _failed(probes)
    stop = _gate(lab, experiment, probes) if failure is None else None
    if failure is None and stop is None:
        explore = lab.config.explore
        is_baseline = experiment.kind == "baseline"
        seeds = explore.baseline_seeds if is_baseline else explore.seeds
        failure = _failed(await lab.run_stage(experiment, "explore", seeds))
    if failure is not None:
        return await _after_failure(lab, experiment, failure)
    if stop is not None:
        return lab.finish(experiment, Status.REJECTED, stop)
    return lab.store.set_status(experiment.id, Status.TRAINED)


def _failed(runs: Sequence[Run]) -> Run | None:
    """Return the first run that gave no measurement, None if all did."""
    return next((run for run in runs if run.status != "complete"), None)


async def _after_failure(lab: Lab, experiment: Experiment, run: Run) -> Experiment:
    """Have a program whose training broke off repaired; others go no further."""
    if run.status in ("dishonest", "stopped"):
        reason = f"{run.status}: {run.stage} seed {run.seed}: {run.reason}"
        return lab.finish(experiment, Status.REJECTED, reason)
    if not _may_be_repaired(lab, experiment):
        return lab.finish(experiment, Status.FAILED, f"{run.stage}: {run.reason}")
    finding = _training_finding(run)
    program = await _repaired(lab, experiment, [finding])
    mark = fingerprint(program.source)
    return lab.store.save_repaired(experiment.id, program, experiment.round + 1, mark, finding)


def _training_finding(run: Run) -> Finding:
    """Return a failed run as what an Engineer can act on."""
    return Finding(
        check="training run",
        passed=False,
        measured={"stage": run.stage, "seed": run.seed},
        evidence="\n".join(text for text in (run.reason, run.trace) if text),
        hint="the program passed its checks at a small size; this happened while it was trained",
    )


def _gate(lab: Lab, experiment: Experiment, probes: Sequence[Run]) -> str | None:
    """Return why the best probe of a candidate is not good enough, None if it is."""
    scores = [run.measurement.scores[0].value for run in probes if run.measurement]
    least = lab.config.probe.min_accuracy
    if experiment.kind == "baseline" or max(scores) >= least:
        return None
    return f"recall accuracy {max(scores):.3f} is below the gate of {least}"


async def _analyse(lab: Lab, experiment: Experiment) -> Experiment:
    await lab.baselines_done.wait()
    gain = measured_fitness(lab, experiment)
    experiment = experiment.model_copy(update={"fitness": gain})
    if lab.config.analyst.analyse:
        async with lab.thinking(experiment, "analyse"):
            analysis = await _explain(lab, experiment)
        lab.store.save_analysis(experiment.id, analysis)
    await trace(lab, experiment)
    return lab.finish(experiment, Status.COMPLETE, fitness=gain)


async def _explain(lab: Lab, experiment: Experiment) -> Analysis:
    """Return the Analyst's words; without them the measurement counts all the same."""
    try:
        return await lab.team.analyst.analyse(experiment, lab.memory.relatives(experiment))
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


_STEPS: Mapping[Status, Step] = {
    Status.SAMPLED: _propose,
    Status.PROPOSED: _implement,
    Status.IMPLEMENTED: _verify,
    Status.VERIFIED: _train,
    Status.TRAINED: _analyse,
}
