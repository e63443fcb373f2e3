"""The configuration of a campaign: every field, its default and what it means."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    model_validator,
)

from asi_arch.backends.prices import Price, find_price, load_prices
from asi_arch.records import Limits, RoleSettings, SandboxMode

_REPLY = RoleSettings().max_tokens
_FRESH = 1000
"""What the seeds of `final` are above those of `confirm` where none are given."""


def _no_repetition(values: tuple[Any, ...]) -> tuple[Any, ...]:
    if len(set(values)) < len(values):
        raise ValueError(f"{list(values)} names something twice")
    return values


Seed = Annotated[int, Field(ge=0, lt=2**31)]
Seeds = Annotated[tuple[Seed, ...], Field(min_length=1), AfterValidator(_no_repetition)]
ProbeTask = Literal["overwrite", "recall", "recall_full", "fuzzy", "compression"]
Tracking = Literal["none", "tensorboard", "wandb"]
Rates = Annotated[tuple[Annotated[float, Field(gt=0)], ...], AfterValidator(_no_repetition)]
Names = Annotated[tuple[str, ...], Field(min_length=1), AfterValidator(_no_repetition)]


class _Section(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False
    )


class Budget(_Section):
    """When a campaign stops; None means no limit."""

    experiments: int = Field(
        10, ge=0, description="candidates, also rejected and failed ones; 0: only baselines"
    )
    minutes: float | None = Field(None, gt=0, description="wall time over all sittings")
    tokens: int | None = Field(None, ge=1, description="language model tokens")
    money: float | None = Field(None, gt=0, description="US dollars for language models")


class Jobs(_Section):
    """How much runs at once; no result depends on it."""

    llm: int = Field(2, ge=1, description="language model calls")
    verify: int = Field(1, ge=1, description="verification jobs")
    train: int = Field(2, ge=1, description="training jobs")
    gpus: int | None = Field(
        None, ge=0, description="GPUs to use, one a job; not given: all there are; 0: the CPU"
    )


class Data(_Section):
    """The text everyone trains on."""

    source: Literal["stdlib", "files", "prepared"] = "stdlib"
    files: str = Field("", description="folder of text files when source is 'files'")
    folder: str = Field("", description="what `data prepare` made, when source is 'prepared'")
    heldout_percent: int = Field(5, ge=1, le=50, description="share of files held out")

    @model_validator(mode="after")
    def _a_folder_is_named(self) -> Self:
        if self.source == "files" and not self.files:
            raise ValueError("source = 'files' needs data.files, a folder of text files")
        return self


class Probe(_Section):
    """Synthetic tasks that a memory should solve (`asi_arch/evaluate/recall.py`)."""

    tasks: Annotated[tuple[ProbeTask, ...], Field(min_length=1), AfterValidator(_no_repetition)] = (
        Field(("overwrite",), description="the first one is the gate, the others a diagnosis")
    )
    keys: int = Field(8, ge=2)
    writes: int = Field(20, ge=2)
    values: int = Field(16, ge=2)
    steps: int = Field(400, ge=1)
    batch_size: int = Field(16, ge=1)
    hidden_size: int = Field(32, ge=8)
    num_layers: int = Field(2, ge=1)
    num_heads: int = Field(2, ge=1)
    parameters: int = Field(28_000, ge=1)
    learning_rate: float = Field(5e-3, gt=0)
    learning_rates: Rates = Field(
        (), description="rates that each task is tried with, instead of learning_rate"
    )
    seeds: Seeds = (0,)
    min_accuracy: float = Field(
        0.0, ge=0, le=1, description="gate: below it, for all seeds, the experiment ends here"
    )

    @model_validator(mode="after")
    def _write_every_key(self) -> Self:
        if self.writes < self.keys:
            raise ValueError(f"writes = {self.writes} must be at least keys = {self.keys}")
        return self

    @model_validator(mode="after")
    def _heads_share_the_width(self) -> Self:
        _require_even_heads(self.hidden_size, self.num_heads)
        return self


class Stop(_Section):
    """When a training ends early, measured by the strongest baseline's; not given: never.

    With a rule for `explore`, candidates are trained after the baselines.
    """

    slower_than: float | None = Field(
        None, gt=1, description="times the baseline's seconds a token; results depend on the clock"
    )
    band: float | None = Field(
        None, gt=0, lt=1, description="share of the baseline's loss that a loss may be away from it"
    )
    futility: float | None = Field(
        None,
        gt=0,
        description="deviations of the baseline's seeds above its loss, from half the way on",
    )


class Stage(_Section):
    """A model size, a token budget, seeds, an evaluation, and the gate that leads into it."""

    tokens: int = Field(1_000_000, ge=1)
    batch_size: int = Field(2, ge=1, description="sequences a step")
    length: int = Field(256, ge=2, description="tokens a sequence")
    hidden_size: int = Field(64, ge=8)
    num_layers: int = Field(2, ge=1)
    num_heads: int = Field(2, ge=1)
    vocab_size: int | None = Field(
        None, ge=2, description="rows of the embedding; not given: as many as the data have tokens"
    )
    tied: bool = Field(True, description="whether the embedding is the head as well")
    parameters: int = Field(100_000, ge=1, description="total, matched through the MLP width")
    learning_rate: float = Field(3e-3, gt=0)
    sweep: Rates = Field(
        (),
        description="rates that every program tries first, to train with the best of them",
    )
    sweep_share: float = Field(
        0.1, gt=0, le=1, description="share of the tokens that each rate of the sweep is tried for"
    )
    schedule: Literal["cosine", "wsd"] = Field(
        "cosine", description="down to a tenth; 'wsd' is constant, then linear to zero"
    )
    warmup: float = Field(0.05, ge=0, le=1, description="share of the steps")
    decay: float = Field(0.2, gt=0, le=1, description="share of the steps that 'wsd' falls in")
    weight_decay: float = Field(0.1, ge=0)
    gradient_clip: float = Field(1.0, gt=0)
    micro_batch: int | None = Field(
        None, ge=1, description="sequences at once; not given: as many as there is memory for"
    )
    compile: bool = Field(
        False, description="torch.compile on a GPU, where it works for the program"
    )
    checkpoint_minutes: float = Field(
        10.0, ge=0, description="how often a training is saved, to go on from after a kill"
    )
    stop: Stop = Stop()
    seeds: Seeds = (0,)
    baseline_seeds: Seeds = (0, 1)
    heldout_windows: int = Field(256, ge=2, description="held-out sequences scored after training")
    audit_positions: int = Field(
        256, ge=1, description="prefixes that a trained model is asked about, one a window"
    )
    top: int = Field(1, ge=0, description="gate: so many best candidates come here")
    min_fitness: float | None = Field(None, description="gate: and only from this fitness on")
    losers: float = Field(
        0.05,
        ge=0,
        le=1,
        description="gate: and so many more, a share of top, drawn from those that did not pass",
    )
    baselines: int = Field(2, ge=0, description="so many strongest baselines come here")

    @model_validator(mode="after")
    def _at_least_one_step(self) -> Self:
        if self.steps < 1:
            raise ValueError(
                f"tokens = {self.tokens} is less than one step of batch_size x length = "
                f"{self.batch_size * self.length} tokens"
            )
        return self

    @model_validator(mode="after")
    def _heads_share_the_width(self) -> Self:
        _require_even_heads(self.hidden_size, self.num_heads)
        return self

    @property
    def stops(self) -> bool:
        """Whether a rule may end a training early."""
        return self.stop != Stop()

    @property
    def steps(self) -> int:
        """Optimiser steps that use up the token budget."""
        return self.tokens // (self.batch_size * self.length)


def _require_even_heads(hidden_size: int, num_heads: int) -> None:
    if hidden_size % num_heads:
        raise ValueError(
            f"hidden_size = {hidden_size} must be a multiple of num_heads = {num_heads}"
        )


class Verify(_Section):
    """What a candidate is verified at and may cost; baselines may grow as the literature has it."""

    lengths: tuple[Annotated[int, Field(ge=1, le=65_536)], ...] = Field(
        (1, 7, 64, 100, 257), min_length=1, description="lengths that every check runs at"
    )
    max_exponent: float = Field(
        1.2, ge=1, le=4, description="largest power of the length for work and memory"
    )
    max_slowdown: float = Field(
        3.0, gt=0, description="largest CPU time of a training step, in gated DeltaNet's"
    )
    max_memory_ratio: float = Field(
        3.0, gt=0, description="largest memory of a training step, in gated DeltaNet's"
    )
    require_deployable: bool = Field(
        False, description="reject layers that cannot be padded, packed, decoded or saved"
    )


class Search(_Section):
    """How parents and references are drawn from the pool (defaults of arXiv 2507.18074)."""

    sampler: Literal["paper", "greedy", "random", "weighted"] = Field(
        "paper", description="how a parent is drawn; 'weighted' uses none of them too often"
    )
    roots: Names = Field(
        ("deltanet", "gated_deltanet"), description="baselines that may be parents"
    )
    pool: int = Field(50, ge=1, description="best experiments kept as candidates for sampling")
    renew_every: int = Field(
        1, ge=1, description="experiments after which 'paper' renews its pool; published: 50"
    )
    parents: int = Field(10, ge=1, description="a parent is one of the first so many")
    references: int = Field(4, ge=0, description="how many others are shown")
    in_flight: int | None = Field(
        None,
        ge=1,
        description="experiments under way at once, which do not see each other's results; "
        "not given: two more than training jobs, so that a slot finds its next job ready",
    )
    repairs: int = Field(2, ge=0, description="rounds of repair after a failed verification")
    proposals: int = Field(3, ge=1, description="tries for an idea that is not in the database yet")


class Show(_Section):
    """What the team is shown; a 0 is an ablation."""

    tokens: int = Field(
        12_000, ge=500, description="of the Researcher's prompt; the parent's program always is in"
    )
    knowledge: int = Field(5, ge=0, description="entries of the knowledge base")
    embedding_model: str = Field("", description="model that searches them by meaning too")
    embedding_url: str = Field("", description="its server, if not OPENAI_BASE_URL or OpenAI's")
    siblings: int = Field(4, ge=0, description="what was tried from the same parent before")


class Novelty(_Section):
    """When an idea counts as known: in words, as a program, as a function."""

    similarity: float = Field(
        0.5, ge=0, le=1, description="from it on, ideas are alike in words and the Analyst compares"
    )
    compared: int = Field(
        3, ge=0, description="ideas that are compared; 0: words are not looked at"
    )
    parents: int = Field(
        2, ge=1, description="parents an experiment may start from before it is given up"
    )


class Analyst(_Section):
    """What the Analyst is asked for; a switch that is off is an ablation."""

    analyse: bool = Field(True, description="explain each result, for whoever proposes next")
    lessons_every: int = Field(
        10, ge=0, description="experiments after which lessons are drawn from all; 0: never"
    )
    judge: bool = Field(True, description="give an opinion on each program before it is trained")
    judge_weight: float = Field(
        0.0, ge=0, description="noise units that the best opinion adds where parents are drawn"
    )
    trace: bool = Field(True, description="say where each part comes from, unaware of the claims")


class Config(_Section):
    """Everything that decides what a campaign does."""

    name: str = "campaign"
    seed: Seed = 0
    team: Literal["rules", "random", "llm"] = "rules"
    baselines: Names = ("transformer", "deltanet", "gated_deltanet")
    budget: Budget = Budget()
    jobs: Jobs = Jobs()
    sandbox: SandboxMode = Field(
        "auto", description="'require': run no job where the machine leaves something open to it"
    )
    data: Data = Data()
    search: Search = Search()
    novelty: Novelty = Novelty()
    show: Show = Show()
    analyst: Analyst = Analyst()
    tracking: Tracking = Field("none", description="where the curves are drawn while it runs")
    agents: str = Field("", description="folder of role cards in place of shipped ones; team llm")
    prices: str = Field("", description="TOML file of prices over the shipped ones; team llm")
    verify: Verify = Verify()
    probe: Probe = Probe()
    explore: Stage = Stage()
    confirm: Stage = Stage()
    final: Stage = Field(
        Stage(), description="for those that are named; what is not given is as at confirm"
    )
    verify_limits: Limits = Limits(seconds=120)
    train_limits: Limits = Limits(seconds=3600)
    roles: dict[Literal["researcher", "engineer", "analyst"], RoleSettings] = {}

    @property
    def in_flight(self) -> int:
        """How many experiments may be under way at once."""
        return self.search.in_flight or self.jobs.train + 2

    def settled(self) -> Self:
        """Return this configuration with nothing left that depends on another value."""
        search = self.search.model_copy(update={"in_flight": self.in_flight})
        places = {key: _absolute(getattr(self.data, key)) for key in ("files", "folder")}
        data = self.data.model_copy(update=places)
        paths = {key: _absolute(getattr(self, key)) for key in ("agents", "prices")}
        return self.model_copy(update={"search": search, "data": data, **paths})

    @model_validator(mode="before")
    @classmethod
    def _final_follows_confirm(cls, values: Any) -> Any:
        """Give `final` what `confirm` has where nothing else is said, but seeds of its own."""
        confirm, final = (_given(values, name) for name in ("confirm", "final"))
        if confirm is None or final is None:
            return values
        seeds = confirm.get("seeds", (0,))
        if isinstance(seeds, list | tuple) and all(isinstance(seed, int) for seed in seeds):
            confirm = confirm | {"seeds": [(seed + _FRESH) % 2**31 for seed in seeds]}
        return {**values, "final": confirm | final}

    @model_validator(mode="after")
    def _final_seeds_are_fresh(self) -> Self:
        used = set(self.final.seeds) & {*self.confirm.seeds, *self.explore.baseline_seeds}
        if used:
            raise ValueError(
                f"final.seeds = {list(self.final.seeds)} must be fresh, but explore or confirm "
                f"use {sorted(used)}"
            )
        return self

    @model_validator(mode="after")
    def _limits_allow_something(self) -> Self:
        for name in ("verify_limits", "train_limits"):
            for key, value in getattr(self, name):
                if not 0 < value < float("inf"):
                    raise ValueError(f"{name}.{key} = {value} must be above 0")
        return self

    @model_validator(mode="after")
    def _noise_can_be_measured(self) -> Self:
        if len(self.baselines) < 2 or len(self.explore.baseline_seeds) < 2:
            raise ValueError(
                "the noise floor needs at least two baselines and two explore.baseline_seeds"
            )
        return self

    @model_validator(mode="after")
    def _seeds_can_be_paired(self) -> Self:
        if not set(self.explore.seeds) <= set(self.explore.baseline_seeds):
            raise ValueError(
                f"explore.seeds = {list(self.explore.seeds)} must be among explore.baseline_seeds "
                f"= {list(self.explore.baseline_seeds)}, so that runs can be compared seed by seed"
            )
        return self

    @model_validator(mode="after")
    def _roles_belong_to_a_team_of_models(self) -> Self:
        if self.roles and self.team != "llm":
            raise ValueError(
                f"team = {self.team!r} asks no language model, but roles.{next(iter(self.roles))} "
                "is set; leave it out or set team = 'llm'"
            )
        return self

    @model_validator(mode="after")
    def _tokens_pay_for_a_reply(self) -> Self:
        if self.team != "llm" or self.budget.tokens is None:
            return self
        reply = max((role.max_tokens for role in self.roles.values()), default=_REPLY)
        if self.budget.tokens < reply:
            raise ValueError(
                f"budget.tokens = {self.budget.tokens} is less than one reply of max_tokens = "
                f"{reply}; raise it or lower roles.researcher.max_tokens"
            )
        return self

    @model_validator(mode="after")
    def _money_needs_prices(self) -> Self:
        if self.team != "llm" or self.budget.money is None:
            return self
        prices = load_prices(Path(self.prices) if self.prices else None)
        for name, role in self.roles.items():
            if not _has_price(role, prices):
                raise ValueError(
                    f"budget.money = {self.budget.money} cannot be kept without the price of "
                    f"{role.model!r}: give --input-price and --output-price in US dollars per "
                    f"million tokens, or roles.{name}.input_price and roles.{name}.output_price, "
                    "or a file of prices with --set prices=FILE"
                )
        return self

    @model_validator(mode="after")
    def _roots_are_baselines(self) -> Self:
        unknown = sorted(set(self.search.roots) - set(self.baselines))
        if unknown:
            raise ValueError(
                f"search.roots names {', '.join(unknown)}; it must name some of the baselines "
                f"{', '.join(self.baselines)}"
            )
        return self


def _given(values: Any, name: str) -> dict[str, Any] | None:
    """Return the values of a section that has not been read yet, None if it is something else."""
    section = values.get(name, {}) if isinstance(values, dict) else None
    if isinstance(section, Stage):
        return section.model_dump(exclude_unset=True)
    return dict(section) if isinstance(section, dict) else None


def _has_price(role: RoleSettings, prices: Mapping[str, Price]) -> bool:
    """Whether the money of a role can be counted; other backends say themselves what they cost."""
    if role.backend not in ("openai", "azure") or find_price(prices, role.model):
        return True
    return role.input_price is not None and role.output_price is not None


def _absolute(path: str) -> str:
    return path and str(Path(path).expanduser().resolve())
