"""Samples as batches: in which order, by which process, and as tensors."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from multiprocessing import get_all_start_methods, get_context, parent_process
from multiprocessing.context import BaseContext
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from slowfast_det.clips.augment import Recolouring
from slowfast_det.clips.tensors import box_tensor
from slowfast_det.distributed import World
from slowfast_det.run_config import OptimisationConfig
from slowfast_det.training.samples import Draw, Sample

S = TypeVar("S")
B = TypeVar("B")


@dataclass(frozen=True)
class ClipGroup:
    """Clips of one size, as tensors.

    Attributes:
        pixels: ``uint8 Tensor[B, T, H, W, 3]``, RGB.
        boxes: ``Tensor[K, 5]`` rows (clip index, x1, y1, x2, y2), pixels of the clip.
        targets: ``Tensor[K, N]``.
        recolourings: changes of colours, of each clip.
        names: of the clips.
    """

    pixels: Tensor
    boxes: Tensor
    targets: Tensor
    recolourings: tuple[Recolouring | None, ...]
    names: tuple[str, ...]

    def pin_memory(self) -> ClipGroup:
        """The same in memory that a GPU can read while the processor goes on."""
        return replace(
            self,
            pixels=self.pixels.pin_memory(),
            boxes=self.boxes.pin_memory(),
            targets=self.targets.pin_memory(),
        )

    def to(self, device: torch.device) -> ClipGroup:
        """The same on a device."""
        return replace(
            self,
            pixels=self.pixels.to(device, non_blocking=True),
            boxes=self.boxes.to(device, non_blocking=True),
            targets=self.targets.to(device, non_blocking=True),
        )


@dataclass(frozen=True)
class ClipBatch:
    """What a process computes at once: clips, grouped by size.

    Attributes:
        groups: clips of different sizes cannot share a tensor.
        problems: why some of the wanted samples could not be read.
    """

    groups: tuple[ClipGroup, ...]
    problems: tuple[str, ...]

    @property
    def weight(self) -> int:
        """How many persons there are in all clips."""
        return sum(len(group.boxes) for group in self.groups)

    @property
    def names(self) -> tuple[str, ...]:
        """Of all clips."""
        return tuple(name for group in self.groups for name in group.names)

    def pin_memory(self) -> ClipBatch:
        """The same in memory that a GPU can read while the processor goes on."""
        return replace(self, groups=tuple(group.pin_memory() for group in self.groups))

    def to(self, device: torch.device) -> ClipBatch:
        """The same on a device."""
        return replace(self, groups=tuple(group.to(device) for group in self.groups))


def collate(samples: Sequence[Sample]) -> ClipBatch:
    """Join samples into a batch."""
    by_size: dict[tuple[int, ...], list[Sample]] = {}
    for sample in samples:
        by_size.setdefault(sample.frames[0].shape, []).append(sample)
    return ClipBatch(
        tuple(_group(alike) for alike in by_size.values()),
        tuple(problem for sample in samples for problem in sample.problems),
    )


def _group(samples: Sequence[Sample]) -> ClipGroup:
    clips, frames = len(samples), len(samples[0].frames)
    pixels = np.stack([image for sample in samples for image in sample.frames])  # [B * T, H, W, 3]
    return ClipGroup(
        pixels=torch.from_numpy(pixels.reshape(clips, frames, *pixels.shape[1:])),
        boxes=box_tensor([sample.boxes for sample in samples], torch.device("cpu")),
        targets=torch.from_numpy(np.concatenate([sample.targets for sample in samples])),
        recolourings=tuple(sample.recolouring for sample in samples),
        names=tuple(sample.name for sample in samples),
    )


@dataclass(frozen=True)
class Plan:
    """In which order samples are seen.

    Attributes:
        samples: how many there are.
        batch: samples a step, over all processes; a rest at the end of an epoch is left out.
        epochs: passes over the samples.
        seed: decides the order.
        aspects: ``[samples]`` width over height; where they differ, batches are of one aspect.
        identity: what tells these samples from others of the same number.
        task: what is learnt from them, in words, where that could change.
    """

    samples: int
    batch: int
    epochs: int
    seed: int
    aspects: NDArray[np.float64] | None = None
    identity: str = ""
    task: str = ""

    @property
    def steps_per_epoch(self) -> int:
        """Steps of one pass."""
        return self.samples // self.batch

    @property
    def steps(self) -> int:
        """Steps of the whole training."""
        return self.epochs * self.steps_per_epoch

    def order(self, epoch: int) -> NDArray[np.int64]:
        """The samples of each step of an epoch, ``int64[steps, batch]``."""
        random = np.random.default_rng([self.seed, epoch])
        order = random.permutation(self.samples)
        if self.aspects is not None:
            order = order[np.argsort(self.aspects[order], kind="stable")]
            left_out = random.choice(self.samples, self.samples % self.batch, replace=False)
            steps = np.delete(order, left_out).reshape(-1, self.batch)
            return steps[random.permutation(len(steps))]
        return order[: self.steps_per_epoch * self.batch].reshape(-1, self.batch)

    def draws(self, first_step: int, rank: int, size: int, pieces: int) -> Iterator[list[Draw]]:
        """What a process reads from a step on to the end of the training: ``pieces`` lists a step."""
        for step in range(first_step, self.steps):
            epoch, within = divmod(step, self.steps_per_epoch)
            if step == first_step or not within:
                order = self.order(epoch)
            for part in np.array_split(order[within], size * pieces)[rank * pieces : (rank + 1) * pieces]:
                yield [Draw(epoch, int(index), step) for index in part]


@dataclass(frozen=True)
class _Reading:
    """The draws of a process, one list a batch."""

    plan: Plan
    first_step: int
    rank: int
    size: int
    pieces: int

    def __iter__(self) -> Iterator[list[Draw]]:
        return self.plan.draws(self.first_step, self.rank, self.size, self.pieces)


def load_batches(
    samples: Dataset[S],
    collate: Callable[[Sequence[S]], B],
    plan: Plan,
    world: World,
    first_step: int,
    settings: OptimisationConfig,
) -> Iterator[B]:
    """Batches of this process from a step on; ``settings.accumulate`` of them make its share of a step.

    Workers read ahead across epochs; what a batch holds does not depend on how many there are.
    """
    count = reading_workers(world) if settings.workers is None else settings.workers
    loader = DataLoader(
        samples,
        batch_sampler=_Reading(plan, first_step, world.rank, world.size, settings.accumulate),
        num_workers=count,
        multiprocessing_context=_processes() if count else None,
        collate_fn=collate,
        pin_memory=world.device.type == "cuda",
        worker_init_fn=_begin_worker,
        generator=torch.Generator(),  # the loader's own: it must not draw from the one that dropout uses
    )
    return iter(loader)


def reading_workers(world: World) -> int:
    """Processor cores of this process's share that the network leaves: few where it computes on them itself."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    share = cores // world.local_size
    return share // 8 if world.device.type == "cpu" else min(8, max(1, share - 1))


def _processes() -> BaseContext:
    """How workers are started: never as a copy of this process, whose decoders and networks have threads at work."""
    if "forkserver" not in get_all_start_methods():
        return get_context("spawn")
    context = get_context("forkserver")
    context.set_forkserver_preload(["slowfast_det.training.deaf_server", __name__])
    return context


def _begin_worker(worker: int) -> None:
    """A worker is one of many: its libraries start no threads, signals are not for it, it ends with its training."""
    import cv2

    cv2.setNumThreads(0)
    torch.set_num_threads(1)
    for number in (signal.SIGINT, signal.SIGTERM):  # torch has set a handler of its own by now
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_end_with_training, daemon=True).start()


def _end_with_training() -> None:
    training = parent_process()
    if training is not None:
        training.join()
        os._exit(1)
