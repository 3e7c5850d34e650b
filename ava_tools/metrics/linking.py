"""Linking the boxes of single frames into tubes: greedy and online, after Singh et al. (ICCV 2017).

All films and actions advance together, frame number by frame number: a data set takes as many steps as
its longest film has frames.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ava_tools.metrics.average_precision import NOBODY, Floats, Ints, paired_iou
from ava_tools.metrics.tubes import FilmBoxes, Tube, gather_tubes


@dataclass(frozen=True)
class Linking:
    """How boxes become tubes.

    Attributes:
        min_iou: least overlap of a tube's last box with the one that goes on from it.
        max_gap: frames in a row that a tube may miss; after more it has ended.
        nms_iou: of two boxes of one frame and action that overlap more, the worse is a duplicate.
        max_boxes: how many of a frame's boxes of one action are looked at, best first.
        min_length: tubes of fewer frames are dropped; 15 is usual for films of 25 frames a second.
    """

    min_iou: float = 0.1
    max_gap: int = 5
    nms_iou: float = 0.3
    max_boxes: int = 10
    min_length: int = 1


def link_tubes(found: FilmBoxes, linking: Linking) -> list[Tube]:
    """Link, fill the gaps that were bridged on a straight line, and drop what is too short.

    Returns:
        Tubes in the order in which they began; the score is the mean of the boxes that were found.
    """
    tubes = (tube.filled() for tube in gather_tubes(found, link(found, linking)))
    return [tube for tube in tubes if len(tube) >= linking.min_length]


def link(found: FilmBoxes, linking: Linking) -> Ints:
    """Number the tubes and give each box its number, ``int64[K]``; duplicates belong to `NOBODY`.

    On each frame the active tubes of a film and action, the best mean score first, each take the
    best-scored box that no other has taken and that overlaps their last one enough. Every box that is left
    begins a tube.
    """
    tube = np.full(len(found), NOBODY, dtype=np.int64)
    sequence = found.video * (found.action.max(initial=0) + 1) + found.action  # a film and an action
    kept = without_duplicates(found, sequence, linking)
    kept = kept[np.lexsort((-found.score[kept], sequence[kept], found.frame[kept]))]
    _, starts = np.unique(found.frame[kept], return_index=True)
    active = _Active.none()
    begun = 0
    for rows in np.split(kept, starts[1:]) if len(kept) else []:
        active = active.take(found.frame[rows[0]] - found.frame[active.last] <= linking.max_gap + 1)
        active = active.take(np.lexsort((active.number, -active.mean, sequence[active.last])))
        taker = _claim(found, sequence, active.last, rows, linking.min_iou)
        claimed = taker != NOBODY
        active.extend(taker[claimed], rows[claimed], found.score[rows[claimed]])
        new = rows[~claimed]
        tube[rows[claimed]] = active.number[taker[claimed]]
        tube[new] = begun + np.arange(len(new))
        active = active.joined(_Active(new, found.score[new], np.ones(len(new), dtype=np.int64), tube[new]))
        begun += len(new)
    return tube


def without_duplicates(found: FilmBoxes, sequence: Ints, linking: Linking) -> Ints:
    """Rows that are left after non-maximum suppression within each frame of a sequence, at most `max_boxes` each.

    All frames go through it at once: in each round the best box that a frame still has is kept, and those
    that overlap it too much leave.
    """
    rest = np.lexsort((-found.score, found.frame, sequence))
    rounds = [np.zeros(0, dtype=np.int64)]
    while len(rest) and len(rounds) <= linking.max_boxes:
        new = (np.diff(sequence[rest], prepend=-1) != 0) | (np.diff(found.frame[rest], prepend=-1) != 0)
        new[0] = True
        best = rest[new]
        rounds.append(best)
        overlap = paired_iou(found.boxes[rest], found.boxes[best[np.cumsum(new) - 1]])
        rest = rest[~new & (overlap <= linking.nms_iou)]
    return np.concatenate(rounds)


@dataclass
class _Active:
    """Tubes that may go on: ``last`` box, sum of scores, count of boxes and number of each, ``[A]``."""

    last: Ints
    total: Floats
    count: Ints
    number: Ints

    @staticmethod
    def none() -> _Active:
        empty = np.zeros(0, dtype=np.int64)
        return _Active(empty, np.zeros(0), empty, empty)

    @property
    def mean(self) -> Floats:
        return self.total / self.count

    def take(self, rows: Ints) -> _Active:
        return _Active(self.last[rows], self.total[rows], self.count[rows], self.number[rows])

    def joined(self, other: _Active) -> _Active:
        return _Active(
            np.concatenate([self.last, other.last]),
            np.concatenate([self.total, other.total]),
            np.concatenate([self.count, other.count]),
            np.concatenate([self.number, other.number]),
        )

    def extend(self, tubes: Ints, boxes: Ints, scores: Floats) -> None:
        self.last[tubes] = boxes
        self.total[tubes] += scores
        self.count[tubes] += 1


def _claim(found: FilmBoxes, sequence: Ints, last: Ints, rows: Ints, min_iou: float) -> Ints:
    """Which active tube takes each box of one frame number, ``int64[len(rows)]``; `NOBODY` where none does.

    Args:
        found: all boxes.
        sequence: ``int64[K]``.
        last: ``[A]`` last box of each tube, grouped by rising sequence, the best tube first.
        rows: boxes, grouped by rising sequence, the best-scored first.
        min_iou: least overlap.
    """
    first = np.searchsorted(sequence[rows], sequence[last])
    count = np.searchsorted(sequence[rows], sequence[last], side="right") - first
    tube = np.repeat(np.arange(len(last)), count)  # pairs [P], by sequence, then tube, then box
    box = np.arange(len(tube)) - np.repeat(np.cumsum(count) - count - first, count)
    near = paired_iou(found.boxes[last[tube]], found.boxes[rows[box]]) >= min_iou
    tube, box = tube[near], box[near]
    taker = np.full(len(rows), NOBODY, dtype=np.int64)
    free = np.ones(len(last), dtype=bool)
    while len(tube):  # the first pair of each sequence is its best tube with that one's best box
        leads = np.flatnonzero(np.diff(sequence[last[tube]], prepend=-1))
        taker[box[leads]] = tube[leads]
        free[tube[leads]] = False
        left = free[tube] & (taker[box] == NOBODY)
        tube, box = tube[left], box[left]
    return taker
