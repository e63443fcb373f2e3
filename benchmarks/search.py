"""Does the rule-based team search better than chance, in the same space at the same budget?

    python benchmarks/search.py                         # 5 seeds, 40 candidates, 2 workers
    python benchmarks/search.py --seeds 2 --budget 10 --workers 1

Every candidate is a rendered program, trained for about one CPU second by the trainer of the
campaigns: one layer of width 32 with 24,000 parameters in all, on 40,000 bytes of the Python
standard library, as every other candidate of its seed. The objective is its held-out loss. Both
arms see the two DeltaNets first, and draw parents with the default sampler. The best of each arm
is trained again with fresh seeds at the end, so that a lucky seed is not mistaken for a find.
"""

import argparse
import asyncio
import math
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import torch

from asi_arch.config import Data, Search, Stage
from asi_arch.records import Context, Experiment, MetricPoint, Outcome, Program, Proposal, Status
from asi_arch.search.samplers import make_sampler
from asi_arch.team.rules import BASELINES, rule_team
from asi_arch.team.rules.render import render
from asi_arch.train.data import prepare
from asi_arch.train.kernels import install
from asi_arch.train.trainer import train

Arm = Literal["rules", "random"]

STAGE = Stage(
    tokens=40_000,
    batch_size=4,
    length=64,
    hidden_size=32,
    num_layers=1,
    num_heads=2,
    parameters=24_000,
    learning_rate=1e-2,
    heldout_windows=64,
)
CHECKPOINTS = (10, 20, 40)
FRESH_SEEDS = (1001, 1002, 1003)
T975 = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306, 9: 2.262}


@dataclass(frozen=True)
class Result:
    """What one search found: its best loss after each candidate, and the best one trained anew."""

    seed: int
    arm: Arm
    curve: list[float]
    fresh: float
    program: Program


def main() -> None:
    options = parse_options()
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(Data(), folder)
        arms: tuple[Arm, ...] = ("rules", "random")
        tasks = [(seed, arm) for seed in range(options.seeds) for arm in arms]
        context = multiprocessing.get_context("fork")
        with context.Pool(options.workers, start_worker) as pool:
            work = partial(search, folder, options.budget)
            results = sorted(pool.starmap(work, tasks, chunksize=1), key=lambda r: (r.seed, r.arm))
    report(results, [n for n in CHECKPOINTS if n <= options.budget] or [options.budget])
    print(f"seconds: {time.monotonic() - started:.0f}")


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=5, help="searches for each arm")
    parser.add_argument("--budget", type=int, default=40, help="candidates in a search")
    parser.add_argument("--workers", type=int, default=2, help="processes, of one thread each")
    return parser.parse_args()


def start_worker() -> None:
    torch.set_num_threads(1)
    install()


def search(folder: Path, budget: int, seed: int, arm: Arm) -> Result:
    """Run one search: baselines first, then as many proposals as the budget allows."""
    team, sampler = rule_team(arm), make_sampler(Search())
    pool = [baseline(folder, seed, id, name) for id, name in enumerate(BASELINES, start=1)]
    for number in range(1, budget + 1):
        outcomes = [outcome_of(experiment) for experiment in pool]
        parent, references = sampler.sample(outcomes, number, seed)
        context = Context(
            experiment_id=len(pool) + 1,
            number=number,
            seed=seed,
            parent=pool[parent - 1],
            references=tuple(pool[id - 1] for id in references),
            history=tuple(outcomes),
        )
        proposal = asyncio.run(team.researcher.propose(context))
        program = asyncio.run(team.engineer.implement(pool[0], proposal, context.parent))
        pool.append(measured(folder, seed, context.experiment_id, proposal, program))
    losses = [-(experiment.fitness or 0.0) for experiment in pool[len(BASELINES) :]]
    curve = [min(losses[: n + 1]) for n in range(budget)]
    best = pool[len(BASELINES) + losses.index(curve[-1])].program
    assert best is not None
    fresh = statistics.fmean(heldout_loss(folder, best, again) for again in FRESH_SEEDS)
    print(f"finished: {arm} with seed {seed}, best loss {curve[-1]:.4f}", flush=True)
    return Result(seed, arm, curve, fresh, best)


def baseline(folder: Path, seed: int, id: int, name: str) -> Experiment:
    design = BASELINES[name]
    proposal = Proposal(name=name, motivation="", components=(), choices=design.to_choices())
    return measured(folder, seed, id, proposal, render(design, name))


def measured(folder: Path, seed: int, id: int, proposal: Proposal, program: Program) -> Experiment:
    """Train a program and return it as a finished experiment; fitness is minus its loss."""
    return Experiment(
        id=id,
        campaign_id=1,
        number=id - len(BASELINES),
        kind="baseline" if id <= len(BASELINES) else "candidate",
        status=Status.COMPLETE,
        name=proposal.name,
        fitness=-heldout_loss(folder, program, seed),
        proposal=proposal,
        program=program,
    )


def outcome_of(experiment: Experiment) -> Outcome:
    assert experiment.proposal is not None
    return Outcome(
        experiment_id=experiment.id,
        number=experiment.number,
        kind=experiment.kind,
        parent_id=None,
        status=experiment.status,
        fitness=experiment.fitness,
        choices=experiment.proposal.choices,
    )


def heldout_loss(folder: Path, program: Program, seed: int) -> float:
    """Return nats per byte after the short training; a program is trained once per seed."""
    known = folder / f"{program.hash}-{seed}"
    if not known.exists():
        run = train(
            program.source, STAGE, name="search", seed=seed, folder=folder, on_progress=ignore
        )
        assert run.loss is not None
        known.write_text(repr(run.loss))
    return float(known.read_text())


def ignore(point: MetricPoint) -> None:
    """Training reports its progress; a benchmark does not show it."""


def report(results: Sequence[Result], checkpoints: Sequence[int]) -> None:
    """Print the best held-out loss of each search, and the paired differences of the arms."""
    heads = [f"best of {n}" for n in checkpoints] + ["fresh seeds"]
    print(f"{'seed':>4} {'arm':>7}", *(f"{head:>12}" for head in heads))
    rows = {(r.seed, r.arm): [r.curve[n - 1] for n in checkpoints] + [r.fresh] for r in results}
    for (seed, arm), values in rows.items():
        print(f"{seed:>4} {arm:>7}", *(f"{value:12.4f}" for value in values))
    seeds = sorted({seed for seed, _ in rows})
    print("\nrandom minus rules, nats per byte (positive: the rule-based team is better)")
    for column, head in enumerate(heads):
        gaps = [rows[s, "random"][column] - rows[s, "rules"][column] for s in seeds]
        print(f"{head}: {interval(gaps)}")


def interval(gaps: Sequence[float]) -> str:
    """Return mean and paired 95 % interval (Student's t)."""
    mean = statistics.fmean(gaps)
    wins = f"better in {sum(gap > 0 for gap in gaps)} of {len(gaps)} seeds"
    if len(gaps) < 2:
        return f"{mean:+.4f}, {wins}"
    half = T975.get(len(gaps) - 1, 1.96) * statistics.stdev(gaps) / math.sqrt(len(gaps))
    return f"{mean:+.4f} [{mean - half:+.4f}, {mean + half:+.4f}], {wins}"


if __name__ == "__main__":
    main()
