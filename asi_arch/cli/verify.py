"""`asi-arch verify`."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from asi_arch.cli.alone import read_program, temporary_runner, verify_alone
from asi_arch.cli.options import ConfigFile, Debug, Json, Preset, Settings
from asi_arch.cli.output import NONE, Column, out, print_json, table
from asi_arch.cli.portrait import measured, verdict
from asi_arch.cli.signals import run_until_signal
from asi_arch.config import Config, load_config
from asi_arch.records import Finding

ProgramFile = Annotated[Path, typer.Argument(metavar="FILE", help="Python file with one layer.")]


def verify(
    file: ProgramFile,
    preset: Preset = "demo",
    config: ConfigFile = None,
    set_: Settings = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Prove by execution that a program is honest.

    Nothing is written to a database.

    Exit code 0: all checks passed; 1: some did not; 2: it could not be checked.

    Example: asi-arch verify my_layer.py
    """
    settings = load_config(preset, config, set_ or ())
    findings = run_until_signal(_verify(settings, read_program(file)))
    passed = all(finding.passed for finding in findings)
    if json:
        print_json({"file": str(file), "passed": passed, "findings": findings})
    else:
        print_findings(findings, out())
    if not passed:
        raise typer.Exit(1)


async def _verify(config: Config, program: str) -> list[Finding]:
    async with temporary_runner() as runner:
        return await verify_alone(runner, config, program)


def print_findings(findings: list[Finding], console: Console) -> None:
    """Print a line for each check, and evidence and hint of those that failed."""
    columns = [
        Column[Finding]("check", lambda finding: finding.check, left=True),
        Column[Finding]("verdict", verdict, left=True),
        Column[Finding]("measured", measured, left=True),
    ]
    console.print(table(columns, findings, console.width))
    failed = [finding for finding in findings if not finding.passed]
    for finding in failed:
        console.print(Text(f"{finding.check}: {finding.evidence}", "red"))
        console.print(Text(f"  hint: {finding.hint or NONE}"))
    verdicts = f"{len(findings) - len(failed)} of {len(findings)} checks passed"
    console.print(Text(verdicts, "bold red" if failed else "bold green"))
