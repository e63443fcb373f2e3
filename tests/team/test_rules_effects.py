"""Learning from outcomes: planted effects are found, and honest doubt is kept."""

import numpy as np

from asi_arch.records import Outcome, Status
from asi_arch.team.rules.effects import encode, fit
from asi_arch.team.rules.literature import weaknesses
from asi_arch.team.rules.space import BASELINES, SPACE, Design, draw

PLANTED = {("decay", "scalar"): 1.5, ("out_norm", "rms"): 2.0, ("position", "rotary"): -1.0}


def outcome(
    id: int, design: Design, fitness: float | None, status: Status = Status.COMPLETE
) -> Outcome:
    return Outcome(
        experiment_id=id,
        number=id,
        kind="candidate",
        parent_id=None,
        status=status,
        fitness=fitness,
        choices=design.to_choices(),
    )


def planted_history(count: int, noise: float, seed: int = 0) -> list[Outcome]:
    rng = np.random.default_rng(seed)
    history = []
    for id in range(count):
        design = draw(rng)
        fitness = sum(PLANTED.get(item, 0.0) for item in design.items()) + noise * rng.normal()
        history.append(outcome(id, design, float(fitness)))
    return history


def test_planted_effects_are_found() -> None:
    effects = fit(planted_history(120, noise=0.5))
    assert abs(effects.contrast("out_norm", "none", "rms").mean - 2.0) < 0.4
    assert abs(effects.contrast("position", "none", "rotary").mean + 1.0) < 0.4
    for old in ("none", "head", "channel"):
        assert abs(effects.contrast("decay", old, "scalar").mean - 1.5) < 0.5
    for name in set(SPACE) - {name for name, _ in PLANTED}:
        first, second = SPACE[name].options[:2]
        assert abs(effects.contrast(name, first, second).mean) < 0.4, name


def test_intervals_cover_the_truth() -> None:
    inside = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        truth = rng.normal(size=len(encode(BASELINES["deltanet"])))
        designs = [draw(rng) for _ in range(40)]
        values = [float(encode(d) @ truth + 2 * rng.normal()) for d in designs]
        effects = fit(
            outcome(i, d, v) for i, (d, v) in enumerate(zip(designs, values, strict=True))
        )
        row = encode(designs[0].replace(decay="scalar")) - encode(designs[0].replace(decay="none"))
        contrast = effects.contrast("decay", "none", "scalar")
        inside.append(abs(contrast.mean - row @ truth) < 2 * contrast.sd)
    assert 0.85 < np.mean(inside) <= 1


def test_only_outcomes_make_an_effect_measured() -> None:
    assert not fit([]).contrast("out_norm", "none", "rms").is_measured
    contrast = fit(planted_history(60, noise=0.5)).contrast("out_norm", "none", "rms")
    assert contrast.is_measured
    assert len(contrast.with_new) + len(contrast.with_old) == 60
    assert not fit(planted_history(60, 0.5)).contrast("out_norm", "rms", "none").is_measured


def test_one_outcome_of_a_value_is_no_measurement() -> None:
    old = BASELINES["deltanet"]
    history = [outcome(1, old, 0.0), outcome(2, old.replace(decay="scalar"), 5.0)]
    assert not fit(history).contrast("decay", "none", "scalar").is_measured
    history += [
        outcome(3, old.replace(decay="scalar", conv="none"), 5.0),
        outcome(4, old.replace(conv="none"), 0.0),
    ]
    assert fit(history).contrast("decay", "none", "scalar").is_measured


def test_rejected_candidates_count_as_poor() -> None:
    rng = np.random.default_rng(1)
    designs = [draw(rng) for _ in range(60)]
    history = [
        outcome(i, d, None, Status.REJECTED)
        if d["memory"] == "two"
        else outcome(i, d, float(rng.normal()))
        for i, d in enumerate(designs)
    ]
    assert fit(history).contrast("memory", "two", "one").mean > 0.5
    unfinished = [o.model_copy(update={"status": Status.VERIFIED}) for o in history]
    assert abs(fit(unfinished).contrast("memory", "two", "one").mean) < 0.1


def test_one_diverged_candidate_does_not_hide_the_rest() -> None:
    history = planted_history(80, noise=0.5)
    history[3] = history[3].model_copy(update={"fitness": -1e6})
    history[4] = history[4].model_copy(update={"fitness": float("nan")})
    assert abs(fit(history).contrast("out_norm", "none", "rms").mean - 2.0) < 0.6


def test_a_promise_is_what_is_expected_and_a_share_of_the_doubt() -> None:
    effects = fit(planted_history(60, noise=0.5))
    designs = [draw(np.random.default_rng(seed)) for seed in range(50)]
    expected = [effects.promise(design, 0.0) for design in designs]
    truth = [sum(PLANTED.get(item, 0.0) for item in design.items()) for design in designs]
    assert np.corrcoef(expected, truth)[0, 1] > 0.9
    doubts = [effects.promise(d, 1.0) - e for d, e in zip(designs, expected, strict=True)]
    assert min(doubts) > 0
    for design, mean, doubt in zip(designs, expected, doubts, strict=True):
        assert np.isclose(effects.promise(design, 0.5), mean + doubt / 2)


def test_what_was_seldom_tried_is_doubted_more() -> None:
    rng = np.random.default_rng(0)
    designs = [draw(rng).replace(position="none") for _ in range(60)]
    effects = fit(outcome(i, d, float(rng.normal())) for i, d in enumerate(designs))
    for design in designs[:10]:
        new = design.replace(position="rotary")
        old_doubt, new_doubt = (
            effects.promise(d, 1.0) - effects.promise(d, 0.0) for d in (design, new)
        )
        assert new_doubt > old_doubt + 0.05


def worth(design: Design, history: list[Outcome]) -> float:
    return fit(history, literature=True).promise(design, boldness=0.0)


def test_the_literature_decides_until_outcomes_deny_it() -> None:
    weak, sound = BASELINES["gated_deltanet"].replace(out_norm="none", conv="none"), BASELINES
    assert worth(sound["gated_deltanet"], []) > worth(weak, []) + 0.05
    assert np.all(fit([]).mean == 0)
    rng = np.random.default_rng(0)
    designs = [draw(rng) for _ in range(80)]
    denied = [outcome(i, d, float(len(weaknesses(d)))) for i, d in enumerate(designs)]
    assert worth(sound["gated_deltanet"], denied) < worth(weak, denied) - 0.5


def test_update_and_decay_may_need_each_other() -> None:
    rng = np.random.default_rng(0)
    designs = [draw(rng) for _ in range(120)]
    history = [
        outcome(i, d, 3.0 * (d["update"] == "delta" and d["decay"] == "scalar"))
        for i, d in enumerate(designs)
    ]
    base = BASELINES["deltanet"]
    gains = [
        worth(design.replace(decay="scalar"), history) - worth(design, history)
        for design in (base, base.replace(update="additive"))
    ]
    assert gains[0] > gains[1] + 0.8


def test_baselines_are_known_by_their_names() -> None:
    plain = outcome(1, BASELINES["deltanet"], 1.0).model_copy(update={"choices": {}})
    for name, kind, known in (
        ("gated_deltanet", "baseline", [BASELINES["gated_deltanet"].to_choices()]),
        ("GatedDeltaNet", "baseline", [BASELINES["gated_deltanet"].to_choices()]),
        ("transformer", "baseline", []),
        ("gated_deltanet", "candidate", []),
    ):
        named = plain.model_copy(update={"name": name, "kind": kind})
        assert [o.choices for o in fit([named]).scored] == known


def test_constant_or_tiny_histories_are_fitted() -> None:
    design = BASELINES["deltanet"]
    for history in ([outcome(1, design, 1.0)], [outcome(1, design, 1.0), outcome(2, design, 1.0)]):
        assert np.isfinite(fit(history).mean).all()
