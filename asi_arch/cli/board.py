"""What is known of a campaign while it runs, for whoever shows it."""

import time
from collections.abc import Iterable
from dataclasses import dataclass

from asi_arch.cli.facts import best_of, mark
from asi_arch.cli.output import duration, number
from asi_arch.cli.work import Work
from asi_arch.config import Config
from asi_arch.records import Campaign, Experiment, MetricPoint, Run


@dataclass(frozen=True)
class Line:
    """One running experiment; `reference` is the strongest baseline's loss at the same step."""

    experiment: Experiment
    phase: str
    step: int | None = None
    total: int | None = None
    loss: float | None = None
    reference: float | None = None

    @property
    def difference(self) -> float | None:
        """Loss minus that of the baseline: negative is better."""
        if self.loss is None or self.reference is None:
            return None
        return self.loss - self.reference


class Board:
    """Running experiments, the best so far, and how far the campaign is."""

    def __init__(
        self,
        campaign: Campaign,
        config: Config,
        experiments: Iterable[Experiment] = (),
        runs: Iterable[Run] = (),
        finalists: int = 0,
    ) -> None:
        self.lines: dict[int, Line] = {}
        self._config = config
        self._spent = campaign.seconds
        self._started = time.monotonic()
        self._finished: dict[int, Experiment] = {}
        self._work = Work(config, finalists)
        known = {experiment.id: experiment for experiment in experiments}
        for experiment in (e for e in known.values() if e.status.is_finished):
            self.finish(experiment)
        for run in runs:
            self._work.note(known[run.experiment_id], run.stage, run.seed, 1.0)
        self._work.start()

    def phase(self, experiment: Experiment, phase: str) -> bool:
        """Note what happens to an experiment; return whether that is news."""
        before = self.lines.get(experiment.id)
        if before is not None and before.phase == phase:
            return False
        self.lines[experiment.id] = Line(experiment, phase)
        return True

    def progress(
        self,
        experiment: Experiment,
        stage: str,
        seed: int,
        point: MetricPoint,
        reference: float | None,
    ) -> None:
        """Note a point of a training curve."""
        total = steps_of(self._config, stage)
        self._work.note(experiment, stage, seed, point.step / total)
        self.lines[experiment.id] = Line(
            experiment, f"{stage} seed {seed}", point.step, total, point.loss, reference
        )
        if stage in ("confirm", "final") and point.step >= total:
            del self.lines[experiment.id]

    def finish(self, experiment: Experiment) -> None:
        """Note that an experiment has ended."""
        self.lines.pop(experiment.id, None)
        self._finished[experiment.id] = experiment
        self._work.finish(experiment)

    def summary(self) -> str:
        """Return the best so far, the experiments done, the time elapsed and left."""
        here = time.monotonic() - self._started
        candidates = sum(e.kind == "candidate" for e in self._finished.values())
        return " · ".join(
            [
                f"best so far: {describe_best(self.best)}",
                f"{candidates} of {self._config.budget.experiments} experiments",
                f"{duration(self._spent + here)} elapsed",
                f"{duration(self._work.seconds_left(here))} left",
            ]
        )

    @property
    def best(self) -> Experiment | None:
        """The finished candidate of the highest fitness."""
        return best_of(list(self._finished.values()))


def steps_of(config: Config, stage: str) -> int:
    """Return the optimiser steps of one training at a stage."""
    return int(getattr(config, stage).steps)


def describe_best(best: Experiment | None) -> str:
    """Return the best candidate with its fitness and what that means."""
    if best is None:
        return "none yet"
    return f"{best.name} {number(best.fitness, 2, sign=True)} ({mark(best.fitness)})"


def describe_end(experiment: Experiment) -> str:
    """Return in a few words how an experiment ended."""
    gain = "" if experiment.fitness is None else f", fitness {experiment.fitness:+.2f}"
    reason = f": {experiment.reason.splitlines()[0][:160]}" if experiment.reason else ""
    return f"{experiment.status.value}{gain}{reason}"


def title(experiment: Experiment) -> str:
    """Return the kind, id and name of an experiment: `asi-arch show` takes the id."""
    kind = "baseline" if experiment.kind == "baseline" else f"experiment {experiment.id}"
    return f"{kind} {experiment.name}".strip()
