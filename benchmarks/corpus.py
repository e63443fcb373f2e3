"""Which check rejects which planted fault, and that none rejects an honest program.

    OMP_NUM_THREADS=1 python benchmarks/corpus.py > benchmarks/results/corpus.md

Each program of tests/verify is verified in a job, by all checks at the default sizes. The mark of
the check that a fault was planted for is bold.
"""

import asyncio
import tempfile
from pathlib import Path

from asi_arch.jobs import LocalRunner
from asi_arch.jobs.findings import findings_of
from asi_arch.records import Job
from asi_arch.verify import CHECKS

CORPUS = Path(__file__).parent.parent / "tests" / "verify"
PARAMETERS = 100_000


async def main() -> None:
    """Print a row for each fault, then what honest programs are rejected for."""
    print("| program | " + " | ".join(CHECKS) + " |")
    print("| --- |" + " :-: |" * len(CHECKS))
    with tempfile.TemporaryDirectory() as folder:
        runner = LocalRunner(Path(folder))
        for path in [*programs("interfering"), *programs("faults")]:
            print(row(path, await rejecting(runner, path)), flush=True)
        honest = {path.stem: await rejecting(runner, path) for path in programs("honest")}
        await runner.close()
    rejected = {name: checks for name, checks in honest.items() if checks}
    print(f"\n{len(honest)} honest programs, {len(rejected)} of them rejected:\n")
    for name, checks in rejected.items():
        print(f"- {name}: {', '.join(checks)}")


def programs(kind: str) -> list[Path]:
    """Return the programs of one kind by name."""
    return sorted((CORPUS / kind).glob("*.py"))


async def rejecting(runner: LocalRunner, path: Path) -> list[str]:
    """Return the checks that reject a program."""
    name = f"{path.parent.name}-{path.stem}"
    spec = {"parameters": PARAMETERS}
    job = Job(name=name, kind="verify", program=path.read_text(), spec=spec)
    findings = findings_of(await runner.run(job), job.limits)
    return [finding.check for finding in findings if not finding.passed]


def row(path: Path, rejected: list[str]) -> str:
    """Return a line of the table."""
    planted = path.read_text().splitlines()[0].strip('"').split(":")[0]
    marks = {name: "**x**" if name == planted else "x" for name in rejected}
    return f"| {path.stem} | " + " | ".join(marks.get(name, "") for name in CHECKS) + " |"


if __name__ == "__main__":
    asyncio.run(main())
