"""How many tokens a second `asi-arch data prepare` makes of English-like text.

    python benchmarks/tokenizing.py --output benchmarks/results/tokenizing.json

The text is made up: words of the knowledge base's entries drawn by how often they occur there, with
punctuation, in paragraphs, and 2 % of words that occur once only (numbers and names), 24 MB as
JSONL and the first 12 MB of it as Parquet. The tokenizer is a byte-level BPE with GPT-2's way of
cutting, trained here on the entries. `plain` switches off the memory for words, which is what any
other kind of tokenizer runs at. Time of everything: reading, splitting, encoding, checksums,
writing; starting the processes included. Best of two, all in one run. On a machine that others use
too, wall time says little: then see the tokens per CPU second, of which two cores have two.
"""

import argparse
import json
import os
import platform
import random
import resource
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from unittest import mock

import tokenizers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from asi_arch.data.manifest import Source
from asi_arch.data.preparation import prepare_folder
from asi_arch.data.request import Request
from asi_arch.data.sources import find_files
from asi_arch.knowledge import load_entries

MEGABYTES, RARE, REPEATS = 24, 0.02, 2
VOCABULARY = 16_384


@dataclass(frozen=True)
class Speed:
    """One preparation."""

    source: str
    words: str
    jobs: int
    tokens: int
    seconds: float
    cpu_seconds: float

    @property
    def rates(self) -> dict[str, float]:
        """Tokens of both parts a second."""
        return {
            "tokens_per_second": round(self.tokens / self.seconds),
            "tokens_per_cpu_second": round(self.tokens / self.cpu_seconds),
        }


def main() -> None:
    """Print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    with tempfile.TemporaryDirectory() as folder:
        rows = list(measure(Path(folder)))
    for row in rows:
        wall, cpu = (rate / 1e6 for rate in row.rates.values())
        print(
            f"{row.source:8} {row.words:6} jobs {row.jobs}: {wall:.2f} million tokens/s, "
            f"{cpu:.2f} million per CPU second"
        )
    if arguments.output:
        report = {
            "python": platform.python_version(),
            "tokenizers": tokenizers.__version__,
            "cpus": len(os.sched_getaffinity(0)),
            "load_before": os.getloadavg()[0],
            "rows": [asdict(row) | row.rates for row in rows],
        }
        arguments.output.write_text(json.dumps(report, indent=1) + "\n")


def measure(folder: Path) -> Iterator[Speed]:
    """Yield the best of each way."""
    entries = [entry.text for entry in load_entries()]
    tokenizer = train_tokenizer(entries, folder)
    texts = list(make_texts(entries, MEGABYTES * 1_000_000))
    jsonl = write_jsonl(texts, folder / "text.jsonl")
    parquet = write_parquet(texts[: len(texts) // 2], folder / "text.parquet")
    for source, path in (("jsonl", jsonl), ("parquet", parquet)):
        for jobs in (1, 2):
            yield best(source, "known", jobs, path, tokenizer, folder)
    with words_forgotten():
        yield best("parquet", "plain", 1, parquet, tokenizer, folder)


def best(source: str, words: str, jobs: int, path: Path, tokenizer: Path, folder: Path) -> Speed:
    """Return the fastest of the preparations."""
    asked = Request(
        source=Source(kind="files", files=find_files([str(path)])), tokenizer=str(tokenizer)
    )
    found = []
    for number in range(REPEATS):
        started, used = time.perf_counter(), cpu_seconds()
        out = folder / f"{source}-{words}-{jobs}-{number}"
        manifest = prepare_folder(asked, out, jobs).manifest
        seconds, used = time.perf_counter() - started, cpu_seconds() - used
        tokens = manifest.train.tokens + manifest.heldout.tokens
        found.append(Speed(source, words, jobs, tokens, seconds, used))
    return min(found, key=lambda speed: speed.seconds)


def cpu_seconds() -> float:
    """Return what this process and those it has waited for have used."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


@contextmanager
def words_forgotten() -> Iterator[None]:
    """Encode without the memory for words, in this process."""
    with mock.patch("asi_arch.data.encode.keeps_words_apart", lambda tokenizer: False):
        yield


def train_tokenizer(texts: list[str], folder: Path) -> Path:
    """Return the file of a tokenizer that knows these texts."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=["<|endoftext|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.save(str(folder / "words.json"))
    return folder / "words.json"


def make_texts(entries: list[str], characters: int) -> Iterator[str]:
    """Yield documents of 50 to 1500 words until there are enough characters."""
    rng = random.Random(0)
    counts = Counter(word for entry in entries for word in entry.split())
    words, weights = list(counts), list(counts.values())
    while characters > 0:
        drawn = rng.choices(words, weights, k=rng.randint(50, 1500))
        for place in range(len(drawn)):
            if rng.random() < RARE:
                drawn[place] = f"{rng.choice(words)}{rng.randrange(10**6)}"
            if rng.random() < 0.01:
                drawn[place] += "\n\n"
        text = " ".join(drawn)
        characters -= len(text)
        yield text


def write_jsonl(texts: list[str], path: Path) -> Path:
    """Write one document a line."""
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    return path


def write_parquet(texts: list[str], path: Path) -> Path:
    """Write one document a row."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"text": texts}), path)
    return path


if __name__ == "__main__":
    main()
