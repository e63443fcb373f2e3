from pathlib import Path

import numpy as np
import pytest
import torch

from asi_arch.data import Tokens, batches, load, vocab_size, windows
from asi_arch.data.shards import write_part
from asi_arch.errors import UserError


def row(count: int) -> Tokens:
    return Tokens([np.arange(count) % 256], 256)


@pytest.mark.parametrize(("vocabulary", "size"), [(256, 1), (50_257, 2), (151_936, 4)])
def test_a_part_is_one_sequence_across_shards(tmp_path: Path, vocabulary: int, size: int) -> None:
    ids = np.random.default_rng(0).integers(0, vocabulary, 1000)
    ids[0] = vocabulary - 1
    written = write_part(tmp_path / "train", ids, vocabulary, shard_tokens=64)
    tokens = load(tmp_path / "train")
    assert len(written.shards) == 16 and len(tokens) == 1000
    assert (tmp_path / "train" / "00000.bin").stat().st_size == 64 * size
    for start, stop in ((0, 1000), (63, 65), (64, 128), (10, 400), (990, 2000), (5, 5), (128, 129)):
        assert (tokens[start:stop] == ids[start:stop]).all()
        assert len(tokens[start:stop]) == len(ids[start:stop])
    assert tokens.vocab_size == vocab_size(tmp_path / "train") == vocabulary
    assert torch.from_numpy(tokens[:]).long().max() == vocabulary - 1


def test_shards_do_not_change_what_is_drawn(tmp_path: Path) -> None:
    ids = np.random.default_rng(0).integers(0, 50_000, 5000)
    write_part(tmp_path / "one", ids, 50_257)
    write_part(tmp_path / "many", ids, 50_257, shard_tokens=97)
    one, many = load(tmp_path / "one"), load(tmp_path / "many")
    for a, b in zip(batches(one, 5, 3, 200, 1), batches(many, 5, 3, 200, 1), strict=True):
        assert (a == b).all()
    assert (windows(one, 9, 300) == windows(many, 9, 300)).all()


def test_batches_depend_on_the_seed_only() -> None:
    first, again, other = (list(batches(row(10_000), 5, 3, 64, seed)) for seed in (1, 1, 2))
    assert all((a == b).all() for a, b in zip(first, again, strict=True))
    assert any((a != b).any() for a, b in zip(first, other, strict=True))
    assert first[0].shape == (3, 65)
    assert (np.diff(first[0].astype(int)) % 256 == 1).all()


def test_the_last_token_can_be_drawn() -> None:
    ends = {int(batch[0, -1]) for batch in batches(row(66), 200, 1, 64, 0)}
    assert ends == {64, 65}


def test_windows_cover_the_text_from_end_to_end() -> None:
    rows = windows(row(250), 10, 16)
    assert rows.shape == (10, 17)
    assert (rows[0, 0], rows[-1, -1]) == (0, 249)


def test_too_short_a_text_and_lost_shards_are_explained(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"64 tokens, a sequence 65"):
        list(batches(row(64), 1, 1, 64, 0))
    with pytest.raises(UserError, match=r"64 tokens, a sequence 65"):
        windows(row(64), 1, 64)
    with pytest.raises(UserError, match=r"holds no tokens"):
        load(tmp_path)
    write_part(tmp_path / "train", np.arange(100), 256, shard_tokens=50)
    (tmp_path / "train" / "00001.bin").write_bytes(b"short")
    with pytest.raises(UserError, match=r"00001.bin ends early"):
        load(tmp_path / "train")[60:90]
    (tmp_path / "train" / "00001.bin").unlink()
    with pytest.raises(UserError, match=r"00001.bin is gone"):
        load(tmp_path / "train")
