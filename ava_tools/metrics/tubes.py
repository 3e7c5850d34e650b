"""Tubes: boxes of one action on the frames of a film; their overlap, and the average precision of finding them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ava_tools.boxes import Boxes
from ava_tools.metrics.average_precision import (
    NOBODY,
    Floats,
    Ints,
    Matches,
    average_precisions,
    paired_iou,
    true_positives,
)


@dataclass(frozen=True)
class FilmBoxes:
    """Boxes of any number of films.

    Attributes:
        video: ``int64[K]`` film of each, as a code.
        action: ``int64[K]`` column of its action, 0 to N - 1.
        frame: ``int64[K]`` number of its frame in its film.
        boxes: ``float64[K, 4]`` xyxy, any unit, the same for truth and detections.
        score: ``float64[K]``; of truth it means nothing.
    """

    video: Ints
    action: Ints
    frame: Ints
    boxes: Boxes
    score: Floats

    def __len__(self) -> int:
        return len(self.video)

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> FilmBoxes:
        """Some of them, by row numbers or by mask."""
        return FilmBoxes(self.video[rows], self.action[rows], self.frame[rows], self.boxes[rows], self.score[rows])


@dataclass(frozen=True)
class Tube:
    """One person doing one thing.

    Attributes:
        video: film, as a code.
        action: column of the action, 0 to N - 1.
        frames: ``int64[T]`` frame numbers, rising; they may leave some out.
        boxes: ``float64[T, 4]`` xyxy, one for each frame.
        score: of truth it means nothing.
    """

    video: int
    action: int
    frames: Ints
    boxes: Boxes
    score: float

    def __len__(self) -> int:
        return len(self.frames)

    def filled(self) -> Tube:
        """The tube with a box on every frame from its first to its last, on a straight line between its own."""
        frames = np.arange(self.frames[0], self.frames[-1] + 1)
        if len(frames) == len(self.frames):
            return self
        sides = [np.interp(frames, self.frames, side) for side in self.boxes.T]
        return Tube(self.video, self.action, frames, np.stack(sides, axis=1), self.score)


@dataclass(frozen=True)
class TubeEvaluation:
    """Detected tubes, matched.

    Attributes:
        truth_counts: ``int64[N]`` truth tubes of each action.
        detection_counts: ``int64[N]`` detected tubes of each action.
        action: ``int64[D]`` column of each detected tube.
        matches: of each detected tube with the truth tubes of its film and action.
        ranking: detected tubes grouped by action, within each by falling score.
    """

    truth_counts: Ints
    detection_counts: Ints
    action: Ints
    matches: Matches
    ranking: Ints

    def ap(self, threshold: float) -> Floats:
        """``float64[N]`` average precision of each action; NaN for one without truth."""
        positive = true_positives(self.matches, self.ranking, threshold)
        return average_precisions(positive, self.action, self.ranking, self.truth_counts)


def gather_tubes(boxes: FilmBoxes, tube: Ints) -> list[Tube]:
    """Put boxes with the same tube number together; a tube's score is the mean of its boxes'.

    Args:
        boxes: in any order.
        tube: ``int64[K]`` tube of each box, of one film and one action, on no frame twice; boxes of
            `NOBODY` belong to none.

    Returns:
        The tubes by rising number.
    """
    order = np.lexsort((boxes.frame, tube))
    order = order[tube[order] != NOBODY]
    if not len(order):
        return []
    starts = np.flatnonzero(np.diff(tube[order], prepend=NOBODY))
    sums = np.add.reduceat(boxes.score[order], starts)
    lengths = np.diff(starts, append=len(order))
    return [
        Tube(int(boxes.video[rows[0]]), int(boxes.action[rows[0]]), boxes.frame[rows], boxes.boxes[rows], float(score))
        for rows, score in zip(np.split(order, starts[1:]), sums / lengths, strict=True)
    ]


def tube_iou(first: Tube, second: Tube) -> float:
    """Spatio-temporal overlap: shared frames over all frames, times the mean box IoU on the shared frames.

    This is how UCF101-24 and JHMDB have been scored since Saha et al. (BMVC 2016) and ACT (ICCV 2017).
    """
    if first.frames[-1] < second.frames[0] or second.frames[-1] < first.frames[0]:
        return 0.0
    place = np.minimum(np.searchsorted(second.frames, first.frames), len(second) - 1)
    shared = second.frames[place] == first.frames
    count = int(shared.sum())
    if not count:
        return 0.0
    spatial = float(paired_iou(first.boxes[shared], second.boxes[place[shared]]).mean())
    return count / (len(first) + len(second) - count) * spatial


def evaluate_tubes(truth: Sequence[Tube], detections: Sequence[Tube], num_actions: int) -> TubeEvaluation:
    """Match detected tubes with truth.

    A detection goes to the truth tube of its film and action that it overlaps most, the first of equals.
    Of several with the same one the best-scored counts, the others are false positives, as in frame mAP.
    (ACT's evaluator, which UCF101-24's peers share, lets them take the next best; it also joins the points of
    the precision-recall curve by straight lines and counts a box's last pixel.)

    Args:
        truth: tubes to be found.
        detections: of equal scores those that stand first rank first.
        num_actions: N.
    """
    targets: defaultdict[tuple[int, int], list[int]] = defaultdict(list)
    for row, tube in enumerate(truth):
        targets[tube.video, tube.action].append(row)
    best = Matches(np.full(len(detections), NOBODY, dtype=np.int64), np.zeros(len(detections)))
    for row, tube in enumerate(detections):
        for target in targets.get((tube.video, tube.action), ()):
            overlap = tube_iou(tube, truth[target])
            if overlap > best.iou[row]:
                best.truth[row], best.iou[row] = target, overlap
    action = np.array([tube.action for tube in detections], dtype=np.int64)
    score = np.array([tube.score for tube in detections], dtype=np.float64)
    truth_action = np.array([tube.action for tube in truth], dtype=np.int64)
    return TubeEvaluation(
        truth_counts=np.bincount(truth_action, minlength=num_actions),
        detection_counts=np.bincount(action, minlength=num_actions),
        action=action,
        matches=best,
        ranking=np.lexsort((-score, action)),
    )
