"""What counts as better: paired differences in held-out loss, in units of the measured noise."""

import math
import statistics
from collections.abc import Mapping, Sequence

from asi_arch.records import Conclusion
from asi_arch.search.paired import Part, Windows, compare

WITHIN = 3.0
"""A fitness of less than this many noise units, either way, proves nothing.

The noise itself is measured on few runs: with three baselines on three seeds (4 degrees of
freedom) chance alone passes 2 in one case of nine, and 3 in one of 25.
"""

Losses = Mapping[int, Mapping[int, float]]


def strongest(losses: Losses, count: int = 1) -> list[int]:
    """Return the `count` experiments with the lowest mean loss, best first."""
    return sorted(losses, key=lambda key: (statistics.fmean(losses[key].values()), key))[:count]


def noise_floor(losses: Losses) -> float | None:
    """Standard deviation, in nats per token, of the difference of two runs with the same seed.

    Two-way layout without replication: what is left of loss[experiment, seed] after the means of
    experiments and seeds are taken away; a paired difference has twice that variance. None when
    there are fewer than two experiments with two common seeds.
    """
    rows, seeds = list(losses), _common_seeds(losses)
    if not noise_freedom(losses):
        return None
    by_row = {row: statistics.fmean(losses[row][seed] for seed in seeds) for row in rows}
    by_seed = {seed: statistics.fmean(losses[row][seed] for row in rows) for seed in seeds}
    mean = statistics.fmean(by_row.values())
    residuals = [
        losses[row][seed] - by_row[row] - by_seed[seed] + mean for row in rows for seed in seeds
    ]
    variance = sum(r * r for r in residuals) / noise_freedom(losses)
    return math.sqrt(2 * variance)


def noise_freedom(losses: Losses) -> int:
    """Return with how many degrees of freedom the noise floor is known; 0: not at all."""
    return max(0, len(losses) - 1) * max(0, len(_common_seeds(losses)) - 1)


def spread_of(losses: Losses) -> Part | None:
    """Return how a paired difference of two of these varies between seeds, None if unknown."""
    noise = noise_floor(losses)
    return None if noise is None else Part(noise**2, noise_freedom(losses))


def _common_seeds(losses: Losses) -> list[int]:
    return sorted(set.intersection(*map(set, losses.values()))) if losses else []


def standard_error(windows: Windows) -> float | None:
    """Return that of a mean loss: over seeds, over windows where there is one seed."""
    means = [statistics.fmean(losses) for losses in windows.values()]
    sample = means if len(means) > 1 else next(iter(windows.values()))
    return statistics.stdev(sample) / math.sqrt(len(sample)) if len(sample) > 1 else None


def paired_differences(better: Mapping[int, float], worse: Mapping[int, float]) -> list[float]:
    """Return loss of `worse` minus loss of `better` for each seed both have."""
    return [worse[seed] - better[seed] for seed in sorted(set(better) & set(worse))]


def conclude(
    best_id: int,
    baseline_id: int,
    names: Mapping[int, str],
    windows: Mapping[int, Windows],
    noise: float | None,
    compared: int = 1,
    spread: Part | None = None,
    documents: Sequence[int] | None = None,
) -> Conclusion:
    """Say in one sentence whether the best of so many beats the baseline beyond the noise.

    The interval is that of `asi_arch.search.paired`, over seeds that played no part in what came
    here. Where the best was chosen among several by these same seeds, it allows for that choice:
    its confidence is one minus 0.05 shared among them (Bonferroni), and `spread` is how they vary
    between seeds, all together, for the few seeds of one say little at such a confidence.

    Raises:
        ValueError: the two have no seed in common.
    """
    found = compare(windows[best_id], windows[baseline_id], documents, spread)
    if found is None:
        raise ValueError(f"experiments {best_id} and {baseline_id} have no seed in common")
    half = found.half_width(1 - 0.05 / compared) if found.seeds > 1 else None
    gain, best, baseline = found.difference, names[best_id], names[baseline_id]
    return Conclusion(
        best_id=best_id,
        baseline_id=baseline_id,
        difference=gain,
        low=None if half is None else gain - half,
        high=None if half is None else gain + half,
        seeds=found.seeds,
        windows=found.windows,
        compared=compared,
        noise=noise,
        beyond_noise=half is not None and gain - half > 0,
        sentence=_unproved(best, baseline, gain, found.seeds)
        if half is None
        else _sentence(best, baseline, gain, half, _basis(found.seeds, found.windows, compared))
        + _floor(noise),
    )


def _unproved(best: str, baseline: str, gain: float, seeds: int) -> str:
    return (
        f"{best} and {baseline} differ by {gain:+.4f} nats per token on {seeds} seed, "
        f"which proves nothing: confirm with at least two seeds."
    )


def _basis(seeds: int, windows: int, compared: int) -> str:
    """Return what the interval was made of."""
    texts = f" x {windows} held-out windows" if windows > 1 else ""
    chosen = f", allowing for the choice among {compared} confirmed" if compared > 1 else ""
    return f"95 % interval, {seeds} paired seeds{texts}{chosen}"


def _sentence(best: str, baseline: str, gain: float, half: float, basis: str) -> str:
    numbers = f"{gain:+.4f} ± {half:.4f} nats per token ({basis})"
    if gain - half > 0:
        return f"{best} beats the best baseline {baseline} beyond the noise: {numbers}"
    if gain + half < 0:
        return f"{best} is worse than the best baseline {baseline}: {numbers}"
    return (
        f"{best} does not beat the best baseline {baseline}: the difference of {numbers} "
        f"is within the noise"
    )


def _floor(noise: float | None) -> str:
    known = "" if noise is None else f"; one paired difference has a noise of {noise:.4f}"
    return f"{known}."
