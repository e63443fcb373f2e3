"""The application: which commands there are, and what becomes of errors."""

import errno
import os
import sys
from pathlib import Path
from typing import Any

import typer
from rich.text import Text
from typer.core import TyperGroup

from asi_arch.cli.agreement import agreement
from asi_arch.cli.audit import audit
from asi_arch.cli.backends import backends
from asi_arch.cli.baselines import baselines
from asi_arch.cli.baselines_run import run_baselines
from asi_arch.cli.calls import calls
from asi_arch.cli.compare import compare
from asi_arch.cli.db import db
from asi_arch.cli.diff import diff
from asi_arch.cli.doctor import doctor
from asi_arch.cli.evaluate import evaluate
from asi_arch.cli.export import export
from asi_arch.cli.final import final
from asi_arch.cli.knowledge import knowledge
from asi_arch.cli.leaderboard import leaderboard
from asi_arch.cli.lessons import lessons
from asi_arch.cli.lineage import lineage
from asi_arch.cli.options import wants_trace
from asi_arch.cli.output import err
from asi_arch.cli.presets import presets
from asi_arch.cli.promote import promote
from asi_arch.cli.prompts import prompts
from asi_arch.cli.provenance import provenance
from asi_arch.cli.replay import replay
from asi_arch.cli.resume import resume
from asi_arch.cli.run import run
from asi_arch.cli.show import show
from asi_arch.cli.spend import spend
from asi_arch.cli.stages import stages
from asi_arch.cli.status import status
from asi_arch.cli.train import train
from asi_arch.cli.verify import verify
from asi_arch.errors import AsiArchError, UserError

_MACHINE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM)


class Commands(TyperGroup):
    """Ends with one sentence instead of a traceback where the user or the machine is at fault."""

    def invoke(self, ctx: Any) -> Any:
        """Run a command; exit with 2 where the user can mend it, with 1 where the work failed."""
        try:
            return super().invoke(ctx)
        except (AsiArchError, OSError, BaseExceptionGroup) as error:
            cause = _explained(error)
            if cause is None or wants_trace(ctx):
                raise
            err().print(Text(f"error: {_sentence(cause)}", "red"), soft_wrap=True)
            code = 2 if isinstance(cause, UserError | OSError) else 1
            raise typer.Exit(code) from error
        except KeyboardInterrupt:
            err().print("stopped", style="yellow")
            raise typer.Exit(130) from None


def _explained(error: BaseException) -> AsiArchError | OSError | None:
    """Return what went wrong if a sentence can say it, None for a mistake of ours."""
    if isinstance(error, BaseExceptionGroup):
        causes = [_explained(inner) for inner in error.exceptions]
        return next((cause for cause in causes if cause is not None), None)
    if isinstance(error, AsiArchError):
        return error
    return error if isinstance(error, OSError) and error.errno in _MACHINE else None


def _sentence(cause: AsiArchError | OSError) -> str:
    if not isinstance(cause, OSError):
        return " ".join(str(cause).split())
    where = f" {cause.filename}" if cause.filename else ""
    if cause.errno in (errno.EACCES, errno.EPERM):
        return f"cannot use{where}: {cause.strerror}; ask for access or name another place"
    fix = "make it writable" if cause.errno == errno.EROFS else "free some space"
    return f"cannot write{where}: {cause.strerror}; {fix}, then go on with: asi-arch resume"


app = typer.Typer(
    cls=Commands,
    help="Architecture research that runs by itself and whose results can be believed.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
_CAMPAIGNS = (run, resume, promote, final, replay, status)
_QUERIES = (leaderboard, compare, stages, show, diff, lineage, provenance, spend)
_TEAM = (calls, agreement, lessons)
_TOOLS = (verify, train, audit, evaluate, export, presets, doctor)
for _command in (*_CAMPAIGNS, *_QUERIES, *_TEAM, *_TOOLS):
    app.command()(_command)
baselines.command("run")(run_baselines)
app.add_typer(baselines, name="baselines")
app.add_typer(db, name="db")
app.add_typer(knowledge, name="knowledge")
app.add_typer(prompts, name="prompts")
app.add_typer(backends, name="backends")


def main() -> None:
    """Run the command line; characters that the terminal lacks never stop it."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # whoever started us has closed it
            setattr(sys, name, Path(os.devnull).open("w"))  # noqa: SIM115
        else:
            stream.reconfigure(errors="replace")
    app(prog_name="asi-arch")
