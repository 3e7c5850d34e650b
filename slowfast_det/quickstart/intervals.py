"""From when to when each figure does what, by its script."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from slowfast_det.quickstart.acts import ACTIONS
from slowfast_det.quickstart.films import RATE
from slowfast_det.quickstart.scenes import Figure, Scene
from slowfast_det.quickstart.visibility import in_picture


class Interval(NamedTuple):
    """A figure, a number in `Scene.figures`, does something from ``start`` to ``end``, seconds."""

    figure: int
    action: str
    start: float
    end: float


def scene_intervals(scene: Scene, seconds: float) -> list[Interval]:
    """What everybody does while he is in the picture, by figure and start.

    Whoever is behind somebody goes on with what he does; whoever leaves the picture does nothing till he is back.

    Args:
        scene: the figures with their scripts.
        seconds: how long it is seen, from second 0.
    """
    inside = np.zeros((round(seconds * RATE), len(scene.figures)), dtype=bool)
    for frame, row in enumerate(inside):
        row[in_picture(scene, frame / RATE)[0]] = True
    found = []
    for number, figure in enumerate(scene.figures):
        stays = list(_runs(inside[:, number]))
        for action, start, end in script_intervals(figure, seconds):
            cut = ((max(start, first), min(end, last)) for first, last in stays)
            found += [Interval(number, action, first, last) for first, last in cut if first < last]
    return sorted(found, key=lambda interval: (interval.figure, interval.start))


def script_intervals(figure: Figure, seconds: float) -> Iterator[tuple[str, float, float]]:
    """Each action of a script, start and end; acts in a row that count as the same action are one interval."""
    starts = [0.0, *(start for start, _ in figure.script[1:])]
    edges = [*(start for start in starts if start < seconds), seconds]
    for action in ACTIONS:
        does = np.array([action in figure.act(start).actions for start in edges[:-1]], dtype=bool)
        for first, last in _blocks(does):
            yield action, edges[first], edges[last]


def _runs(inside: NDArray[np.bool_]) -> Iterator[tuple[float, float]]:
    """Seconds from and to which something is so, of frames on which it is."""
    for first, last in _blocks(inside):
        yield first / RATE, last / RATE


def _blocks(flags: NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    """First place of each unbroken row of True, and the place behind it."""
    edges = np.flatnonzero(np.diff(flags, prepend=False, append=False)).tolist()
    yield from list(pairwise(edges))[::2]
