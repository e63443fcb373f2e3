import random
from collections import Counter

import pytest

from asi_arch.config import Search
from asi_arch.records import Outcome, Status
from asi_arch.search.samplers import make_sampler

SAMPLERS = ["paper", "greedy", "random", "weighted"]


def outcomes(fitnesses: list[float | None]) -> list[Outcome]:
    return [
        Outcome(
            experiment_id=100 + number,
            number=number,
            kind="candidate",
            parent_id=None,
            status=Status.COMPLETE,
            fitness=fitness,
            choices={},
        )
        for number, fitness in enumerate(fitnesses)
    ]


def test_parents_come_from_the_first_ranks_and_references_from_the_next() -> None:
    sampler = make_sampler(Search(pool=50, parents=10, references=4))
    known = outcomes([float(n) for n in range(80)])
    for number in range(81, 281):
        parent, references = sampler.sample(known, number, seed=0)
        assert 170 <= parent <= 179
        assert len(set(references)) == 4
        assert all(130 <= reference <= 169 for reference in references)


def test_all_first_ranks_get_their_turn() -> None:
    sampler = make_sampler(Search(parents=5))
    known = outcomes([float(n) for n in range(20)])
    drawn = Counter(sampler.sample(known, number, seed=1)[0] for number in range(21, 321))
    assert set(drawn) == {115, 116, 117, 118, 119}
    assert min(drawn.values()) > 30


@pytest.mark.parametrize("name", SAMPLERS)
def test_the_unmeasured_are_no_parents_once_something_is_measured(name: str) -> None:
    sampler = make_sampler(Search.model_validate({"sampler": name}))
    known = outcomes([None, 1.0, None, 2.0])
    parents = {sampler.sample(known, n, 0)[0] for n in range(5, 55)}
    assert parents == ({103} if name == "greedy" else {101, 103})


@pytest.mark.parametrize("name", SAMPLERS)
def test_the_first_experiment_takes_what_there_is(name: str) -> None:
    sampler = make_sampler(Search.model_validate({"sampler": name}))
    baselines = [o.model_copy(update={"kind": "baseline"}) for o in outcomes([None, None])]
    parent, references = sampler.sample(baselines, 1, 0)
    assert {parent, *references} == {100, 101}


@pytest.mark.parametrize("name", SAMPLERS)
def test_the_same_seed_number_and_attempt_draw_the_same(name: str) -> None:
    sampler = make_sampler(Search.model_validate({"sampler": name}))
    known = outcomes([float(n) for n in range(30)])

    def draws(seed: int, attempt: int) -> list[tuple[int, tuple[int, ...]]]:
        return [sampler.sample(known, number, seed, attempt) for number in range(31, 51)]

    assert draws(7, 0) == draws(7, 0) == [sampler.sample(known, n, 7) for n in range(31, 51)]
    assert draws(7, 0) != draws(7, 1) != draws(7, 2)
    assert (draws(7, 0) != draws(8, 0)) == (name != "greedy")


@pytest.mark.parametrize("name", SAMPLERS)
def test_references_are_others_and_no_more_than_wanted(name: str) -> None:
    sampler = make_sampler(Search.model_validate({"sampler": name, "references": 3}))
    for count in (1, 2, 3, 9):
        parent, references = sampler.sample(outcomes([float(n) for n in range(count)]), 60, 0)
        assert len(set(references)) == len(references) == min(3, count - 1)
        assert parent not in references


def test_the_pool_of_the_paper_is_renewed_every_so_many_experiments() -> None:
    sampler = make_sampler(Search(renew_every=50, parents=1))
    known = outcomes([float(n) for n in range(150)])  # the later, the better
    assert {sampler.sample(known, n, 0)[0] for n in range(51, 101)} == {150}
    assert {sampler.sample(known, n, 0)[0] for n in range(101, 151)} == {200}


def test_before_the_first_renewal_the_baselines_are_the_pool() -> None:
    sampler = make_sampler(Search(renew_every=50))
    baseline = outcomes([0.0])[0].model_copy(update={"kind": "baseline"})
    known = [baseline, *outcomes([0.0, 5.0, 6.0])[1:]]
    assert {sampler.sample(known, n, 0) for n in range(4, 51)} == {(100, ())}
    assert sampler.sample(known, 51, 0)[0] != 100 or sampler.sample(known, 52, 0)[0] != 100


def test_greedy_takes_the_best_and_then_the_next() -> None:
    sampler = make_sampler(Search(sampler="greedy", references=2))
    known = outcomes([1.0, 9.0, 5.0, 7.0])
    assert sampler.sample(known, 5, 0) == (101, (103, 102))
    assert sampler.sample(known, 5, 0, attempt=1) == (103, (101, 102))


def test_weights_favour_the_better_and_the_unused() -> None:
    sampler = make_sampler(Search(sampler="weighted", references=0))
    known = outcomes([0.0, 1.0, 2.0, 3.0])
    drawn = Counter(sampler.sample(known, number, 0)[0] for number in range(5, 2005))
    assert drawn[100] < drawn[101] < drawn[102] < drawn[103]
    parent = {"parent_id": 103}
    used = [*known[:3], known[3], *(o.model_copy(update=parent) for o in outcomes([None] * 20))]
    again = Counter(sampler.sample(used, number, 0)[0] for number in range(5, 2005))
    assert again[103] < drawn[103] / 5


def children_of_the_ten(name: str, experiments: int = 300) -> float:
    """The share of all children that the ten most used parents have, in a made-up search."""
    sampler, rng = make_sampler(Search.model_validate({"sampler": name})), random.Random(3)
    known = [outcomes([0.0])[0].model_copy(update={"kind": "baseline"})]
    for number in range(1, experiments + 1):
        parent, _ = sampler.sample(known, number, 0)
        fitness = known[parent - 100].fitness or 0.0
        (child,) = outcomes([fitness + rng.gauss(-2.0, 1.0)])
        update = {"experiment_id": 100 + number, "number": number, "parent_id": parent}
        known.append(child.model_copy(update=update))
    used = Counter(outcome.parent_id for outcome in known[1:])
    return sum(count for _, count in used.most_common(10)) / experiments


def test_only_weights_keep_ten_parents_from_having_half_of_all_children() -> None:
    shares = {name: children_of_the_ten(name) for name in ("paper", "greedy", "weighted")}
    assert shares["weighted"] < 0.25 < 0.5 < shares["paper"] < shares["greedy"]
