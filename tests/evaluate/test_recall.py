import hashlib
from typing import get_args

import numpy as np
import pytest

from asi_arch.config import Probe, ProbeTask
from asi_arch.evaluate.recall import NO_QUESTION, make_batch, questions, vocab_size

NAMES = get_args(ProbeTask)
TASK = Probe(keys=4, writes=9, values=5)
ALL = Probe(keys=4, writes=9, values=5, hidden_size=24, num_heads=2, tasks=NAMES)


def test_overwriting_asks_for_the_last_value_of_every_key() -> None:
    inputs, targets = make_batch(TASK, "overwrite", 50, np.random.default_rng(0))
    assert inputs.shape == targets.shape == (50, 26)
    for row, asked in zip(inputs.tolist(), targets.tolist(), strict=True):
        last = dict(zip(row[:18:2], row[1:18:2], strict=True))
        for place in range(18, 26, 2):
            assert asked[place] == last[row[place]] == row[place + 1]
        assert all(target == NO_QUESTION for target in asked[:18] + asked[19::2])


def test_overwriting_is_what_it_was() -> None:
    """Recorded before there were other tasks."""
    task, digest = Probe(keys=4, writes=12, values=16, steps=5), hashlib.sha256()
    batch = make_batch(task, "overwrite", 6, np.random.default_rng(3))
    asked = [part for q in questions(task).values() for part in (q.inputs, q.answers)]
    for array in (*batch, *asked):
        digest.update(np.ascontiguousarray(array).tobytes())
    assert digest.hexdigest() == "13cb913f746a2c1163fecfde61f9be25041f1b7565a324f8673992ca8424f552"


def test_every_pair_is_written_once_and_asked_once() -> None:
    loads: dict[ProbeTask, int] = {"recall": 4, "recall_full": 12}
    for name, pairs in loads.items():
        inputs, targets = make_batch(ALL, name, 20, np.random.default_rng(1))
        for row, asked in zip(inputs.tolist(), targets.tolist(), strict=True):
            facts = dict(zip(row[: 2 * pairs : 2], row[1 : 2 * pairs : 2], strict=True))
            assert len(facts) == pairs == sum(target != NO_QUESTION for target in asked)
            assert all(
                asked[place] == facts[row[place]] for place in range(2 * pairs, 4 * pairs, 2)
            )


def test_fuzzy_keys_are_two_tokens_that_only_together_tell() -> None:
    inputs, targets = make_batch(ALL, "fuzzy", 50, np.random.default_rng(2))
    shared = 0
    for row, asked in zip(inputs.tolist(), targets.tolist(), strict=True):
        facts = {(row[i], row[i + 1]): row[i + 2] for i in range(0, 12, 3)}
        shared += len({first for first, _ in facts}) < 4
        assert len(facts) == 4
        for i in range(12, 24, 3):
            assert asked[i + 1] == facts[row[i], row[i + 1]] == row[i + 2]
            assert asked[i] == asked[i + 2] == NO_QUESTION
    assert shared > 25


def test_compression_asks_by_place() -> None:
    inputs, targets = make_batch(ALL, "compression", 20, np.random.default_rng(3))
    for row, asked in zip(inputs.tolist(), targets.tolist(), strict=True):
        assert sorted(row[9::2]) == list(range(9))
        assert all(asked[i] == row[row[i]] == row[i + 1] for i in range(9, 27, 2))


@pytest.mark.parametrize("name", NAMES)
def test_tokens_fit_the_vocabulary_and_values_are_no_keys(name: ProbeTask) -> None:
    inputs, targets = make_batch(ALL, name, 200, np.random.default_rng(4))
    answers = targets[targets != NO_QUESTION]
    assert inputs.max() == answers.max() == vocab_size(ALL, name) - 1
    assert answers.min() == vocab_size(ALL, name) - 5


def test_a_question_ends_before_its_answer() -> None:
    for place, question in enumerate(questions(TASK).values()):
        assert question.inputs.shape == (128, 18 + 2 * place + 1)
        for row, answer in zip(question.inputs.tolist(), question.answers.tolist(), strict=True):
            last = dict(zip(row[:18:2], row[1:18:2], strict=True))
            assert answer == last[row[-1]]


def test_each_task_asks_all_its_questions() -> None:
    asked = questions(ALL)
    counts = {name: sum(key.startswith(f"{name}.") for key in asked) for name in NAMES}
    assert counts == {
        "overwrite": 4,
        "recall": 4,
        "recall_full": 12,
        "fuzzy": 4,
        "compression": 9,
    }
    assert asked["fuzzy.0"].inputs.shape == (128, 14)


def test_no_sequence_is_asked_twice() -> None:
    rows = [tuple(row[:18]) for q in questions(TASK).values() for row in q.inputs.tolist()]
    assert len(set(rows)) == len(rows) == 4 * 128
