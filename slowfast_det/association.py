"""Persons keep their identity from key frame to key frame, by where they are expected, their size and their colours."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from ava_tools.boxes import Boxes
from slowfast_det.appearance import LENGTH, Looks

MEMORY = 3.0
"""Seconds that a person may be out of sight and keep the identity, if nobody says otherwise."""

_Places = NDArray[np.float64]  # [K, 3]: middle, feet (from the left and top, frame heights), height (frame heights)

# How far persons are from where they are expected, in their heights: standard deviations at once, and what a second
# adds. Found on films of benchmarks/identities.py (seeds 0 and 1); what concerns colours also on a real film of two
# players at key frames 1 s apart, where a lower limit lost one of them.
_ACROSS, _ACROSS_A_SECOND = 0.10, 0.45
_DOWN, _DOWN_A_SECOND = 0.15, 0.12  # who jumps lifts the feet
_TALLER, _TALLER_A_SECOND = 0.10, 0.10  # of the logarithm of the height
_ZOOMED = 0.10  # what a second adds to that where colours tell persons apart: cameras zoom and pan
_FARTHEST = 9.0  # cost from which on it is somebody else: three deviations at once
_OTHER_COLOURS, _FARTHEST_SEEN = 20.0, 18.0  # cost of colours of which none is the same; the limit where they are known
_LIGHTS = 12.0  # the most that colours cost: lights change, and somebody who stands still stays the same
_UNKNOWN_COLOURS = 0.2  # what one of the two counts as who is hidden by others, or was not clearly seen yet
_HIDDEN = 0.3  # share of a person's middle that lies in another's box, from which on the colours may be the other's
_MIDDLE = (0.3, 0.18, 0.7, 0.9)  # left, top, right and bottom of that, of the box
_LASTING = 0.8  # share of the colours so far in those that are remembered
_RENEWAL = 0.5  # share of the latest movement in what is expected next
_LONGEST_WAY = 1.0  # seconds that a movement is expected to go on
_ESTABLISHED, _TENTATIVE = 3, 2.0  # sightings from which on a person is remembered fully; seconds for others


@dataclass
class _Known:
    """Persons who are remembered, an entry each; what a new one brings is appended."""

    places: _Places = field(default_factory=lambda: np.zeros((0, 3)))
    speeds: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 2)))  # middle and feet, heights a second
    persons: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    classes: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    seen: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    sightings: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    looks: Looks = field(default_factory=lambda: np.zeros((0, LENGTH)))  # zeros: not clearly seen yet

    def keep(self, kept: NDArray[np.bool_]) -> None:
        """Forget the others."""
        for name, values in vars(self).items():
            setattr(self, name, values[kept])

    def add(
        self, places: _Places, persons: NDArray[np.int64], classes: NDArray[np.int64], time: float, looks: Looks
    ) -> None:
        """Remember persons who are new."""
        count = len(persons)
        speeds, seen, sightings = np.zeros((count, 2)), np.full(count, time), np.ones(count, dtype=np.int64)
        fresh = (places, speeds, persons, classes, seen, sightings, looks)
        for (name, values), added in zip(list(vars(self).items()), fresh, strict=True):
            setattr(self, name, np.concatenate([values, added]))

    def update(self, rows: NDArray[np.int64], places: _Places, time: float, looks: Looks) -> None:
        """See persons again."""
        clear = _are_clear(looks)
        blended = _LASTING * self.looks[rows] + (1 - _LASTING) * looks
        blended /= np.maximum(np.linalg.norm(blended, axis=1, keepdims=True), 1e-9)
        self.looks[rows[clear]] = np.where(_are_clear(self.looks[rows])[:, None], blended, looks)[clear]
        moved = (places[:, :2] - self.places[rows, :2]) / np.maximum(time - self.seen[rows], 1e-6)[:, None]
        first = (self.sightings[rows] == 1)[:, None]
        self.speeds[rows] = np.where(first, moved, _RENEWAL * moved + (1 - _RENEWAL) * self.speeds[rows])
        self.places[rows, :2] = places[:, :2]
        self.places[rows, 2] = (self.places[rows, 2] + places[:, 2]) / 2  # arms and bent knees pass
        self.seen[rows] = time
        self.sightings[rows] += 1


class Association:
    """Gives persons of one film identities 1, 2, 3, ...

    At each key frame, persons are matched to those seen before so that the distances from where each one should be, in
    deviations, are smallest together; whoever is nobody of the class is new. Someone is expected where the way leads,
    or, if that is nearer, where he was: people stop. Colours count where nobody else is before or behind.
    """

    def __init__(self, memory: float = MEMORY, aspect: float = 16 / 9) -> None:
        """Begin a film.

        Args:
            memory: seconds that a person may be out of sight.
            aspect: the frame's width over its height.
        """
        self._memory = memory
        self._aspect = aspect
        self._known = _Known()
        self._count = 0
        self._last = 0.0

    def identify(
        self,
        boxes: Boxes,
        time: float,
        classes: NDArray[np.int64] | None = None,
        looks: Looks | None = None,
    ) -> NDArray[np.int64]:
        """Identities ``int64[K]`` of the persons of a key frame.

        Args:
            boxes: ``float64[K, 4]`` unit boxes.
            time: seconds, rising from call to call.
            classes: ``int64[K]``; persons of different ones are never the same. None: all are of one.
            looks: their colours, see `looks_of`; None: nobody has looked.
        """
        colours = np.zeros((len(boxes), LENGTH)) if looks is None else looks * ~_hidden(boxes)[:, None]
        farthest = _FARTHEST if looks is None else _FARTHEST_SEEN
        kinds = np.zeros(len(boxes), dtype=np.int64) if classes is None else classes
        known, places = self._known, self._places(boxes)
        brief = min(self._memory, max(_TENTATIVE, 1.5 * (time - self._last)))  # the key frame before counts always
        self._last = time
        allowed = np.where(known.sightings < _ESTABLISHED, brief, self._memory)
        known.keep(time - known.seen <= allowed + 1e-6)
        cost = _distances(places, known, time, _TALLER_A_SECOND + (0 if looks is None else _ZOOMED))
        if looks is not None:
            cost += np.minimum(_OTHER_COLOURS * _unlikeness(colours, known.looks), _LIGHTS)
        cost[kinds[:, None] != known.classes] = farthest
        cost = np.minimum(cost, farthest)  # no match at all: it must not buy another pair a worse one
        rows, columns = linear_sum_assignment(cost)
        same = cost[rows, columns] < farthest
        rows, columns = rows[same], columns[same]
        persons = np.zeros(len(boxes), dtype=np.int64)
        persons[rows] = known.persons[columns]
        known.update(columns, places[rows], time, colours[rows])
        new = persons == 0
        persons[new] = self._count + 1 + np.arange(new.sum())
        self._count += int(new.sum())
        known.add(places[new], persons[new], kinds[new], time, colours[new])
        return persons

    def _places(self, boxes: Boxes) -> _Places:
        middle = (boxes[:, 0] + boxes[:, 2]) / 2 * self._aspect
        return np.stack([middle, boxes[:, 3], np.maximum(boxes[:, 3] - boxes[:, 1], 1e-4)], axis=1)


def _distances(places: _Places, known: _Known, time: float, taller_a_second: float) -> NDArray[np.float64]:
    """``float64[K, M]``: how unlikely each person is each known one: minus twice a normal's log-likelihood.

    Deviations grow with the time out of sight; by their logarithms somebody seen just now comes before one who has been
    gone for long, and could be anywhere.
    """
    gone = time - known.seen  # [M]
    heights = (places[:, None, 2] + known.places[:, 2]) / 2
    across, down = _ACROSS + _ACROSS_A_SECOND * gone, _DOWN + _DOWN_A_SECOND * gone
    ahead = known.places[:, :2] + known.speeds * np.minimum(gone, _LONGEST_WAY)[:, None]
    ways = []
    for expected in (ahead, known.places[:, :2]):
        off = (places[:, None, :2] - expected) / heights[..., None]  # [K, M, 2]
        ways.append((off[..., 0] / across) ** 2 + (off[..., 1] / down) ** 2)
    taller = np.log(places[:, None, 2] / known.places[:, 2]) / (_TALLER + taller_a_second * gone)
    width = 2 * np.log(across / _ACROSS) + 2 * np.log(down / _DOWN)
    return np.asarray(np.minimum(*ways) + taller**2 + width)


def _unlikeness(colours: Looks, known: Looks) -> NDArray[np.float64]:
    """``float64[K, M]``: share of the colours that are not the same."""
    clear = _are_clear(colours)[:, None] & _are_clear(known)
    return np.where(clear, 1 - colours @ known.T, _UNKNOWN_COLOURS)


def _are_clear(looks: Looks) -> NDArray[np.bool_]:
    """``bool[K]``: whose colours are known."""
    return np.asarray(looks.any(axis=1))


def _hidden(boxes: Boxes) -> NDArray[np.bool_]:
    """``bool[K]``: whose middle lies in another's box, who may be before or behind."""
    sizes = boxes[:, 2:] - boxes[:, :2]
    middles = np.tile(boxes[:, :2], 2) + np.tile(sizes, 2) * _MIDDLE
    corners = np.maximum(middles[:, None, :2], boxes[:, :2]), np.minimum(middles[:, None, 2:], boxes[:, 2:])
    shared = np.clip(corners[1] - corners[0], 0, None).prod(axis=2)  # [K, K]
    np.fill_diagonal(shared, 0)
    areas = np.maximum((middles[:, 2:] - middles[:, :2]).prod(axis=1), 1e-12)
    return np.asarray(shared.max(axis=1, initial=0) >= _HIDDEN * areas)
