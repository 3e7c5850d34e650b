"""Which of a film's timestamps to believe."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from av.video.frame import VideoFrame


_STUMBLE = Fraction(1, 5)  # seconds; a step back by less is an error of one timestamp, not a new recording


class Clock:
    """Gives every picture, in display order, a time later than the one before.

    A film's presentation timestamps are used if they rise over its first pictures, else its decoding
    timestamps (AVI stores nothing better), else the nominal rate counts (raw streams have none at all).
    Where recordings were joined timestamps jump back: the clock goes on from the end of the picture before.
    A timestamp that stands still or stumbles is placed just behind the one before, and counts no further.
    """

    def __init__(self, first: Sequence[VideoFrame], rate: Fraction) -> None:
        """Choose the clock from the film's first pictures; ``rate`` is its nominal frames a second."""
        self.jumped = False
        self.source: Literal["pts", "dts"] | None = None
        for source in ("pts", "dts"):
            stamps = [getattr(picture, source) for picture in first]
            if None not in stamps and all(early < late for early, late in pairwise(stamps)):
                self.source = source
                break
        self._step = 1 / rate
        self._shift = Fraction(0)
        self._last: Fraction | None = None
        self._next = Fraction(0)

    @property
    def end(self) -> Fraction:
        """When the last picture ends."""
        return self._next

    def time(self, picture: VideoFrame) -> Fraction:
        """Seconds on the film's own clock; call it once for each picture, in display order."""
        base = picture.time_base
        stamp = getattr(picture, self.source) if self.source and base else None
        time = stamp * base + self._shift if stamp is not None and base else self._next
        if self._last is not None and time <= self._last:
            if self._last - time < _STUMBLE:
                time = self._last + (self._next - self._last) / 2
            else:
                self._shift += self._next - time
                self.jumped = True
                time = self._next
        length = picture.duration * base if picture.duration and base else self._step
        self._last, self._next = time, time + length
        return time
