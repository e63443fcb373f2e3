"""One training on several processes, as torchrun starts them; alone, nothing here does anything.

Each process takes its share of every batch and sees the mean gradient of all, so that a training
is the same for any number of them, but for rounding.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.nn.parallel import DistributedDataParallel

from asi_arch.train.loss import Objective
from asi_arch.train.model import device

Sharing = Literal["replicas", "shards"]


@contextmanager
def joined() -> Iterator[None]:
    """Join the processes that torchrun has started, each with a GPU of its own where there are."""
    if "RANK" not in os.environ:
        yield
        return
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    try:
        yield
    finally:
        dist.destroy_process_group()


def world_size() -> int:
    """Return how many processes train together."""
    return dist.get_world_size() if dist.is_initialized() else 1


def rank() -> int:
    """Return which of them this is, from 0."""
    return dist.get_rank() if dist.is_initialized() else 0


def main_process() -> bool:
    """Whether this is the process that writes files and speaks."""
    return rank() == 0


@contextmanager
def first_alone() -> Iterator[None]:
    """Let the main process go through the block before the others do."""
    if not main_process():
        dist.barrier()
    yield
    if main_process() and world_size() > 1:
        dist.barrier()


def share(batch: Tensor) -> Tensor:
    """Return this process's sequences of a batch, the same number for each."""
    return batch[rank() :: world_size()]


def spread(objective: Objective, sharing: Sharing) -> nn.Module:
    """Return the objective so that its gradients are means over all processes.

    `replicas` keeps the whole model in each (DDP), `shards` a part of it (FSDP2).
    """
    if world_size() == 1:
        return objective
    if sharing == "replicas":
        ids = [torch.cuda.current_device()] if device().type == "cuda" else None
        return DistributedDataParallel(objective, device_ids=ids)
    for block in objective.model.blocks:
        fully_shard(block)
    fully_shard(objective)
    return objective


@contextmanager
def gathering(module: nn.Module, last: bool) -> Iterator[None]:
    """Exchange gradients in the last backward pass of a step only."""
    if isinstance(module, FSDPModule):
        module.set_requires_gradient_sync(last)
    if isinstance(module, DistributedDataParallel) and not last:
        with module.no_sync():
            yield
    else:
        yield


def mean(value: Tensor) -> Tensor:
    """Return the mean of a number over all processes."""
    if world_size() > 1:
        dist.all_reduce(value)
        value /= world_size()
    return value


def agreed(value: bool) -> bool:
    """Return what the main process holds for true."""
    said = [value]
    if world_size() > 1:
        dist.broadcast_object_list(said)
    return said[0]


def whole(tensor: Tensor) -> Tensor:
    """Return a copy of a tensor on the CPU, put together from all processes if it is in shards."""
    full = tensor.full_tensor() if isinstance(tensor, DTensor) else tensor
    return full.detach().cpu().clone().contiguous()


def like(own: Tensor, full: Tensor) -> Tensor:
    """Return `full` where and as `own` lies: on its device, in shards if that is."""
    there = full.to(own.device)
    if isinstance(own, DTensor):
        return distribute_tensor(there, own.device_mesh, own.placements)
    return there
