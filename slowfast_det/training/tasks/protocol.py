"""What the loop needs to know of what is trained."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol, TypeVar

import torch
from torch import Tensor, nn

from slowfast_det.distributed import World
from slowfast_det.training.batches import Plan


class Batch(Protocol):
    """What a process computes at once."""

    @property
    def weight(self) -> int:
        """How many examples there are, over which the loss is averaged: persons, or images."""
        ...

    @property
    def names(self) -> tuple[str, ...]:
        """Of the clips or images, for messages."""
        ...

    @property
    def problems(self) -> tuple[str, ...]:
        """Why some of the wanted samples could not be read."""
        ...


B = TypeVar("B", bound=Batch)


class Task(Protocol[B]):
    """Something that is trained: a network, its samples, its loss, and how good it is."""

    network: nn.Module
    memory_format: torch.memory_format
    """In which half precision is fast: the numbers of a pixel side by side."""

    def plan(self) -> Plan:
        """In which order the samples are seen."""
        ...

    def batches(self, plan: Plan, world: World, first_step: int) -> Iterator[B]:
        """Batches of this process, from a step on."""
        ...

    def losses(self, network: nn.Module, batch: B) -> Tensor:
        """``Tensor[len(batch.names)]``: of each clip the sum of the losses of its examples."""
        ...

    def evaluate(self, network: nn.Module, world: World) -> dict[str, float]:
        """Measure a network on held-out samples; the first figure decides which one is the best."""
        ...

    def save(self, network: nn.Module, path: Path) -> None:
        """Write a network as a checkpoint that needs no other file."""
        ...
