"""How much of a campaign is done, weighed by what it costs, and so how long the rest takes."""

from asi_arch.config import Config, Probe, Stage
from asi_arch.records import Experiment
from asi_arch.search.gates import losers_of

_ENOUGH = 0.01


class Work:
    """Counts tokens times parameters; verification and language models are left out."""

    def __init__(self, config: Config, finalists: int = 0) -> None:
        self._config = config
        self._finalists = finalists
        self._finished: dict[int, float] = {}
        self._shares: dict[tuple[int, str, int], float] = {}
        self._start = 0.0

    def start(self) -> None:
        """Take what is done so far as not of this sitting."""
        self._start = self.done()

    def note(self, experiment: Experiment, stage: str, seed: int, share: float) -> None:
        """Record how much of one training is done, from 0 to 1."""
        self._shares[experiment.id, stage, seed] = share

    def finish(self, experiment: Experiment) -> None:
        """Record that an experiment needs no more probe and exploration, however it ended."""
        self._finished[experiment.id] = self._to_explore(experiment.kind)

    def total(self) -> float:
        """Return the work of the whole campaign."""
        config, confirm = self._config, self._config.confirm
        entrants = confirm.top + losers_of(confirm) + _baselines(config, confirm)
        return (
            config.budget.experiments * self._to_explore("candidate")
            + len(config.baselines) * self._to_explore("baseline")
            + entrants * len(confirm.seeds) * _training(confirm)
            + self._to_end()
        )

    def _to_end(self) -> float:
        """Return the work of `final`, for which somebody must have been named."""
        config, final = self._config, self._config.final
        entrants = self._finalists and self._finalists + _baselines(config, final)
        return entrants * len(final.seeds) * _training(final)

    def done(self) -> float:
        """Return the work done."""
        done = sum(self._finished.values())
        for (id, stage, _), share in self._shares.items():
            if stage in ("confirm", "final") or (stage == "explore" and id not in self._finished):
                done += share * _training(getattr(self._config, stage))
        return done

    def seconds_left(self, elapsed: float) -> float | None:
        """Return the time left at the pace of this sitting, None until there is a pace."""
        total, done = self.total(), self.done()
        if done - self._start < _ENOUGH * total:
            return None
        return elapsed * max(0.0, total - done) / (done - self._start)

    def _to_explore(self, kind: str) -> float:
        explore = self._config.explore
        seeds = explore.baseline_seeds if kind == "baseline" else explore.seeds
        return _probing(self._config.probe) + len(seeds) * _training(explore)


def _baselines(config: Config, stage: Stage) -> int:
    return min(stage.baselines, len(config.baselines))


def _training(stage: Stage) -> float:
    return float(stage.tokens) * stage.parameters


def _probing(probe: Probe) -> float:
    tokens = probe.steps * probe.batch_size * 2 * (probe.writes + probe.keys)
    return float(tokens) * probe.parameters * len(probe.seeds)
