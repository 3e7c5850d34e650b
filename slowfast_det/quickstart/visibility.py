"""How much of each figure is seen: figures are drawn once more, each in a colour of its own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ava_tools.boxes import Boxes, area, to_unit
from slowfast_det.quickstart.figures import Colour, PosedFigure
from slowfast_det.quickstart.scenes import HEIGHT, WIDTH, Figure, Scene

LEAST_SEEN = 0.15
"""Share of a figure from which on it can be found: a head, an arm and a shoulder."""
_SCALE = 2  # pixels that are counted, for each of the film


@dataclass(frozen=True)
class Seen:
    """The figures of a scene at one moment of which enough is seen.

    Attributes:
        figures: ``int64[K]`` rising numbers in `Scene.figures`.
        boxes: ``float64[K, 4]`` 0-1 of the picture, around all of the figure that is in it, behind others too.
        shares: ``float64[K]`` how much of the figure is seen, see `visible_shares`.
    """

    figures: NDArray[np.int64]
    boxes: Boxes
    shares: NDArray[np.float64]


def seen(scene: Scene, time: float, least: float = LEAST_SEEN) -> Seen:
    """The figures of which at least a share of ``least`` is seen at ``time``."""
    shares = visible_shares(scene, time)
    figures = np.flatnonzero(shares >= least)
    boxes = to_unit(scene.boxes(time)[figures], scene.width, scene.height)
    return Seen(figures, boxes, shares[figures])


def visible_shares(scene: Scene, time: float) -> NDArray[np.float64]:
    """Share of each of the scene's figures that is in the picture and behind nobody, by pixels, ``float64[F]``."""
    canvas = np.zeros((HEIGHT * _SCALE, WIDTH * _SCALE, 3), np.uint8)
    for number, draw in scene.layers(time):
        draw(canvas, _SCALE, _colour(number + 2))  # 0 is the backdrop, 1 are stools
    nearest = canvas[..., 0] + 256 * canvas[..., 1].astype(np.int64)
    pixels = np.bincount(nearest.ravel(), minlength=len(scene.figures) + 2)[2:]
    shares = np.zeros(len(scene.figures))
    for number in np.flatnonzero(pixels).tolist():
        shares[number] = min(1.0, pixels[number] / _pixels(scene.figures[number], time))
    return shares


def in_picture(scene: Scene, time: float) -> tuple[NDArray[np.int64], Boxes]:
    """The figures of whose boxes at least `LEAST_SEEN` is in the picture, behind others too, and what of them is.

    Returns:
        ``int64[K]`` rising numbers in `Scene.figures`, and ``float64[K, 4]`` boxes in pixels, cut to the picture.
    """
    whole = scene.whole_boxes(time)
    cut = np.clip(whole, 0, [scene.width, scene.height] * 2)
    figures = np.flatnonzero(area(cut) >= LEAST_SEEN * area(whole))
    return figures, cut[figures]


def _pixels(figure: Figure, time: float) -> int:
    """How many pixels it has, with nobody before it and far from every edge."""
    height = figure.body.height
    side = round(3 * height)
    canvas = np.zeros((side * _SCALE, side * _SCALE, 3), np.uint8)
    posed = PosedFigure(figure.body, figure.pose(time), (side / 2, 0.75 * side))
    posed.draw_trunk(canvas, _SCALE, _colour(1))
    posed.draw_arms(canvas, _SCALE, _colour(1))
    return int(np.count_nonzero(canvas[..., 0]))


def _colour(number: int) -> Colour:
    return number % 256, number // 256, 0
