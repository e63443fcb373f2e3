"""What happens to an experiment before training: proposals, programs, findings."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session, selectinload

from asi_arch.errors import UserError
from asi_arch.records import Experiment, Finding, Program, Proposal, Status
from asi_arch.signature import signature_of
from asi_arch.store.columns import decode_number
from asi_arch.store.experiments import find_experiment, saved, taken_proposal, to_proposal
from asi_arch.store.runs import discard_runs
from asi_arch.store.tables import (
    ComponentRow,
    ExperimentProgramRow,
    ExperimentRow,
    FindingRow,
    ProgramRow,
    ProposalRow,
)


def save_proposal(session: Session, experiment_id: int, proposal: Proposal) -> Experiment:
    """Take a proposal; an open one that differs counts as rejected."""
    row = find_experiment(session, experiment_id)
    taken = taken_proposal(row)
    if taken is None or to_proposal(taken) != proposal:
        if taken is not None:
            taken.rejection = "replaced by a later proposal"
        row.proposals.append(_to_proposal_row(proposal, attempt=len(row.proposals)))
    row.status, row.name = Status.PROPOSED, proposal.name
    return saved(session, row)


def _to_proposal_row(proposal: Proposal, attempt: int) -> ProposalRow:
    return ProposalRow(
        attempt=attempt,
        name=proposal.name,
        motivation=proposal.motivation,
        choices=proposal.choices,
        components=[
            ComponentRow(position=position, **part.model_dump(mode="json"))
            for position, part in enumerate(proposal.components)
        ],
    )


def list_proposals(session: Session, among: Sequence[int]) -> dict[int, Proposal]:
    """Return the latest proposal, also a rejected one, of those experiments that have one."""
    rows = (
        select(ProposalRow)
        .where(ProposalRow.experiment_id.in_(among))
        .order_by(ProposalRow.experiment_id, ProposalRow.attempt)
        .options(selectinload(ProposalRow.components))
    )
    return {row.experiment_id: to_proposal(row) for row in session.scalars(rows)}


def reject_proposal(
    session: Session, experiment_id: int, reason: str, twin_id: int | None
) -> Experiment:
    """Say why the taken proposal is not pursued; the experiment waits for another one.

    What was found about its program goes with it. `twin_id` is the experiment that it repeats.

    Raises:
        UserError: the experiment has no open proposal.
    """
    row = find_experiment(session, experiment_id)
    taken = taken_proposal(row)
    if taken is None:
        raise UserError(f"experiment {experiment_id} has no proposal to reject")
    taken.rejection, taken.twin_id = reason, twin_id
    session.execute(delete(FindingRow).filter_by(experiment_id=experiment_id))
    row.status, row.round, row.program_hash = Status.SAMPLED, 0, None
    return saved(session, row)


def save_program(
    session: Session, experiment_id: int, program: Program, round: int, fingerprint: str
) -> Experiment:
    """Make a program the current one of an experiment; programs of earlier rounds stay."""
    row = find_experiment(session, experiment_id)
    session.merge(ProgramRow(hash=program.hash, source=program.source, fingerprint=fingerprint))
    session.flush()
    session.merge(
        ExperimentProgramRow(
            experiment_id=experiment_id,
            attempt=sum(proposal.rejection is not None for proposal in row.proposals),
            round=round,
            program_hash=program.hash,
        )
    )
    row.status, row.round, row.program_hash = Status.IMPLEMENTED, round, program.hash
    return saved(session, row)


def save_repaired(
    session: Session,
    experiment_id: int,
    program: Program,
    round: int,
    fingerprint: str,
    failure: Finding,
) -> Experiment:
    """Replace a program whose training failed; `failure` stays as a finding about that round."""
    known = select(func.count()).select_from(FindingRow)
    position = session.scalar(known.filter_by(experiment_id=experiment_id, round=round - 1)) or 0
    session.add(_to_finding_row(experiment_id, round - 1, position, failure))
    discard_runs(session, experiment_id)
    return save_program(session, experiment_id, program, round, fingerprint)


def list_programs(session: Session, experiment_id: int) -> list[Program]:
    """Return every program an experiment had, in order."""
    find_experiment(session, experiment_id)
    sources = (
        select(ProgramRow.source)
        .join(ExperimentProgramRow, ExperimentProgramRow.program_hash == ProgramRow.hash)
        .where(ExperimentProgramRow.experiment_id == experiment_id)
        .order_by(ExperimentProgramRow.attempt, ExperimentProgramRow.round)
    )
    return [Program(source=source) for source in session.scalars(sources)]


def find_twin(session: Session, fingerprint: str, among: Sequence[int]) -> int | None:
    """Return one of the experiments whose current program has this fingerprint."""
    same = (
        select(ExperimentRow.id)
        .join(ProgramRow, ProgramRow.hash == ExperimentRow.program_hash)
        .where(ExperimentRow.id.in_(among), ProgramRow.fingerprint == fingerprint)
        .order_by(ExperimentRow.kind, ExperimentRow.number)
    )
    return session.scalars(same).first()


def list_signatures(session: Session, among: Sequence[int]) -> dict[int, str]:
    """Return the last signature that the sameness check measured of each experiment."""
    rows = (
        select(FindingRow)
        .where(FindingRow.experiment_id.in_(among), FindingRow.check_name == "sameness")
        .order_by(FindingRow.experiment_id, FindingRow.round)
    )
    return {row.experiment_id: signature_of(_to_finding(row)) for row in session.scalars(rows)}


def save_findings(
    session: Session, experiment_id: int, round: int, findings: Sequence[Finding], verified: bool
) -> Experiment:
    """Record the checks of one round, in place of earlier ones of that round."""
    row = find_experiment(session, experiment_id)
    session.execute(delete(FindingRow).filter_by(experiment_id=experiment_id, round=round))
    for position, finding in enumerate(findings):
        session.add(_to_finding_row(experiment_id, round, position, finding))
    if verified:
        row.status = Status.VERIFIED
    return saved(session, row)


def _to_finding_row(experiment_id: int, round: int, position: int, finding: Finding) -> FindingRow:
    return FindingRow(
        experiment_id=experiment_id,
        round=round,
        position=position,
        check_name=finding.check,
        **finding.model_dump(exclude={"check"}),
    )


def list_findings(session: Session, experiment_id: int) -> list[tuple[int, Finding]]:
    """Return each round's findings in order, with the round."""
    find_experiment(session, experiment_id)
    rows = select(FindingRow).where(FindingRow.experiment_id == experiment_id)
    rows = rows.order_by(FindingRow.round, FindingRow.position)
    return [(row.round, _to_finding(row)) for row in session.scalars(rows)]


def _to_finding(row: FindingRow) -> Finding:
    return Finding(
        check=row.check_name,
        passed=row.passed,
        measured=_decode(row.measured),
        timings=_decode(row.timings),
        evidence=row.evidence,
        hint=row.hint,
    )


def _decode(values: dict[str, Any]) -> dict[str, Any]:
    return {name: decode_number(value) for name, value in values.items()}
