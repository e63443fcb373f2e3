"""Benchmarks of lm-eval on a trained experiment, against lm-eval's own road to the same numbers."""

import json
import random
import warnings
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from asi_arch.cli.app import app
from asi_arch.errors import UserError
from asi_arch.evaluate.asking import NoAnswer, _ids
from asi_arch.evaluate.benchmarks import group_names, main_score, wanted_tasks
from asi_arch.records import Score
from asi_arch.store import Store

WORDS = ["state", "decay", "gate", "delta", "memory", "key", "value", "wörld"]
TASKS = "tiny_choice,tiny_text,tiny_write"
CHOICE = """
output_type: multiple_choice
doc_to_text: "{{question}}"
doc_to_choice: "{{choices}}"
doc_to_target: answer
metric_list: [{metric: acc}, {metric: acc_norm}]
"""
TEXT = """
output_type: loglikelihood_rolling
doc_to_text: ""
doc_to_target: "{{page}}"
metric_list: [{metric: word_perplexity}, {metric: bits_per_byte}]
"""
WRITE = """
output_type: generate_until
doc_to_text: "{{question}}"
doc_to_target: answer
generation_kwargs: {until: ["e"], max_gen_toks: 8, do_sample: false}
metric_list: [{metric: exact_match}]
"""


@pytest.fixture(scope="module")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three small tasks, one of each kind of question."""
    folder, rng = tmp_path_factory.mktemp("tasks"), random.Random(0)
    choices = [
        {"question": _words(rng, 30), "choices": rng.sample(WORDS, 3), "answer": rng.randrange(3)}
        for _ in range(12)
    ]
    _task(folder, "tiny_choice", CHOICE, choices)
    _task(folder, "tiny_text", TEXT, [{"page": _words(rng, 60)} for _ in range(4)])
    written = [{"question": _words(rng, 20), "answer": ""} for _ in range(4)]
    _task(folder, "tiny_write", WRITE, written)
    return folder


def _words(rng: random.Random, most: int) -> str:
    return " ".join(rng.choice(WORDS) for _ in range(rng.randint(2, most)))


def _task(folder: Path, name: str, how: str, documents: list[dict[str, Any]]) -> None:
    data = folder / f"{name}.jsonl"
    data.write_text("".join(json.dumps(document) + "\n" for document in documents))
    where = json.dumps({"data_files": {"test": str(data)}})
    (folder / f"{name}.yaml").write_text(
        f"task: {name}\ndataset_path: json\ndataset_kwargs: {where}\ntest_split: test\n{how}"
        "metadata: {version: 1.0}\n"
    )


def call(*arguments: object) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # lm-eval and what it loads warn of their own affairs
        return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def evaluated(database: str, tasks: Path) -> Any:
    result = call(
        *("evaluate", 1, "--tasks", TASKS, "--include", tasks, "--db", database),
        *("--stage", "confirm", "--json"),
    )
    assert result.exit_code == 0, result.output
    (document,) = json.loads(result.stdout)
    return document


def test_lm_eval_gives_the_exported_model_the_same_numbers(
    evaluated: Any, database: str, tasks: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    exported = call("export", 1, "--stage", "confirm", "--out", folder, "--db", database)
    assert exported.exit_code == 0, exported.output
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from lm_eval import simple_evaluate
        from lm_eval.tasks import TaskManager

        results = simple_evaluate(
            model="hf",
            model_args={"pretrained": str(folder), "trust_remote_code": True, "device": "cpu"},
            tasks=TASKS.split(","),
            task_manager=TaskManager(include_path=str(tasks), include_defaults=False),
            batch_size=1,
            bootstrap_iters=0,
        )["results"]
    ours = {(s["benchmark"], s["metric"]): s["value"] for s in evaluated["scores"]}
    theirs = {(task, metric): results[task][f"{metric},none"] for task, metric in ours}
    assert len(ours) == 5
    assert ours == pytest.approx(theirs, rel=1e-4)


def test_scores_are_stored_with_their_errors(evaluated: Any, database: str, tasks: Path) -> None:
    stored = [Score.model_validate(score) for score in evaluated["scores"]]
    with Store.open(database) as store:
        run = next(
            run
            for run in store.runs(1, stage="confirm", experiment_id=1)
            if run.seed == evaluated["seed"]
        )
    assert run.measurement is not None and run.measurement.scores == tuple(stored)
    choice = main_score(stored, "tiny_choice")
    assert choice is not None and choice.n == 12 and choice.error is not None and choice.error > 0
    again = call(
        *("evaluate", 1, "--tasks", "tiny_choice", "--include", tasks, "--db", database),
        *("--stage", "confirm", "--limit", 5),
    )
    assert "tiny_choice  acc" in again.stdout
    with Store.open(database) as store:
        scores = store.runs(1, stage="confirm", experiment_id=1)[0].measurement
    assert scores is not None
    assert {score.n for score in scores.scores if score.benchmark == "tiny_choice"} == {5}
    assert {score.benchmark for score in scores.scores} == set(TASKS.split(","))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--tasks", "tiny_chioce"), "unknown task 'tiny_chioce'; did you mean tiny_choice?"),
        (("--tasks", ","), "no task is named; name some, or a list: paper10, paper12, paper7"),
        (("--tasks", "tiny_text", "--seed", "99"), "no finished run at any stage with seed 99"),
    ],
)
def test_mistakes_are_explained(
    database: str, tasks: Path, arguments: tuple[str, ...], sentence: str
) -> None:
    result = call("evaluate", 1, *arguments, "--include", tasks, "--db", database)
    assert (result.exit_code, result.stdout) == (2, "")
    assert sentence in result.stderr


def test_data_that_cannot_be_had_are_named(database: str, tmp_path: Path) -> None:
    how = CHOICE + "dataset_path: nobody/has-this\ntask: far\ntest_split: test\n"
    (tmp_path / "far.yaml").write_text(how + "metadata: {version: 1.0}\n")
    result = call("evaluate", 1, "--tasks", "far", "--include", tmp_path, "--db", database)
    assert result.exit_code == 2
    assert "the data of one of far cannot be had" in result.stderr and "--include" in result.stderr


def test_the_published_lists() -> None:
    known = wanted_tasks(["paper12"], _Everything())
    assert (len(known), group_names()) == (12, ["paper10", "paper12", "paper7"])
    assert len(wanted_tasks(["paper7,arc_easy", "boolq"], _Everything())) == 7
    with pytest.raises(UserError, match="unknown task 'x'"):
        wanted_tasks(["x"], known)


class _Everything(list[str]):
    def __contains__(self, key: object) -> bool:
        return True


def test_a_task_has_one_metric_for_everyone() -> None:
    scores = [
        Score(benchmark="hellaswag", metric=metric, value=value)
        for metric, value in (("acc", 0.27), ("acc_norm", 0.28))
    ]
    assert main_score(scores, "hellaswag") == scores[1]
    assert main_score(scores, "piqa") is None


@pytest.mark.parametrize(
    "value", [{}, {"written": 3}, {"written": {"5": [[1]]}}, {"written": {"5": [["x", 2]]}}]
)
def test_forged_writing_is_no_answer(value: dict[str, Any]) -> None:
    with pytest.raises(NoAnswer):
        _ids(value, "5", rows=1, count=2)
