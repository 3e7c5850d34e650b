"""A scene: figures that act by a script before a backdrop, seen by a camera that sways a little."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from ava_tools.boxes import Boxes
from ava_tools.media.frames import Image
from slowfast_det.quickstart.acts import Act
from slowfast_det.quickstart.backdrops import Backdrop
from slowfast_det.quickstart.figures import Body, Colour, Pose, PosedFigure

WIDTH, HEIGHT = 176, 128
"""Pixels of a film."""
_OVERSAMPLING = 2  # scenes are drawn larger and shrunk: limbs of a few pixels look smooth
_TURNING = 0.3  # seconds in which a figure goes over from one act to the next


@dataclass(frozen=True)
class Figure:
    """A body with a script.

    Attributes:
        script: second at which an act begins, and the act; the first one also holds before.
        place: pixels of the film where the figure stands at second ``placed_at``.
        stool: offset of a stool in body heights, its width and its colour; None: there is none.
    """

    body: Body
    script: tuple[tuple[float, Act], ...]
    place: tuple[float, float]
    placed_at: float = 0.0
    stool: tuple[float, float, Colour] | None = None

    def act(self, time: float) -> Act:
        """What it does at a moment."""
        return self.script[self._entry(time)][1]

    def _entry(self, time: float) -> int:
        return max(0, sum(start <= time for start, _ in self.script) - 1)

    def pose(self, time: float) -> Pose:
        """How it is held; around a change of acts between both."""
        entry = self._entry(time)
        pose = self.script[entry][1].pose(time)
        for other, edge in ((entry - 1, self.script[entry][0]), (entry + 1, self._end(entry))):
            share = 0.5 - abs(time - edge) / _TURNING
            if 0 <= other < len(self.script) and share > 0:
                pose = pose.blended(self.script[other][1].pose(time), share)
        return pose

    def _end(self, entry: int) -> float:
        return self.script[entry + 1][0] if entry + 1 < len(self.script) else float("inf")

    def walked(self, time: float) -> float:
        """Pixels that it has come to the right since ``placed_at``."""
        return self._travel(time) - self._travel(self.placed_at)

    def _travel(self, time: float) -> float:
        distance = 0.0
        for entry, (start, act) in enumerate(self.script):
            start = start if entry else min(start, 0.0, time)
            distance += act.speed * max(0.0, min(time, self._end(entry)) - start)
        return distance * self.body.height

    def posed(self, time: float, offset: tuple[float, float] = (0.0, 0.0)) -> PosedFigure:
        """The figure at a moment, moved by the camera's offset."""
        place = self.place[0] + self.walked(time) + offset[0], self.place[1] + offset[1]
        return PosedFigure(self.body, self.pose(time), place)


Group = tuple[Figure, ...]
"""Figures that have to do with each other: one alone, or two who push or embrace."""
Draw = Callable[[Image, float, Colour | None], None]
"""Draws on an image of so many pixels for each of the film; with a colour, everything in this one, with hard edges."""
STOOL = -1
"""Stands for the number of a figure."""


class Scene:
    """Groups of figures before a backdrop."""

    def __init__(
        self, random: np.random.Generator, groups: Sequence[Group], seconds: float = 2.0, enlargement: int = 1
    ) -> None:
        """Prepare the drawing.

        Args:
            random: decides the backdrop.
            groups: figures; those whose feet are lower in the picture are in front.
            seconds: how long the scene can be seen.
            enlargement: the pictures are this many times as wide and high as a film's usual ones.
        """
        self.groups = tuple(sorted(groups, key=lambda group: group[0].place[1]))
        self.figures = tuple(figure for group in self.groups for figure in group)
        self.width, self.height = WIDTH * enlargement, HEIGHT * enlargement
        self._enlargement = enlargement
        self._backdrop = Backdrop(random, (WIDTH, HEIGHT), _OVERSAMPLING * enlargement, seconds)

    def frame(self, time: float) -> tuple[Image, Boxes]:
        """The picture at ``time``, and the box of each of `figures` in it, pixels, cut to the picture."""
        return self.picture(time), self.boxes(time)

    def picture(self, time: float) -> Image:
        """RGB ``uint8[height, width, 3]`` at ``time``."""
        import cv2

        canvas = self._backdrop.draw(time)
        for _, draw in self.layers(time):
            draw(canvas, _OVERSAMPLING * self._enlargement, None)
        return cv2.resize(canvas, (self.width, self.height), interpolation=cv2.INTER_AREA)  # type: ignore[return-value]

    def layers(self, time: float) -> Iterator[tuple[int, Draw]]:
        """What is drawn at ``time``, from the back to the front: whose it is, a number of `figures`, and how.

        A stool is nobody's: `STOOL`.
        """
        across, down = self._backdrop.offset(time)
        first = 0
        for group in self.groups:
            posed = [figure.posed(time, (across, down)) for figure in group]
            for figure in group:
                place = figure.place[0] + across, figure.place[1] + down
                yield STOOL, partial(_draw_stool, figure, place)
            for number, one in enumerate(posed, first):
                yield number, one.draw_trunk
            for number, one in enumerate(posed, first):
                yield number, one.draw_arms
            first += len(group)

    def boxes(self, time: float) -> Boxes:
        """The box of each of `figures` at ``time``, pixels, cut to the picture."""
        return np.asarray(np.clip(self.whole_boxes(time), 0, [self.width, self.height] * 2))

    def whole_boxes(self, time: float) -> Boxes:
        """The same, with what is outside the picture."""
        offset = self._backdrop.offset(time)
        boxes = np.array([figure.posed(time, offset).box() for figure in self.figures]).reshape(-1, 4)
        return np.asarray(boxes * self._enlargement)

    def actions(self, time: float) -> list[tuple[str, ...]]:
        """What each of `figures` does at ``time``."""
        return [figure.act(time).actions for figure in self.figures]


def _draw_stool(
    figure: Figure, place: tuple[float, float], canvas: Image, scale: float, flat: Colour | None = None
) -> None:
    import cv2

    if figure.stool is None:
        return
    offset, width, colour = figure.stool
    size = figure.body.height * scale
    left, bottom = (place[0] * scale + (offset - width / 2) * size), place[1] * scale
    corners = (round(left), round(bottom - 0.235 * size)), (round(left + width * size), round(bottom))
    cv2.rectangle(canvas, *corners, colour if flat is None else flat, -1)
