"""Frames and boxes from the film's size to the clip's, with the arithmetic of the peers' cv2 test pipelines.

The shorter side becomes ``short_side`` pixels, nothing is cropped. The arithmetics differ by up to a pixel:
PySlowFast's cuts the longer side to whole pixels, scales boxes on both axes by the ratio of the longer sides
and cuts them to the frame; mmaction2's rounds, scales each axis by its own ratio and cuts nothing.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from ava_tools.boxes import Boxes, to_pixels
from ava_tools.errors import InputError
from ava_tools.media.frames import Image

Geometry = Literal["pyslowfast", "mmaction2"]
_NARROWEST = 16  # long side over short side


def clip_size(height: int, width: int, short_side: int, geometry: Geometry = "pyslowfast") -> tuple[int, int]:
    """Height and width of the clip for a film of ``height`` x ``width``.

    Raises:
        InputError: the film is so long and narrow that its clips would be enormous.
    """
    if max(height, width) > _NARROWEST * min(height, width):
        raise InputError(f"frames of {width} x {height} pixels are too narrow; up to {_NARROWEST}:1 is allowed")
    if min(height, width) == short_side:
        return height, width
    if geometry == "mmaction2":
        scale = short_side / min(height, width)
        return int(height * scale + 0.5), int(width * scale + 0.5)
    if height <= width:
        return short_side, int(np.floor(width / height * short_side))
    return int(np.floor(height / width * short_side)), short_side


def resize(image: Image, size: tuple[int, int]) -> Image:
    """Resize RGB ``uint8[H, W, 3]`` to (height, width), bilinear on whole grey levels; untouched where it fits."""
    import cv2

    if image.shape[:2] == size:
        return image
    return cv2.resize(image, (size[1], size[0]), interpolation=cv2.INTER_LINEAR)  # type: ignore[return-value]


def boxes_in_clip(boxes: Boxes, height: int, width: int, short_side: int, geometry: Geometry = "pyslowfast") -> Boxes:
    """Unit boxes of the film's frame -> pixel boxes of the clip."""
    size = clip_size(height, width, short_side, geometry)
    if geometry == "mmaction2":
        return to_pixels(boxes, size[1], size[0])
    pixels = cut_to_frame(to_pixels(boxes, width, height), height, width) * side_ratio((height, width), size)
    return cut_to_frame(pixels, *size)


def side_ratio(frame: tuple[int, int], resized: tuple[int, int]) -> float:
    """By how much boxes grow when a frame (height, width) is resized: the ratio of the long sides."""
    long = 1 if frame[0] <= frame[1] else 0
    return 1.0 if frame == resized else resized[long] / frame[long]


def cut_to_frame(boxes: Boxes, height: int, width: int) -> Boxes:
    """Pixel boxes cut to the last row and column of a frame."""
    last = np.array([width - 1, height - 1, width - 1, height - 1], dtype=np.float64)
    return np.clip(boxes, 0, last)
