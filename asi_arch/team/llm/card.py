"""Role cards: prompts in Markdown, rendered strictly."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import jinja2.meta
from pydantic import BaseModel

from asi_arch.content import content
from asi_arch.errors import UserError
from asi_arch.records import Message, RoleSettings
from asi_arch.team.llm.show import describe, finding, one_line, quoted, source

_BREAK = "\n---\n"
_HEADER = {"purpose", "answer", "temperature", "reasoning_effort"}


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {
        "describe": describe,
        "finding": finding,
        "one_line": one_line,
        "quoted": quoted,
        "source": source,
    }
    return environment


_JINJA = _environment()


@dataclass(frozen=True)
class Card:
    """One task of a role: the same system text every time, then the case at hand."""

    role: str
    task: str
    purpose: str
    temperature: float | None
    reasoning_effort: str
    system: jinja2.Template
    user: jinja2.Template

    def render(self, **values: object) -> tuple[Message, ...]:
        """Return the prompt.

        Raises:
            UserError: the card uses something that `values` do not have.
        """
        try:
            return (
                Message(role="system", content=self.system.render(values).strip()),
                Message(role="user", content=self.user.render(values).strip()),
            )
        except jinja2.UndefinedError as error:
            raise UserError(f"role card {self.role}/{self.task}.md: {error.message}") from error

    def settings(self, chosen: RoleSettings) -> RoleSettings:
        """The user's settings, with those of the card where the user gave none."""
        effort = chosen.reasoning_effort or self.reasoning_effort
        given = chosen.temperature is not None
        temperature = chosen.temperature if given else self.temperature
        return chosen.model_copy(update={"temperature": temperature, "reasoning_effort": effort})


def card_path(role: str, task: str, agents: Path | None = None) -> Path:
    """Return the file of a card: the user's own if it is there, else the shipped one."""
    own = agents / role / f"{task}.md" if agents is not None else None
    return own if own and own.exists() else content("agents") / role / f"{task}.md"


def load_card(
    role: str,
    task: str,
    answer_type: type[BaseModel],
    variables: set[str],
    agents: Path | None = None,
) -> Card:
    """Read `<role>/<task>.md` from the user's folder if it is there, else the shipped one.

    Raises:
        UserError: unreadable, a wrong header, or a template that uses an unknown variable.
    """
    path = card_path(role, task, agents)
    header, body = _read(path)
    if header["answer"] != answer_type.__name__:
        raise UserError(f"role card {path} must have answer = {answer_type.__name__!r}")
    system, _, user = body.partition(_BREAK)
    try:
        unknown = jinja2.meta.find_undeclared_variables(_JINJA.parse(body)) - variables
        templates = _JINJA.from_string(system), _JINJA.from_string(user)
    except jinja2.TemplateError as error:
        raise UserError(f"role card {path} is not a valid template: {error}") from error
    if unknown:
        raise UserError(
            f"role card {path} uses unknown variables: {', '.join(sorted(unknown))}; "
            f"it may use: {', '.join(sorted(variables))}"
        )
    effort = str(header.get("reasoning_effort", ""))
    return Card(role, task, header["purpose"], header.get("temperature"), effort, *templates)


def _read(path: Path) -> tuple[Mapping[str, Any], str]:
    """The header and the text of a card that has a system and a user part."""
    try:
        parts = path.read_text(encoding="utf-8").split("+++\n", 2)
        header = tomllib.loads(parts[1]) if len(parts) == 3 else {}
    except (OSError, ValueError) as error:
        raise UserError(f"cannot read the role card {path}: {error}") from error
    if len(parts) != 3 or not {"purpose", "answer"} <= set(header) or _BREAK not in parts[2]:
        raise UserError(
            f"role card {path} needs a TOML header between +++ lines with purpose and answer, "
            "the system text, a line ---, and the user text"
        )
    unknown = sorted(set(header) - _HEADER)
    if unknown:
        raise UserError(
            f"role card {path} has the unknown setting {unknown[0]!r}; "
            f"it may have: {', '.join(sorted(_HEADER))}"
        )
    return header, parts[2]
