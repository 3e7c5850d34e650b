"""AP and recall of boxes as COCO counts them, by pycocotools."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ava_tools.boxes import area
from ava_tools.metrics.average_precision import Floats, Ints, LabelledBoxes

_MOST = 100  # detections of a frame and class that count, the best ones


@dataclass(frozen=True)
class CocoFigures:
    """Figures of boxes, from 0 to 1; NaN where there is no truth.

    Attributes:
        ap: ``float64[C]`` of each class, the mean over IoU 0.5, 0.55, ..., 0.95.
        ap50, ap75: ``float64[C]`` at IoU 0.5 and 0.75.
        size_ap: ``float64[S]`` as ``ap``, of the truth of each size, mean over classes.
        recall: ``float64[S]`` share of the truth of each size that is found at IoU 0.5, mean over classes.
        average_recall: ``float64[S]`` the mean over the IoUs.
    """

    ap: Floats
    ap50: Floats
    ap75: Floats
    size_ap: Floats
    recall: Floats
    average_recall: Floats


def coco_figures(
    truth: LabelledBoxes,
    found: LabelledBoxes,
    frames: Ints,
    num_classes: int,
    sizes: Sequence[tuple[float, float]],
) -> CocoFigures:
    """Compare boxes with the truth.

    Args:
        truth: boxes of any unit, their ``action`` their class.
        found: boxes with scores.
        frames: all frames that were annotated, those without truth too; boxes on others do not count.
        num_classes: C; classes are 0 to C - 1.
        sizes: least and largest area of each size S.
    """
    from pycocotools.cocoeval import COCOeval

    with contextlib.redirect_stdout(io.StringIO()):  # it prints what it does
        work = COCOeval(_coco(truth, frames, num_classes), _coco(found, frames, num_classes), "bbox")
        work.params.areaRng = [[0.0, np.inf], *map(list, sizes)]
        work.params.areaRngLbl = ["all", *map(str, sizes)]
        work.params.maxDets = [_MOST]
        work.evaluate()
        work.accumulate()
    precisions = work.eval["precision"][..., 0]  # [IoU, recall, C, 1 + S], -1 without truth
    precision = precisions[..., 0]
    recall = work.eval["recall"][:, :, 1:, 0]  # [IoU, C, S]
    return CocoFigures(
        ap=_means(precision.reshape(-1, num_classes)),
        ap50=_means(precision[0]),
        ap75=_means(precision[5]),
        size_ap=_means(precisions[..., 1:].reshape(-1, len(sizes))),
        recall=_means(recall[0]),
        average_recall=_means(recall.reshape(-1, len(sizes))),
    )


def _coco(boxes: LabelledBoxes, frames: Ints, num_classes: int) -> Any:
    """Boxes as pycocotools keeps them; it looks at those on the frames, and takes the number 0 for none."""
    from pycocotools.coco import COCO

    sides = boxes.boxes[:, 2:] - boxes.boxes[:, :2]
    rows = zip(
        boxes.frame.tolist(),
        boxes.action.tolist(),
        np.concatenate([boxes.boxes[:, :2], sides], axis=1).tolist(),
        area(boxes.boxes).tolist(),
        boxes.score.tolist(),
        strict=True,
    )
    data = COCO()
    data.dataset = {
        "images": [{"id": frame} for frame in np.unique(frames).tolist()],
        "categories": [{"id": number} for number in range(num_classes)],
        "annotations": [
            {
                "id": number,
                "image_id": frame,
                "category_id": category,
                "bbox": box,
                "area": size,
                "score": score,
                "iscrowd": 0,
            }
            for number, (frame, category, box, size, score) in enumerate(rows, start=1)
        ],
    }
    data.createIndex()
    return data


def _means(values: NDArray[np.float64]) -> Floats:
    """Mean of each column ``[*, C]`` over what is known, which is not negative; NaN where nothing is."""
    known = values >= 0
    count = known.sum(axis=0)
    sums = np.where(known, values, 0.0).sum(axis=0)
    return np.where(count > 0, sums / np.maximum(count, 1), np.nan)
