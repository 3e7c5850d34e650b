"""Frame mAP under a protocol: which boxes count, how they match, what each action's precision is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ava_tools.boxes import area
from ava_tools.metrics.average_precision import (
    Floats,
    Ints,
    LabelledBoxes,
    Matches,
    average_precisions,
    best_overlaps,
    falling,
    grouped,
    true_positives,
)
from ava_tools.metrics.protocols import Protocol


@dataclass(frozen=True)
class FrameEvaluation:
    """Truth and detections that count, matched.

    Attributes:
        truth: the boxes to be found.
        detections: those that count, in the order in which frames first appear and rows stand.
        truth_counts: ``int64[N]`` truth boxes of each action.
        detection_counts: ``int64[N]`` detections of each action.
        matches: of each detection with truth of its frame and action.
        matching_order: rows of the detections in the order in which they take truth boxes.
        ranking: rows grouped by action, within each by falling score.
        silent_actions: whether an action without detections counts as 0, else it has no AP.
        over_cap: detections on counted frames that the protocol's cap left out.
        without_area: detections that were left out because their boxes are empty.
    """

    truth: LabelledBoxes
    detections: LabelledBoxes
    truth_counts: Ints
    detection_counts: Ints
    matches: Matches
    matching_order: Ints
    ranking: Ints
    silent_actions: bool
    over_cap: int
    without_area: int

    def true_positives(self, threshold: float = 0.5) -> NDArray[np.bool_]:
        """``bool[K]``: the detections that found a truth box."""
        return true_positives(self.matches, self.matching_order, threshold)

    def ap(self, threshold: float = 0.5) -> Floats:
        """``float64[N]`` average precision of each action; NaN where it has none."""
        positive = self.true_positives(threshold)
        result = average_precisions(positive, self.detections.action, self.ranking, self.truth_counts)
        if not self.silent_actions:
            result[self.detection_counts == 0] = np.nan
        return result


def size_ap(evaluation: FrameEvaluation, least: float, most: float, threshold: float = 0.5) -> Floats:
    """Average precision of each action on boxes of some sizes alone.

    COCO's way: truth of other sizes is not asked for, and detections that found it, or that are of another
    size themselves and found nothing, do not count at all.

    Args:
        evaluation: what was matched.
        least: area of the smallest box, in units of the boxes; included.
        most: area of the largest; excluded.
        threshold: least overlap.

    Returns:
        ``float64[N]``; NaN where there is no truth of the size.
    """
    of_size = _within(area(evaluation.truth.boxes), least, most)
    positive = evaluation.true_positives(threshold)
    counts = np.where(positive, False, _within(area(evaluation.detections.boxes), least, most))
    counts[positive] = of_size[evaluation.matches.truth[positive]]
    ranking = evaluation.ranking[counts[evaluation.ranking]]
    truth_counts = np.bincount(evaluation.truth.action[of_size], minlength=len(evaluation.truth_counts))
    return average_precisions(positive, evaluation.detections.action, ranking, truth_counts)


def _within(values: Floats, least: float, most: float) -> NDArray[np.bool_]:
    return np.asarray((values >= least) & (values < most))


def evaluate_frames(
    truth: LabelledBoxes,
    detections: LabelledBoxes,
    num_actions: int,
    protocol: Protocol,
    *,
    named_frames: Ints,
    excluded_frames: Ints,
    shuffle: np.random.Generator | None = None,
) -> FrameEvaluation:
    """Apply a protocol and match.

    Args:
        truth: boxes with scored actions, columns 0 to N - 1.
        detections: likewise, in the order of the file; a frame's code rises with its first appearance.
        num_actions: N.
        protocol: which of the peers' ways.
        named_frames: frames that the truth file names, with boxes or without.
        excluded_frames: frames that are left out.
        shuffle: puts equal scores in a random order, in the cap, in matching and in ranking.
    """
    if protocol.single_precision:
        truth, detections = _single(truth), _single(detections)
    counted = truth if protocol.excluded_truth else truth.take(~np.isin(truth.frame, excluded_frames))
    truth_counts = np.bincount(counted.action, minlength=num_actions)
    truth = truth.take(~np.isin(truth.frame, excluded_frames))
    kept = ~np.isin(detections.frame, excluded_frames)
    if not protocol.unnamed_frames:
        kept &= np.isin(detections.frame, named_frames if protocol.empty_frames else truth.frame)
    detections = detections.take(kept)
    by_frame = np.argsort(detections.frame, kind="stable")  # frames as they first appear, rows as they stand
    detections = detections.take(by_frame)
    on_frames = len(detections)
    if protocol.cap is not None:
        detections = detections.take(best_of_each_frame(detections, protocol.cap, shuffle))
    within_cap = len(detections)
    if protocol.drop_empty_boxes:
        detections = detections.take(area(detections.boxes) > 0)
    group = detections.frame * num_actions + detections.action
    matches = best_overlaps(truth.boxes, truth.frame * num_actions + truth.action, detections.boxes, group)
    by_score = falling(detections.score, shuffle)
    return FrameEvaluation(
        truth=truth,
        detections=detections,
        truth_counts=truth_counts,
        detection_counts=np.bincount(detections.action, minlength=num_actions),
        matches=matches,
        matching_order=by_score if protocol.matched_by_score else np.arange(len(detections)),
        ranking=grouped(by_score, detections.action),
        silent_actions=protocol.silent_actions,
        over_cap=on_frames - within_cap,
        without_area=within_cap - len(detections),
    )


def best_of_each_frame(
    detections: LabelledBoxes, cap: int, shuffle: np.random.Generator | None = None
) -> NDArray[np.bool_]:
    """Mask of the ``cap`` best-scored boxes of each frame; of equal ones those that stand first, or any."""
    ranked = grouped(falling(detections.score, shuffle), detections.frame)
    frames = detections.frame[ranked]
    _, starts, counts = np.unique(frames, return_index=True, return_counts=True)
    place = np.arange(len(frames)) - np.repeat(starts, counts)
    kept = np.zeros(len(frames), dtype=bool)
    kept[ranked[place < cap]] = True
    return kept


def _single(boxes: LabelledBoxes) -> LabelledBoxes:
    return LabelledBoxes(
        boxes.frame,
        boxes.action,
        boxes.boxes.astype(np.float32).astype(np.float64),
        boxes.score.astype(np.float32).astype(np.float64),
    )
