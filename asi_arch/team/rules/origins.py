"""Say of every part of a proposal where it comes from, by one rule.

A part that changes against the parent is

- `analysis` when its measured effect against the parent's value is clearly positive (posterior
  mean above its standard deviation) and rests on at least two outcomes with the new value and
  one with the old; it cites those experiments; what the literature expects has no part in it;
- else `cognition` when a written rule says that the parent has a weakness which this value mends,
  and the outcomes do not speak against it; it cites the literature of the rule;
- else `originality`: chance drew it, and no effect that is clearly positive chose it. The
  mechanism may well be known, and the description then names its sources, but nobody's knowledge
  was the reason for the choice.

A part that is kept has the origin that the parent's proposal gives for it; if it gives none, the
part is `cognition` and cites the literature of its mechanism. A fresh draw keeps nothing: chance
or evidence chose all of it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from asi_arch.records import Component, Experiment, Origin, Proposal
from asi_arch.team.rules.effects import Contrast, Effects
from asi_arch.team.rules.literature import find_rule
from asi_arch.team.rules.moves import Move
from asi_arch.team.rules.space import SPACE, Design

_CITED_EACH = 4


@dataclass(frozen=True)
class Reason:
    """Why a decision took its value."""

    origin: Origin
    citations: tuple[str, ...]
    words: str


def explain(experiment: Experiment, parent: Design, move: Move, effects: Effects) -> Proposal:
    """Return the proposal of a move away from a parent, with reasons and origins."""
    design = move.design
    reasons = {name: _reason(parent, design, name, effects) for name in _chosen(parent, move)}
    kept = _parts_of(experiment)
    components = [
        _component(design, name, reasons[name])
        if name in reasons
        else kept.get(_label(design, name)) or _known(design, name)
        for name in SPACE
        if design.part(name).sentence or name in design.changes(parent)
    ]
    return Proposal(
        name=design.class_name,
        motivation=_motivation(experiment, parent, move, reasons),
        components=tuple(components),
        choices=design.to_choices(),
    )


def _chosen(parent: Design, move: Move) -> list[str]:
    """Names of the decisions that this move made, rather than kept."""
    return list(SPACE) if move.kind == "fresh" else move.design.changes(parent)


def _reason(parent: Design, design: Design, name: str, effects: Effects) -> Reason:
    old, new = parent[name], design[name]
    if old != new:
        contrast = effects.contrast(name, old, new)
        if contrast.is_measured:
            return _measured(contrast)
        rule = find_rule(parent, name, new)
        if rule and contrast.mean >= 0:
            sources = ", ".join(rule.sources)
            return Reason(Origin.COGNITION, rule.sources, f"{rule.reason} ({sources})")
    sources = ", ".join(design.part(name).sources)
    known = f"; the mechanism itself is known from {sources}" if sources else ""
    return Reason(Origin.ORIGINALITY, (), f"drawn by chance, without clear evidence for it{known}")


def _measured(contrast: Contrast) -> Reason:
    n_new, n_old = len(contrast.with_new), len(contrast.with_old)
    cited = contrast.with_new[-_CITED_EACH:] + contrast.with_old[-_CITED_EACH:]
    return Reason(
        Origin.ANALYSIS,
        tuple(str(i) for i in cited),
        f"measured effect on the fitness {contrast.mean:+.3g} ± {contrast.sd:.2g}, "
        f"from {n_new} outcomes with it and {n_old} with the parent's value",
    )


def _label(design: Design, name: str) -> str:
    return f"{name}={design[name]}"


def _component(design: Design, name: str, reason: Reason) -> Component:
    text = f"{design.part(name).sentence} Reason: {reason.words}."
    return Component(
        name=_label(design, name),
        category=SPACE[name].category,
        origin=reason.origin,
        citations=reason.citations,
        description=text.strip(),
    )


def _known(design: Design, name: str) -> Component:
    """Return a kept part whose history is not recorded: what the literature says it is."""
    part = design.part(name)
    return Component(
        name=_label(design, name),
        category=SPACE[name].category,
        origin=Origin.COGNITION,
        citations=part.sources,
        description=part.sentence,
    )


def _parts_of(experiment: Experiment) -> dict[str, Component]:
    components = experiment.proposal.components if experiment.proposal else ()
    return {component.name: component for component in components}


def _motivation(
    experiment: Experiment, parent: Design, move: Move, reasons: dict[str, Reason]
) -> str:
    start = f"{experiment.name or parent.class_name} (experiment {experiment.id})"
    if move.kind == "fresh":
        first = f"A fresh draw from the design space, to be compared with {start}."
    else:
        first = f"A {move.kind} of {start}."
    return " ".join([first, *_changes(parent, move.design, reasons)])


def _changes(parent: Design, design: Design, reasons: dict[str, Reason]) -> Iterator[str]:
    """Yield one sentence for each reason that changed something."""
    grouped: dict[str, list[str]] = {}
    for name in design.changes(parent):
        change = f"{name} from {parent[name]} to {design[name]}"
        words = reasons[name].words.split(";")[0]
        grouped.setdefault(words, []).append(change)
    for words, changes in grouped.items():
        yield f"It changes {_listed(changes)}: {words}."


def _listed(items: list[str]) -> str:
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"
