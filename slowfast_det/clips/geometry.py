"""Frames and boxes from the film's size to the clip's, with the arithmetic of PySlowFast's cv2 test pipeline.

The shorter side becomes ``short_side`` pixels, nothing is cropped.
"""

from __future__ import annotations

import numpy as np

from ava_tools.boxes import Boxes, to_pixels
from ava_tools.errors import InputError
from ava_tools.media.frames import Image

_NARROWEST = 16  # long side over short side


def clip_size(height: int, width: int, short_side: int) -> tuple[int, int]:
    """Height and width of the clip for a film of ``height`` x ``width``; the long side is cut to whole pixels.

    Raises:
        InputError: the film is so long and narrow that its clips would be enormous.
    """
    if max(height, width) > _NARROWEST * min(height, width):
        raise InputError(f"frames of {width} x {height} pixels are too narrow; up to {_NARROWEST}:1 is allowed")
    if min(height, width) == short_side:
        return height, width
    if height <= width:
        return short_side, int(np.floor(width / height * short_side))
    return int(np.floor(height / width * short_side)), short_side


def resize(image: Image, size: tuple[int, int]) -> Image:
    """Resize RGB ``uint8[H, W, 3]`` to (height, width), bilinear on whole grey levels; untouched where it fits."""
    import cv2

    if image.shape[:2] == size:
        return image
    return cv2.resize(image, (size[1], size[0]), interpolation=cv2.INTER_LINEAR)  # type: ignore[return-value]


def boxes_in_clip(boxes: Boxes, height: int, width: int, short_side: int) -> Boxes:
    """Unit boxes of the film's frame -> pixel boxes of the clip.

    As in PySlowFast, boxes are cut to the frame's last pixel, and both axes are scaled by the ratio of
    the long sides.
    """
    size = clip_size(height, width, short_side)
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
