"""How good person boxes are before any action is scored: recall, and the frame mAP that they allow."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ava_tools.boxes import Boxes
from ava_tools.metrics.average_precision import Floats, Ints, LabelledBoxes, best_overlaps


def found_persons(truth: Boxes, truth_frame: Ints, boxes: Boxes, frame: Ints, threshold: float) -> NDArray[np.bool_]:
    """``bool[G]``: which truth persons some box of their frame overlaps by the threshold or more."""
    return np.asarray(best_overlaps(boxes, frame, truth, truth_frame).iou >= threshold)


def oracle_ap(truth: LabelledBoxes, boxes: Boxes, frame: Ints, num_actions: int, threshold: float = 0.5) -> Floats:
    """The best AP that any scores could give these person boxes, for each action.

    Every box is given the actions of the truth that it fits, with a perfect score; what no box fits stays
    missed. As in the metric, a box counts for its best truth box alone.

    Returns:
        ``float64[N]``; NaN for an action without truth.
    """
    result = np.full(num_actions, np.nan)
    for column in np.unique(truth.action):
        own = truth.take(truth.action == column)
        matches = best_overlaps(own.boxes, own.frame, boxes, frame)
        result[column] = len(np.unique(matches.truth[matches.iou >= threshold])) / len(own)
    return result
