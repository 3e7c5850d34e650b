"""``ava-tools evaluate-boxes``."""

from __future__ import annotations

from pathlib import Path

from ava_tools.cli.run import patience


def evaluate_boxes(*, truth: Path, boxes: Path, labels: Path | None = None) -> None:
    """Recall of person boxes, and the frame mAP that they allow.

    Args:
        truth: AVA's csv: video,timestamp,x1,y1,x2,y2,action_id[,person].
        boxes: Person boxes: AVA's csv or a proposals .pkl.
        labels: Label list (pbtxt, json, csv, txt); without it AVA's 60 scored actions.
    """
    from ava_tools.box_evaluation import evaluate_person_boxes

    with patience("evaluating"):
        found = evaluate_person_boxes(truth, boxes, labels)
    print(f"{found.persons:,} persons in the truth, {found.boxes:,} boxes on its key frames")
    for threshold, recall in found.recall.items():
        print(f"recall at IoU {threshold:g}: {recall:.4f}")
    print(f"frame mAP with perfect scores (IoU 0.5): {found.ceiling:.4f}")
