"""Which moments of a film are looked at."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

from ava_tools.errors import InputError

_LEAST_SPACING = 0.001  # seconds; the time line itself has a frame each 0.033


@dataclass(frozen=True)
class Span:
    """Which moments of a film are looked at, in seconds from its start.

    Attributes:
        every: distance of key frames, where persons are detected.
        start, end: both included; None: to the end of the film.
        time_origin: timestamp of the film's start in the files of boxes and results: 900 for AVA's films.
        at: rising moments that are looked at, if not every so many seconds.
    """

    every: float = 1.0
    start: float = 0.0
    end: float | None = None
    time_origin: float = 0.0
    at: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        for name, value in (("every", self.every), ("start", self.start), ("time_origin", self.time_origin)):
            if not math.isfinite(value):
                raise InputError(f"{name} is {value}; a number of seconds is expected")
        if self.every < _LEAST_SPACING:
            raise InputError(f"every is {self.every:g}; {_LEAST_SPACING:g} seconds or more are expected")
        if self.start < 0:
            raise InputError(f"start is {self.start:g}; seconds from the start of the film, 0 or more, are expected")
        if self.end is not None and not self.end >= self.start:
            raise InputError(f"end is {self.end:g}, before start at {self.start:g}")

    def __contains__(self, time: float) -> bool:
        return self.start <= time and (self.end is None or time <= self.end)

    def moments(self) -> Iterator[float]:
        """start, start + every, ..., endless without an end; or those of ``at`` that lie between."""
        if self.at is not None:
            yield from (time for time in self.at if time in self)
            return
        for number in count():
            time = round(self.start + number * self.every, 9)
            if time not in self:
                return
            yield time
