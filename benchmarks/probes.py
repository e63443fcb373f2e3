"""What the probe of the preset lab says of known layers, and what it costs.

    OMP_NUM_THREADS=1 python benchmarks/probes.py

Each baseline is trained on every task with both learning rates and two seeds, two processes of one
thread at once; the accuracy is that of fresh questions. Writes benchmarks/results/probes.md.
"""

import statistics
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import torch
from safetensors.torch import save_file

from asi_arch.baselines import baseline_program
from asi_arch.configure import load_config
from asi_arch.evaluate import questions as ask
from asi_arch.evaluate import recall
from asi_arch.evaluate.diagnosis import diagnosis
from asi_arch.evaluate.hidden import answer
from asi_arch.evaluate.probe import save_models, train_probe
from asi_arch.evaluate.score import score_recall
from asi_arch.records import Score
from asi_arch.train.kernels import install

NAMES = ("transformer", "deltanet", "gated_deltanet")
SEEDS = (0, 1)
RESULTS = Path(__file__).parent / "results" / "probes.md"
Answer = tuple[tuple[Score, ...], float]


def main() -> None:
    """Print and write the table."""
    pairs = [(name, seed) for name in NAMES for seed in SEEDS]
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        found = dict(zip(pairs, pool.map(probe, *zip(*pairs, strict=True)), strict=True))
    tasks = [score.benchmark for score in found[pairs[0]][0]]
    lines = [
        "# Accuracy on synthetic tasks, seeds 0 / 1, and CPU seconds a seed",
        "",
        f"| layer | {' | '.join(tasks)} | CPU s | diagnosis |",
        f"| --- |{' --- |' * (len(tasks) + 2)}",
    ]
    for name in NAMES:
        own = [found[name, seed] for seed in SEEDS]
        cells = [
            " / ".join(f"{scores[place].value:.2f}" for scores, _ in own)
            for place in range(len(tasks))
        ]
        seconds = statistics.fmean(seconds for _, seconds in own)
        told = diagnosis(score for scores, _ in own for score in scores)
        lines.append(f"| {name} | {' | '.join(cells)} | {seconds:.0f} | {told} |")
    print("\n".join(lines))
    RESULTS.write_text("\n".join(lines) + "\n")


def probe(name: str, seed: int) -> Answer:
    """Return the scores of a baseline, and the CPU seconds that took."""
    torch.set_num_threads(1)
    install()
    task, program, started = (
        load_config("lab").probe,
        baseline_program(name).source,
        time.process_time(),
    )
    with tempfile.TemporaryDirectory() as folder:
        weights, asked, states = (Path(folder, part) for part in ("w.safetensors", "q.npz", "s"))
        save_models(train_probe(program, task, seed)[0], weights)
        tests = recall.questions(task)
        ask.write_questions(asked, {key: question.inputs for key, question in tests.items()})
        said = answer(program, task, seed=seed, weights=weights, questions=asked, last=1)
        save_file(said, states)
        return score_recall(task, weights, states).scores, time.process_time() - started


if __name__ == "__main__":
    main()
