import random
from collections import Counter

import pytest

from asi_arch.config import Search
from asi_arch.records import Outcome, Status
from asi_arch.search.samplers import make_sampler

SAMPLERS = ["paper", "greedy", "random", "weighted"]
IN_FLIGHT = 4


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


def campaign(fitnesses: list[float | None]) -> list[Outcome]:
    """A baseline of the first fitness, and candidates numbered from 1 of the others."""
    baseline, *candidates = outcomes(fitnesses)
    return [baseline.model_copy(update={"kind": "baseline"}), *candidates]


def seen_by(number: int, known: list[Outcome]) -> list[Outcome]:
    """What a campaign shows to an experiment: nothing that is in flight at the same time."""
    return [o for o in known if o.kind == "baseline" or o.number <= number - IN_FLIGHT]


def test_parents_come_from_the_first_ranks_and_references_from_the_next() -> None:
    sampler = make_sampler(Search(pool=50, parents=10, references=4))
    known = outcomes([float(n) for n in range(80)])
    for number in range(81, 281):
        parent, references = sampler.sample(known, number, seed=0)
        assert 170 <= parent <= 179
        assert len(set(references)) == 4
        assert all(130 <= reference <= 169 for reference in references)


def test_the_draws_of_recorded_campaigns_stay_what_they_are() -> None:
    sampler = make_sampler(Search())
    known = outcomes([float(n) for n in range(80)])
    assert sampler.sample(known, 1, 0) == (170, (141, 130, 144, 153))
    assert sampler.sample(known, 81, 0) == (174, (139, 160, 156, 144))


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


def test_the_pool_of_the_paper_stays_what_it_was_until_it_is_renewed() -> None:
    sampler = make_sampler(Search(renew_every=50, parents=1, references=0))
    known = campaign([float(n) for n in range(151)])  # the later, the better
    best = [sampler.sample(seen_by(n, known), n, 0)[0] for n in range(1, 150 + IN_FLIGHT + 1)]
    first, second, third = 50 + IN_FLIGHT, 100 + IN_FLIGHT, 150 + IN_FLIGHT
    assert best[: first - 1] == [100] * (first - 1)
    assert best[first - 1 : second - 1] == [150] * 50
    assert best[second - 1 : third - 1] == [200] * 50
    assert best[third - 1] == 250


def test_a_renewed_pool_drops_what_fell_behind() -> None:
    sampler = make_sampler(Search(renew_every=2, pool=2, parents=2, references=1))
    known = campaign([5.0, 4.0, 1.0, 9.0, 8.0])
    assert {sampler.sample(known[:4], n, 0)[0] for n in range(40)} == {100, 101}
    assert {sampler.sample(known, n, 0)[0] for n in range(40)} == {103, 104}


@pytest.mark.parametrize("name", SAMPLERS)
def test_each_attempt_starts_from_another_parent_until_all_had_their_turn(name: str) -> None:
    sampler = make_sampler(Search.model_validate({"sampler": name, "parents": 5, "references": 1}))
    known = campaign([float(n) for n in range(5)])
    for number in range(5, 25):
        draws = [sampler.sample(known, number, 0, attempt) for attempt in range(5)]
        assert sorted(parent for parent, _ in draws) == [100, 101, 102, 103, 104]
        assert all(parent not in references for parent, references in draws)
        assert sampler.sample(known, number, 0, attempt=7)[0] in range(100, 105)


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


def test_weights_are_the_same_in_any_unit_and_survive_an_outlier() -> None:
    sampler = make_sampler(Search(sampler="weighted"))
    plain = outcomes([0.0, 1.0, 2.0, 3.0, -1e9])
    scaled = outcomes([7.0, 1007.0, 2007.0, 3007.0, -1e12])
    draws = [sampler.sample(plain, n, 0) for n in range(5, 205)]
    assert draws == [sampler.sample(scaled, n, 0) for n in range(5, 205)]
    assert {parent for parent, _ in draws} == {100, 101, 102, 103}


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
