"""What a verification job says of its program; one that broke off says something too."""

from asi_arch.records import Finding, JobError, JobResult, Limits


def findings_of(result: JobResult, limits: Limits) -> list[Finding]:
    """Return the findings of a verification job."""
    if result.value is None:
        assert result.error is not None
        return [_broken_off(result.error, limits)]
    return [Finding.model_validate(finding) for finding in result.value["findings"]]


def _broken_off(error: JobError, limits: Limits) -> Finding:
    allowed = f"{limits.seconds:g} seconds and {limits.memory_bytes / 2**30:g} GiB"
    return Finding(
        check="job",
        passed=False,
        measured={"kind": error.kind, "seconds": limits.seconds, "memory": limits.memory_bytes},
        evidence=f"{error.message}\n{error.trace[-1000:]}".strip(),
        hint=f"The program must run small inputs within {allowed}, and leave its process alone.",
    )
