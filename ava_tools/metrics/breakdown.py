"""What keeps a mean AP from being 1: errors by kind, each with its share of the gap."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ava_tools.metrics.average_precision import Floats, Ints, best_overlaps
from ava_tools.metrics.frame_map import FrameEvaluation

FALSE = ("duplicate", "badly placed box", "wrong action on a right person", "false person")
MISSED = ("missed action", "missed person")
EXCLUDED = "truth on excluded frames"  # a protocol may ask for it; nothing can find it
_NEAR = 0.1  # a box that overlaps its truth by less is about something else


@dataclass(frozen=True)
class ErrorShare:
    """One kind of error.

    Attributes:
        kind: an entry of `FALSE` or `MISSED`, or `EXCLUDED`.
        count: detections that are wrong so, or truth boxes that are missed so.
        share: what the mean AP gains when these are mended, after the kinds before it in the list.
    """

    kind: str
    count: int
    share: float


def break_down(evaluation: FrameEvaluation, threshold: float = 0.5) -> tuple[ErrorShare, ...]:
    """Put every false positive and every missed truth box under one kind of error, and mend kind after kind.

    False positives, by the first that fits, are mended by leaving them out:

    - duplicate: its truth box of the same action was found by a better-scored detection;
    - badly placed box: overlaps a truth box of its action, but by less than the threshold;
    - wrong action on a right person: fits a person of whom the truth does not say this;
    - false person: fits nobody.

    Missed truth boxes are mended by putting a detection where they are, scored above all others:

    - missed action: a detection fits the person, but none of this action;
    - missed person: no detection fits at all.

    A badly placed box is an error twice, as what it is and as the truth that it misses; its truth box counts
    as mended with it. After the last kind every action's AP is 1, so the shares sum to the gap. They depend
    on the order of the list, which goes from what a user mends most easily to what is hardest.
    """
    detections, truth = evaluation.detections, evaluation.truth
    positive = evaluation.true_positives(threshold)
    person = best_overlaps(truth.boxes, truth.frame, detections.boxes, detections.frame).iou
    own = evaluation.matches.iou
    kind_of_false = np.select([own >= threshold, own >= _NEAR, person >= threshold], [0, 1, 2], 3)
    kind_of_false[positive] = -1

    found = np.zeros(len(truth), dtype=bool)
    found[evaluation.matches.truth[positive]] = True
    misplaced = np.zeros(len(truth), dtype=bool)
    misplaced[evaluation.matches.truth[kind_of_false == 1]] = True
    fitted = best_overlaps(detections.boxes, detections.frame, truth.boxes, truth.frame).iou >= threshold
    kind_of_missed = np.where(found, -1, np.where(misplaced, 1, np.where(fitted, 4, 5)))

    columns = np.flatnonzero(~np.isnan(evaluation.ap(threshold)))
    if not len(columns):
        return ()
    kept, mended = np.ones(len(detections), dtype=bool), np.zeros(len(truth), dtype=bool)
    before = _mean_ap(evaluation, columns, positive, kept, mended)
    shares = []
    for number, kind in enumerate((*FALSE, *MISSED)):
        wrong, missed = kind_of_false == number, kind_of_missed == number
        kept &= ~wrong
        mended |= missed
        after = _mean_ap(evaluation, columns, positive, kept, mended)
        count = int(wrong.sum()) if number < len(FALSE) else int(missed.sum())
        shares.append(ErrorShare(kind, count, after - before))
        before = after
    beyond_reach = int(
        (evaluation.truth_counts - np.bincount(truth.action, minlength=len(evaluation.truth_counts))).sum()
    )
    if beyond_reach:
        shares.append(ErrorShare(EXCLUDED, beyond_reach, 1 - before))
    return tuple(shares)


def _mean_ap(
    evaluation: FrameEvaluation,
    columns: Ints,
    positive: NDArray[np.bool_],
    kept: NDArray[np.bool_],
    mended: NDArray[np.bool_],
) -> float:
    """Mean AP with some detections left out, and some truth boxes found by detections scored above all."""
    ranking = evaluation.ranking[kept[evaluation.ranking]]
    action = evaluation.detections.action
    gifts: Ints = np.bincount(evaluation.truth.action[mended], minlength=len(evaluation.truth_counts))
    ends = np.searchsorted(action[ranking], np.arange(len(gifts) + 1))
    aps = []
    for column in columns:
        hits = np.flatnonzero(positive[ranking[ends[column] : ends[column + 1]]])
        aps.append(_ap(int(gifts[column]), hits, int(evaluation.truth_counts[column])))
    return float(np.mean(aps))


def _ap(gifts: int, hits: Ints, count: int) -> float:
    """AP of a ranking that begins with ``gifts`` true positives; ``hits`` are the places of the others."""
    precision: Floats = (gifts + np.arange(1, len(hits) + 1)) / (gifts + hits + 1)
    best = np.maximum.accumulate(precision[::-1])[::-1]
    return float(gifts + best.sum()) / count
