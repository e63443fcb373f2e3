"""What counts as better: paired differences in held-out loss, in units of the measured noise."""

import math
import statistics
from collections.abc import Mapping, Sequence

from asi_arch.records import Conclusion

# Quantile 0.975 of Student's t by degrees of freedom; beyond the table the normal one is close.
_T975: tuple[float, ...] = (
    *(12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228),
    *(2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086),
)
_Z975 = 1.960

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
    rows = list(losses)
    seeds = sorted(set.intersection(*(set(losses[row]) for row in rows))) if rows else []
    if len(rows) < 2 or len(seeds) < 2:
        return None
    by_row = {row: statistics.fmean(losses[row][seed] for seed in seeds) for row in rows}
    by_seed = {seed: statistics.fmean(losses[row][seed] for row in rows) for seed in seeds}
    mean = statistics.fmean(by_row.values())
    residuals = [
        losses[row][seed] - by_row[row] - by_seed[seed] + mean for row in rows for seed in seeds
    ]
    variance = sum(r * r for r in residuals) / ((len(rows) - 1) * (len(seeds) - 1))
    return math.sqrt(2 * variance)


def paired_differences(better: Mapping[int, float], worse: Mapping[int, float]) -> list[float]:
    """Return loss of `worse` minus loss of `better` for each seed both have."""
    return [worse[seed] - better[seed] for seed in sorted(set(better) & set(worse))]


def conclude(
    best_id: int, baseline_id: int, names: Mapping[int, str], losses: Losses, noise: float | None
) -> Conclusion:
    """Say in one sentence whether the best found beats the baseline beyond the noise.

    The interval is Student's t over the paired differences of fresh seeds: it holds because the
    seeds played no part in choosing the best found.
    """
    gains = paired_differences(losses[best_id], losses[baseline_id])
    mean = statistics.fmean(gains)
    half = _half_width(gains)
    beyond = half is not None and mean - half > 0
    return Conclusion(
        best_id=best_id,
        baseline_id=baseline_id,
        difference=mean,
        low=None if half is None else mean - half,
        high=None if half is None else mean + half,
        seeds=len(gains),
        noise=noise,
        beyond_noise=beyond,
        sentence=_sentence(names[best_id], names[baseline_id], mean, half, len(gains), noise),
    )


def _half_width(gains: Sequence[float]) -> float | None:
    if len(gains) < 2:
        return None
    freedom = len(gains) - 1
    quantile = _T975[freedom - 1] if freedom <= len(_T975) else _Z975
    return quantile * statistics.stdev(gains) / math.sqrt(len(gains))


def _sentence(
    best: str, baseline: str, gain: float, half: float | None, seeds: int, noise: float | None
) -> str:
    if half is None:
        return (
            f"{best} and {baseline} differ by {gain:+.4f} nats per token on {seeds} seed, "
            f"which proves nothing: confirm with at least two seeds."
        )
    numbers = f"{gain:+.4f} ± {half:.4f} nats per token (95 % interval, {seeds} paired seeds)"
    floor = "" if noise is None else f"; one paired difference has a noise of {noise:.4f}"
    if gain - half > 0:
        return f"{best} beats the best baseline {baseline} beyond the noise: {numbers}{floor}."
    if gain + half < 0:
        return f"{best} is worse than the best baseline {baseline}: {numbers}{floor}."
    return (
        f"{best} does not beat the best baseline {baseline}: the difference of {numbers} "
        f"is within the noise{floor}."
    )
