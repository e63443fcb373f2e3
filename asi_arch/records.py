"""The frozen records that pass between the parts of a campaign."""

import hashlib
import math
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Count = Annotated[int, Field(ge=0, le=2**53)]
"""A number of things; larger ones, which only a hostile program claims, no database holds."""


SandboxMode = Literal["auto", "require"]
"""Whether jobs run with whatever protects this machine, or not without what counts."""


class Record(BaseModel):
    """A value that never changes once made."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=True)


class Origin(StrEnum):
    """Where an idea comes from (arXiv 2507.18074, section 5)."""

    COGNITION = "cognition"
    ANALYSIS = "analysis"
    ORIGINALITY = "originality"


class Status(StrEnum):
    """How far an experiment has come; each value is reached in one transaction."""

    SAMPLED = "sampled"
    PROPOSED = "proposed"
    IMPLEMENTED = "implemented"
    VERIFIED = "verified"
    TRAINED = "trained"
    COMPLETE = "complete"
    REJECTED = "rejected"
    FAILED = "failed"

    @property
    def is_finished(self) -> bool:
        """Whether nothing more will happen to the experiment."""
        return self in (Status.COMPLETE, Status.REJECTED, Status.FAILED)


class Component(Record):
    """One part of a proposal and where its idea comes from.

    Citations are knowledge entry ids for `cognition` and experiment ids for `analysis`. A part
    that cites what was not shown counts as `originality`; `unsupported` is what it claimed.
    """

    name: str
    category: str
    origin: Origin
    citations: tuple[str, ...] = ()
    description: str = ""
    unsupported: str = ""


class Proposal(Record):
    """What a Researcher wants to try: a class name, the reasons and the parts."""

    name: str = Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", description="a Python class name")
    motivation: str
    components: tuple[Component, ...]
    choices: dict[str, str] = Field(
        default={}, description="the design decisions, when the rule-based team made them"
    )


class Program(Record):
    """The source text of a candidate."""

    source: str

    @property
    def hash(self) -> str:
        """SHA-256 of the source, the key of the `programs` table."""
        return hashlib.sha256(self.source.encode()).hexdigest()


class Finding(Record):
    """The outcome of one check: numbers, evidence, and a hint for whoever repairs the program.

    `measured` is the same every time; `timings`, read off a clock, are not.
    """

    check: str
    passed: bool
    measured: dict[str, float | int | str] = {}
    timings: dict[str, float] = {}
    evidence: str = ""
    hint: str = ""


class Analysis(Record):
    """What an Analyst concludes from an experiment."""

    summary: str
    keep: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()


class Lesson(Record):
    """What several experiments together teach, and which of them show it."""

    text: str
    evidence: tuple[int, ...] = ()


class Judgement(Record):
    """What an Analyst thinks of a program before it is trained: an opinion from 0 to 1."""

    score: float = Field(ge=0, le=1)
    reason: str = ""


class Trace(Record):
    """Where a component of a proposal comes from in the Analyst's eyes, not its proposer's."""

    component: str
    origin: Origin
    citations: tuple[str, ...] = ()
    reason: str = ""


class Score(Record):
    """One measured number beside the loss."""

    benchmark: str
    metric: str
    value: float
    error: float | None = None
    n: Count = 1


class MetricPoint(Record):
    """One point of a training curve; loss in nats per token."""

    step: Count
    tokens: Count
    loss: float


class Mark(Record):
    """The strongest baseline's training loss at a step: mean and deviation over its seeds."""

    step: Count
    loss: float
    deviation: float


class Pace(Record):
    """How the strongest baseline trained at a stage, for rules that end others early."""

    tokens_per_second: float
    marks: tuple[Mark, ...]


class Audit(Record):
    """What came out when trained weights were examined in fresh processes that know no labels.

    Losses are nats per token. `reported` is the loss that the training job gave for some windows of
    its own text, `recomputed` that of the same windows from hidden states and weights, outside. At
    `positions` places of the held-out text the model was also asked for the hidden state after a
    prefix that ends there: `largest_change` is how far one moved from the full run, relative to its
    scale, `prefix_gain` how much lower the loss of the full run is (mean, and its standard error in
    `prefix_error`): what it gains by seeing more than it may. `flaw` is empty for an honest run.
    """

    reported: float
    recomputed: float
    loss_tolerance: float
    positions: Count
    largest_change: float
    change_tolerance: float
    prefix_gain: float
    prefix_error: float
    flaw: str = ""


class Effort(Record):
    """Which training of which stage it was, how large the model, how long and how fast it went.

    `sweep` maps each learning rate that was tried to its closing training loss, `shares` each part
    of a step to its share of the time; `compiled` is "yes", "no", or why it could not be.
    """

    stage: str
    seed: int
    parameters: Count
    non_embedding: Count
    mlp_width: Count
    tokens: Count
    flops_per_token: Count = Field(
        default=0, description="of a training step in the matrices: 6 a parameter"
    )
    learning_rate: float = 0.0
    sweep: dict[str, float] = {}
    micro_batch: Count = 0
    compiled: str = "no"
    device: str = ""
    seconds: float = 0.0
    tokens_per_second: float = 0.0
    memory_bytes: Count = 0
    shares: dict[str, float] = {}
    curve: tuple[MetricPoint, ...] = ()


class Training(Effort):
    """What a training job says of itself.

    Generated code ran in the same process: `reported`, its loss on some windows of its own text in
    nats per token, is a claim, which the audit compares with what the weights give.
    """

    reported: float | None = None


class Scored(Record):
    """What trained weights are worth, computed from hidden states by a job without their program.

    `loss` is held-out, in nats per token, `loss_error` its standard error; `heldout` holds the mean
    loss of every held-out window, the same windows in the same order for every run of a stage, so
    differences can be paired; `documents` numbers the document that each of them begins in.
    """

    loss: float | None = None
    loss_error: float | None = None
    heldout: tuple[float, ...] = ()
    documents: tuple[Count, ...] = ()
    scores: tuple[Score, ...] = ()
    audit: Audit | None = None


class Measurement(Effort, Scored):
    """What one training of one program at one stage with one seed gave."""


class Run(Record):
    """A row of the `runs` table: a measurement, or the reason why it is none.

    A failed run measured nothing; `trace` is its traceback if it has one. A stopped one was ended
    early by a rule of its stage. A dishonest one has
    weights that do not give what it reported, or that see what they may not: its measurement has
    an audit, and neither loss nor scores.
    """

    experiment_id: int
    stage: str
    seed: int
    status: Literal["complete", "failed", "dishonest", "stopped"]
    reason: str = ""
    trace: str = ""
    measurement: Measurement | None = None


class Experiment(Record):
    """One candidate (or baseline) and where it stands."""

    id: int
    campaign_id: int
    number: int
    kind: Literal["baseline", "candidate"]
    status: Status
    parent_id: int | None = None
    reference_ids: tuple[int, ...] = ()
    name: str = ""
    round: int = 0
    fitness: float | None = None
    reason: str = ""
    rejections: tuple[str, ...] = Field(
        default=(), description="why its earlier proposals were not taken, in order"
    )
    twin_ids: tuple[int, ...] = Field(
        default=(), description="the experiments that its earlier proposals repeated"
    )
    proposal: Proposal | None = None
    program: Program | None = None
    analysis: Analysis | None = None
    judgement: Judgement | None = None
    traces: tuple[Trace, ...] = ()


class Outcome(Record):
    """The little of a finished experiment that learning needs."""

    experiment_id: int
    number: int
    kind: Literal["baseline", "candidate"]
    parent_id: int | None
    status: Status
    fitness: float | None
    choices: dict[str, str] = Field(
        description="the design decisions; empty where none were stated or a repair changed them"
    )
    name: str = ""
    judged: float | None = Field(default=None, description="the Analyst's opinion, from 0 to 1")


class Entry(Record):
    """One entry of the knowledge base; `source` is the file that an added one was made from."""

    id: str
    title: str
    authors: str
    year: int
    tags: tuple[str, ...]
    related: tuple[str, ...] = ()
    text: str
    source: str = ""


class Embedding(Record):
    """A text as a vector; `digest` is the SHA-256 of the text."""

    digest: str
    vector: tuple[float, ...]


class Context(Record):
    """All that a Researcher may look at when it proposes experiment `number`."""

    experiment_id: int
    number: int
    seed: int
    parent: Experiment
    references: tuple[Experiment, ...] = ()
    siblings: tuple[Experiment, ...] = Field(
        default=(), description="what was tried from the same parent before, the latest first"
    )
    history: tuple[Outcome, ...] = ()
    lessons: tuple[Lesson, ...] = ()
    weakness: str = Field(default="", description="where the parent measured worse than others")
    knowledge: tuple[Entry, ...] = ()
    rejections: tuple[str, ...] = Field(
        default=(), description="why earlier proposals for this experiment were not taken, in order"
    )
    twins: tuple[Experiment, ...] = Field(
        default=(), description="the experiments that those proposals repeated"
    )


class Conclusion(Record):
    """Whether the best found beats the best baseline, and by how much.

    `difference` is the baseline's held-out loss minus that of the best found, paired by seed and
    held-out window, in nats per token (positive: the best found is better); `low` and `high` are
    its 95 % interval, which allows for the choice among the `compared` that were confirmed;
    `noise` is the standard deviation of such a difference between two runs.
    """

    best_id: int | None = None
    baseline_id: int | None = None
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    seeds: int = 0
    windows: int = 0
    compared: int = 1
    noise: float | None = None
    beyond_noise: bool = False
    sentence: str


class Campaign(Record):
    """A row of the `campaigns` table; `seconds` is the wall time spent over all sittings."""

    id: int
    name: str
    seed: int
    status: Literal["running", "stopped", "complete"]
    reason: str = ""
    config: dict[str, Any]
    folder: str
    seconds: float = 0.0
    conclusion: Conclusion | None = None
    created: str = ""


class Dataset(Record):
    """What was trained on: how much it is and what trivial models score on its held-out part.

    `references` maps a name (unigram, bigram, trigram, gzip) to nats per token; prepared data have
    the first only.
    """

    name: str
    sha256: str
    tokenizer: str = "bytes"
    vocab_size: int = 256
    train_documents: int = 0
    heldout_documents: int = 0
    train_tokens: int
    heldout_tokens: int
    heldout_bytes: int = 0
    references: dict[str, float]

    def bits_per_byte(self, loss: float) -> float | None:
        """Return a held-out loss in nats per token as bits per byte of text, None if unknown."""
        if not self.heldout_bytes:
            return None
        return loss / math.log(2) * self.heldout_tokens / self.heldout_bytes


class Message(Record):
    """One message of a prompt."""

    role: Literal["system", "user", "assistant"]
    content: str


class RoleSettings(Record):
    """Which model answers for a role, and how.

    Prices are in US dollars per million tokens, and go before those of the price table; `timeout`
    is in seconds for one answer.
    """

    backend: str = "openai"
    model: str = ""
    base_url: str = ""
    api: Literal["chat", "responses"] = "chat"
    temperature: float | None = None
    reasoning_effort: str = ""
    max_tokens: int = Field(8192, ge=1)
    timeout: float = Field(600.0, gt=0)
    retries: int = Field(5, ge=0)
    input_price: float | None = Field(None, ge=0)
    cached_price: float | None = Field(None, ge=0)
    output_price: float | None = Field(None, ge=0)


class Request(Record):
    """One question to a language model."""

    experiment_id: int
    role: str
    task: str
    attempt: int = 0
    messages: tuple[Message, ...]
    answer_type: type[BaseModel]
    settings: RoleSettings = RoleSettings()

    @property
    def key(self) -> str:
        """Hash of everything that makes this question the same question as before."""
        parts = [str(self.experiment_id), self.role, self.task, str(self.attempt)]
        parts += [f"{m.role}:{m.content}" for m in self.messages]
        parts.append(self.settings.model)
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()

    @property
    def estimated_tokens(self) -> int:
        """About how many tokens the prompt has: a token for every three characters."""
        return sum(len(message.content) for message in self.messages) // 3


class Reply(Record):
    """What a language model answered, and what it cost (money in US dollars, None if unknown).

    `cached_tokens` are those of the prompt that the server had read before, `faults` what went
    wrong before this answer came, in order.
    """

    text: str
    model: str = ""
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    cost: float | None = None
    seconds: float = 0.0
    faults: tuple[str, ...] = ()


class Limits(Record):
    """What a job may use before its whole process group is killed.

    `files` is how many it may leave in its folder or hold open at once.
    """

    seconds: float = 300.0
    memory_bytes: int = 4 * 2**30
    file_bytes: int = 1 * 2**30
    folder_bytes: int = 4 * 2**30
    log_bytes: int = 2**24
    files: int = 1000
    processes: int = 64


class Job(Record):
    """A piece of work that may run generated code: one JSON in, one JSON out.

    `kind` names the function in `asi_arch.jobs.worker` that does it; `name` is its folder. Beside
    that folder it may read what `reads` names and write what `writes` names.
    """

    name: str
    kind: Literal["prepare", "verify", "probe", "train", "questions", "hidden", "generate", "score"]
    program: str = ""
    spec: dict[str, Any] = {}
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    limits: Limits = Limits()


class Protections(Record):
    """What keeps jobs from the rest of this machine, as the fork server found it."""

    bubblewrap: bool = False
    files: bool = False
    network: bool = False
    processes: bool = False
    calls: bool = False


class JobError(Record):
    """Why a job gave no value."""

    kind: Literal["exception", "timeout", "memory", "disk", "crash", "killed", "stopped"]
    message: str
    trace: str = ""


class JobResult(Record):
    """Either the value or the error, so the caller never guesses."""

    value: dict[str, Any] | None = None
    error: JobError | None = None
    seconds: float = 0.0


class Claim(Record):
    """What a job says came out of it, and the word that shows that it wrote this itself."""

    token: str
    result: JobResult
