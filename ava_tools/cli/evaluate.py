"""``ava-tools evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from ava_tools.cli.run import console


def evaluate(
    *,
    truth: Path,
    detections: Path,
    labels: Path | None = None,
    excluded: Path | None = None,
    protocol: Literal["activitynet", "pyslowfast", "mmaction2"] = "activitynet",
    json: Path | None = None,
) -> None:
    """Frame mAP at IoU 0.5 of a detection file against a truth file.

    Args:
        truth: AVA's csv: video,timestamp,x1,y1,x2,y2,action_id[,person].
        detections: AVA's csv: video,timestamp,x1,y1,x2,y2,action_id,score.
        labels: Label list (pbtxt, json, csv, txt); without it AVA's 60 scored actions.
        excluded: Key frames that do not count: video,timestamp.
        protocol: Whose way of counting: the official code's, PySlowFast's or mmaction2's.
        json: Write the numbers to this file.
    """
    from ava_tools.evaluation import evaluate as run_evaluation
    from ava_tools.report import as_json, as_text

    report = run_evaluation(truth, detections, labels, excluded, protocol)
    for note in report.notes:
        console.print(f"note: {note}")
    print(as_text(report))
    if json is not None:
        as_json(report, json)
