"""Whatever a model or its server answers, the campaign ends, and each experiment says how."""

import ssl
from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from asi_arch.backends import retries
from asi_arch.backends.dialect import Dialect, forget_dialects, remember
from asi_arch.backends.wire import CUT, FILTERED, REFUSED
from asi_arch.config import Config
from asi_arch.records import Experiment, Finding, Job, JobResult, Status
from asi_arch.store import Store
from asi_arch.store.records import CallRecord
from asi_arch.testing import LLMServer, llm_server
from tests.bad_answers import TASKS, BadModel, Task, cases, silent_cases
from tests.campaigns import tiny_config
from tests.over_http import play
from tests.simulation import success

BASELINES = 3
LONGEST = 700  # characters of a reason
ROLES = {"propose": "researcher", "diversify": "researcher"} | {
    "implement": "engineer",
    "repair": "engineer",
}
ADVISORY = ("analyse", "distill", "judge", "trace")
AFTER_OTHERS = ("compare", "distill")
"""Tasks about earlier experiments: their campaigns run one experiment after another."""


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Pause shortly, and do not read the certificates anew for every call without TLS."""
    monkeypatch.setattr(retries, "FIRST_PAUSE", 0.001)
    context = ssl.create_default_context()
    monkeypatch.setattr(ssl, "create_default_context", lambda *args, **kwargs: context)
    yield
    forget_dialects()


def test_there_are_many_cases() -> None:
    named = [
        (task, str(case))
        for task in TASKS
        for case in (*cases(task, False), *cases(task, True), *silent_cases())
    ]
    assert len(named) >= 300 and len(named) == len(set(named))


@pytest.mark.parametrize("always", [False, True], ids=["once", "always"])
@pytest.mark.parametrize("task", TASKS)
def test_every_bad_answer_ends_well(task: Task, always: bool, tmp_path: Path) -> None:
    model = BadModel(task, cases(task, always))
    check_calls(*meet(model, tmp_path, timeout=60, retries=2), model)


@pytest.mark.parametrize("task", TASKS)
def test_silence_ends_well(task: Task, tmp_path: Path) -> None:
    meet(BadModel(task, silent_cases()), tmp_path, timeout=0.8, retries=1)


def meet(
    model: BadModel, folder: Path, timeout: float, retries: int
) -> tuple[list[CallRecord], LLMServer]:
    """Run a campaign whose experiments meet the cases; return what was asked over HTTP, and where.

    The campaign ends complete, and each of its experiments as its case should.
    """
    task = model.task
    with llm_server(model.answer, faults=model.fault) as server:
        remember((server.url, "m", "chat"), Dialect())
        http = {"backend": "openai", "base_url": server.url, "model": "m"}
        http |= {"timeout": str(timeout), "retries": str(retries)}
        config = settings(task, len(model.cases) + 1, http, folder)
        play(config, folder, partial(jobs, task, Counter[str]()))
    with Store.open(str(folder / "a.db")) as store:
        assert store.campaign().status == "complete"
        assert not list(misfits(store, model))
        own = [call for call in store.calls(1) if call.model == "m"]
    assert {call.status for call in own} <= {"answered", "failed"}
    return own, server


def settings(task: Task, experiments: int, http: dict[str, str], folder: Path) -> Config:
    """A campaign in which one role is played over HTTP and asked for little else than the task."""
    role = ROLES.get(task, "analyst")
    chosen = [f"roles.{role}.{key}={value}" for key, value in http.items()]
    others = {"researcher", "engineer", "analyst"} - {role}
    chosen += [f"roles.{other}.backend=tests.bad_answers:GoodModel" for other in others]
    width = 1 if task in AFTER_OTHERS else 12
    chosen += ["team=llm", f"search.in_flight={width}", f"budget.experiments={experiments}"]
    chosen += [
        f"novelty.compared={3 if task == 'compare' else 0}",
        "novelty.similarity=0",
        "jobs.llm=8",
        f"analyst.judge={str(task == 'judge').lower()}",
        f"analyst.trace={str(task == 'trace').lower()}",
        f"analyst.analyse={str(task in ('analyse', 'distill')).lower()}",
        f"analyst.lessons_every={int(task == 'distill')}",
    ]
    return tiny_config(folder, *chosen)


def jobs(task: Task, seen: Counter[str], job: Job) -> JobResult:
    """Every job succeeds, but a repair needs a failure and another idea needs a known one."""
    if job.kind != "verify":
        return success(job)
    seen[job.name] += 1
    candidate = int(job.name.partition("-")[0]) > BASELINES
    failed = task == "repair" and candidate and job.name.endswith("-verify-0")
    known = task == "diversify" and not (candidate and seen[job.name] > 1)
    findings = [
        Finding(check="contract", passed=not failed, evidence="no output"),
        Finding(check="sameness", passed=True, measured={"signature": "1 2"} if known else {}),
    ]
    return JobResult(value={"findings": [found.model_dump(mode="json") for found in findings]})


def misfits(store: Store, model: BadModel) -> Iterator[str]:
    """Yield the cases that did not end as they should, and what is wrong with their end."""
    task = model.task
    experiments = {e.number: e for e in store.experiments(1, kind="candidate")}
    calls = defaultdict[int, list[CallRecord]](list)
    for call in store.calls(1):
        if call.task == task:
            calls[call.experiment_id].append(call)
    for number, case in enumerate(model.cases, start=1):
        experiment = experiments[number + (task == "compare")]
        if case.end == "lost":
            problem = lost(task, experiment, notes(store, task, experiment))
        else:
            problem = taken(experiment, calls[experiment.id], case.end == "recovered")
        if problem:
            yield f"{case}: {problem}"


def taken(experiment: Experiment, tries: list[CallRecord], recovered: bool) -> str:
    """What is wrong with an experiment whose answer was taken, at once or in the end."""
    if experiment.status is not Status.COMPLETE:
        return f"{experiment.status}: {experiment.reason[:300]}"
    if not tries or tries[-1].status != "answered":
        return "no answer is stored"
    again = len(tries) > 1 or bool(tries[-1].faults)
    return "" if again == recovered else f"{len(tries)} tries, the last after {tries[-1].faults}"


def lost(task: Task, experiment: Experiment, said: list[str]) -> str:
    """What is wrong with an experiment that got no answer, and with what it says of that."""
    wanted = Status.COMPLETE if task in ADVISORY else Status.FAILED
    if experiment.status is not wanted:
        return f"{experiment.status}: {experiment.reason[:300]}"
    return "" if said and all(map(is_a_sentence, said)) else f"says {[s[:300] for s in said]}"


def notes(store: Store, task: Task, experiment: Experiment) -> list[str]:
    """What an experiment says about an answer that it did not get."""
    if task == "analyse":
        analysis = experiment.analysis
        return [analysis.summary] if analysis and analysis.summary.startswith("No an") else []
    if task not in ADVISORY:
        return [experiment.reason]
    asked_by = experiment.id + (task == "distill")  # lessons are drawn for the next experiment
    events = store.events(1)
    return [e.message for e in events if e.experiment_id == asked_by and e.kind == task]


def is_a_sentence(text: str) -> bool:
    """Whether it is one line, not too long, printable, and names who gave no answer."""
    named = "gave no usable answer" in text or "http://127.0.0.1" in text
    return named and text.isprintable() and len(text) <= LONGEST


def check_calls(calls: list[CallRecord], server: LLMServer, model: BadModel) -> None:
    """Every request is accounted for, and no answer that could be read was asked for twice."""
    assert sum(map(requests_of, calls)) == server.received
    keys = Counter(server.requests[n].headers["idempotency-key"] for n in model.answered)
    stored = Counter(call.key for call in calls if call.status == "answered")
    assert keys == stored and set(stored.values()) == {1}


def requests_of(call: CallRecord) -> int:
    """How many requests a question took."""
    faults = [fault for fault in call.faults if fault not in (CUT, FILTERED, REFUSED)]
    return len(faults) + (call.status == "answered")
