"""How often does a question find the right entry of the knowledge base?

    python benchmarks/retrieval.py
    python benchmarks/retrieval.py --embedding-model NAME --embedding-url URL

The questions are those of tests/knowledge/queries.toml, each with the one entry it is about; other
entries may answer it too, so not every miss is an error. Words are BM25; meaning is the cosine of
an embedding model's vectors; fused is reciprocal rank fusion of both. Results go to
benchmarks/results/retrieval.json.
"""

import argparse
import datetime
import json
import shlex
import statistics
import sys
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeAlias

from asi_arch.knowledge import Library, load_entries
from asi_arch.knowledge.embed import OpenAIEmbedder
from asi_arch.knowledge.library import by_meaning, fuse

ROOT = Path(__file__).parents[1]
QUERIES = ROOT / "tests" / "knowledge" / "queries.toml"
RESULTS = ROOT / "benchmarks" / "results" / "retrieval.json"
FIRST = 5

Ranking: TypeAlias = Callable[[str], Sequence[int]]


@dataclass(frozen=True)
class Result:
    """How one way to search did; shares are of all queries."""

    name: str
    first: float
    first_five: float
    mean_reciprocal_rank: float
    missed: tuple[str, ...]


def rankings(model: str, url: str) -> dict[str, Ranking]:
    library = Library(load_entries())
    if not model:
        return {"words": library.by_words}
    embedder = OpenAIEmbedder(model, url)

    def meaning(query: str) -> Sequence[int]:
        return by_meaning(embedder, query, library.entries)

    def fused(query: str) -> Sequence[int]:
        return fuse([library.by_words(query), meaning(query)])

    return {"words": library.by_words, f"meaning ({model})": meaning, f"fused ({model})": fused}


def measure(name: str, ranking: Ranking, queries: Sequence[dict[str, str]]) -> Result:
    ids = [entry.id for entry in load_entries()]
    ranks = {}
    for query in queries:
        found = [ids[place] for place in ranking(query["text"])]
        ranks[query["text"]] = found.index(query["id"]) + 1 if query["id"] in found else None
    missed = tuple(text for text, rank in ranks.items() if rank is None or rank > FIRST)
    return Result(
        name=name,
        first=sum(rank == 1 for rank in ranks.values()) / len(ranks),
        first_five=1 - len(missed) / len(ranks),
        mean_reciprocal_rank=statistics.mean(1 / rank if rank else 0 for rank in ranks.values()),
        missed=missed,
    )


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--embedding-model", default="", metavar="NAME")
    parser.add_argument("--embedding-url", default="", metavar="URL")
    parser.add_argument("--output", type=Path, default=RESULTS, metavar="FILE")
    options = parser.parse_args(arguments)
    queries = tomllib.loads(QUERIES.read_text(encoding="utf-8"))["query"]
    ways = rankings(options.embedding_model, options.embedding_url)
    results = [measure(name, ranking, queries) for name, ranking in ways.items()]
    print(f"{len(queries)} queries, {len(load_entries())} entries")
    for result in results:
        print(f"{result.name}: first {result.first:.1%}, first five {result.first_five:.1%}")
    document = {
        "command": shlex.join(["python", "benchmarks/retrieval.py", *arguments]),
        "date": datetime.date.today().isoformat(),
        "queries": len(queries),
        "entries": len(load_entries()),
        "results": [asdict(result) for result in results],
    }
    options.output.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
