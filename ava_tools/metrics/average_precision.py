"""Matching detections with truth, and average precision, for all frames and actions at once.

Everything is a flat array over boxes. A frame is an integer code, an action the index of its column.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ava_tools.boxes import Boxes, area

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
NOBODY = -1


@dataclass(frozen=True)
class LabelledBoxes:
    """Boxes that each carry one action.

    Attributes:
        frame: ``int64[K]`` key frame of each.
        action: ``int64[K]`` column of its action, 0 to N - 1.
        boxes: ``float64[K, 4]`` xyxy, any unit, the same for truth and detections.
        score: ``float64[K]``; of truth it means nothing.
    """

    frame: Ints
    action: Ints
    boxes: Boxes
    score: Floats

    def __len__(self) -> int:
        return len(self.frame)

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> LabelledBoxes:
        """Some of them, by row numbers or by mask."""
        return LabelledBoxes(self.frame[rows], self.action[rows], self.boxes[rows], self.score[rows])


@dataclass(frozen=True)
class Matches:
    """For each detection the truth box that it overlaps most.

    Attributes:
        truth: ``int64[K]`` row of that truth box, the first of equals; `NOBODY` where there is none.
        iou: ``float64[K]`` the overlap; 0 where there is none.
    """

    truth: Ints
    iou: Floats


def best_overlaps(truth_boxes: Boxes, truth_group: Ints, boxes: Boxes, group: Ints) -> Matches:
    """Find for each box the truth box of the same group that it overlaps most.

    Args:
        truth_boxes: ``[G, 4]``.
        truth_group: ``[G]``; a group is a frame, or a frame and an action.
        boxes: ``[K, 4]``.
        group: ``[K]``.
    """
    matches = Matches(np.full(len(boxes), NOBODY, dtype=np.int64), np.zeros(len(boxes)))
    if not len(boxes) or not len(truth_boxes):
        return matches
    by_group = np.argsort(truth_group, kind="stable")
    groups, starts, counts = np.unique(truth_group[by_group], return_index=True, return_counts=True)
    place = np.minimum(np.searchsorted(groups, group), len(groups) - 1)
    rows = np.flatnonzero(groups[place] == group)  # detections with any truth in their group
    if not len(rows):
        return matches
    count = counts[place[rows]]
    first = np.concatenate([[0], np.cumsum(count)[:-1]])  # where each detection's pairs begin
    within = np.arange(count.sum()) - np.repeat(first, count)
    truth = by_group[np.repeat(starts[place[rows]], count) + within]  # pairs [P]
    iou = paired_iou(boxes[np.repeat(rows, count)], truth_boxes[truth])
    best = np.maximum.reduceat(iou, first)
    is_best = iou == np.repeat(best, count)
    winner = np.minimum.reduceat(np.where(is_best, np.arange(len(iou)), len(iou)), first)
    overlapping = best > 0
    matches.iou[rows] = best
    matches.truth[rows[overlapping]] = truth[winner[overlapping]]
    return matches


def paired_iou(first: Boxes, second: Boxes) -> Floats:
    """Intersection over union of each pair of rows, ``float64[K]``."""
    sides = np.minimum(first[:, 2:], second[:, 2:]) - np.maximum(first[:, :2], second[:, :2])
    np.clip(sides, 0, None, out=sides)
    intersection = sides[:, 0] * sides[:, 1]
    union = area(first) + area(second) - intersection
    iou = np.zeros(len(first))
    np.divide(intersection, union, out=iou, where=union > 0)
    return iou


def true_positives(matches: Matches, order: Ints, threshold: float) -> NDArray[np.bool_]:
    """Which detections count: the first one, in ``order``, of those whose best truth box is the same.

    A detection goes to its best truth box alone; if that is taken it is a false positive, even where it
    overlaps another one well enough (VOC's rule).

    Args:
        matches: of every detection, with truth of its own frame and action.
        order: ``int64[K]`` rows in the order in which they are matched.
        threshold: least overlap.
    """
    candidates = order[matches.iou[order] >= threshold]
    candidates = candidates[matches.truth[candidates] != NOBODY]
    _, first = np.unique(matches.truth[candidates], return_index=True)
    positive = np.zeros(len(matches.truth), dtype=bool)
    positive[candidates[first]] = True
    return positive


def falling(score: Floats, shuffle: np.random.Generator | None = None) -> Ints:
    """Rows by falling score; equal scores keep their order, or come in a random one."""
    if shuffle is None:
        return np.argsort(-score, kind="stable")
    mixed = shuffle.permutation(len(score))
    return mixed[np.argsort(-score[mixed], kind="stable")]


def grouped(rows: Ints, group: Ints) -> Ints:
    """The rows grouped by ``group[row]``, within each group in the order given."""
    keys = group[rows]
    small = keys.astype(np.int16) if len(keys) and keys.max() < 2**15 else keys  # numpy sorts those by radix
    return rows[np.argsort(small, kind="stable")]


def average_precisions(positive: NDArray[np.bool_], action: Ints, ranking: Ints, truth_counts: Ints) -> Floats:
    """Average precision of each action: the area under its monotone precision-recall curve.

    Args:
        positive: ``bool[K]`` which detections are true positives.
        action: ``int64[K]``.
        ranking: rows grouped by action, within each by falling score.
        truth_counts: ``int64[N]`` truth boxes of each action.

    Returns:
        ``float64[N]``; NaN for an action without truth, 0 for one with truth and no true positive.
    """
    ends = np.searchsorted(action[ranking], np.arange(len(truth_counts) + 1))
    result = np.full(len(truth_counts), np.nan)
    for column, count in enumerate(truth_counts):
        if count:
            hits = np.flatnonzero(positive[ranking[ends[column] : ends[column + 1]]])
            result[column] = envelope(np.arange(1, len(hits) + 1) / (hits + 1)).sum() / count
    return result


def envelope(precision: Floats) -> Floats:
    """The least falling curve that is nowhere below: at each point the best precision from there on."""
    return np.asarray(np.maximum.accumulate(precision[::-1])[::-1], dtype=np.float64)
