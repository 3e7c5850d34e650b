"""``ava-tools evaluate-boxes``."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ava_tools.cli.run import console, patience

if TYPE_CHECKING:
    from ava_tools.box_evaluation import BoxFigures, BoxReport


def evaluate_boxes(*, truth: Path, boxes: Path, labels: Path | None = None) -> None:
    """Recall of person boxes, and the frame mAP that they allow; with scores also COCO's AP and what each cut keeps.

    Args:
        truth: AVA's csv: video,timestamp,x1,y1,x2,y2,action_id[,person].
        boxes: Person boxes: AVA's csv or a proposals .pkl.
        labels: Label list (pbtxt, json, csv, txt); without it AVA's 60 scored actions.
    """
    from ava_tools.box_evaluation import evaluate_person_boxes

    with patience("evaluating"):
        report = evaluate_person_boxes(truth, boxes, labels)
        lines = list(_lines(report))
    for note in report.notes:
        console.print(f"note: {note}")
    if report.warning is not None:
        console.print(f"warning: {report.warning}")
    print("\n".join(lines))


def _lines(found: BoxReport) -> Iterator[str]:
    yield f"{found.persons:,} persons in the truth, {found.boxes:,} boxes on its key frames"
    for threshold, recall in found.recall.items():
        yield f"recall at IoU {threshold:g} (persons whom any box fits): {recall:.4f}"
    yield f"frame mAP with perfect scores (IoU 0.5): {found.ceiling:.4f}"
    if not found.scored:
        return
    yield from figure_lines(found.figures)
    yield ""
    yield "score from   boxes a key frame   persons whom any box fits   boxes that fit a person"
    for least, row in found.by_score.iterrows():
        right = "-" if math.isnan(row["precision"]) else f"{row['precision']:.4f}"
        yield f"{least:10.2f}   {row['boxes']:17.2f}   {row['recall']:25.4f}   {right:>23}"


def figure_lines(figures: BoxFigures) -> Iterator[str]:
    """COCO's figures in words."""
    yield f"AP {figures.ap:.4f}, AP50 {figures.ap50:.4f}, AP75 {figures.ap75:.4f} (COCO's, by pycocotools)"
    if len(figures.per_class) > 1:
        for name, row in figures.per_class.iterrows():
            yield f"  {name}: AP {row['ap']:.4f}, AP50 {row['ap50']:.4f}, {int(row['truth']):,} in the truth"
    for size, row in figures.by_size.iterrows():
        if row["truth"]:
            share = f"from {row['least']:.0%} of the frame" if math.isinf(row["most"]) else f"under {row['most']:.0%}"
            yield (
                f"{size} ({share}): {int(row['truth']):,}, AP {row['ap']:.4f}, COCO's recall (one person a box) "
                f"{row['recall']:.4f} at IoU 0.5, {row['average_recall']:.4f} on average from 0.5 to 0.95"
            )
