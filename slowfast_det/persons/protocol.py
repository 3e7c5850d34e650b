"""What every person detector answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
import torch
from numpy.typing import NDArray

from ava_tools.boxes import Boxes
from ava_tools.media.frames import Image


@dataclass(frozen=True)
class PersonBoxes:
    """Persons of one frame.

    Attributes:
        boxes: ``float64[K, 4]`` xyxy, pixels of the frame.
        scores: ``float64[K]``, falling.
        classes: ``int64[K]``, which of the detector's `classes` each one is; None: all are the first.
    """

    boxes: Boxes
    scores: NDArray[np.float64]
    classes: NDArray[np.int64] | None = None

    @property
    def kinds(self) -> NDArray[np.int64]:
        """The classes, the first one where none are told: ``int64[K]``."""
        return np.zeros(len(self.boxes), np.int64) if self.classes is None else self.classes


class PersonDetector(Protocol):
    """Finds persons in frames."""

    def __call__(self, frames: Sequence[Image]) -> list[PersonBoxes]:
        """RGB ``uint8[H, W, 3]`` frames of any size -> one answer a frame."""
        ...


class MovablePersonDetector(PersonDetector, Protocol):
    """A person detector whose network can be put on another device."""

    @property
    def classes(self) -> tuple[str, ...]:
        """What it finds: persons, or other actors."""
        ...

    def to(self, device: torch.device | str) -> Self:
        """The detector on another device."""
        ...
