from collections import Counter

import pytest

from asi_arch.config import Search
from asi_arch.records import Outcome, Status
from asi_arch.search.samplers import make_sampler


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
    for number in range(200):
        parent, references = sampler.sample(known, number, seed=0)
        assert 170 <= parent <= 179
        assert len(set(references)) == 4
        assert all(130 <= reference <= 169 for reference in references)


def test_all_first_ranks_get_their_turn() -> None:
    sampler = make_sampler(Search(parents=5))
    known = outcomes([float(n) for n in range(20)])
    drawn = Counter(sampler.sample(known, number, seed=1)[0] for number in range(300))
    assert set(drawn) == {115, 116, 117, 118, 119}
    assert min(drawn.values()) > 30


@pytest.mark.parametrize("name", ["top", "random"])
def test_the_unmeasured_are_no_parents_once_something_is_measured(name: str) -> None:
    sampler = make_sampler(Search.model_validate({"sampler": name}))
    parents = {sampler.sample(outcomes([None, 1.0, None, 2.0]), n, 0)[0] for n in range(50)}
    assert parents == {101, 103}


@pytest.mark.parametrize("name", ["top", "random"])
def test_the_first_experiment_takes_what_there_is(name: str) -> None:
    sampler = make_sampler(Search.model_validate({"sampler": name}))
    parent, references = sampler.sample(outcomes([None, None]), 1, 0)
    assert {parent, *references} == {100, 101}


@pytest.mark.parametrize("name", ["top", "random"])
def test_the_same_seed_and_number_draw_the_same(name: str) -> None:
    sampler = make_sampler(Search.model_validate({"sampler": name}))
    known = outcomes([float(n) for n in range(30)])
    draws = [sampler.sample(known, number, 7) for number in range(20)]
    assert draws == [sampler.sample(known, number, 7) for number in range(20)]
    assert draws != [sampler.sample(known, number, 8) for number in range(20)]
