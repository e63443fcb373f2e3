"""What each role must answer; plain schemas that strict servers and small models can follow."""

import ast
import keyword
import re
import warnings
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from asi_arch.records import Analysis, Component, Origin, Proposal

_FENCE = re.compile(r"```(?:python|py)?[ \t]*\n(.*?)```", re.DOTALL)


def _storable(text: str) -> str:
    if "\0" in text:
        raise ValueError("must not contain NUL characters")
    text.encode()  # lone surrogates fail here, as they would in a database
    return text.strip()


def _identifier(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,79}", text) or keyword.iskeyword(text):
        raise ValueError("must be a Python class name of at most 80 characters")
    return text


Text = Annotated[str, AfterValidator(_storable)]


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", json_schema_extra=lambda s: _strict(s))


class ComponentAnswer(_Answer):
    """One part of a proposed layer."""

    name: Text
    category: Text
    description: Text
    origin: Origin
    citations: list[Text]


class ProposalAnswer(_Answer):
    """A proposed layer."""

    name: Annotated[Text, AfterValidator(_identifier)]
    motivation: Text
    components: list[ComponentAnswer] = Field(min_length=1)

    def unsupported(self, entries: set[str], experiments: set[str]) -> dict[int, str]:
        """What is wrong with the citations, by component index.

        Args:
            entries: ids of the knowledge entries in the prompt.
            experiments: ids of the experiments in the prompt.
        """
        allowed = {Origin.COGNITION: entries, Origin.ANALYSIS: experiments}
        problems = {}
        for index, part in enumerate(self.components):
            if part.origin is Origin.ORIGINALITY:
                continue
            known, cited = allowed[part.origin], citations(part)
            if not cited or not set(cited) <= known:
                problems[index] = (
                    f"component {part.name!r} has origin {part.origin} and cites {cited}; "
                    f"allowed are {sorted(known)}"
                )
        return problems

    def proposal(self, unsupported: set[int]) -> Proposal:
        """The record; components listed as unsupported count as originality."""
        return Proposal(
            name=self.name,
            motivation=self.motivation,
            components=tuple(
                _component(part, index not in unsupported)
                for index, part in enumerate(self.components)
            ),
        )


class ProgramAnswer(_Answer):
    """A program; a fenced block of Python without any JSON is taken too."""

    code: Text

    @model_validator(mode="before")
    @classmethod
    def _from_fence(cls, value: Any) -> Any:
        blocks = _FENCE.findall(value) if isinstance(value, str) else []
        return {"code": max(blocks, key=len)} if blocks else value

    def problem(self, class_name: str) -> str:
        """What keeps the code from being a module that defines `class_name`."""
        try:
            tree = parse(self.code)
        except SyntaxError as error:
            return f"the code does not parse: {error.msg} (line {error.lineno})."
        except (ValueError, RecursionError, MemoryError) as error:
            return f"the code does not parse: {error}."
        names = [node.name for node in tree.body if isinstance(node, ast.ClassDef)]
        if class_name not in names:
            return f"the code must define the class {class_name}; it defines {names}."
        return ""

    def same_code_as(self, source: str) -> bool:
        """Whether only comments, spaces or line breaks differ."""
        try:
            return ast.dump(parse(self.code)) == ast.dump(parse(source))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return self.code.strip() == source.strip()


class AnalysisAnswer(_Answer):
    """What an experiment teaches."""

    summary: Text
    keep: list[Text]
    drop: list[Text]

    def analysis(self) -> Analysis:
        """The record."""
        return Analysis(summary=self.summary, keep=tuple(self.keep), drop=tuple(self.drop))


def parse(source: str) -> ast.Module:
    """Parse generated code without its warnings (invalid escapes and the like)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(source)


def citations(part: ComponentAnswer) -> list[str]:
    """Bare ids: `arXiv:2412.06464` and `experiment 12` lose their prefix."""
    prefix = re.compile(r"^(?:arxiv:|experiment|#|\s)+", re.IGNORECASE)
    return [prefix.sub("", cited).rstrip() for cited in part.citations]


def _component(part: ComponentAnswer, supported: bool) -> Component:
    own = part.origin is Origin.ORIGINALITY or not supported
    return Component(
        name=part.name,
        category=part.category,
        origin=Origin.ORIGINALITY if own else part.origin,
        citations=() if own else tuple(citations(part)),
        description=part.description,
    )


def _strict(schema: dict[str, Any]) -> None:
    """Servers that enforce a schema want it closed."""
    schema["additionalProperties"] = False
