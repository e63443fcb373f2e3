"""The rule-based Analyst: it says which changed decisions moved the fitness.

It gives no opinions and traces no origins: what it knows is measured, and the rule-based
Researcher's origins are true by construction.
"""

from collections.abc import Sequence

from asi_arch.records import (
    Analysis,
    Context,
    Experiment,
    Judgement,
    Lesson,
    Outcome,
    Proposal,
    Trace,
)
from asi_arch.search.objective import WITHIN
from asi_arch.team.rules.effects import Contrast, Effects, fit
from asi_arch.team.rules.researcher import design_of, has_design
from asi_arch.team.rules.space import SPACE, Design

_LESSONS = 8


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

    async def distill(
        self, experiments: Sequence[Experiment], lessons: Sequence[Lesson]
    ) -> tuple[Lesson, ...]:
        """Return the clearest measured effects; lessons drawn before are measured anew."""
        effects = fit(_outcome(e) for e in experiments if has_design(e))
        found = [
            (contrast.mean / contrast.sd, decision.name, old, new, contrast)
            for decision in SPACE.values()
            for old in decision.options
            for new in decision.options
            if (contrast := effects.contrast(decision.name, old, new)).is_measured
        ]
        clearest = sorted(found, key=lambda one: (-one[0], *one[1:4]))[:_LESSONS]
        return tuple(_lesson(name, old, new, c) for _, name, old, new, c in clearest)

    async def judge(self, experiment: Experiment) -> Judgement | None:
        """Return no opinion."""
        return None

    async def trace(self, experiment: Experiment, context: Context) -> tuple[Trace, ...]:
        """Return no origins."""
        return ()

    async def compare(
        self, experiment: Experiment, proposal: Proposal, others: Sequence[Experiment]
    ) -> int | None:
        """Return the experiment that made the same decisions."""
        if not proposal.choices:
            return None
        same = (o.id for o in others if o.proposal and o.proposal.choices == proposal.choices)
        return next(same, None)


def _lesson(name: str, old: str, new: str, contrast: Contrast) -> Lesson:
    text = (
        f"{name}={new} is better than {name}={old} by {contrast.mean:.2g} ± {contrast.sd:.2g} "
        "units of fitness"
    )
    return Lesson(text=text, evidence=contrast.with_new + contrast.with_old)


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
