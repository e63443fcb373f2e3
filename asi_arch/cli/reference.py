"""Print the reference of the command line as Markdown: python -m asi_arch.cli.reference."""

from collections.abc import Iterator
from typing import Any

import typer

from asi_arch.cli.app import app

_HEAD = """# The command line

Made from `--help` by `python -m asi_arch.cli.reference > docs/cli.md`; do not edit.
"""
_INSTALLERS = ("--install-completion", "--show-completion")


def reference() -> str:
    """Return the page."""
    return "\n".join([_HEAD, *_sections(typer.main.get_command(app), "asi-arch", None)])


def _sections(command: Any, path: str, parent: Any) -> Iterator[str]:
    """Yield a section for a command and those below it."""
    context = command.make_context(
        path, ["--help"], parent=parent, resilient_parsing=True, terminal_width=80
    )
    yield f"## `{path}`\n\n```\n{command.get_help(context).rstrip()}\n```\n"
    for name, below in getattr(command, "commands", {}).items():
        yield from _sections(below, f"{path} {name}", None)


if __name__ == "__main__":
    print(reference(), end="")
