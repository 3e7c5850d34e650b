"""Persons from key frame to key frame, steadied: short gaps are bridged, flicker is damped."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from ava_tools.boxes import Boxes, pairwise_iou
from ava_tools.errors import InputError
from slowfast_det.association import Association

T = TypeVar("T")
_SAME = 0.5  # IoU from which on two boxes of a key frame are one person


@dataclass(frozen=True)
class Sighting(Generic[T]):
    """The persons of a key frame.

    Attributes:
        time: seconds, rising from one to the next.
        boxes: ``float64[K, 4]``, unit boxes.
        scores: ``float64[K]`` of the person detector.
        classes: ``int64[K]`` which of the detector's classes each one is.
        of: whatever belongs to the key frame; it is handed through.
    """

    time: float
    boxes: Boxes
    scores: NDArray[np.float64]
    classes: NDArray[np.int64]
    of: T


@dataclass(frozen=True)
class Smoothing:
    """How persons are steadied over the key frames of a film.

    Attributes:
        max_gap: seconds between two sightings of a person over which its boxes are bridged: on the key frames between
            them it gets boxes on the straight line, with the lower one of the two scores.
        damping: by which share a box moves to where the sightings before and after it expect it. Who moves steadily is
            where they expect him; a box that overlaps that place less than `agreement` has moved, and stays.
        agreement: least IoU of a box and where it is expected, from which on the difference counts as flicker.
        lone_score: persons below this score are dropped where no other key frame within `max_gap` shows them, though
            there is one.
    """

    max_gap: float = 2.0
    damping: float = 0.5
    agreement: float = 0.7
    lone_score: float = 0.9

    def __post_init__(self) -> None:
        if not 0 < self.max_gap <= 60:
            raise InputError(f"max_gap is {self.max_gap:g}; seconds above 0, up to 60, are expected")
        for name in ("damping", "agreement", "lone_score"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"{name} is {getattr(self, name):g}; a number from 0 to 1 is expected")

    def over(self, sightings: Iterable[Sighting[T]]) -> Iterator[Sighting[T]]:
        """The key frames of one film, steadied; each comes when `max_gap` seconds behind it are seen."""
        window: _Window[T] = _Window(self)
        for sighting in sightings:
            window.see(sighting)
            yield from window.settled(sighting.time)
        yield from window.settled(np.inf)


@dataclass(frozen=True)
class _Seen(Generic[T]):
    """A key frame with its persons' identities."""

    sighting: Sighting[T]
    persons: NDArray[np.int64]


@dataclass(frozen=True)
class _Place:
    """Where and when a person was seen."""

    time: float
    box: NDArray[np.float64]
    score: float
    kind: int


class _Window(Generic[T]):
    """Key frames that are not settled yet, and where each person was last seen before them."""

    def __init__(self, smoothing: Smoothing) -> None:
        self._smoothing = smoothing
        self._association = Association(memory=smoothing.max_gap)
        self._open: deque[_Seen[T]] = deque()
        self._before: dict[int, _Place] = {}
        self._last = -np.inf

    def see(self, sighting: Sighting[T]) -> None:
        """Take the next key frame."""
        self._open.append(_Seen(sighting, self._association.identify(sighting.boxes, sighting.time)))

    def settled(self, now: float) -> Iterator[Sighting[T]]:
        """Key frames on which nothing that comes can have a bearing any more."""
        while self._open and now - self._open[0].sighting.time >= self._smoothing.max_gap:
            yield self._settle(self._open.popleft())

    def _settle(self, seen: _Seen[T]) -> Sighting[T]:
        own = seen.sighting
        recent = {person: place for person, place in self._before.items() if self._within(own.time - place.time)}
        after = self._after(own.time)
        places = _places(seen)
        apart = not self._within(own.time - self._last) and not self._open_within(own.time)
        kept = [
            self._damped(place, recent.get(person), after.get(person))
            for person, place in places.items()
            if apart or place.score >= self._smoothing.lone_score or person in recent or person in after
        ]
        for person in sorted(recent.keys() & after.keys() - places.keys()):
            bridge = _between(recent[person], after[person], own.time)
            if self._within(after[person].time - recent[person].time) and not _is_among(bridge, kept):
                kept.append(bridge)
        self._before, self._last = recent | places, own.time
        ordered = sorted(kept, key=lambda place: -place.score)
        return replace(
            own,
            boxes=np.array([place.box for place in ordered], dtype=np.float64).reshape(-1, 4),
            scores=np.array([place.score for place in ordered], dtype=np.float64),
            classes=np.array([place.kind for place in ordered], dtype=np.int64),
        )

    def _open_within(self, time: float) -> bool:
        return bool(self._open) and self._within(self._open[0].sighting.time - time)

    def _after(self, time: float) -> dict[int, _Place]:
        """Where each person is seen next."""
        places: dict[int, _Place] = {}
        for seen in self._open:
            if not self._within(seen.sighting.time - time):
                break
            places = _places(seen) | places
        return places

    def _within(self, seconds: float) -> bool:
        return seconds <= self._smoothing.max_gap + 1e-6

    def _damped(self, place: _Place, before: _Place | None, after: _Place | None) -> _Place:
        if before is None or after is None:
            return place
        expected = _between(before, after, place.time).box
        if pairwise_iou(place.box[None], expected[None])[0, 0] < self._smoothing.agreement:
            return place
        return replace(place, box=place.box + self._smoothing.damping * (expected - place.box))


def _places(seen: _Seen[T]) -> dict[int, _Place]:
    own = seen.sighting
    rows = zip(seen.persons.tolist(), own.boxes, own.scores.tolist(), own.classes.tolist(), strict=True)
    return {person: _Place(own.time, box, score, kind) for person, box, score, kind in rows}


def _is_among(place: _Place, others: Sequence[_Place]) -> bool:
    """Whether someone is there already: who got another identity for a moment is nobody else."""
    boxes = np.array([other.box for other in others]).reshape(-1, 4)
    return bool((pairwise_iou(place.box[None], boxes) >= _SAME).any())


def _between(before: _Place, after: _Place, time: float) -> _Place:
    """Where a person is on the straight way between two sightings."""
    share = (time - before.time) / (after.time - before.time)
    box = before.box + share * (after.box - before.box)
    return _Place(time, box, min(before.score, after.score), before.kind)
