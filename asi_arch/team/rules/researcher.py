"""The rule-based Researcher: it learns from the outcomes which changes pay, and says why."""

import hashlib
import itertools
from collections.abc import Iterator

import numpy as np

from asi_arch.errors import UserError
from asi_arch.records import Context, Experiment, Proposal
from asi_arch.team.rules.effects import fit
from asi_arch.team.rules.moves import Move, moves
from asi_arch.team.rules.origins import explain
from asi_arch.team.rules.render import read_design
from asi_arch.team.rules.space import BASELINES, Design, baseline_design, draw

_CANDIDATES = 256


class RuleResearcher:
    """Draws many wide variations of the parent and runs the one that promises most."""

    async def propose(self, context: Context) -> Proposal:
        """Return the most promising of the variations that were not tried before."""
        rng = _generator(context)
        parent = design_of(context.parent)
        references = [design_of(e) for e in context.references if has_design(e)]
        effects = fit(context.history, literature=bool(context.knowledge))
        untried = _untried(context, moves(parent, references, rng))
        drawn = itertools.islice(untried, _CANDIDATES)
        best = max(drawn, key=lambda move: effects.promise(move.design))
        return explain(context.parent, parent, best, fit(context.history))

    async def diversify(self, context: Context) -> Proposal:
        """Return another variation; what was refused by name is left out."""
        return await self.propose(context)


class RandomResearcher:
    """Draws designs uniformly from the space: the control for every other Researcher."""

    async def propose(self, context: Context) -> Proposal:
        """Return a design drawn by chance that was not tried before."""
        rng = _generator(context)
        draws = (Move("fresh", draw(rng)) for _ in itertools.count())
        return explain(
            context.parent, design_of(context.parent), next(_untried(context, draws)), fit(())
        )

    async def diversify(self, context: Context) -> Proposal:
        """Return another draw."""
        return await self.propose(context)


def design_of(experiment: Experiment) -> Design:
    """Return the design of an experiment, as it was after repairs.

    An experiment that is not of this space starts from the baseline of its name, and any other
    from gated DeltaNet.
    """
    if not has_design(experiment):
        return baseline_design(experiment.name) or BASELINES["gated_deltanet"]
    assert experiment.proposal is not None
    proposed = Design.from_choices(experiment.proposal.choices)
    try:
        return read_design(experiment.program.source) if experiment.program else proposed
    except UserError:
        return proposed


def has_design(experiment: Experiment) -> bool:
    """Whether the experiment is a point of the design space."""
    return experiment.proposal is not None and bool(experiment.proposal.choices)


def _generator(context: Context) -> np.random.Generator:
    """Return a generator that depends on nothing but the context."""
    key = f"{context.seed}/{context.number}/{len(context.rejections)}"
    return np.random.default_rng(int.from_bytes(hashlib.sha256(key.encode()).digest()[:8]))


def _untried(context: Context, candidates: Iterator[Move]) -> Iterator[Move]:
    """Leave out the parent, baselines, designs in the history and those turned down by name.

    An outcome also stands for the design that it is named after: a repair may have changed it.
    """
    tried = {Design.from_choices(o.choices) for o in context.history if o.choices}
    tried |= {design_of(context.parent), *BASELINES.values()}
    names = {o.name for o in context.history}
    refused = " ".join(context.rejections)
    return (
        move
        for move in candidates
        if move.design not in tried
        and move.design.class_name not in names
        and move.design.class_name not in refused
    )
