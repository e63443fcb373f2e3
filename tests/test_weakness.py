from asi_arch.records import Finding, Measurement, Run, Score
from asi_arch.weakness import weaknesses


def run(stage: str, seed: int, loss: float | None = None, accuracy: float | None = None) -> Run:
    scores = () if accuracy is None else (Score(benchmark="o", metric="accuracy", value=accuracy),)
    measurement = Measurement(
        stage=stage,
        seed=seed,
        parameters=1,
        non_embedding=1,
        mlp_width=1,
        tokens=1,
        loss=loss,
        scores=scores,
    )
    return Run(experiment_id=1, stage=stage, seed=seed, status="complete", measurement=measurement)


GOOD = [run("probe", 0, accuracy=0.95), run("explore", 0, loss=2.0), run("explore", 1, loss=2.2)]


def sentences(runs: list[Run], *findings: Finding) -> list[str]:
    return [one.sentence for one in weaknesses(runs, GOOD, findings, "deltanet")]


def test_recall_below_the_baselines_is_a_weakness() -> None:
    runs = [run("probe", 0, accuracy=0.2), run("probe", 1, accuracy=0.4)]
    (found,) = weaknesses(runs, GOOD, (), "deltanet")
    assert found.sentence == "recall accuracy 0.40, deltanet has 0.95"
    assert "delta rule" in found.query
    assert sentences([run("probe", 0, accuracy=0.9)]) == []


def test_loss_is_compared_seed_by_seed() -> None:
    assert sentences([run("explore", 1, loss=2.3)]) == [
        "held-out loss 0.100 nats per token above deltanet"
    ]
    assert sentences([run("explore", 1, loss=2.1)]) == []
    assert sentences([run("explore", 7, loss=9.0)]) == []


def test_findings_show_costs_and_fragile_numbers() -> None:
    cost = Finding(check="cost", passed=True, measured={"work_exponent": 1.15})
    numbers = Finding(check="numbers", passed=True, measured={"bfloat16_change": 0.2})
    assert sentences([], cost, numbers) == [
        "work grows as the length to the power 1.15",
        "bfloat16 moves the output by 0.20 of its scale",
    ]
    assert sentences([], Finding(check="cost", passed=True, measured={"work_exponent": 1.0})) == []


def test_a_failed_run_says_nothing() -> None:
    assert sentences([Run(experiment_id=1, stage="explore", seed=0, status="failed")]) == []
