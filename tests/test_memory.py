"""What a team may know, and that the same database gives the same prompts."""

import subprocess
import sys
from pathlib import Path

import pytest

from asi_arch.config import Config
from asi_arch.interfaces import Team
from asi_arch.memory import Memory
from asi_arch.records import RoleSettings
from asi_arch.rehearsal import would_ask
from asi_arch.store import Store
from asi_arch.team.llm import TASKS, llm_team
from asi_arch.testing import MemoryLedger
from tests.campaigns import tiny_config
from tests.simulation import simulate

SETTINGS = (
    *("search.in_flight=2", "budget.experiments=9", "analyst.lessons_every=3"),
    *("novelty.compared=0", "search.parents=2", "search.sampler=random", "show.siblings=2"),
)


def team() -> Team:
    roles = dict.fromkeys(TASKS, RoleSettings(backend="scripted"))
    return llm_team(roles, MemoryLedger(), 12_000)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("memory")
    simulate(tiny_config(folder, *SETTINGS), folder, team())
    return folder


def memory_of(store: Store) -> Memory:
    campaign = store.campaign()
    return Memory(store, campaign, Config.model_validate(campaign.config))


def test_the_context_holds_what_may_be_known(folder: Path) -> None:
    with Store.open(str(folder / "a.db")) as store:
        memory = memory_of(store)
        nine = next(e for e in store.experiments(1, kind="candidate") if e.number == 9)
        context = memory.context(nine)
        numbers = [o.number for o in context.history if o.kind == "candidate"]
        assert numbers == list(range(1, 8))
        assert context.parent.id == nine.parent_id
        assert [r.id for r in context.references] == list(nine.reference_ids)
        assert [lesson.text for lesson in context.lessons] == ["An output gate does no harm."]
        assert len(context.knowledge) == 5
        assert len(context.siblings) <= 2
        assert all(s.parent_id == nine.parent_id and s.number <= 7 for s in context.siblings)


def test_nobody_sees_a_result_that_may_not_be_there_yet(folder: Path) -> None:
    with Store.open(str(folder / "a.db")) as store:
        memory = memory_of(store)
        one, two = [e for e in store.experiments(1, kind="candidate") if e.number <= 2]
        for experiment in (one, two):
            context = memory.context(experiment)
            assert context.parent.fitness is None and context.weakness == ""
            assert context.siblings == () and context.lessons == ()
            assert all(reference.fitness is None for reference in context.references)
        assert memory.known(two) == [e.id for e in store.experiments(1, kind="baseline")]


def test_the_weakness_of_a_parent_is_named_and_looked_up(folder: Path) -> None:
    with Store.open(str(folder / "a.db")) as store:
        memory = memory_of(store)
        contexts = [memory.context(e) for e in store.experiments(1, kind="candidate")]
    weak = [context for context in contexts if context.weakness]
    assert weak and all("nats per token above" in context.weakness for context in weak)


SCRIPT = """
import sys
from tests.test_memory import memory_of
from asi_arch.rehearsal import would_ask
from asi_arch.store import Store
with Store.open(sys.argv[1]) as store:
    memory = memory_of(store)
    for experiment in (e for e in store.experiments(1, kind="candidate") if e.proposal):
        for task in ("researcher.propose", "engineer.implement", "analyst.analyse", "analyst.trace"):
            print(would_ask(task, memory, experiment).messages)
"""


def test_the_same_database_gives_the_same_prompts(folder: Path) -> None:
    printed = [
        subprocess.run(
            [sys.executable, "-c", SCRIPT, str(folder / "a.db")],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(Path(__file__).parents[1])},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert printed[0] == printed[1] and len(printed[0]) > 50_000


def test_what_would_be_asked_is_what_was_asked(folder: Path) -> None:
    asked: dict[tuple[int, str], object] = {}
    ledger = MemoryLedger()
    roles = dict.fromkeys(TASKS, RoleSettings(backend="scripted"))
    again = folder / "again"
    again.mkdir()
    simulate(tiny_config(again, *SETTINGS), again, llm_team(roles, ledger, 12_000))
    for request in ledger.requests:
        asked.setdefault((request.experiment_id, request.task), request.messages)
    with Store.open(str(again / "a.db")) as store:
        memory = memory_of(store)
        first_taken = [e for e in store.experiments(1, kind="candidate") if not e.rejections]
        assert len(first_taken) >= 3
        for experiment in first_taken:
            for name in ("researcher.propose", "engineer.implement", "analyst.judge"):
                told = would_ask(name, memory, experiment).messages
                assert told == asked[experiment.id, name.partition(".")[2]], name
