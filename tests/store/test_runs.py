import math
from collections.abc import Callable

import pytest

from asi_arch.records import Campaign, Experiment, JobError, Measurement, MetricPoint, Run, Score
from asi_arch.standings import comparisons
from asi_arch.store import Store

Measure = Callable[..., Measurement]
TOO_LARGE = JobError(kind="memory", message="out of memory")


def test_a_measurement_comes_back_whole(
    store: Store, campaign: Campaign, candidate: Experiment, measure: Measure
) -> None:
    measurement = measure(
        tokens=15_000_000_000,
        memory_bytes=80 * 2**30,
        seconds=12.5,
        tokens_per_second=1e5,
        heldout=(1.6, 1.75, 1.8),
        curve=tuple(MetricPoint(step=s, tokens=s * 512, loss=3 - s / 10) for s in range(5)),
        scores=(Score(benchmark="overwrite", metric="accuracy", value=0.5, error=0.1, n=256),),
    )
    run = store.save_run(candidate.id, measurement)
    assert (run.status, run.reason, run.measurement) == ("complete", "", measurement)
    assert store.runs(campaign.id) == [run]


def test_every_run_keeps_its_own_curve_and_scores(
    store: Store, campaign: Campaign, baseline: Experiment, candidate: Experiment, measure: Measure
) -> None:
    keys = [(e, "explore", seed) for e in (candidate, baseline) for seed in (1, 0)]
    keys.append((candidate, "confirm", 1))
    saved = [
        store.save_run(
            experiment.id,
            measure(
                stage,
                seed,
                curve=(MetricPoint(step=1, tokens=512, loss=loss),),
                scores=(Score(benchmark="overwrite", metric="accuracy", value=loss),),
            ),
        )
        for loss, (experiment, stage, seed) in enumerate(keys)
    ]
    found = store.runs(campaign.id)
    assert sorted(found, key=str) == sorted(saved, key=str)
    assert len({run.measurement.curve for run in found if run.measurement}) == 5


def test_a_probe_has_no_loss(store: Store, candidate: Experiment, measure: Measure) -> None:
    run = store.save_run(candidate.id, measure("probe", loss=None, loss_error=None))
    assert run.status == "complete"
    assert run.measurement == measure("probe", loss=None, loss_error=None)


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_is_a_failed_run(
    store: Store, campaign: Campaign, candidate: Experiment, measure: Measure, loss: float
) -> None:
    run = store.save_run(candidate.id, measure(loss=loss))
    assert (run.status, run.measurement) == ("failed", None)
    assert run.reason == f"the held-out loss is {loss}"
    assert store.runs(campaign.id) == [run]


def test_numbers_that_are_not_finite_inside_a_measurement(
    store: Store, candidate: Experiment, measure: Measure
) -> None:
    measurement = measure(
        loss_error=math.nan,
        heldout=(1.0, math.inf, math.nan),
        curve=(MetricPoint(step=1, tokens=512, loss=math.inf),),
        scores=(Score(benchmark="recall", metric="loss", value=math.nan),),
    )
    read = store.save_run(candidate.id, measurement).measurement
    assert read is not None
    assert read.loss_error is None
    assert read.heldout[:2] == (1.0, math.inf)
    assert math.isnan(read.heldout[2])
    assert math.isnan(read.curve[0].loss)
    assert math.isnan(read.scores[0].value)


def test_a_run_once_saved_stays(
    store: Store, campaign: Campaign, candidate: Experiment, measure: Measure
) -> None:
    first = store.save_run(candidate.id, measure(loss=1.5))
    assert store.save_run(candidate.id, measure(loss=9.0)) == first
    assert store.save_failed_run(candidate.id, "explore", 0, TOO_LARGE) == first
    failed = store.save_failed_run(candidate.id, "explore", 1, TOO_LARGE)
    assert failed == Run(
        experiment_id=candidate.id,
        stage="explore",
        seed=1,
        status="failed",
        reason="out of memory",
    )
    assert store.save_run(candidate.id, measure(seed=1)) == failed
    assert store.runs(campaign.id) == [first, failed]


def test_runs_are_ordered_and_filtered(
    store: Store, campaign: Campaign, baseline: Experiment, candidate: Experiment, measure: Measure
) -> None:
    for experiment, stage, seed in (
        (candidate, "explore", 1),
        (candidate, "explore", 0),
        (candidate, "confirm", 5),
        (baseline, "explore", 0),
    ):
        store.save_run(experiment.id, measure(stage, seed))

    def keys(found: list[Run]) -> list[tuple[int, str, int]]:
        return [(run.experiment_id, run.stage, run.seed) for run in found]

    b, c = baseline.id, candidate.id
    assert keys(store.runs(campaign.id)) == [
        (b, "explore", 0),
        (c, "confirm", 5),
        (c, "explore", 0),
        (c, "explore", 1),
    ]
    assert keys(store.runs(campaign.id, stage="confirm")) == [(c, "confirm", 5)]
    assert keys(store.runs(campaign.id, "explore", b)) == [(b, "explore", 0)]
    other = store.create_campaign("other", 0, {}, "")
    assert store.runs(other.id) == []


def test_losses_leave_out_what_failed_and_other_stages(
    store: Store, campaign: Campaign, baseline: Experiment, candidate: Experiment, measure: Measure
) -> None:
    store.save_run(baseline.id, measure("explore", seed=0, loss=2.0))
    store.save_run(baseline.id, measure("explore", seed=1, loss=2.5))
    store.save_run(baseline.id, measure("confirm", seed=0, loss=1.0))
    store.save_run(candidate.id, measure("explore", seed=0, loss=math.nan))
    store.save_failed_run(candidate.id, "explore", 1, TOO_LARGE)
    assert store.losses(campaign.id, "explore") == {baseline.id: {0: 2.0, 1: 2.5}}


def test_held_out_windows_by_experiment_and_seed(
    store: Store, campaign: Campaign, baseline: Experiment, candidate: Experiment, measure: Measure
) -> None:
    store.save_run(baseline.id, measure("explore", seed=0, loss=2.0, heldout=(1.5, 2.5)))
    store.save_run(baseline.id, measure("confirm", seed=0, loss=9.0, heldout=(9.0,)))
    store.save_run(candidate.id, measure("explore", seed=3, loss=1.25))
    store.save_run(candidate.id, measure("explore", seed=4, loss=math.nan))
    assert store.heldout(campaign.id, "explore") == {
        baseline.id: {0: (1.5, 2.5)},
        candidate.id: {3: (1.25,)},
    }


def test_what_a_stage_took_by_device(
    store: Store, campaign: Campaign, baseline: Experiment, candidate: Experiment, measure: Measure
) -> None:
    store.save_run(baseline.id, measure("explore", seed=0, device="H200", seconds=2.5))
    store.save_run(
        candidate.id, measure("explore", seed=0, device="H200", seconds=1.5, parameters=99_000)
    )
    store.save_failed_run(candidate.id, "explore", 1, TOO_LARGE)
    failed, trained = store.efforts(campaign.id)
    assert (failed.device, failed.runs, failed.failed, failed.seconds) == ("", 1, 1, 0.0)
    assert failed.fewest_parameters is None
    assert (trained.device, trained.runs, trained.failed, trained.seconds) == ("H200", 2, 0, 4.0)
    assert (trained.fewest_parameters, trained.most_parameters) == (99_000, 100_000)
    assert trained.tokens == 2_000_000


def test_windows_of_one_document_count_as_one_where_documents_are_known(
    store: Store, campaign: Campaign, baseline: Experiment, candidate: Experiment, measure: Measure
) -> None:
    windows = {baseline.id: (2.0, 2.1, 2.3, 2.2), candidate.id: (1.9, 2.0, 2.0, 1.9)}
    for id, losses in windows.items():
        store.save_run(id, measure(loss=2.0, heldout=losses, documents=(0, 0, 4, 4)))
        store.save_run(id, measure("confirm", loss=2.0, heldout=losses, documents=(3, 3, 3, 3)))
        store.save_run(id, measure("final", loss=2.0, heldout=losses))
    assert store.documents(campaign.id, "explore") == (0, 0, 4, 4)
    assert store.documents(campaign.id, "confirm") is store.documents(campaign.id, "final") is None
    sampled = {
        stage: comparisons(store, campaign.id, stage)[candidate.id].sampled
        for stage in ("explore", "confirm", "final")
    }
    assert sampled["explore"].startswith("documents")
    assert sampled["confirm"].startswith("windows") and sampled["final"].startswith("windows")
