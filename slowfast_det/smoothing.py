"""Persons from key frame to key frame, steadied: short gaps are bridged, flicker is damped."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Generic, NamedTuple, TypeVar

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
    """How persons are steadied over the key frames of a film, each class for itself.

    Attributes:
        max_missing: key frames in a row without a person over which it is bridged: on those between two sightings it
            gets boxes on the straight line, with the lower one of the two scores.
        max_gap: seconds between the two sightings at most, however few key frames lie between them.
        damping: by which share a box moves to where the sightings before and after it expect it. Who moves steadily is
            where they expect him; a box that overlaps that place less than `agreement` has moved, and stays.
        agreement: least IoU of a box and where it is expected, from which on the difference counts as flicker. (On the
            quickstart's films, 5 key frames a second, 0.9 gains 0.002 of AP; 0.7 loses 0.02: limbs really move.)
        lone_score: persons below this score are dropped where none of the key frames so near shows them: those to which
            no more than `max_missing` key frames and `max_gap` seconds lead.
        lone_gap: seconds to the key frame before and to the one behind at most, for somebody to be dropped; both have
            to be there. Where key frames are sparse, a person who is seen once is no exception.
    """

    max_missing: int = 2
    max_gap: float = 2.0
    damping: float = 0.5
    agreement: float = 0.9
    lone_score: float = 0.9
    lone_gap: float = 0.5

    def __post_init__(self) -> None:
        if not 0 <= self.max_missing <= 1000:
            raise InputError(f"max_missing is {self.max_missing}; key frames from 0 to 1000 are expected")
        if not 0 < self.max_gap <= 60:
            raise InputError(f"max_gap is {self.max_gap:g}; seconds above 0, up to 60, are expected")
        if not 0 <= self.lone_gap <= 60:
            raise InputError(f"lone_gap is {self.lone_gap:g}; seconds from 0 to 60 are expected")
        for name in ("damping", "agreement", "lone_score"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"{name} is {getattr(self, name):g}; a number from 0 to 1 is expected")

    def over(self, sightings: Iterable[Sighting[T]], aspect: float = 16 / 9) -> Iterator[Sighting[T]]:
        """The key frames of one film, steadied; each comes when those behind it that are near enough are seen.

        ``aspect`` is the frame's width over its height.
        """
        window: _Window[T] = _Window(self, aspect)
        for sighting in sightings:
            yield from window.see(sighting)
        yield from window.rest()


class _When(NamedTuple):
    """A key frame's number and time."""

    number: int
    time: float


@dataclass(frozen=True)
class _Seen(Generic[T]):
    """A key frame with its persons' identities."""

    when: _When
    sighting: Sighting[T]
    persons: NDArray[np.int64]


@dataclass(frozen=True)
class _Place:
    """Where and when a person was seen."""

    when: _When
    box: NDArray[np.float64]
    score: float
    kind: int


class _Window(Generic[T]):
    """Key frames that are not settled yet, and where each person was last seen before them."""

    def __init__(self, smoothing: Smoothing, aspect: float) -> None:
        self._smoothing = smoothing
        self._association = Association(smoothing.max_gap, aspect)
        self._open: deque[_Seen[T]] = deque()
        self._before: dict[int, _Place] = {}
        self._last: _When | None = None
        self._count = 0

    def see(self, sighting: Sighting[T]) -> Iterator[Sighting[T]]:
        """Take the next key frame; gives those on which nothing that comes can have a bearing any more."""
        when = _When(self._count, sighting.time)
        self._count += 1
        persons = self._association.identify(sighting.boxes, sighting.time, sighting.classes)
        self._open.append(_Seen(when, sighting, persons))
        following = _When(self._count, sighting.time)  # the next one, as early as it can be
        while not self._are_near(self._open[0].when, following):
            yield self._settle(self._open.popleft())

    def rest(self) -> Iterator[Sighting[T]]:
        """The key frames that are left when no other comes."""
        while self._open:
            yield self._settle(self._open.popleft())

    def _are_near(self, early: _When, late: _When) -> bool:
        allowed = self._smoothing
        missing, gap = late.number - early.number - 1, late.time - early.time
        return missing <= allowed.max_missing and gap <= allowed.max_gap + 1e-6

    def _settle(self, seen: _Seen[T]) -> Sighting[T]:
        """A key frame as those before and behind it make it."""
        when, places = seen.when, _places(seen)
        recent = {person: place for person, place in self._before.items() if self._are_near(place.when, when)}
        after = self._after(when)
        dense = self._is_amid(when)
        kept = [
            self._damped(place, recent.get(person), after.get(person))
            for person, place in places.items()
            if not dense or place.score >= self._smoothing.lone_score or person in recent or person in after
        ]
        for person in sorted(recent.keys() & after.keys() - places.keys()):
            bridge = _between(recent[person], after[person], when)
            if self._are_near(recent[person].when, after[person].when) and not _is_among(bridge, kept):
                kept.append(bridge)
        self._before, self._last = recent | places, when
        return _with_places(seen.sighting, sorted(kept, key=lambda place: -place.score))

    def _is_amid(self, when: _When) -> bool:
        """Whether the key frames before and behind are so near that a person should be on one of them."""
        if self._last is None or not self._open:
            return False
        longest = min(self._smoothing.lone_gap, self._smoothing.max_gap) + 1e-6
        return when.time - self._last.time <= longest and self._open[0].when.time - when.time <= longest

    def _after(self, when: _When) -> dict[int, _Place]:
        """Where each person is seen next."""
        places: dict[int, _Place] = {}
        for seen in self._open:
            if not self._are_near(when, seen.when):
                break
            places = _places(seen) | places
        return places

    def _damped(self, place: _Place, before: _Place | None, after: _Place | None) -> _Place:
        if before is None or after is None:
            return place
        expected = _between(before, after, place.when).box
        if pairwise_iou(place.box[None], expected[None])[0, 0] < self._smoothing.agreement:
            return place
        return replace(place, box=place.box + self._smoothing.damping * (expected - place.box))


def _places(seen: _Seen[T]) -> dict[int, _Place]:
    own = seen.sighting
    rows = zip(seen.persons.tolist(), own.boxes, own.scores.tolist(), own.classes.tolist(), strict=True)
    return {person: _Place(seen.when, box, score, kind) for person, box, score, kind in rows}


def _with_places(sighting: Sighting[T], places: Sequence[_Place]) -> Sighting[T]:
    return replace(
        sighting,
        boxes=np.array([place.box for place in places], dtype=np.float64).reshape(-1, 4),
        scores=np.array([place.score for place in places], dtype=np.float64),
        classes=np.array([place.kind for place in places], dtype=np.int64),
    )


def _is_among(place: _Place, others: Sequence[_Place]) -> bool:
    """Whether someone of the class is there already: who got another identity for a moment is nobody else."""
    boxes = np.array([other.box for other in others if other.kind == place.kind]).reshape(-1, 4)
    return bool((pairwise_iou(place.box[None], boxes) >= _SAME).any())


def _between(before: _Place, after: _Place, when: _When) -> _Place:
    """Where a person is on the straight way between two sightings."""
    share = (when.time - before.when.time) / (after.when.time - before.when.time)
    box = before.box + share * (after.box - before.box)
    return _Place(when, box, min(before.score, after.score), before.kind)
