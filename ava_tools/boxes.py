"""Boxes as numpy arrays: ``float64[K, 4]`` rows x1, y1, x2, y2.

"Unit" boxes are fractions (0-1) of the frame, as in every AVA file; "pixel" boxes are pixels of a
frame of a stated size. Nothing else is ever meant by a box in this project.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Boxes = NDArray[np.float64]
SIZES = (("small", 0.0, 0.05), ("medium", 0.05, 0.2), ("large", 0.2, float("inf")))
"""Names of box sizes, with the least and largest share of the frame."""


def to_pixels(boxes: Boxes, width: int, height: int) -> Boxes:
    """Unit boxes -> pixel boxes of a frame of ``width`` x ``height``."""
    return boxes * np.array([width, height, width, height], dtype=np.float64)


def to_unit(boxes: Boxes, width: int, height: int) -> Boxes:
    """Pixel boxes of a frame of ``width`` x ``height`` -> unit boxes."""
    return boxes / np.array([width, height, width, height], dtype=np.float64)


def area(boxes: Boxes) -> NDArray[np.float64]:
    """Area of each box, ``float64[K]``; an inverted box has none."""
    sides = np.clip(boxes[:, 2:] - boxes[:, :2], 0, None)
    return np.asarray(sides[:, 0] * sides[:, 1], dtype=np.float64)


def pairwise_iou(first: Boxes, second: Boxes) -> NDArray[np.float64]:
    """Intersection over union of every pair, ``float64[len(first), len(second)]``; 0 where both are empty."""
    top_left = np.maximum(first[:, None, :2], second[None, :, :2])
    bottom_right = np.minimum(first[:, None, 2:], second[None, :, 2:])
    sides = np.clip(bottom_right - top_left, 0, None)  # [K, L, 2]
    intersection = sides[..., 0] * sides[..., 1]
    union = area(first)[:, None] + area(second)[None, :] - intersection
    overlap = np.zeros_like(intersection)
    np.divide(intersection, union, out=overlap, where=union > 0)
    return np.asarray(overlap, dtype=np.float64)


def enlarged(boxes: Boxes, share: float) -> Boxes:
    """Boxes grown on every side by ``share`` of their own width and height."""
    margin = (boxes[:, 2:] - boxes[:, :2]) * share
    return np.concatenate([boxes[:, :2] - margin, boxes[:, 2:] + margin], axis=1)
