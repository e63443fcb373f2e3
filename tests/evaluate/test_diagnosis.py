from asi_arch.evaluate.diagnosis import diagnosis
from asi_arch.records import Score


def score(task: str, value: float, metric: str = "accuracy") -> Score:
    return Score(benchmark=task, metric=metric, value=value)


def test_each_task_is_solved_partly_or_not() -> None:
    scores = [score("recall", 0.95), score("recall_full", 0.5), score("overwrite", 0.2)]
    assert diagnosis(scores) == (
        "solves recall of a few pairs; partly recall near the size of its state; fails overwriting"
    )


def test_the_best_seed_counts_and_other_scores_do_not() -> None:
    scores = [score("fuzzy", 0.1), score("fuzzy", 0.9), score("arc_easy", 0.1)]
    assert diagnosis([*scores, score("recall", 3.0, "perplexity")]) == "solves keys of two tokens"
    assert diagnosis([]) == ""
