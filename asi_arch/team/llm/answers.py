"""What each role must answer; plain schemas that strict servers and small models can follow."""

import ast
import keyword
import re
import warnings
from collections.abc import Collection, Iterable
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from asi_arch.records import Analysis, Component, Judgement, Lesson, Origin, Proposal, Trace

_DEEPEST = 150  # levels of a syntax tree; the shipped programs have under 20
_LONGEST = 60_000  # characters of a program, which every later prompt from it holds whole
_CLAIM = 200  # characters of citations that nothing supports
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


def _one_line(text: str) -> str:
    return " ".join(text.split())


Text = Annotated[str, AfterValidator(_storable)]
Name = Annotated[Text, AfterValidator(_one_line)]


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", json_schema_extra=lambda s: _strict(s))


class ComponentAnswer(_Answer):
    """One part of a proposed layer."""

    name: Name
    category: Name
    description: Text
    origin: Origin
    citations: list[Text]


class ProposalAnswer(_Answer):
    """A proposed layer."""

    name: Annotated[Text, AfterValidator(_identifier)]
    motivation: Text
    components: list[ComponentAnswer] = Field(min_length=1, max_length=30)

    def unsupported(self, entries: set[str], experiments: set[str]) -> dict[int, str]:
        """What is wrong with the citations, by component index.

        Args:
            entries: ids of the knowledge entries in the prompt.
            experiments: ids of the experiments in the prompt.
        """
        return _unsupported(self.components, entries, experiments)

    def proposal(self, unsupported: Collection[int]) -> Proposal:
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
        if len(self.code) > _LONGEST:
            return f"the code has {len(self.code):,} characters; at most {_LONGEST:,} are read."
        try:
            tree = parse(self.code)
        except SyntaxError as error:
            return f"the code does not parse: {error.msg} (line {error.lineno})."
        except (ValueError, RecursionError, MemoryError) as error:
            return f"the code does not parse: {error}."
        if _depth(tree) > _DEEPEST:
            return f"the code nests deeper than {_DEEPEST} levels."
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
    keep: list[Text] = Field(max_length=10)
    drop: list[Text] = Field(max_length=10)

    def analysis(self) -> Analysis:
        """The record."""
        return Analysis(summary=self.summary, keep=tuple(self.keep), drop=tuple(self.drop))


class LessonAnswer(_Answer):
    """One thing that several experiments show."""

    text: Text
    evidence: list[Text] = Field(max_length=100)


class LessonsAnswer(_Answer):
    """What the experiments teach together, the most useful first."""

    lessons: list[LessonAnswer] = Field(max_length=12)

    def problem(self, experiments: set[str]) -> str:
        """What is wrong with the evidence: it must name experiments of the prompt."""
        for lesson in self.lessons:
            cited = bare(lesson.evidence)
            if not cited or not set(cited) <= experiments:
                return (
                    f"the lesson {lesson.text[:80]!r} names {cited} as evidence; "
                    f"allowed are {sorted(experiments, key=int)}"
                )
        return ""

    def records(self) -> tuple[Lesson, ...]:
        """The records."""
        return tuple(
            Lesson(text=lesson.text, evidence=tuple(int(id) for id in bare(lesson.evidence)))
            for lesson in self.lessons
        )


class JudgementAnswer(_Answer):
    """An opinion on a program that nobody has trained yet."""

    reason: Text
    score: int = Field(ge=0, le=10)

    def judgement(self) -> Judgement:
        """The record, its score from 0 to 1."""
        return Judgement(score=self.score / 10, reason=self.reason)


class TracedAnswer(_Answer):
    """Where one component comes from."""

    name: Name
    origin: Origin
    citations: list[Text]
    reason: Text


class TraceAnswer(_Answer):
    """Where each component of a proposal comes from."""

    components: list[TracedAnswer]

    def problem(self, names: list[str], entries: set[str], experiments: set[str]) -> str:
        """What is wrong: every component once, and citations from the prompt only."""
        if sorted(part.name for part in self.components) != sorted(names):
            return f"the components must be exactly {names}, by these names."
        return "; ".join(_unsupported(self.components, entries, experiments).values())

    def records(self, names: list[str]) -> tuple[Trace, ...]:
        """The records, in the order of the proposal."""
        parts = sorted(self.components, key=lambda part: names.index(part.name))
        return tuple(
            Trace(
                component=part.name,
                origin=part.origin,
                citations=() if part.origin is Origin.ORIGINALITY else bare(part.citations),
                reason=part.reason,
            )
            for part in parts
        )


class ComparisonAnswer(_Answer):
    """Whether an idea is known already: the number of the experiment it repeats, or nothing."""

    reason: Text
    same_as: Text

    def problem(self, experiments: set[str]) -> str:
        """What is wrong: the twin must be one of those in the prompt."""
        if self.twin is None or str(self.twin) in experiments:
            return ""
        allowed = sorted(experiments, key=int)
        return f"same_as is {self.same_as!r}; it must be empty or one of {allowed}."

    @property
    def twin(self) -> int | None:
        """The id of the experiment that has the same idea, None where there is none."""
        (name,) = bare([self.same_as])
        if name.lower() in ("", "none", "null", "no"):
            return None
        return int(name) if re.fullmatch(r"\d{1,9}", name) else -1


def parse(source: str) -> ast.Module:
    """Parse generated code without its warnings (invalid escapes and the like)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(source)


def _depth(tree: ast.AST) -> int:
    """How many levels a syntax tree has; whatever walks it by recursion needs that to be few."""
    level, depth = [tree], 0
    while level:
        level, depth = [part for node in level for part in ast.iter_child_nodes(node)], depth + 1
    return depth


def bare(citations: Iterable[str]) -> tuple[str, ...]:
    """Ids alone: `arXiv:2412.06464` and `experiment 12` lose their prefix."""
    prefix = re.compile(r"^(?:arxiv:|experiment|#|\[|\s)+", re.IGNORECASE)
    return tuple(prefix.sub("", cited).rstrip("] ") for cited in citations)


def _unsupported(
    parts: Iterable[ComponentAnswer | TracedAnswer], entries: set[str], experiments: set[str]
) -> dict[int, str]:
    """What is wrong with the citations of the parts, by index."""
    allowed = {Origin.COGNITION: entries, Origin.ANALYSIS: experiments}
    problems = {}
    for index, part in enumerate(parts):
        if part.origin is Origin.ORIGINALITY:
            continue
        known, cited = allowed[part.origin], bare(part.citations)
        if not cited or not set(cited) <= known:
            problems[index] = (
                f"component {part.name!r} has origin {part.origin} and cites {list(cited)}; "
                f"allowed are {sorted(known)}"
            )
    return problems


def _component(part: ComponentAnswer, supported: bool) -> Component:
    own = part.origin is Origin.ORIGINALITY or not supported
    cited = ", ".join(bare(part.citations))[:_CLAIM] or "nothing"
    claim = "" if supported else f"{part.origin}: {cited}"
    return Component(
        name=part.name,
        category=part.category,
        origin=Origin.ORIGINALITY if own else part.origin,
        citations=() if own else bare(part.citations),
        description=part.description,
        unsupported=claim,
    )


def _strict(schema: dict[str, Any]) -> None:
    """Servers that enforce a schema want it closed."""
    schema["additionalProperties"] = False
