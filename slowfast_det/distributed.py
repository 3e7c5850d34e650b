"""The processes that train together: one alone, or those that torchrun has started."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import nn

from ava_tools.errors import InputError
from slowfast_det.device import resolve_device


@dataclass(frozen=True)
class World:
    """This process among all.

    Attributes:
        device: where this one computes.
        rank, size: its number, and how many there are.
        local_size: how many there are on this machine.
    """

    device: torch.device
    rank: int = 0
    size: int = 1
    local_size: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this process writes files and speaks."""
        return self.rank == 0

    def total(self, *numbers: float) -> list[float]:
        """Sums over all processes."""
        if self.size == 1:
            return [float(number) for number in numbers]
        sums = torch.tensor(numbers, dtype=torch.float64, device=self.device)
        dist.all_reduce(sums)
        return [float(number) for number in sums.tolist()]

    def gather(self, thing: Any) -> list[Any]:
        """What every process has to say, by rank."""
        if self.size == 1:
            return [thing]
        things: list[Any] = [None] * self.size
        dist.all_gather_object(things, thing)
        return things

    def share(self, count: int) -> range:
        """Which of ``count`` things in a row are this process's: even, unbroken parts, no thing twice."""
        return range(count * self.rank // self.size, count * (self.rank + 1) // self.size)

    def wait(self) -> None:
        """Go on when all processes are here."""
        if self.size > 1:
            dist.barrier()

    def wrap(self, network: nn.Module) -> nn.Module:
        """A network whose gradients are averaged over all processes."""
        return network if self.size == 1 else nn.parallel.DistributedDataParallel(network)


@contextmanager
def joined(device: str) -> Iterator[World]:
    """Join the processes that torchrun has started; without torchrun this one is alone.

    Args:
        device: ``auto``, ``cpu``, ``cuda``: the processes of a machine share out its GPUs.

    Raises:
        InputError: the device is not there, or there are more processes than GPUs.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield World(resolve_device(device))
        return
    rank, local_rank = int(os.environ["RANK"]), int(os.environ["LOCAL_RANK"])
    local_size = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    chosen = resolve_device(device)
    if chosen.type == "cuda":
        if local_size > torch.cuda.device_count():
            raise InputError(
                f"{local_size} processes on a machine with {torch.cuda.device_count()} GPUs; one a GPU is expected"
            )
        chosen = torch.device("cuda", local_rank)
        torch.cuda.set_device(chosen)
    dist.init_process_group("nccl" if chosen.type == "cuda" else "gloo")
    try:
        yield World(chosen, rank, size, local_size)
    finally:
        dist.destroy_process_group()
