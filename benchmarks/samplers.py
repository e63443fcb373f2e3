"""Which sampler finds the best layer at equal budget, and how does it spread its parents?

    python benchmarks/samplers.py --output benchmarks/results/samplers.json

The rule-based team runs the short real searches of benchmarks/search.py, 5 seeds of 10 trainings
for each sampler. The paper's sampler draws a parent from the first 4 ranks instead of 10, as 10
candidates have no 50 to keep. Losses are paired by seed with the paper's sampler; the intervals are
95 % (Student's t), four arms are compared, and nothing is corrected for that.
"""

import argparse
import datetime
import json
import multiprocessing
import os
import platform
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import torch

from asi_arch.config import Data, Search
from asi_arch.search.samplers import make_sampler
from asi_arch.team.rules import rule_team
from asi_arch.train.data import prepare
from benchmarks.search import interval, run, start_worker, trained_again

SAMPLERS = ("paper", "greedy", "random", "weighted")
FIRST_SEED = 400


@dataclass(frozen=True)
class Found:
    """One search: losses in nats per byte, and how its parents were spread.

    `fresh` is the loss of the best candidate, trained again with fresh seeds, `mean` that of all
    candidates; `parents` is how many parents were used, `top_share` the share of all children that
    the three most used ones have.
    """

    seed: int
    sampler: str
    fresh: float
    mean: float
    parents: int
    top_share: float


def main() -> None:
    options = parse_options()
    seeds = range(FIRST_SEED, FIRST_SEED + options.seeds)
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(Data(), folder)
        with multiprocessing.get_context("fork").Pool(options.workers, start_worker) as pool:
            tasks = [(seed, sampler) for seed in seeds for sampler in SAMPLERS]
            found = pool.starmap(partial(search, folder, options.experiments), tasks, chunksize=1)
            pool.close()
            pool.join()
    summary = {
        "command": f"python {' '.join(sys.argv)}",
        "date": datetime.date.today().isoformat(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__}",
        "seconds": round(time.monotonic() - started),
        "samplers": {sampler: summarise(found, sampler) for sampler in SAMPLERS},
        "searches": [asdict(one) for one in found],
    }
    print(json.dumps(summary["samplers"], indent=1))
    if options.output:
        options.output.write_text(json.dumps(summary, indent=1) + "\n")


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=5, help="searches for each sampler")
    parser.add_argument("--experiments", type=int, default=10, help="candidates in a search")
    parser.add_argument("--output", type=Path, help="also write the figures to this JSON file")
    parser.add_argument("--workers", type=int, default=2, help="processes, of one thread each")
    return parser.parse_args()


def search(folder: Path, experiments: int, seed: int, name: str) -> Found:
    """Run one search with a sampler."""
    sampler = make_sampler(Search.model_validate({"sampler": name, "parents": 4}))
    candidates = run(folder, experiments, seed, rule_team(), sampler)
    used = Counter(candidate.parent_id for candidate in candidates)
    losses = [-(candidate.fitness or 0.0) for candidate in candidates]
    print(f"finished: {name} with seed {seed}, best loss {min(losses):.4f}", flush=True)
    return Found(
        seed=seed,
        sampler=name,
        fresh=trained_again(folder, candidates),
        mean=statistics.fmean(losses),
        parents=len(used),
        top_share=sum(count for _, count in used.most_common(3)) / experiments,
    )


def summarise(found: Sequence[Found], sampler: str) -> dict[str, str | float]:
    """Return the means of a sampler, and how much better it is than the paper's, paired by seed."""
    own = [one for one in found if one.sampler == sampler]
    paper = {one.seed: one for one in found if one.sampler == "paper"}
    return {
        "best, trained again": round(statistics.fmean(one.fresh for one in own), 4),
        "paper minus this": interval([paper[one.seed].fresh - one.fresh for one in own]),
        "mean of all": round(statistics.fmean(one.mean for one in own), 4),
        "paper minus this, mean of all": interval([paper[one.seed].mean - one.mean for one in own]),
        "parents used": round(statistics.fmean(one.parents for one in own), 1),
        "children of the three most used": round(statistics.fmean(o.top_share for o in own), 3),
    }


if __name__ == "__main__":
    main()
