"""The frozen records that only the database gives."""

from typing import Literal

from asi_arch.records import Message, Origin, Record, Status


class CallRecord(Record):
    """A question to a language model as it was asked, and its answer or the error.

    While it is `open`, its tokens and cost are the most that it may use.
    """

    id: int
    experiment_id: int
    key: str
    role: str
    task: str
    attempt: int
    status: Literal["open", "answered", "failed"]
    model: str
    messages: tuple[Message, ...]
    reply: str
    error: str
    faults: tuple[str, ...]
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    cost: float | None
    seconds: float
    created: str


class EventRecord(Record):
    """Something that happened in a campaign."""

    id: int
    campaign_id: int
    experiment_id: int | None
    kind: str
    message: str
    created: str


class Spend(Record):
    """What language models have used so far; `cost` leaves out calls of unknown price."""

    tokens: int
    cost: float


class LeaderboardRow(Record):
    """One candidate or baseline; losses in nats per token, errors are standard errors.

    With several seeds the error is that of the mean over seeds, with one it is the run's own.
    `rank` counts by fitness from 1 and is None without fitness.
    """

    campaign_id: int
    rank: int | None
    experiment_id: int
    number: int
    kind: Literal["baseline", "candidate"]
    name: str
    status: Status
    parent_id: int | None
    fitness: float | None
    explore_loss: float | None
    explore_error: float | None
    explore_seeds: int
    recall: float | None
    confirm_loss: float | None
    confirm_error: float | None
    confirm_seeds: int
    parameters: int | None
    tokens_per_second: float | None


class LineageRow(Record):
    """An experiment under its parent; `depth` is 0 where there is none.

    `difference` is the fitness of the experiment minus that of its parent.
    """

    campaign_id: int
    experiment_id: int
    number: int
    kind: Literal["baseline", "candidate"]
    name: str
    status: Status
    fitness: float | None
    parent_id: int | None
    difference: float | None
    depth: int


class ProvenanceRow(Record):
    """How many components of one origin and category the proposals had.

    Counted over all taken proposals and over the best quarter of the complete candidates (at
    least one); each share is of all components so counted, so shares add up over categories.
    `unsupported` ones claimed another origin and cited what had not been shown.
    """

    campaign_id: int
    origin: Origin
    category: str
    components: int
    unsupported: int
    share: float
    best_components: int
    best_share: float


class SpendRow(Record):
    """What a role used of a model (`calls`), or a stage of training (`training`).

    `name` is the role or the stage, `count` the calls or runs, `failed` those that gave nothing,
    `tokens` those asked and answered or trained on, `cached_tokens` those of them that the server
    had read before, `seconds` the time they took.
    """

    campaign_id: int
    kind: Literal["calls", "training"]
    name: str
    model: str
    count: int
    failed: int
    tokens: int
    cached_tokens: int
    cost: float | None
    seconds: float


class EffortRow(Record):
    """What the trainings of a stage took on one kind of device; `failed` ones gave no result."""

    stage: str
    device: str
    runs: int
    failed: int
    tokens: int
    seconds: float
    fewest_parameters: int | None
    most_parameters: int | None


class DatabaseInfo(Record):
    """Where the database is, its schema and its size; `url` carries no password."""

    url: str
    revision: str
    rows: dict[str, int]
    bytes: int
