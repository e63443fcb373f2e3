"""What does a team of language models cost in calls and prompts, on a server that often fails?

    python benchmarks/team.py
    python benchmarks/team.py --experiments 10 --faults 0.5 --seed 1

A campaign from the first proposal to the confirmation, through HTTP. The model is the scripted one
(`asi_arch.testing.scripted_answers`); its programs get a number, so that none is the same as an
earlier one. One request in five fails, by its number: as a status, a broken connection, half an
answer, garbage, JSON that is cut, or JSON with other fields. The jobs are simulated: they answer at
once, and one program in four fails its first verification, so that repairs are asked for too. So
prompts, replies, retries and the database are those of a real campaign; the fitness means nothing.

Tokens are a quarter of the characters. The overhead is the time of a call that met no fault, less
the latency of the server: the client, HTTP, and the server's own work.

The committed run: 27 November 2026, 2 cores of a busy machine, 24 s. All 30 experiments complete,
7 of them after a repair; 198 calls (7 per experiment in the median), 21 % of them with faults, 37
retries, 13 questions asked again for a bad answer, none without an answer. The longest prompt had
3,463 tokens. Of a prompt, 14 to 44 % is also the start of the one before it for the same task.
"""

import argparse
import datetime
import hashlib
import itertools
import json
import os
import platform
import random
import statistics
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from asi_arch.config import Config
from asi_arch.configure import load_config
from asi_arch.launch import new_campaign
from asi_arch.records import Experiment, Finding, Job, JobResult
from asi_arch.store import Store
from asi_arch.store.records import CallRecord
from asi_arch.testing import Fault, LLMServer, llm_server
from asi_arch.testing.faults import AnyFault
from asi_arch.testing.protocol import Json, chat_answer, chat_question
from asi_arch.testing.scripted_answers import answer

Messages: TypeAlias = list[dict[str, str]]
ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "team.json"
LATENCY = 0.05
FAULTS = ("500", "503", "429", "reset", "truncate", "garbage", "cut JSON", "wrong fields")


class Model:
    """The scripted model behind a server that fails; `met` counts the faults by kind."""

    def __init__(self, share: float, seed: int) -> None:
        self.share = share
        self.seed = seed
        self.met = Counter[str]()

    def answer(self, messages: Messages) -> str:
        """Return the scripted answer; a program gets the number of its name."""
        text = answer(messages)
        value = json.loads(text)
        if "code" not in value:
            return text
        number = int(hashlib.sha256(messages[1]["content"].encode()).hexdigest()[:8], 16)
        return json.dumps({"code": f"{value['code']}\n\nNUMBER = {number}\n"})

    def fault(self, number: int, body: Json) -> AnyFault:
        """Return what goes wrong with a request, 200 for nothing."""
        rng = random.Random(f"{self.seed}/{number}")
        if rng.random() >= self.share:
            return 200
        kind = rng.choice(FAULTS)
        self.met[kind] += 1
        if kind.isdigit():
            return int(kind)
        return Fault(body=self._spoilt(kind, body)) if " " in kind else kind

    def _spoilt(self, kind: str, body: Json) -> Json:
        question = chat_question(body)
        text = self.answer(question.messages)
        text = text[: len(text) // 2] if kind == "cut JSON" else '{"result": "done"}'
        return chat_answer(body, question, text, cached=0)


def main() -> None:
    options = parse_options()
    sys.path.insert(0, str(ROOT))  # the simulated jobs are those of the tests
    model, started = Model(options.faults, options.seed), time.monotonic()
    with (
        tempfile.TemporaryDirectory() as name,
        llm_server(model.answer, latency=LATENCY, faults=model.fault) as server,
        Store.open(f"{name}/team.db") as store,
    ):
        run(store, config(server.url, options.experiments, options.seed, name), Path(name))
        summary = measures(store.experiments(1, kind="candidate"), store.calls(1), server)
    summary |= {
        "faults": dict(sorted(model.met.items())),
        "command": f"python {' '.join(sys.argv)}",
        "date": datetime.date.today().isoformat(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "seconds": round(time.monotonic() - started),
    }
    print(json.dumps(summary, indent=1))
    options.output.write_text(json.dumps(summary, indent=1) + "\n")


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--experiments", type=int, default=30, help="candidates of the campaign")
    parser.add_argument("--faults", type=float, default=0.2, help="share of requests that fail")
    parser.add_argument("--seed", type=int, default=0, help="of the campaign and of the faults")
    parser.add_argument("--output", type=Path, default=RESULTS, help="where the figures go")
    return parser.parse_args()


def config(url: str, experiments: int, seed: int, folder: str) -> Config:
    """The demo with its default prompts, played by a model behind HTTP."""
    settings = ["team=llm", f"budget.experiments={experiments}", f"seed={seed}"]
    settings += ["data.source=files", f"data.files={folder!r}"]
    for role in ("researcher", "engineer", "analyst"):
        settings += [f"roles.{role}.base_url={url}", f"roles.{role}.model=scripted"]
    return load_config("demo", settings=settings)


def run(store: Store, config: Config, folder: Path) -> None:
    """Run the campaign to its end."""
    from tests.over_http import go_on

    record = new_campaign(store, config, folder)
    if go_on(store, record, config, job_answer) is None:
        raise SystemExit("the campaign did not end complete")


def job_answer(job: Job) -> JobResult:
    """Every job succeeds, but for the first verification of one program in four."""
    from tests.simulation import success

    broken = hashlib.sha256(job.program.encode()).digest()[0] % 4 == 0
    if job.kind != "verify" or int(job.name[:5]) <= 3 or not (broken and job.name.endswith("-0")):
        return success(job)
    evidence = "AssertionError: output 12 changed when input 40 did"
    finding = Finding(check="causality", passed=False, evidence=evidence, measured={"place": 12})
    return JobResult(value={"findings": [finding.model_dump(mode="json")]})


def measures(
    found: Sequence[Experiment], calls: Sequence[CallRecord], server: LLMServer
) -> dict[str, Any]:
    """Return the figures of a campaign."""
    by_task = defaultdict[str, list[CallRecord]](list)
    for call in calls:
        by_task[call.task].append(call)
    each = Counter(call.experiment_id for call in calls)
    quick = [call.seconds - LATENCY for call in calls if not call.faults]
    return {
        "jobs": "simulated",
        "ends": dict(Counter(str(experiment.status) for experiment in found)),
        "repaired": sum(experiment.round > 0 for experiment in found),
        "calls": len(calls),
        "calls_failed": sum(call.status == "failed" for call in calls),
        "calls_asked_again_for_a_bad_answer": sum(call.attempt > 0 for call in calls),
        "requests": server.received,
        "retries": server.received - len(calls),
        "calls_with_faults": round(_share(bool(c.faults) or c.attempt > 0 for c in calls), 3),
        "calls_per_experiment": spread([each[experiment.id] for experiment in found]),
        "prompt_tokens": {task: spread(map(tokens, some)) for task, some in by_task.items()},
        "longest_prompt_tokens": max(map(tokens, calls)),
        "shared_prefix": {task: round(shared(some), 3) for task, some in by_task.items()},
        "overhead_seconds": spread(quick, digits=3),
    }


def tokens(call: CallRecord) -> int:
    return len(_text(call)) // 4


def spread(values: Iterable[float], digits: int = 0) -> Mapping[str, float]:
    """Return the median and the ninetieth percentile."""
    ranked = sorted(values)
    high = ranked[min(len(ranked) - 1, int(0.9 * len(ranked)))]
    middle = statistics.median(ranked)
    return {"median": round(middle, digits or 1), "p90": round(high, digits or 1)}


def shared(calls: Sequence[CallRecord]) -> float:
    """Return the share of characters that a prompt has in common with the one before it."""
    first = [call for call in calls if call.attempt == 0]
    pairs = list(zip(map(_text, first), map(_text, first[1:]), strict=False))
    common = sum(_common_start(*pair) for pair in pairs)
    return common / max(1, sum(len(later) for _, later in pairs))


def _common_start(one: str, other: str) -> int:
    same = itertools.takewhile(lambda marks: marks[0] == marks[1], zip(one, other, strict=False))
    return sum(1 for _ in same)


def _text(call: CallRecord) -> str:
    return "\n".join(message.content for message in call.messages)


def _share(values: Iterable[bool]) -> float:
    return statistics.fmean(values)


if __name__ == "__main__":
    main()
