"""The rule-based Engineer: it renders designs, and simplifies those that fail a check."""

from collections.abc import Sequence

from asi_arch.records import Experiment, Finding, Program, Proposal
from asi_arch.team.rules.reading import read_proposal
from asi_arch.team.rules.render import read_design, render
from asi_arch.team.rules.researcher import design_of
from asi_arch.team.rules.space import BASELINES, SPACE, Design

_SAFE = BASELINES["gated_deltanet"]

_SUSPECTS = {
    "causality": ("local", "conv", "shift", "position", "memory"),
    "prefix": ("local", "conv", "shift", "position", "memory", "out_norm"),
    "training": ("out_norm", "feature", "qk_norm", "write", "decay"),
    "batch": ("out_norm", "qk_norm", "memory"),
    "parameters": ("value_size", "gate", "memory", "local"),
}
"""Which decisions to doubt first, by the check that failed."""

_USUAL_SUSPECTS = (
    "qk_norm",
    "out_norm",
    "feature",
    "write",
    "memory",
    "local",
    "position",
    "decay",
)


class RuleEngineer:
    """Writes a proposal as a program; repairs one by taking back its boldest decision."""

    async def implement(
        self, experiment: Experiment, proposal: Proposal, parent: Experiment
    ) -> Program:
        """Return the program of the proposal's choices, or of its words where it has no choices.

        Raises:
            UserError: the proposal carries choices that are not of this design space.
            BackendError: the proposal speaks of nothing that this design space has.
        """
        if not proposal.choices:
            return render(read_proposal(proposal, design_of(parent)), proposal.name)
        return render(Design.from_choices(proposal.choices), proposal.name)

    async def repair(
        self, experiment: Experiment, program: Program, findings: Sequence[Finding]
    ) -> Program:
        """Return the program with one decision changed, under the same class name.

        The decision is the most suspicious one, for the check that failed, in which the design
        differs from gated DeltaNet; it takes the value of gated DeltaNet.

        Raises:
            UserError: the program was not written by this team.
        """
        design = read_design(program.source)
        failed = [finding.check for finding in findings if not finding.passed]
        name = experiment.proposal.name if experiment.proposal else design.class_name
        return render(_simplify(design, failed), name)


def _simplify(design: Design, failed: Sequence[str]) -> Design:
    """Take back the first doubtful decision; gated DeltaNet itself loses its convolutions."""
    for name in _doubts(failed):
        if design[name] != _SAFE[name]:
            return design.replace(**{name: _SAFE[name]})
    return design.replace(conv="none")


def _doubts(failed: Sequence[str]) -> list[str]:
    """Return every decision, the most suspicious first."""
    first = [
        n for check in failed for key, names in _SUSPECTS.items() if key in check for n in names
    ]
    return list(dict.fromkeys([*first, *_USUAL_SUSPECTS, *SPACE]))
