"""lm-eval's tasks on a trained model: their data, metrics and errors are lm-eval's own.

Tasks, labels and scoring stay in this process; the model is asked through `Asker`.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from lm_eval.api.model import TemplateLM
from lm_eval.utils import get_rolling_token_windows, make_disjoint_window
from torch import Tensor

from asi_arch.data.tokenizer import Tokenizer
from asi_arch.evaluate.asking import Asker
from asi_arch.records import Score

Pair = tuple[Any, list[int], list[int]]


class AskedModel(TemplateLM):  # type: ignore[misc]
    """A model for lm-eval whose hidden states come from elsewhere; `head` is [vocab_size, d]."""

    def __init__(self, asker: Asker, head: Tensor, tokenizer: Tokenizer, max_length: int) -> None:
        super().__init__()
        self.asker = asker
        self.head = head
        self.vocabulary = tokenizer
        self.max_length = max_length

    @property
    def eot_token_id(self) -> int:
        """What stands before a text that has nothing before it."""
        return self.vocabulary.end or 0

    def tok_encode(
        self, string: str, add_special_tokens: bool | None = None, **kwargs: Any
    ) -> list[int]:
        """Return the ids of a text."""
        return self.vocabulary.encode(string)

    def _loglikelihood_tokens(
        self, requests: Sequence[Pair], **kwargs: Any
    ) -> list[tuple[float, bool]]:
        """Return for each continuation its log-likelihood, and whether it is the likeliest one."""
        found: dict[int, tuple[float, bool]] = {}
        for places in _by_size(requests):
            wanted = [requests[place][2][-self.max_length :] for place in places]
            rows = [
                (requests[place][1] + requests[place][2])[-self.max_length - 1 :][:-1]
                for place in places
            ]
            states = self.asker.last_states(rows, max(map(len, wanted)))
            for place, state, labels in zip(places, states, wanted, strict=True):
                found[place] = _likelihood(state[-len(labels) :], self.head, labels)
        return [found[place] for place in range(len(requests))]

    def loglikelihood_rolling(self, requests: Any, disable_tqdm: bool = False) -> list[float]:
        """Return the log-likelihood of whole texts, read in windows of the model's length."""
        windows = [self._windows(request.args[0]) for request in requests]
        flat = self._loglikelihood_tokens([window for one in windows for window in one])
        sums = iter(flat)
        return [sum(next(sums)[0] for _ in one) for one in windows]

    def _windows(self, text: str) -> list[Pair]:
        windows = get_rolling_token_windows(
            token_list=self.tok_encode(text),
            prefix_token=self.prefix_token_id,
            max_seq_len=self.max_length,
            context_len=1,
        )
        return [(None, *make_disjoint_window(window)) for window in windows]

    def generate_until(self, requests: Any, disable_tqdm: bool = False) -> list[str]:
        """Return what the model writes after each text, up to the first of the stop words."""
        found: dict[int, str] = {}
        for count, places in _by_count(requests).items():
            room = max(1, self.max_length - count)
            rows = [self.tok_encode(requests[place].args[0])[-room:] for place in places]
            for place, ids in zip(places, self.asker.written(rows, count), strict=True):
                found[place] = self._until(ids, _stops(requests[place].args[1]))
        return [found[place] for place in range(len(requests))]

    def _until(self, ids: list[int], stops: Sequence[str]) -> str:
        if self.eot_token_id in ids:
            ids = ids[: ids.index(self.eot_token_id)]
        text = self.vocabulary.decode(ids)
        ends = [text.index(stop) for stop in stops if stop and stop in text]
        return text[: min(ends)] if ends else text


def evaluate(
    model: AskedModel, tasks: Sequence[str], manager: Any, limit: int | None
) -> tuple[Score, ...]:
    """Return every number that lm-eval gives for the tasks, with its standard error."""
    from lm_eval import simple_evaluate

    results = simple_evaluate(
        model=model,
        tasks=list(tasks),
        task_manager=manager,
        limit=limit,
        log_samples=False,
        bootstrap_iters=1000,
    )
    counts = results["n-samples"]
    return tuple(
        score
        for task, values in results["results"].items()
        if task in counts
        for score in _scores(task, values, counts[task]["effective"])
    )


def _scores(task: str, values: Mapping[str, Any], count: int) -> Iterable[Score]:
    for key, value in values.items():
        metric, _, rule = key.partition(",")
        if not rule or metric.endswith("_stderr") or not isinstance(value, int | float):
            continue
        error = values.get(f"{metric}_stderr,{rule}")
        known = isinstance(error, int | float) and math.isfinite(error)
        name = metric if rule == "none" else f"{metric},{rule}"
        yield Score(
            benchmark=task, metric=name, value=value, error=error if known else None, n=count
        )


def task_manager(include: Path | None) -> Any:
    """Return lm-eval's tasks; with a folder of YAML files, only those."""
    from lm_eval.tasks import TaskManager

    if include is None:
        return TaskManager()
    return TaskManager(include_path=str(include), include_defaults=False)


def _likelihood(states: Tensor, head: Tensor, labels: list[int]) -> tuple[float, bool]:
    logits = F.linear(states, head)
    wanted = torch.tensor(labels)
    losses = F.cross_entropy(logits, wanted, reduction="none").double()
    return -losses.sum().item(), bool((logits.argmax(-1) == wanted).all())


def _by_size(requests: Sequence[Pair]) -> list[list[int]]:
    """Put together continuations of about the same length, so that few states are in vain."""
    groups: dict[int, list[int]] = {}
    for place, (_, _, wanted) in enumerate(requests):
        groups.setdefault(len(wanted).bit_length(), []).append(place)
    return list(groups.values())


def _by_count(requests: Any) -> dict[int, list[int]]:
    groups: dict[int, list[int]] = {}
    for place, request in enumerate(requests):
        groups.setdefault(int(request.args[1].get("max_gen_toks", 256)), []).append(place)
    return groups


def _stops(settings: Mapping[str, Any]) -> list[str]:
    stops = settings.get("until") or []
    return [stops] if isinstance(stops, str) else list(stops)
