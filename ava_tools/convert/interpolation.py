"""Boxes between those that somebody drew: on the straight way from one to the next."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

from ava_tools.errors import InputError

Box = Sequence[float]
_MOST = 3_000_000  # boxes of one file
_MOST_FRAMES = 5_000_000  # of all its films: two days


class Interpolation:
    """Counts what it makes: two boxes at the ends of a year stand for a billion."""

    def __init__(self, source: object) -> None:
        """``source``: the file, for messages."""
        self._source = source
        self._left = _MOST
        self._frames_left = _MOST_FRAMES

    def boxes(
        self, drawn: Sequence[tuple[int, Box]], lasts: Callable[[int], bool], frames: range
    ) -> Iterator[tuple[int, int, Box]]:
        """Every frame on which something is seen.

        Args:
            drawn: frames and boxes in rising order.
            lasts: whether the box of that place in ``drawn`` is seen until the next one, or the end.
            frames: of the film; only their step and end count.

        Yields:
            The place in ``drawn`` of the last box so far, the frame, the box.

        Raises:
            InputError: there are too many.
        """
        for place, ((early, start), (late, stop)) in enumerate(pairwise(drawn)):
            yield place, early, start
            if lasts(place):
                for frame in self._counted(range(early + frames.step, late, frames.step)):
                    share = (frame - early) / (late - early)
                    yield place, frame, [a + share * (b - a) for a, b in zip(start, stop, strict=True)]
        if drawn:
            last, box = drawn[-1]
            yield len(drawn) - 1, last, box
            if lasts(len(drawn) - 1):
                for frame in self._counted(range(last + frames.step, frames.stop, frames.step)):
                    yield len(drawn) - 1, frame, box

    def looked_at(self, frames: range) -> range:
        """All frames of a film, which are counted too.

        Raises:
            InputError: there are too many.
        """
        self._frames_left -= len(frames)
        if self._frames_left < 0:
            raise InputError(f"{self._source}: has films of more than {_MOST_FRAMES:,} frames; fewer are expected")
        return frames

    def _counted(self, frames: range) -> range:
        self._left -= len(frames)
        if self._left < 0:
            raise InputError(f"{self._source}: has more than {_MOST:,} boxes between those drawn; fewer are expected")
        return frames
