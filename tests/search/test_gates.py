from asi_arch.config import Stage
from asi_arch.records import Experiment, Status
from asi_arch.search.gates import entrants, losers_of, note, noted


def candidates(count: int) -> list[Experiment]:
    """Return candidates whose fitness falls with their number; the last two have none."""
    fitness = [float(-number) for number in range(count - 2)] + [None, None]
    return [
        Experiment(
            id=100 + number,
            campaign_id=1,
            number=number,
            kind="candidate",
            status=Status.COMPLETE,
            fitness=value,
        )
        for number, value in enumerate(fitness)
    ]


def drawn(count: int, seed: int = 0, **gate: float) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {"winner": [], "loser": []}
    for experiment, why in entrants(candidates(count), Stage.model_validate(gate), seed):
        found[why].append(experiment.number)
    return found


def test_the_best_pass_and_a_share_of_losers_is_drawn() -> None:
    found = drawn(30, top=10, losers=0.2)
    assert found["winner"] == list(range(10))
    assert len(found["loser"]) == 2 and set(found["loser"]) <= set(range(10, 28))


def test_the_draw_is_the_campaigns() -> None:
    seeds = [tuple(drawn(60, seed, top=10, losers=0.3)["loser"]) for seed in (1, 1, 2)]
    assert seeds[0] == seeds[1] != seeds[2]


def test_a_wider_gate_keeps_whom_a_narrower_one_let_through() -> None:
    narrow, wide = (drawn(60, top=top, losers=0.2) for top in (10, 20))
    assert set(narrow["loser"]) <= {*wide["winner"], *wide["loser"]}


def test_a_least_fitness_makes_losers_of_the_others() -> None:
    found = drawn(12, top=8, min_fitness=-2.5, losers=1.0)
    assert found["winner"] == [0, 1, 2] and len(found["loser"]) == 7


def test_one_alone_comes_without_losers() -> None:
    """The demo promotes one, and nobody else by the default share."""
    assert drawn(12, top=1) == {"winner": [0], "loser": []}
    assert [losers_of(Stage(top=top)) for top in (0, 9, 10, 29, 40, 400)] == [0, 0, 1, 1, 2, 20]


def test_the_first_word_on_an_experiment_counts() -> None:
    events = [(7, *note("loser", "confirm")), (7, *note("winner", "confirm"))]
    events += [(8, *note("named", "final")), (9, "train", "confirm: seed 1")]
    assert noted(events) == {"confirm": {7: "loser"}, "final": {8: "named"}}
