"""`asi-arch backends`."""

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.text import Text

from asi_arch.cli.options import Debug, Json
from asi_arch.cli.output import Column, out, print_json, table
from asi_arch.cli.signals import run_until_signal
from asi_arch.records import RoleSettings

if TYPE_CHECKING:
    from asi_arch.backends import Listed
    from asi_arch.backends.probe import Probed, Verdict
    from asi_arch.interfaces import Backend

_COLOURS = {"ok": "green", "no": "yellow", "fail": "bold red"}
_TIMEOUT = 60.0
_BROKEN = (ArithmeticError, AssertionError, AttributeError, LookupError, OSError, RuntimeError)
_WRONG = (TypeError, ValueError)

backends = typer.Typer(
    help="List the language-model backends, or try one out.", invoke_without_command=True
)


@backends.callback()
def list_them(ctx: typer.Context, json: Json = False, debug: Debug = False) -> None:
    """List the language-model backends, or try one out.

    A backend of another package that cannot be loaded is named with its error.

    Example: asi-arch backends
    """
    if ctx.invoked_subcommand:
        return
    from asi_arch.backends import list_backends

    rows = list_backends()
    if json:
        print_json([{**vars(row), "ready": not row.problem} for row in rows])
        return
    columns = [
        Column["Listed"]("name", lambda row: row.name, left=True),
        Column["Listed"]("from", lambda row: row.origin, left=True),
        Column["Listed"]("what it is", lambda row: row.summary or "–", left=True),
        Column["Listed"]("ready", _ready, left=True),
    ]
    out().print(table(columns, rows, out().width))


@backends.command()
def check(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name or dotted path of a backend.")],
    base_url: Annotated[
        str, typer.Option("--base-url", metavar="URL", help="Where its server is.")
    ] = "",
    model: Annotated[str, typer.Option("--model", metavar="M", help="Which model to ask.")] = "",
    api: Annotated[
        Literal["chat", "responses"], typer.Option("--api", help="Wire format.")
    ] = "chat",
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Ask a backend one short question for each thing it may understand.

    Says in which form it will be asked. Exit code 1 if it is not usable.

    Example: asi-arch backends check openai --model M --base-url http://localhost:8000/v1
    """
    from asi_arch.backends import make_backend

    settings = RoleSettings(
        backend=name, base_url=base_url, model=model, api=api, timeout=_TIMEOUT, retries=1
    )
    found = run_until_signal(_look(name, settings, make_backend(name, settings)))
    if json:
        verdicts = [vars(verdict) for verdict in found.verdicts]
        print_json({"usable": found.usable, "dialect": found.dialect, "checks": verdicts})
    else:
        _print(name, found)
    if not found.usable:
        raise typer.Exit(1)


async def _look(name: str, settings: RoleSettings, backend: "Backend") -> "Probed":
    from asi_arch.backends.openai import OpenAIBackend
    from asi_arch.backends.probe import Probed, Verdict, probe
    from asi_arch.backends.replay import ReplayBackend
    from asi_arch.testing.conformance import CHECKS

    if isinstance(backend, OpenAIBackend):
        return await probe(backend)
    if isinstance(backend, ReplayBackend):
        seen = Verdict("recording", "ok" if backend.calls else "fail", f"{backend.calls} calls")
        return Probed((seen,), "", backend.calls > 0)
    verdicts = [await _try(title, run, name, settings) for title, run in CHECKS.items()]
    usable = all(verdict.state == "ok" for verdict in verdicts)
    return Probed(tuple(verdicts), "", usable)


async def _try(title: str, run: Any, name: str, settings: RoleSettings) -> "Verdict":
    """Run one check of the conformance suite; a plug-in's mistake is a verdict and no crash."""
    from asi_arch.backends import make_backend
    from asi_arch.backends.probe import Verdict
    from asi_arch.errors import AsiArchError

    try:
        await run(lambda: make_backend(name, settings))
    except (AssertionError, AsiArchError) as error:
        return Verdict(title, "fail", str(error))
    except (*_BROKEN, *_WRONG) as error:
        return Verdict(title, "fail", f"{type(error).__name__}: {error}")
    return Verdict(title, "ok", "kept")


def _print(name: str, found: "Probed") -> None:
    columns = [
        Column["Verdict"]("", lambda row: Text(row.state, _COLOURS[row.state]), left=True),
        Column["Verdict"]("what", lambda row: row.name, left=True),
        Column["Verdict"]("seen", lambda row: row.detail, left=True),
    ]
    out().print(table(columns, found.verdicts, out().width))
    if not found.usable:
        out().print(Text(f"{name} is not usable", "bold red"))
        return
    asked = f"; answers are asked for in this form: {found.dialect}" if found.dialect else ""
    out().print(Text(f"{name} is usable{asked}", "green"))


def _ready(row: "Listed") -> Text:
    return Text(row.problem, "yellow") if row.problem else Text("ready", "green")
