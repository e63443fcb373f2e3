import json
from pathlib import Path

import pytest

from asi_arch.data.overlap import Benchmarks, Match
from asi_arch.errors import UserError

ITEM = "Which of these planets is the one that most people say is closest to the sun today"


@pytest.fixture
def benchmarks(tmp_path: Path) -> Benchmarks:
    lines = [
        {"question": "too short", "choices": ["a", "b"]},
        {"question": ITEM, "choices": {"text": [" ".join(f"w{n}" for n in range(20))]}},
    ]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, lines)))
    (tmp_path / "b.txt").write_text("\n" + " ".join(f"v{n}" for n in range(13)) + "\n")
    return Benchmarks([tmp_path / "a.jsonl", tmp_path / "b.txt"])


def test_a_run_of_thirteen_words_is_found_whatever_the_case(benchmarks: Benchmarks) -> None:
    words = ITEM.split()
    assert benchmarks.match(f"Before, {' - '.join(words[2:15]).upper()}; after") == Match(0, 2, 1)
    assert benchmarks.match(f"Before {ITEM} after") == Match(0, 2, len(words) - 12)
    assert benchmarks.match(" ".join(words[2:14]) + " no") is None
    assert benchmarks.match(" ".join(reversed(words))) is None


def test_inner_texts_and_lines_are_items(benchmarks: Benchmarks) -> None:
    assert benchmarks.match(" ".join(f"w{n}" for n in range(3, 17))) == Match(0, 2, 2)
    assert benchmarks.match(" ".join(f"V{n}" for n in range(13))) == Match(1, 2, 1)
    assert benchmarks.match("") is None


def test_the_item_that_shares_most_is_named(benchmarks: Benchmarks) -> None:
    both = " ".join([*(f"v{n}" for n in range(13)), ITEM])
    assert benchmarks.match(both) == Match(0, 2, len(ITEM.split()) - 12)


def test_benchmarks_without_long_items_match_nothing(tmp_path: Path) -> None:
    (tmp_path / "c.txt").write_text("a short line")
    assert Benchmarks([tmp_path / "c.txt"]).match(ITEM) is None


def test_an_invalid_line_is_named(tmp_path: Path) -> None:
    (tmp_path / "c.jsonl").write_text('{"a": "b"}\n{"a"')
    with pytest.raises(UserError, match=r"c\.jsonl, line 2 is not valid JSON"):
        Benchmarks([tmp_path / "c.jsonl"])
