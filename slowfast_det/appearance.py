"""What persons look like: their colours, by which they are told apart when others have passed before them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ava_tools.boxes import Boxes
from ava_tools.media.frames import Image

Looks = NDArray[np.float64]  # [K, LENGTH], each of length 1

_LEVELS = 6  # of each colour
_PARTS = ((0.15, 0.5), (0.5, 0.95))  # of the box's height: what is worn above and below
_SIDES = 0.25  # of its width, left out on either side: there is more backdrop than person
LENGTH = len(_PARTS) * _LEVELS**3


def looks_of(picture: Image, boxes: Boxes) -> Looks:
    """The colours of persons in a picture, as roots of their shares above and below the middle.

    The product of two is their Bhattacharyya coefficient: 1 where all colours are the same, 0 where none is.

    Args:
        picture: RGB ``uint8[H, W, 3]``.
        boxes: ``float64[K, 4]`` unit boxes in it.
    """
    if not len(boxes):
        return np.zeros((0, LENGTH))
    height, width = picture.shape[:2]
    levels = (picture.astype(np.uint16) * _LEVELS) >> 8
    colours = (levels[..., 0] * _LEVELS + levels[..., 1]) * _LEVELS + levels[..., 2]  # [H, W]
    looks = np.zeros((len(boxes), len(_PARTS), _LEVELS**3))
    for number, (left, top, right, bottom) in enumerate(boxes.tolist()):
        inset = _SIDES * (right - left)
        columns = _pixels(left + inset, right - inset, width)
        for part, (begin, end) in enumerate(_PARTS):
            rows = _pixels(top + begin * (bottom - top), top + end * (bottom - top), height)
            counts = np.bincount(colours[rows, columns].ravel(), minlength=_LEVELS**3)
            looks[number, part] = np.sqrt(counts / max(counts.sum(), 1))
    return np.asarray(looks.reshape(len(boxes), LENGTH) / np.sqrt(len(_PARTS)))


def _pixels(first: float, last: float, count: int) -> slice:
    """Pixels of a stretch of a side, one at least."""
    begin = min(max(int(first * count), 0), count - 1)
    return slice(begin, min(max(int(np.ceil(last * count)), begin + 1), count))
