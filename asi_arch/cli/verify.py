"""`asi-arch verify`."""

import asyncio
import sys
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer
from rich.console import Console
from rich.padding import Padding
from rich.progress import Progress
from rich.text import Text

from asi_arch.cli.alone import read_program, temporary_runner, verify_alone
from asi_arch.cli.options import ConfigFile, Debug, Json, Preset, Sandbox, Settings, with_sandbox
from asi_arch.cli.output import NONE, Column, err, out, print_json, table
from asi_arch.cli.portrait import measured, verdict
from asi_arch.cli.signals import run_until_signal
from asi_arch.config import Config
from asi_arch.configure import load_config
from asi_arch.errors import UserError
from asi_arch.records import Finding
from asi_arch.together import together

ProgramFile = Annotated[Path, typer.Argument(metavar="FILE", help="Python file with one layer.")]


class Report(NamedTuple):
    """What was found about one file; without findings, `problem` says why not."""

    file: Path
    findings: list[Finding]
    problem: str = ""

    @property
    def failed(self) -> list[Finding]:
        """The checks that did not pass."""
        return [finding for finding in self.findings if not finding.passed]

    @property
    def code(self) -> int:
        """0: honest; 1: not honest; 2: not checked."""
        return 2 if self.problem else int(bool(self.failed))


def verify(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE...", help="Python files with one layer each, or folders."),
    ],
    only: Annotated[
        str | None, typer.Option(metavar="CHECKS", help="Checks to run, as in causality,cost.")
    ] = None,
    hidden_size: Annotated[
        int | None, typer.Option(min=1, max=8192, help="Width to check at.")
    ] = None,
    num_heads: Annotated[int | None, typer.Option(min=1, help="Heads to check at.")] = None,
    lengths: Annotated[
        str | None, typer.Option(metavar="LENGTHS", help="Lengths to check at, as in 1,64,257.")
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Verifications at once.")] = 1,
    preset: Preset = "demo",
    config: ConfigFile = None,
    set_: Settings = None,
    sandbox: Sandbox = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Prove by execution that programs are honest.

    Of a folder, every Python file below it is checked. Nothing is written to a database.

    Exit code 0: all checks passed; 1: some did not; 2: something could not be checked.

    Example: asi-arch verify my_layer.py layers/ --only causality,cost --jobs 2
    """
    settings = load_config(preset, config, with_sandbox(set_, sandbox))
    changes = _changes(only, hidden_size, num_heads, lengths)
    reports = run_until_signal(_verify(settings, _programs(files), changes, jobs))
    if json:
        print_json(_document(reports))
    else:
        _print(reports, out())
    code = max(report.code for report in reports)
    if code:
        raise typer.Exit(code)


def _programs(files: list[Path]) -> list[Path]:
    """Return the files, and those below the folders, each once.

    Raises:
        UserError: a folder has no Python file.
    """
    found: dict[Path, None] = {}
    for file in files:
        below = sorted(file.rglob("*.py")) if file.is_dir() else [file]
        if not below:
            raise UserError(f"the folder {file} has no Python file; name one with layers")
        found.update(dict.fromkeys(below))
    return list(found)


def _changes(
    only: str | None, hidden_size: int | None, num_heads: int | None, lengths: str | None
) -> dict[str, Any]:
    """Return the settings of the verification that were given.

    Raises:
        UserError: one of them is not allowed.
    """
    given = {
        "only": _names(only),
        "hidden_size": hidden_size,
        "num_heads": num_heads,
        "lengths": _lengths(lengths),
    }
    changes = {name: value for name, value in given.items() if value is not None}
    if "lengths" in changes:
        changes["more_lengths"] = ()
    if changes:
        _refuse_nonsense(changes)
    return changes


def _names(text: str | None) -> tuple[str, ...] | None:
    return None if text is None else tuple(word.strip() for word in text.split(","))


def _lengths(text: str | None) -> tuple[int, ...] | None:
    if text is None:
        return None
    words = [word.strip() for word in text.split(",")]
    if not all(word.isdecimal() and 1 <= int(word) <= _LONGEST for word in words):
        raise UserError(
            f"cannot read --lengths {text!r}; write whole numbers from 1 to {_LONGEST}, "
            "as in 1,64,257"
        )
    return tuple(sorted({int(word) for word in words}))


_LONGEST = 65_536


def _refuse_nonsense(changes: dict[str, Any]) -> None:
    from asi_arch.verify import VerifySettings, known_checks

    known_checks(changes.get("only", ()))
    settings = VerifySettings(**changes)
    if settings.hidden_size % settings.num_heads:
        raise UserError(
            f"--hidden-size {settings.hidden_size} must be a multiple of --num-heads "
            f"{settings.num_heads}"
        )


async def _verify(
    config: Config, files: list[Path], changes: dict[str, Any], jobs: int
) -> list[Report]:
    """Verify the files, so many at once, and return the reports in their order."""
    free = asyncio.Semaphore(jobs)
    with _progress(len(files)) as progress:
        async with temporary_runner(config.sandbox, config.jobs.gpus) as runner:

            async def report(number: int, file: Path) -> Report:
                async with free:
                    try:
                        program = read_program(file)
                        name = f"verify-{number}"
                        found = await verify_alone(runner, config, program, changes, name)
                    except UserError as error:
                        return Report(file, [], str(error))
                    finally:
                        progress.advance(progress.task_ids[0])
                return Report(file, found)

            return await together(report(n, file) for n, file in enumerate(files))


def _progress(total: int) -> Progress:
    progress = Progress(console=err(), transient=True, disable=not sys.stderr.isatty())
    progress.add_task("verify", total=total)
    return progress


def _document(reports: list[Report]) -> dict[str, Any]:
    programs = [
        {
            "file": str(report.file),
            "passed": report.code == 0,
            "error": report.problem or None,
            "findings": report.findings,
        }
        for report in reports
    ]
    return {"passed": all(program["passed"] for program in programs), "programs": programs}


def _print(reports: list[Report], console: Console) -> None:
    """Print the findings of one file in full; of several, a line each and what failed."""
    if len(reports) > 1:
        console.print(_summary(reports, console.width))
    for report in reports:
        if len(reports) > 1 and (report.failed or report.problem):
            console.print(Text(f"\n{report.file}", "bold underline"))
        if report.problem:
            err().print(Text(f"error: {report.problem}", "red"), soft_wrap=True)
        elif len(reports) == 1:
            print_findings(report.findings, console)
        else:
            print_failures(report.findings, console)


_VERDICTS = (Text("honest", "green"), Text("not honest", "bold red"), Text("not checked", "yellow"))


def _summary(reports: list[Report], width: int) -> Padding:
    columns = [
        Column[Report]("file", lambda report: str(report.file), left=True),
        Column[Report]("verdict", lambda report: _VERDICTS[report.code], left=True),
        Column[Report]("failed", _failed_checks, left=True),
    ]
    return table(columns, reports, width)


def _failed_checks(report: Report) -> str:
    return ", ".join(finding.check for finding in report.failed) or NONE


def print_findings(findings: list[Finding], console: Console) -> None:
    """Print a line for each check, and evidence and hint of those that failed."""
    columns = [
        Column[Finding]("check", lambda finding: finding.check, left=True),
        Column[Finding]("verdict", verdict, left=True),
        Column[Finding]("measured", measured, left=True),
    ]
    console.print(table(columns, findings, console.width))
    print_failures(findings, console)
    failed = sum(not finding.passed for finding in findings)
    verdicts = f"{len(findings) - failed} of {len(findings)} checks passed"
    console.print(Text(verdicts, "bold red" if failed else "bold green"))


def print_failures(findings: list[Finding], console: Console) -> None:
    """Print evidence and hint of the checks that did not pass."""
    for finding in (finding for finding in findings if not finding.passed):
        console.print(Text(f"{finding.check}: {finding.evidence}", "red"))
        console.print(Text(f"  hint: {finding.hint or NONE}"))
