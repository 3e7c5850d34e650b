"""Frames on their way to a detector: checked, and those of one size together."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch

from ava_tools.errors import InputError
from ava_tools.media.frames import Image
from slowfast_det.persons.protocol import PersonBoxes

# Resized pixels that go through a network at once. Where a frame fills the cores of a processor, others with it only
# strain its caches (R50 at 750 x 1333: 1.6 s alone, 2.1 s each of eight); small ones gain by company.
_ON_CPU, _ON_GPU = 400_000, 16_000_000


def look_by_size(
    frames: Sequence[Image],
    look: Callable[[Sequence[Image]], list[PersonBoxes]],
    resized: Callable[[int, int], tuple[int, int]],
    device: torch.device,
) -> list[PersonBoxes]:
    """Let a detector look at frames of any sizes.

    Frames of one size are looked at together, as many as suit the device; none depends on the others but by
    rounding.

    Args:
        frames: see `in_colour`.
        look: finds the persons of frames of one size.
        resized: height and width that a frame's are resized to.
        device: where it computes.
    """
    shapes: dict[tuple[int, ...], list[int]] = {}
    coloured = in_colour(frames)
    for index, frame in enumerate(coloured):
        shapes.setdefault(frame.shape, []).append(index)
    answers: dict[int, PersonBoxes] = {}
    for (height, width, _), indices in shapes.items():
        size = resized(height, width)
        most = max(1, (_ON_CPU if device.type == "cpu" else _ON_GPU) // (size[0] * size[1]))
        for start in range(0, len(indices), most):
            chunk = indices[start : start + most]
            answers |= dict(zip(chunk, look([coloured[index] for index in chunk]), strict=True))
    return [answers[index] for index in range(len(frames))]


def in_colour(frames: Sequence[Image]) -> list[Image]:
    """Frames as ``uint8[H, W, 3]``, see `_as_colour`.

    Raises:
        InputError: one is something else, or is given by itself.
    """
    if getattr(frames, "ndim", 4) < 4:  # an array's rows would be taken for frames
        raise InputError("a frame is given by itself; a list of frames is expected")
    return [_as_colour(frame) for frame in frames]


def _as_colour(frame: Image) -> Image:
    """A frame as ``uint8[H, W, 3]``; a grey one, ``[H, W]`` or ``[H, W, 1]``, is seen as three equal channels.

    Raises:
        InputError: it is something else.
    """
    array = np.asarray(frame)
    grey = array.ndim == 2 or (array.ndim == 3 and array.shape[2] == 1)
    if array.dtype != np.uint8 or not (grey or (array.ndim == 3 and array.shape[2] == 3)) or not array.size:
        raise InputError(
            f"a frame is {array.dtype} of shape {list(array.shape)}; RGB of whole numbers is expected: uint8[H, W, 3]"
        )
    return np.broadcast_to(array.reshape(*array.shape[:2], 1), (*array.shape[:2], 3)) if grey else array
