"""What decides how a data set is best trained on: its size, its actions, this machine, the weights that are here."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch

from ava_tools.errors import InputError
from ava_tools.labels import Labels
from ava_tools.manifest import DataSet
from slowfast_det.checkpoints.zoo import PublishedModel, published_models, stored_path
from slowfast_det.distributed import World
from slowfast_det.persons.torchvision_networks import DETECTORS, URLS
from slowfast_det.precision import has_bf16
from slowfast_det.recipe import PersonsConfig
from slowfast_det.training.batches import reading_workers
from slowfast_det.training.key_frames import read_key_frames
from slowfast_det.weights.hub import cached_path

TRAIN = "train"
_TESTS = ("val", "test", "validation")  # names of the split that is held back, the first one that is there


@dataclass(frozen=True)
class Facts:
    """What is known before anything is decided.

    Attributes:
        key_frames, persons, films: how many there are to train on.
        labels: the actions.
        examples: of each action, by its name.
        short_side: of the usual film, pixels.
        frame_bytes: of a decoded frame of the usual film.
        test_split: the part that is held back; None: there is none.
        device: where it will be trained.
        weights: the best published action detector whose weights are on this machine.
        detectors: torchvision's person detectors whose weights are on this machine, the best first.
        memory: bytes that this machine has; 0: not known.
        has_bf16: whether the processor multiplies bf16 numbers itself.
        readers: processes on this machine that read films, each for itself.
        notes: what was left out of the data.
    """

    key_frames: int
    persons: int
    films: int
    labels: Labels
    examples: Mapping[str, int]
    short_side: int
    frame_bytes: int
    test_split: str | None
    device: torch.device
    weights: PublishedModel | None
    detectors: tuple[str, ...]
    memory: int
    has_bf16: bool
    readers: int
    notes: tuple[str, ...]


def read_facts(data_set: DataSet, world: World) -> Facts:
    """Look at a data set and at this machine.

    Raises:
        InputError: there is nothing to train on.
    """
    if TRAIN not in data_set.splits:
        raise InputError(f"the data set has no split {TRAIN!r}; it has {', '.join(data_set.splits)}")
    labels = data_set.read_labels()
    frames = read_key_frames(data_set, TRAIN, labels, PersonsConfig())
    sizes = [(film.height, film.width) for film in frames.films]
    return Facts(
        key_frames=len(frames),
        persons=len(frames.boxes),
        films=len(frames.films),
        labels=labels,
        examples=dict(zip(labels.names, frames.targets.sum(axis=0).tolist(), strict=True)),
        short_side=int(np.median([min(size) for size in sizes])),
        frame_bytes=int(np.median([3 * height * width for height, width in sizes])),
        test_split=next((name for name in _TESTS if name in data_set.splits), None),
        device=world.device,
        weights=best_weights(),
        detectors=tuple(name for name in DETECTORS if cached_path(URLS[name]).is_file()),
        memory=_memory(),
        has_bf16=has_bf16(),
        readers=world.local_size * max(1, reading_workers(world)),
        notes=frames.notes,
    )


def best_weights() -> PublishedModel | None:
    """The published action detector on this machine with the highest mAP; None: there is none."""
    detectors = [model for model in published_models() if model.config is not None and model.task == "detection"]
    return max((m for m in detectors if stored_path(m).is_file()), key=lambda model: model.mean_ap or 0.0, default=None)


def _memory() -> int:
    if not hasattr(os, "sysconf"):  # Windows
        return 0
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
