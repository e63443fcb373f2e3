"""One optimiser step: forward and backward in as many parts as the memory asks for, then AdamW."""

from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from asi_arch.config import Stage
from asi_arch.errors import OutOfMemory
from asi_arch.train import parallel
from asi_arch.train.clock import Clock
from asi_arch.train.loss import Objective
from asi_arch.train.model import LanguageModel, device


class Stepper:
    """Trains a model, one batch at a time.

    `micro_batch` is how many sequences are in memory at once: all of a batch, or halved until they
    fit. Blocks are compiled where the stage asks for it, a GPU is there and the program allows it;
    `compiled` says what became of that.
    """

    def __init__(self, model: LanguageModel, stage: Stage, sharing: parallel.Sharing) -> None:
        self.clock = Clock()
        self.model = model
        self.stage = stage
        share = stage.batch_size // parallel.world_size()
        self.micro_batch = min(stage.micro_batch or share, share)
        self.compiled = _compile(model) if stage.compile and device().type == "cuda" else "no"
        self.objective = parallel.spread(Objective(model, self.clock), sharing)
        self.optimizer = adamw(self.objective, stage.learning_rate, stage.weight_decay)
        self._is_tried = False

    def step(self, batch: Tensor, rate: float) -> float:
        """Take one step at a learning rate on [batch, length + 1] token ids; return the loss.

        Raises:
            OutOfMemory: one sequence at once is too much.
        """
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        own = parallel.share(batch).to(device(), dtype=torch.long, non_blocking=True)
        loss: Tensor = self._first(own) if not self._is_tried else self._backward(own)
        self._is_tried = True
        with self.clock.part("optimizer"):
            nn.utils.clip_grad_norm_(self.objective.parameters(), self.stage.gradient_clip)
            self.optimizer.step()
            self.optimizer.zero_grad(set_to_none=True)
        return float(parallel.mean(loss))

    def timed(self, batches: Iterable[Any], step: int) -> Iterator[Any]:
        """Yield the batches of the steps after `step`, and count the time until they are there."""
        source = iter(batches)
        while True:
            step += 1
            self.clock.start_step(step)
            with self.clock.part("loader"):
                batch = next(source, None)
            if batch is None:
                return
            yield batch

    def _first(self, batch: Tensor) -> Tensor:
        """Take the step in which blocks are compiled; where that fails, go on without."""
        state = torch.get_rng_state()
        try:
            return self._backward(batch)
        except Exception as error:
            if self.compiled != "yes":
                raise
            for block in self.model.blocks:
                block._compiled_call_impl = None
            self.compiled = f"failed: {type(error).__name__}: {str(error).strip()[:200]}"
            self.optimizer.zero_grad(set_to_none=True)
            torch.set_rng_state(state)
            return self._backward(batch)

    def _backward(self, batch: Tensor) -> Tensor:
        """Leave the gradients of a batch, in parts that fit into memory; return its mean loss."""
        while True:
            try:
                return self._in_parts(batch)
            except (MemoryError, RuntimeError) as error:
                if not _is_out_of_memory(error):
                    raise
                self._halve(error)

    def _in_parts(self, batch: Tensor) -> Tensor:
        total = torch.zeros((), device=batch.device)
        parts = torch.split(batch, self.micro_batch)
        for number, part in enumerate(parts, start=1):
            with parallel.gathering(self.objective, number == len(parts)):
                with self.clock.part("forward"):
                    loss = self.objective(part) * (len(part) / len(batch))
                with self.clock.part("backward"):
                    loss.backward()
            total += loss.detach()
        return total

    def _halve(self, error: BaseException) -> None:
        """Make the micro-batch smaller, where that is possible."""
        if self.micro_batch == 1 or parallel.world_size() > 1:
            raise OutOfMemory(
                f"out of memory with {self.micro_batch} sequences of {self.stage.length} tokens at "
                f"once: {str(error).splitlines()[0][:200]}"
            ) from error
        self.optimizer.zero_grad(set_to_none=True)
        if device().type == "cuda":
            torch.cuda.empty_cache()
        self.micro_batch = -(-self.micro_batch // 2)


def adamw(model: nn.Module, learning_rate: float, weight_decay: float) -> torch.optim.AdamW:
    """Return AdamW (arXiv 1711.05101) that decays matrices only."""
    parameters = list(model.parameters())
    groups = [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=learning_rate, betas=(0.9, 0.95), fused=True)


def _compile(model: LanguageModel) -> str:
    for block in model.blocks:
        block.compile(dynamic=False)
    return "yes"


def _is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out; on a CPU torch says so in its text only."""
    out = isinstance(error, MemoryError | torch.OutOfMemoryError)
    return out or "allocate memory" in str(error)
