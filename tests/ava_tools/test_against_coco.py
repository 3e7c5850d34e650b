"""Frame AP against pycocotools, where the two rules differ by no more than their interpolation."""

from __future__ import annotations

import contextlib
import io

import numpy as np
import pandas as pd
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from ava_tools import Action, Labels, evaluate

LABELS = Labels(tuple(Action(number, f"action {number}") for number in (1, 2, 3)))


def generated(seed, frames=150):
    """Truth boxes in cells of their own, so that none overlaps another; detections jittered, missed, made up."""
    random = np.random.default_rng(seed)
    truth, found = [], []
    for frame in range(frames):
        for cell in range(4):
            if random.random() < 0.3:
                continue
            corner = np.array([cell % 2, cell // 2]) / 2 + random.uniform(0.02, 0.1, 2)
            box = np.concatenate([corner, corner + random.uniform(0.2, 0.35, 2)])
            action = int(random.integers(1, 4))
            truth.append(["film", float(frame), *box, action])
            for _ in range(int(random.integers(0, 3))):
                seen = np.clip(box + random.normal(0, 0.03, 4), 0, 1)
                label = action if random.random() < 0.8 else int(random.integers(1, 4))
                found.append(["film", float(frame), *seen, label, random.random()])
        if random.random() < 0.5:
            corner = random.uniform(0, 0.6, 2)
            found.append(["film", float(frame), *corner, *(corner + 0.2), int(random.integers(1, 4)), random.random()])
    columns = ["video", "timestamp", "x1", "y1", "x2", "y2", "action_id"]
    return pd.DataFrame(truth, columns=columns), pd.DataFrame(found, columns=[*columns, "score"])


def coco_ap(truth, found):
    """AP at IoU 0.5 of each action, by COCO's 101 recall points."""

    def boxes(table):
        sides = table[["x1", "y1"]].to_numpy(), (table[["x2", "y2"]].to_numpy() - table[["x1", "y1"]].to_numpy())
        return np.concatenate(sides, axis=1) * 1000

    frames = sorted(set(truth["timestamp"]) | set(found["timestamp"]))
    annotations = [
        {
            "id": number,
            "image_id": int(row.timestamp),
            "category_id": row.action_id,
            "bbox": box.tolist(),
            "area": float(box[2] * box[3]),
            "iscrowd": 0,
        }
        for number, (row, box) in enumerate(zip(truth.itertuples(), boxes(truth), strict=True), start=1)
    ]
    detections = [
        {"image_id": int(row.timestamp), "category_id": row.action_id, "bbox": box.tolist(), "score": row.score}
        for row, box in zip(found.itertuples(), boxes(found), strict=True)
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = {
            "info": {},
            "images": [{"id": int(frame), "width": 1000, "height": 1000} for frame in frames],
            "categories": [{"id": number} for number in LABELS.ids],
            "annotations": annotations,
        }
        coco.createIndex()
        evaluation = COCOeval(coco, coco.loadRes(detections), "bbox")
        evaluation.params.iouThrs = np.array([0.5])
        evaluation.params.areaRng = [[0, 1e10]]
        evaluation.params.areaRngLbl = ["all"]
        evaluation.params.maxDets = [1000]
        evaluation.evaluate()
        evaluation.accumulate()
    return evaluation.eval["precision"][0, :, :, 0, 0].mean(axis=0)


@pytest.mark.parametrize("seed", range(4))
def test_pycocotools_agrees_within_its_interpolation(seed):
    truth, found = generated(seed)
    ours = evaluate(truth, found, labels=LABELS, protocol="pyslowfast")
    sorted_first = found.sort_values("score", ascending=False, kind="stable")  # COCO matches by falling score
    matched = evaluate(truth, sorted_first, labels=LABELS, protocol="pyslowfast")
    theirs = coco_ap(truth, found)
    assert np.allclose(matched.per_action["ap"], theirs, atol=0.01)
    assert 0.2 < ours.mean_ap < 0.9
