import numpy as np

from asi_arch.config import Probe
from asi_arch.evaluate.recall import NO_QUESTION, make_batch, questions

TASK = Probe(keys=4, writes=9, values=5)


def test_the_task_asks_for_the_last_value_of_every_key() -> None:
    inputs, targets = make_batch(TASK, 50, np.random.default_rng(0))
    assert inputs.shape == targets.shape == (50, 26)
    for row, asked in zip(inputs.tolist(), targets.tolist(), strict=True):
        last = dict(zip(row[:18:2], row[1:18:2], strict=True))
        for place in range(18, 26, 2):
            assert asked[place] == last[row[place]] == row[place + 1]
        assert all(target == NO_QUESTION for target in asked[:18] + asked[19::2])


def test_a_question_ends_before_its_answer() -> None:
    for place, question in enumerate(questions(TASK).values()):
        assert question.inputs.shape == (128, 18 + 2 * place + 1)
        for row, answer in zip(question.inputs.tolist(), question.answers.tolist(), strict=True):
            last = dict(zip(row[:18:2], row[1:18:2], strict=True))
            assert answer == last[row[-1]]


def test_no_sequence_is_asked_twice() -> None:
    rows = [tuple(row[:18]) for q in questions(TASK).values() for row in q.inputs.tolist()]
    assert len(set(rows)) == len(rows) == 4 * 128
