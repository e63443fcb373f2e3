"""What a campaign that has explored is asked for next, in simulated time."""

import shutil
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from asi_arch.entrances import notes
from asi_arch.errors import UserError
from asi_arch.further import (
    add_baselines,
    name_finalists,
    promoted,
    widen_gate,
    wider_gate,
)
from asi_arch.interfaces import Team
from asi_arch.ranks import agreements
from asi_arch.records import Campaign, Experiment, Job, JobResult
from asi_arch.store import Store
from asi_arch.versus import find, versus
from tests.campaign.test_overlap import SlowTeam
from tests.campaigns import dump, tiny_config
from tests.simulation import go_on, simulate, success

_THINKER = SlowTeam(0)
TEAM = Team(_THINKER, _THINKER, _THINKER)
SETTINGS = ("budget.experiments=8", "baselines=['deltanet', 'gated_deltanet']", "confirm.top=1")
KILLED_AFTER = 2.5


def answer(job: Job) -> JobResult:
    """Candidates are the better the higher their number, and better than all baselines."""
    result = success(job)
    if job.kind != "train" or result.value is None:
        return result
    word, _, number = job.program.partition(" = ")
    seed, size = job.spec["seed"], len(job.program)
    loss = 1.9 - int(number) / 100 if word == "value" else 2 + size % 7 / 100
    loss += zlib.crc32(f"{size} {seed}".encode()) % 100 / 20_000
    return result.model_copy(update={"value": {**result.value, "reported": loss}})


def a_second(job: Job) -> float:
    return 1.0


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the database of a campaign that has ended."""
    folder = tmp_path_factory.mktemp("ended")
    simulate(tiny_config(folder, *SETTINGS), folder, TEAM, answer=answer)
    return folder / "a.db"


@pytest.fixture
def opened(ended: Path, tmp_path: Path) -> Iterator[tuple[Store, Campaign]]:
    """Give a copy of that campaign."""
    shutil.copy(ended, tmp_path)
    with Store.open(str(tmp_path / "a.db")) as store:
        yield store, store.campaign()


def widened(store: Store, record: Campaign) -> Campaign:
    return widen_gate(store, record, wider_gate(store, record, top=3, losers=0.5))


def came(store: Store, stage: str) -> set[str]:
    names = {e.id: e.name for e in store.experiments(1)}
    return {names[id] for id in store.losses(1, stage)}


def fitness(store: Store) -> dict[str, float | None]:
    return {e.name: e.fitness for e in store.experiments(1)}


def candidates(store: Store) -> Sequence[Experiment]:
    return store.experiments(1, kind="candidate")


def test_promotion_trains_the_next_best_and_losers_and_concludes_again(
    opened: tuple[Store, Campaign], tmp_path: Path
) -> None:
    store, record = opened
    before = fitness(store)
    assert came(store, "confirm") == {"Idea8", "deltanet", "gated_deltanet"}
    assert record.conclusion is not None and record.conclusion.compared == 1
    planned = promoted(store, record, wider_gate(store, record, top=3, losers=0.5))
    go_on(store, widened(store, record), tmp_path, TEAM, answer=answer)
    winners, losers = {"Idea8", "Idea7", "Idea6"}, came(store, "confirm") - {"deltanet"}
    losers -= {*winners, "gated_deltanet"}
    assert came(store, "confirm") >= winners and len(losers) == 2
    assert {one.experiment.name for one in planned} == winners | losers
    names = {e.id: e.name for e in candidates(store)}
    why = {names[id]: word for id, word in notes(store, 1)["confirm"].items()}
    assert why == dict.fromkeys(winners, "winner") | dict.fromkeys(losers, "loser")
    conclusion = store.campaign().conclusion
    assert conclusion is not None and (conclusion.compared, conclusion.seeds) == (5, 2)
    assert "allowing for the choice among 5 confirmed" in conclusion.sentence
    assert fitness(store) == before and store.campaign().status == "complete"


def test_a_promotion_that_is_killed_goes_on(ended: Path, tmp_path: Path) -> None:
    dumps = []
    for folder, kill_after in ((tmp_path / "a", None), (tmp_path / "b", KILLED_AFTER)):
        folder.mkdir()
        database = shutil.copy(ended, folder)
        with Store.open(str(database)) as store:
            record = widened(store, store.campaign())
            if kill_after is not None:
                go_on(store, record, folder, TEAM, a_second, answer, kill_after)
                assert store.campaign().status == "stopped"
            go_on(store, store.campaign(), folder, TEAM, a_second, answer)
        dumps.append(dump(str(database)))
    assert dumps[0] == dumps[1]


def test_spent_minutes_keep_nobody_from_being_promoted(
    opened: tuple[Store, Campaign], tmp_path: Path
) -> None:
    store, record = opened
    store.set_campaign_config(1, {**record.config, "budget": {"experiments": 8, "minutes": 1}})
    store.add_seconds(1, 1000)
    go_on(store, widened(store, store.campaign()), tmp_path, TEAM, answer=answer)
    assert len(came(store, "confirm")) == 7


def test_stages_tell_how_well_ranks_agree(opened: tuple[Store, Campaign], tmp_path: Path) -> None:
    store, record = opened
    assert {(a.smaller, a.larger) for a in agreements(store, 1)} == {("probe", "explore")}
    go_on(store, widened(store, record), tmp_path, TEAM, answer=answer)
    found = {(a.smaller, a.larger): a for a in agreements(store, 1)}
    pair = found["explore", "confirm"]
    assert (pair.count, pair.winners, pair.losers) == (5, 3, 2)
    assert pair.correlation.value == pytest.approx(1.0)
    assert pair.overlooked is not None and (pair.overlooked.count, pair.overlooked.total) == (0, 2)


def test_finalists_are_trained_with_the_strongest_baselines(
    opened: tuple[Store, Campaign], tmp_path: Path
) -> None:
    store, record = opened
    named = [find(store, 1, str(candidates(store)[-1].id))]
    record = name_finalists(store, record, named, 2048)
    go_on(store, record, tmp_path, TEAM, answer=answer)
    assert came(store, "final") == {"Idea8", "deltanet", "gated_deltanet"}
    assert store.campaign().config["final"]["tokens"] == 2048
    (pair,) = versus(store, 1, "final", named, [find(store, 1, "deltanet")])
    assert pair.comparison.seeds == 2 and pair.comparison.difference > 0
    name_finalists(store, store.campaign(), named, 2048)
    with pytest.raises(UserError, match="trained at final on 2048 tokens"):
        name_finalists(store, store.campaign(), named, 4096)
    assert store.campaign().config["final"]["tokens"] == 2048


def test_baselines_can_be_added_and_change_no_fitness(
    opened: tuple[Store, Campaign], tmp_path: Path
) -> None:
    store, record = opened
    before = fitness(store)
    record = add_baselines(store, record, ["transformer", "deltanet"])
    assert record.config["baselines"] == ["deltanet", "gated_deltanet", "transformer"]
    go_on(store, record, tmp_path, TEAM, answer=answer)
    after = fitness(store)
    assert isinstance(after.pop("transformer"), float) and after == before
    assert came(store, "confirm") >= {"transformer", "deltanet"}
    with pytest.raises(UserError, match="unknown baseline 'nope'"):
        add_baselines(store, store.campaign(), ["nope"])


def broken(job: Job) -> JobResult:
    """The Transformer, which no test has run before, does not pass verification."""
    if job.kind == "verify" and "rotary" in job.program.lower():
        finding = {"check": "contract", "passed": False, "evidence": "it breaks"}
        return JobResult(value={"findings": [finding]})
    return answer(job)


def test_an_added_baseline_that_cannot_be_run_ends_nothing(
    opened: tuple[Store, Campaign], tmp_path: Path
) -> None:
    store, record = opened
    go_on(store, add_baselines(store, record, ["transformer"]), tmp_path, TEAM, answer=broken)
    assert find(store, 1, "transformer").reason == "contract: it breaks"
    assert store.campaign().status == "complete"


def test_a_campaign_of_baselines_alone(tmp_path: Path) -> None:
    config = tiny_config(tmp_path, "budget.experiments=0", "confirm.top=0", "confirm.baselines=3")
    simulate(config, tmp_path, TEAM)
    with Store.open(str(tmp_path / "a.db")) as store:
        conclusion = store.campaign().conclusion
        assert came(store, "explore") == came(store, "confirm") == set(config.baselines)
    assert conclusion is not None
    assert conclusion.sentence == "No candidate was tried; 3 baselines were measured."


Ask = Callable[[Store, Campaign], object]


@pytest.mark.parametrize(
    ("ask", "sentence"),
    [
        (lambda store, record: wider_gate(store, record, 0, None), "narrower gate"),
        (lambda store, record: wider_gate(store, record, 1, 0.0), "--losers 0.05"),
        (lambda store, record: find(store, 1, "mamba2"), "no experiment 'mamba2'"),
        (lambda store, record: find(store, 1, "999"), "deltanet, gated_deltanet"),
        (
            lambda store, record: versus(store, 1, "final", candidates(store), []),
            "has no finished run at final",
        ),
    ],
)
def test_what_cannot_be_is_explained(
    opened: tuple[Store, Campaign], ask: Ask, sentence: str
) -> None:
    with pytest.raises(UserError, match=sentence):
        ask(*opened)


def test_a_campaign_that_still_explores_goes_on_first(opened: tuple[Store, Campaign]) -> None:
    store, record = opened
    more = {**record.config["budget"], "experiments": 9}
    store.set_campaign_config(1, {**record.config, "budget": more})
    record = store.campaign()
    for ask in (
        lambda: wider_gate(store, record, 3, None),
        lambda: name_finalists(store, record, candidates(store)[:1], None),
        lambda: add_baselines(store, record, ["transformer"]),
    ):
        with pytest.raises(UserError, match=r"8 of 9 experiments; go on with asi-arch resume"):
            ask()
