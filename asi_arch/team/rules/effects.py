"""What the outcomes so far say about each design decision: a Bayesian linear regression."""

import itertools
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from asi_arch.records import Outcome
from asi_arch.team.rules.literature import weaknesses
from asi_arch.team.rules.space import SPACE, baseline_design

Array = NDArray[np.float64]

_PAIRED = ("update", "decay")
_ANSWERS = [(d.name, option) for d in SPACE.values() for option in d.options]
_PAIRS = [(u, d) for u in SPACE["update"].options for d in SPACE["decay"].options]
_COLUMNS = {key: i for i, key in enumerate(_ANSWERS + _PAIRS)}
_LITERATURE, _INTERCEPT = -2, -1
_WIDTH = len(_COLUMNS) + 2

_PRIOR_VARIANCES = (0.05, 0.1, 0.2, 0.4)
_NOISE_VARIANCES = (0.05, 0.1, 0.2, 0.4)
_PAIR_SHARE = 0.5
_TRUST, _TRUST_VARIANCE = 0.05, 0.0025
_INTERCEPT_VARIANCE = 9.0
_FAILURE_WEIGHT = 0.5
_BOLDNESS = 0.5


@dataclass(frozen=True)
class Contrast:
    """How much better one value of a decision is than another, in units of fitness.

    `with_new` and `with_old` are the experiments with a fitness that had the one and the other.
    """

    mean: float
    sd: float
    with_new: tuple[int, ...]
    with_old: tuple[int, ...]

    @property
    def is_measured(self) -> bool:
        """Whether outcomes, and not the prior alone, say that the new value is better."""
        seen = len(self.with_new) >= 2 and len(self.with_old) >= 1
        return seen and self.mean > self.sd


@dataclass(frozen=True)
class Effects:
    """The posterior over the effect of every value of every decision.

    `mean` and `root` (a square root of the covariance) are in standard deviations of the fitness,
    `scale` is that standard deviation.
    """

    mean: Array
    root: Array
    scale: float
    scored: tuple[Outcome, ...]

    def promise(self, choices: Mapping[str, str], boldness: float = _BOLDNESS) -> float:
        """Return the expected fitness of a design plus `boldness` times the doubt about it.

        More doubt explores for longer than the few dozen outcomes of a campaign.
        """
        row = encode(choices)
        return float(row @ self.mean + boldness * np.linalg.norm(row @ self.root))

    def contrast(self, decision: str, old: str, new: str) -> Contrast:
        """Return the measured difference between two values of a decision."""
        row = _answer(decision, new) - _answer(decision, old)
        return Contrast(
            mean=float(row @ self.mean) * self.scale,
            sd=float(np.linalg.norm(row @ self.root)) * self.scale,
            with_new=tuple(o.experiment_id for o in self.scored if o.choices.get(decision) == new),
            with_old=tuple(o.experiment_id for o in self.scored if o.choices.get(decision) == old),
        )


def _answer(decision: str, option: str) -> Array:
    """Return the row of one answer, averaged over the answers to the decision it is paired with."""
    row = np.zeros(_WIDTH)
    row[_COLUMNS[decision, option]] = 1
    if decision in _PAIRED:
        columns = [_COLUMNS[pair] for pair in _PAIRS if pair[_PAIRED.index(decision)] == option]
        row[columns] = 1 / len(columns)
    return row


def encode(choices: Mapping[str, str]) -> Array:
    """Return the row of a design.

    One column for each answer, one for each pair of update and decay, the number of weaknesses
    that the literature sees (negative), and a one for the intercept.
    """
    row = np.zeros(_WIDTH)
    row[[_COLUMNS[item] for item in choices.items()]] = 1
    row[_COLUMNS[choices[_PAIRED[0]], choices[_PAIRED[1]]]] = 1
    row[_LITERATURE] = -len(weaknesses(choices))
    row[_INTERCEPT] = 1
    return row


def fit(history: Iterable[Outcome], *, literature: bool = False) -> Effects:
    """Fit the effects of all decisions to the outcomes whose choices are known.

    With `literature`, the written rules decide where the outcomes are silent: what each weakness
    costs is one more effect, with a small prior mean above zero. Without, only outcomes speak.

    Fitness is cut at three robust standard deviations from the median, so that one diverged
    candidate does not hide everything else. A rejected or failed candidate has no fitness: it
    counts as the worst one seen, at half weight, because it shows that its design is bad but not
    how bad. The prior's width and the noise are not known: the posterior is an average over a grid
    of both, weighted by their marginal likelihood.
    """
    known = [o for o in map(_with_choices, history) if o.choices]
    scored = tuple(o for o in known if _has_fitness(o))
    failed = [o for o in known if o.status.is_finished and not _has_fitness(o)]
    values = _cut_tails(np.array([o.fitness for o in scored], dtype=float))
    worst = float(values.min()) if len(values) else 0.0
    y = np.concatenate([values, np.full(len(failed), worst)])
    weights = np.sqrt([1.0] * len(scored) + [_FAILURE_WEIGHT] * len(failed))
    scale = float(y.std()) if len(y) > 1 and y.std() > 0 else 1.0
    rows = np.array([encode(o.choices) for o in [*scored, *failed]]).reshape(len(y), _WIDTH)
    expected = np.zeros(_WIDTH)
    expected[_LITERATURE] = _TRUST if literature else 0.0
    rows[:, _LITERATURE] *= literature
    y = (y - (y.mean() if len(y) else 0.0)) / scale - rows @ expected
    mean, root = _posterior(rows * weights[:, None], y * weights)
    return Effects(mean + expected, root, scale, scored)


def _with_choices(outcome: Outcome) -> Outcome:
    """Give a published layer the choices that its name stands for."""
    design = baseline_design(outcome.name)
    if outcome.choices or outcome.kind != "baseline" or design is None:
        return outcome
    return outcome.model_copy(update={"choices": design.to_choices()})


def _has_fitness(outcome: Outcome) -> bool:
    return outcome.fitness is not None and math.isfinite(outcome.fitness)


def _cut_tails(values: Array) -> Array:
    if len(values) < 4:
        return values
    middle = np.median(values)
    width = 3 * 1.4826 * np.median(np.abs(values - middle))
    return np.clip(values, middle - width, middle + width) if width > 0 else values


def _posterior(x: Array, y: Array) -> tuple[Array, Array]:
    """Return the mean and a root of the covariance, averaged over the grid."""
    grid = itertools.product(_PRIOR_VARIANCES, _NOISE_VARIANCES)
    fits = [_ridge(x, y, prior, noise) for prior, noise in grid]
    evidence = np.array([fit.log_evidence for fit in fits])
    weights = np.exp(evidence - evidence.max())
    weights /= weights.sum()
    mean = weights @ np.array([fit.mean for fit in fits])
    covariance = sum(
        weight * (fit.covariance + np.outer(fit.mean - mean, fit.mean - mean))
        for weight, fit in zip(weights, fits, strict=True)
    )
    return mean, np.linalg.cholesky(np.asarray(covariance))


@dataclass(frozen=True)
class _Ridge:
    mean: Array
    covariance: Array
    log_evidence: float


def _ridge(x: Array, y: Array, prior: float, noise: float) -> _Ridge:
    """Bayesian linear regression with known variances (Bishop 2006, eqs. 3.53, 3.54 and 3.86)."""
    diagonal = np.full(_WIDTH, 1 / prior)
    diagonal[len(_ANSWERS) : len(_COLUMNS)] /= _PAIR_SHARE
    diagonal[_LITERATURE] = 1 / _TRUST_VARIANCE
    diagonal[_INTERCEPT] = 1 / _INTERCEPT_VARIANCE
    precision = x.T @ x / noise + np.diag(diagonal)
    covariance: Array = np.asarray(np.linalg.inv(precision), dtype=np.float64)
    projected = x.T @ y / noise
    log_det = np.linalg.slogdet(covariance)[1] + np.log(diagonal).sum() - len(y) * math.log(noise)
    fit_term = projected @ covariance @ projected - y @ y / noise
    mean: Array = covariance @ projected
    return _Ridge(mean, covariance, float(0.5 * (log_det + fit_term)))
