"""What a campaign remembers, and what of it a team may know about an experiment.

Experiments in flight at the same time do not see each other: number n sees the results of
1 … n - in_flight, whatever has really finished by then. So the order in which jobs happen to end
changes nothing, and the same database gives the same prompts.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from asi_arch.config import Config
from asi_arch.errors import BackendError
from asi_arch.knowledge import Library
from asi_arch.knowledge.embed import OpenAIEmbedder
from asi_arch.records import (
    Campaign,
    Context,
    Entry,
    Experiment,
    Lesson,
    Outcome,
    Proposal,
    Status,
)
from asi_arch.standings import standings
from asi_arch.store import Store
from asi_arch.weakness import Weakness, weaknesses


@dataclass(frozen=True)
class Memory:
    """The database of a campaign, as its teams see it."""

    store: Store
    campaign: Campaign
    config: Config

    @cached_property
    def library(self) -> Library:
        """The knowledge base as it is when it is first looked at."""
        return make_library(self.store, self.config)

    def outcomes(self, number: int) -> list[Outcome]:
        """Return what may be known when experiment `number` is proposed."""
        up_to = number - self.config.in_flight
        if up_to > 0:
            return self.store.outcomes(self.campaign.id, up_to=up_to)
        return [_unmeasured(baseline) for baseline in self._baselines()]

    def known(self, experiment: Experiment) -> list[int]:
        """Return the ids of the experiments that this one must differ from."""
        return [outcome.experiment_id for outcome in self.outcomes(experiment.number)]

    def proposals(self, experiment: Experiment) -> dict[int, Proposal]:
        """Return the ideas that may be known, by the id of their experiment."""
        return self.store.proposals(self.known(experiment))

    def context(self, experiment: Experiment) -> Context:
        """Return all that a Researcher may look at when it proposes for an experiment."""
        assert experiment.parent_id is not None
        history = self.outcomes(experiment.number)
        seen = {outcome.experiment_id: outcome for outcome in history}
        parent = self._as_seen(experiment.parent_id, seen)
        weak = [] if parent.fitness is None else self._weaknesses(parent)
        return Context(
            experiment_id=experiment.id,
            number=experiment.number,
            seed=self.campaign.seed,
            parent=parent,
            references=tuple(self._as_seen(id, seen) for id in experiment.reference_ids),
            siblings=tuple(self._siblings(experiment, history, seen)),
            history=tuple(history),
            lessons=tuple(self.lessons(experiment.number)),
            weakness="; ".join(one.sentence for one in weak),
            knowledge=self._knowledge(parent, weak),
            rejections=experiment.rejections,
            twins=tuple(self._as_seen(id, seen) for id in dict.fromkeys(experiment.twin_ids)),
        )

    def relatives(self, experiment: Experiment) -> list[Experiment]:
        """Return baselines, parent and finished siblings that may be known, in order of number."""
        assert experiment.parent_id is not None
        known = self.outcomes(experiment.number)
        family = {o.experiment_id for o in known if o.parent_id == experiment.parent_id}
        baselines = {baseline.id for baseline in self._baselines()}
        ids = {experiment.parent_id, *family, *baselines}
        return [self._shown(self.store.experiment(id)) for id in sorted(ids)]

    def lessons_due(self, number: int) -> int:
        """Return up to which experiment lessons must be drawn before `number`, 0 for none."""
        every = self.config.analyst.lessons_every
        up_to = number - self.config.in_flight
        return up_to // every * every if every and up_to > 0 else 0

    def lessons(self, number: int) -> list[Lesson]:
        """Return the lessons that may be known when experiment `number` is proposed."""
        due = self.lessons_due(number)
        return self.store.lessons(self.campaign.id, due) if due else []

    def finished(self, up_to: int) -> list[Experiment]:
        """Return the finished candidates numbered up to `up_to`, in order of number."""
        outcomes = self.store.outcomes(self.campaign.id, up_to=up_to)
        return [self.store.experiment(o.experiment_id) for o in outcomes if o.kind == "candidate"]

    def _baselines(self) -> list[Experiment]:
        return self.store.experiments(self.campaign.id, kind="baseline")

    def _as_seen(self, id: int, seen: dict[int, Outcome]) -> Experiment:
        """Return an experiment as far as it may be known: a baseline may be under way yet."""
        outcome = seen.get(id)
        fitness, status = (outcome.fitness, outcome.status) if outcome else (None, Status.COMPLETE)
        found = self._shown(self.store.experiment(id))
        return found.model_copy(update={"fitness": fitness, "status": status})

    def _shown(self, experiment: Experiment) -> Experiment:
        """Leave out the analysis where the configuration does without analyses."""
        if self.config.analyst.analyse:
            return experiment
        return experiment.model_copy(update={"analysis": None})

    def _siblings(
        self, experiment: Experiment, history: Sequence[Outcome], seen: dict[int, Outcome]
    ) -> Iterator[Experiment]:
        """Yield what was tried from the same parent, the latest first."""
        same = [o for o in history if o.parent_id == experiment.parent_id]
        latest = sorted(same, key=lambda outcome: -outcome.number)
        for outcome in latest[: self.config.show.siblings]:
            yield self._as_seen(outcome.experiment_id, seen)

    def _weaknesses(self, parent: Experiment) -> list[Weakness]:
        """Return where the parent measured worse than the strongest baseline."""
        best = standings(self.store, self.campaign.id, "explore").reference_id
        if best is None or best == parent.id:
            return []
        findings = [finding for _, finding in self.store.findings(parent.id)]
        own, reference = (
            self.store.runs(self.campaign.id, experiment_id=id) for id in (parent.id, best)
        )
        return weaknesses(own, reference, findings, self.store.experiment(best).name)

    def _knowledge(self, parent: Experiment, weak: Sequence[Weakness]) -> tuple[Entry, ...]:
        """Return the entries nearest to the parent's weaknesses and to what it is made of."""
        parts = parent.proposal.components if parent.proposal else ()
        words = " ".join(part.name for part in parts) or parent.name
        need = " ".join(one.query for one in weak) or "linear attention recall decay gating"
        return tuple(self._search(f"{words} {need}"))

    def _search(self, query: str) -> list[Entry]:
        """Search by words and, as the configuration has it, by meaning; words alone if need be."""
        limit = self.config.show.knowledge
        try:
            return self.library.search(query, limit)
        except BackendError as error:
            said = f"searched by words alone: {error}"
            self.store.log_event(self.campaign.id, None, "knowledge", said)
            return [self.library.entries[place] for place in self.library.by_words(query)[:limit]]


def _unmeasured(baseline: Experiment) -> Outcome:
    return Outcome(
        experiment_id=baseline.id,
        number=baseline.number,
        kind=baseline.kind,
        parent_id=None,
        status=Status.COMPLETE,
        fitness=None,
        choices={},
        name=baseline.name,
    )


def make_library(store: Store, config: Config) -> Library:
    """Return the knowledge base of a database, as the configuration has it searched.

    Raises:
        UserError: the server of the embeddings is not named well or lacks its key.
    """
    show = config.show
    if not show.embedding_model:
        return Library(store.knowledge())
    return Library(
        store.knowledge(), OpenAIEmbedder(show.embedding_model, show.embedding_url, store)
    )
