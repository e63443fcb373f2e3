"""The rule-based Analyst: it says which changed decisions moved the fitness."""

from collections.abc import Sequence

from asi_arch.records import Analysis, Experiment, Outcome
from asi_arch.search.objective import WITHIN
from asi_arch.team.rules.effects import Effects, fit
from asi_arch.team.rules.researcher import design_of
from asi_arch.team.rules.space import Design


class RuleAnalyst:
    """Compares an experiment with its parent and siblings."""

    async def analyse(self, experiment: Experiment, relatives: Sequence[Experiment]) -> Analysis:
        """Return what the experiment shows, in sentences, and which choices to keep or drop."""
        parent = next((r for r in relatives if r.id == experiment.parent_id), None)
        if parent is None:
            return Analysis(summary=f"{_score(experiment)} Its parent is not known.")
        design, before = design_of(experiment), design_of(parent)
        changes = [f"{n} from {before[n]} to {design[n]}" for n in design.changes(before)]
        changed = f"It changes {', '.join(changes) or 'nothing'} against {_name(parent)}."
        if experiment.fitness is None or parent.fitness is None:
            return _without_fitness(experiment, design, before, changed)
        gain = experiment.fitness - parent.fitness
        sentences = [
            _score(experiment),
            changed,
            _compared(gain, parent),
            _rank(experiment, relatives),
        ]
        effects = fit(_outcome(e) for e in [*relatives, experiment] if e.fitness is not None)
        verdicts = _verdicts(design, before, gain, effects)
        keep = tuple(f"{n}={design[n]}" for n, sign in verdicts.items() if sign > 0)
        drop = tuple(f"{n}={design[n]}" for n, sign in verdicts.items() if sign < 0)
        sentences.append(_blame(keep, drop))
        return Analysis(summary=" ".join(s for s in sentences if s), keep=keep, drop=drop)


def _verdicts(design: Design, before: Design, gain: float, effects: Effects) -> dict[str, float]:
    """Return the sign of each changed decision's effect, or 0 where the relatives do not tell."""
    changed = design.changes(before)
    if len(changed) == 1:
        return {changed[0]: gain if abs(gain) >= WITHIN else 0.0}
    contrasts = {name: effects.contrast(name, before[name], design[name]) for name in changed}
    return {n: c.mean if abs(c.mean) > 2 * c.sd else 0.0 for n, c in contrasts.items()}


def _without_fitness(
    experiment: Experiment, design: Design, before: Design, changed: str
) -> Analysis:
    """Blame a change only when it is the only one."""
    names = design.changes(before) if experiment.status.is_finished else []
    drop = tuple(f"{n}={design[n]}" for n in names) if len(names) == 1 else ()
    return Analysis(summary=f"{_score(experiment)} {changed}", drop=drop)


def _outcome(experiment: Experiment) -> Outcome:
    return Outcome(
        experiment_id=experiment.id,
        number=experiment.number,
        kind=experiment.kind,
        parent_id=experiment.parent_id,
        status=experiment.status,
        fitness=experiment.fitness,
        choices=design_of(experiment).to_choices(),
    )


def _name(experiment: Experiment) -> str:
    return f"{experiment.name or 'its parent'} (experiment {experiment.id})"


def _score(experiment: Experiment) -> str:
    if experiment.fitness is None:
        reason = f": {experiment.reason}" if experiment.reason else ""
        return f"{experiment.name} has no fitness, it is {experiment.status.value}{reason}."
    return f"{experiment.name} has a fitness of {experiment.fitness:.3g}."


def _compared(gain: float, parent: Experiment) -> str:
    word = "better" if gain > 0 else "worse" if gain < 0 else "different"
    noise = ", within the noise" if abs(gain) < WITHIN else ""
    return f"It is {abs(gain):.3g} {word} than {_name(parent)}{noise}."


def _rank(experiment: Experiment, relatives: Sequence[Experiment]) -> str:
    others = [
        r.fitness
        for r in relatives
        if r.parent_id == experiment.parent_id and r.id != experiment.id and r.fitness is not None
    ]
    if not others or experiment.fitness is None:
        return ""
    beaten = sum(fitness < experiment.fitness for fitness in others)
    return f"It is better than {beaten} of its {len(others)} siblings."


def _blame(keep: tuple[str, ...], drop: tuple[str, ...]) -> str:
    parts = [f"{', '.join(keep)} seems to have helped"] if keep else []
    parts += [f"{', '.join(drop)} seems to have hurt"] if drop else []
    return f"{' and '.join(parts)}." if parts else "Which change did it, these outcomes do not say."
