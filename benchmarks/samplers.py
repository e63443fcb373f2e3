"""Which sampler finds the best layer at equal budget, and how does it spread its parents?

    python benchmarks/samplers.py --output benchmarks/results/samplers.json
    python benchmarks/samplers.py --seeds 0          only what is simulated

Real: the rule-based team runs the short searches of benchmarks/search.py, 5 seeds of 10 trainings
for each sampler. The paper's sampler draws a parent from the first 4 ranks instead of 10, as 10
candidates have no 50 to keep.

Simulated: campaigns of 300 experiments, four in flight, without a team or a training. A design is
24 decisions with two options each, on a made-up landscape with many local optima (NK: what a
decision is worth depends on the four after it), in standard deviations of random designs. A
measurement adds noise of 0.3; a fifth of the candidates fail. A child changes one to three
decisions of its parent, each to a reference's or to the other option; after three designs that are
known, the experiment starts from another parent. These numbers were fixed before the first run.
What it says is about this landscape, not about layers.

Intervals are 95 %, paired by seed with the paper's sampler (Student's t), and nothing is corrected
for how many samplers are compared. Lower is better throughout.
"""

import argparse
import datetime
import itertools
import json
import multiprocessing
import os
import platform
import random
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from asi_arch.config import Data, Search
from asi_arch.data import prepare
from asi_arch.interfaces import Sampler
from asi_arch.records import Outcome, Status
from asi_arch.search.samplers import make_sampler
from asi_arch.team.rules import rule_team
from benchmarks.search import interval, run, start_worker, trained_again

SAMPLERS = ("paper", "greedy", "random", "weighted")
FIRST_SEED = 400

SIMULATED = {
    "paper": Search(),
    "paper, renewed every 50": Search(renew_every=50),
    "greedy": Search(sampler="greedy"),
    "random": Search(sampler="random"),
    "weighted": Search(sampler="weighted"),
}
ROOTS, EXPERIMENTS, IN_FLIGHT, PROPOSALS = 2, 300, 4, 3
DECISIONS, LINKED = 24, 4
NOISE, FAILURES = 0.3, 0.2

Design = tuple[int, ...]


@dataclass(frozen=True)
class Found:
    """One search: losses, in nats per byte or as simulated, and how its parents were spread.

    `fresh` is the loss of the best candidate, measured again, `mean` that of all candidates;
    `parents` is how many parents were used, `top_share` the share of all children that the most
    used ones have: three of them in a real search, ten in a simulated one.
    """

    seed: int
    sampler: str
    fresh: float
    mean: float
    parents: int
    top_share: float


def main() -> None:
    options = parse_options()
    started = time.monotonic()
    found = real_searches(options) if options.seeds else []
    seconds = round(time.monotonic() - started)
    seeds = range(options.simulated)
    made_up = [simulate(name, settings, s) for s in seeds for name, settings in SIMULATED.items()]
    summary = {
        "command": f"python {' '.join(sys.argv)}",
        "date": datetime.date.today().isoformat(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__}",
        "seconds": seconds,
        "samplers": summarise(found, "three"),
        "simulated": summarise(made_up, "ten"),
        "searches": [asdict(one) for one in found],
    }
    print(tables(summary))
    if options.output:
        options.output.write_text(json.dumps(summary, indent=1) + "\n")
        options.output.with_suffix(".md").write_text(tables(summary))


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=5, help="real searches for each sampler")
    parser.add_argument("--simulated", type=int, default=40, help="simulated campaigns for each")
    parser.add_argument("--experiments", type=int, default=10, help="candidates in a real one")
    parser.add_argument("--output", type=Path, help="also write the figures to this JSON file")
    parser.add_argument("--workers", type=int, default=2, help="processes, of one thread each")
    return parser.parse_args()


def real_searches(options: argparse.Namespace) -> list[Found]:
    seeds = range(FIRST_SEED, FIRST_SEED + options.seeds)
    tasks = [(seed, sampler) for seed in seeds for sampler in SAMPLERS]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(Data(), folder)
        with multiprocessing.get_context("fork").Pool(options.workers, start_worker) as pool:
            found = pool.starmap(partial(search, folder, options.experiments), tasks, chunksize=1)
            pool.close()
            pool.join()
    return found


def search(folder: Path, experiments: int, seed: int, name: str) -> Found:
    """Run one search with a sampler."""
    sampler = make_sampler(Search.model_validate({"sampler": name, "parents": 4}))
    candidates = run(folder, experiments, seed, rule_team(), sampler)
    losses = [-(candidate.fitness or 0.0) for candidate in candidates]
    print(f"finished: {name} with seed {seed}, best loss {min(losses):.4f}", flush=True)
    fresh, used = trained_again(folder, candidates), [c.parent_id for c in candidates]
    return Found(seed, name, fresh, statistics.fmean(losses), len(set(used)), share(used, 3))


class Landscape:
    """A made-up objective; a loss is in standard deviations below the mean of random designs."""

    def __init__(self, seed: int) -> None:
        self.worth = np.random.default_rng(seed).random((DECISIONS, 2 ** (LINKED + 1)))

    def loss(self, design: Design) -> float:
        """Return the loss without noise."""
        bits = np.array(design)
        rows = sum(np.roll(bits, -place) << place for place in range(LINKED + 1))
        total = self.worth[np.arange(DECISIONS), rows].sum()
        return float((DECISIONS / 2 - total) / (DECISIONS / 12) ** 0.5)


def simulate(name: str, settings: Search, seed: int) -> Found:
    """Run one campaign on a landscape that is the same for every sampler."""
    sampler, rng, landscape = make_sampler(settings), random.Random(seed), Landscape(seed)
    designs = [tuple(rng.choices((0, 1), k=DECISIONS)) for _ in range(ROOTS)]
    known = [measure(rng, landscape, design, n) for n, design in enumerate(designs, 1 - ROOTS)]
    for number in range(1, EXPERIMENTS + 1):
        seen = known[: ROOTS + max(0, number - IN_FLIGHT)]
        parent, design = propose(rng, sampler, seen, designs, number, seed)
        designs.append(design)
        known.append(measure(rng, landscape, design, number, parent))
    candidates = list(zip(known, designs, strict=True))[ROOTS:]
    true = {o.fitness: landscape.loss(design) for o, design in candidates if o.fitness is not None}
    used = [outcome.parent_id for outcome, _ in candidates]
    mean = statistics.fmean(true.values())
    return Found(seed, name, true[max(true)], mean, len(set(used)), share(used, 10))


def measure(
    rng: random.Random, landscape: Landscape, design: Design, number: int, parent: int | None = None
) -> Outcome:
    fails = parent is not None and rng.random() < FAILURES
    fitness = rng.gauss(0, NOISE) - landscape.loss(design)
    return Outcome(
        experiment_id=number + ROOTS,
        number=number,
        kind="baseline" if parent is None else "candidate",
        parent_id=parent,
        status=Status.REJECTED if fails else Status.COMPLETE,
        fitness=None if fails else fitness,
        choices={},
    )


def propose(
    rng: random.Random,
    sampler: Sampler,
    seen: Sequence[Outcome],
    designs: Sequence[Design],
    number: int,
    seed: int,
) -> tuple[int, Design]:
    """Return a parent and a child of it that is not known."""
    known = set(designs[: len(seen)])
    for attempt in itertools.count():
        parent, references = sampler.sample(seen, number, seed, attempt)
        for _ in range(PROPOSALS):
            child = vary(rng, designs[parent - 1], [designs[other - 1] for other in references])
            if child not in known:
                return parent, child
    raise AssertionError("unreachable: attempts do not end")


def vary(rng: random.Random, parent: Design, references: Sequence[Design]) -> Design:
    child = list(parent)
    for place in rng.sample(range(DECISIONS), rng.randint(1, 3)):
        borrowed = references and rng.random() < 0.5
        child[place] = rng.choice(references)[place] if borrowed else 1 - child[place]
    return tuple(child)


def share(parents: Sequence[int | None], most_used: int) -> float:
    """Return which part of all children the most used parents have."""
    return sum(n for _, n in Counter(parents).most_common(most_used)) / len(parents)


def summarise(found: Sequence[Found], most_used: str) -> dict[str, dict[str, str | float]]:
    """Return the means of each sampler, and how much better it is than the paper's."""
    names = dict.fromkeys(one.sampler for one in found)
    paper = {one.seed: one for one in found if one.sampler == "paper"}
    return {
        name: _compare([one for one in found if one.sampler == name], paper, most_used)
        for name in names
    }


def _compare(
    own: Sequence[Found], paper: Mapping[int, Found], most_used: str
) -> dict[str, str | float]:
    return {
        "best, measured again": round(statistics.fmean(one.fresh for one in own), 4),
        "paper minus this": interval([paper[one.seed].fresh - one.fresh for one in own]),
        "mean of all": round(statistics.fmean(one.mean for one in own), 4),
        "paper minus this, mean of all": interval([paper[one.seed].mean - one.mean for one in own]),
        "parents used": round(statistics.fmean(one.parents for one in own), 1),
        f"children of the {most_used} most used": round(
            statistics.fmean(one.top_share for one in own), 3
        ),
    }


def tables(summary: Mapping[str, Any]) -> str:
    """Return both comparisons as Markdown."""
    real = "Real searches with the rule-based team, losses in nats per byte"
    made_up = "SIMULATED campaigns on a made-up landscape, in its standard deviations; no layers"
    parts = [(real, summary["samplers"]), (made_up, summary["simulated"])]
    return "\n".join(f"{title}:\n\n{as_table(rows)}" for title, rows in parts if rows)


def as_table(rows: Mapping[str, Mapping[str, object]]) -> str:
    columns = list(next(iter(rows.values())))
    lines = [["sampler", *columns], ["---"] * (len(columns) + 1)]
    lines += [[name, *map(str, row.values())] for name, row in rows.items()]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


if __name__ == "__main__":
    main()
