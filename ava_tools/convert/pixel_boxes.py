"""Boxes as annotations have them, in pixels, to shares of the frame."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from ava_tools.errors import InputError


def unit_box(box: Sequence[float], size: tuple[float, float], where: str) -> list[float]:
    """Pixels x1 y1 x2 y2 as shares of the frame; what reaches over its border is cut off.

    Args:
        box: the corners.
        size: width and height of the frame.
        where: file and place, for messages.

    Raises:
        InputError: the box is inverted.
    """
    if box[2] < box[0] or box[3] < box[1]:
        found = ", ".join(f"{value:g}" for value in box)
        raise InputError(f"{where} has the box {found}; left before right and top before bottom are expected")
    return [min(max(value / side, 0.0), 1.0) for value, side in zip(box, (*size, *size), strict=True)]


def around(points: Iterable[tuple[float, float]]) -> tuple[float, float, float, float]:
    """The smallest box that holds some points."""
    xs, ys = zip(*points, strict=True)
    return min(xs), min(ys), max(xs), max(ys)


def turned(box: Sequence[float], degrees: float, pivot: tuple[float, float]) -> tuple[float, float, float, float]:
    """The smallest upright box around one that is turned clockwise about a point."""
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    x, y = pivot
    corners = [(left - x, top - y) for left in (box[0], box[2]) for top in (box[1], box[3])]
    return around((x + a * cosine - b * sine, y + a * sine + b * cosine) for a, b in corners)
