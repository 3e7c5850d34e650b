"""``ava-tools evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from ava_tools.cli.run import console, patience


def evaluate(
    *,
    truth: Path,
    detections: Path,
    labels: Path | None = None,
    excluded: Path | None = None,
    included: Path | None = None,
    protocol: Literal["activitynet", "pyslowfast", "mmaction2"] = "activitynet",
    json: Path | None = None,
    confidence: Annotated[bool, Parameter(negative="")] = False,
    ties: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Frame mAP at IoU 0.5 of a detection file against a truth file.

    Args:
        truth: AVA's csv: video,timestamp,x1,y1,x2,y2,action_id[,person].
        detections: AVA's csv: video,timestamp,x1,y1,x2,y2,action_id,score.
        labels: Label list (pbtxt, json, csv, txt); without it AVA's 60 scored actions.
        excluded: Key frames that do not count: video,timestamp.
        included: Timestamps that count, one a line.
        protocol: Whose way of counting: the official code's, PySlowFast's or mmaction2's.
        json: Write the numbers to this file.
        confidence: Also print the 95 % interval of the mean over films drawn with replacement.
        ties: Also print the spread of the mean over random orders of equal scores.
    """
    from ava_tools.evaluation import evaluate as run_evaluation
    from ava_tools.report import as_json, as_text

    with patience("evaluating"):
        report = run_evaluation(truth, detections, labels, excluded, protocol, included)
        lines = [as_text(report)]
        if confidence:
            found = report.confidence()
            lines.append(f"95 % of 1000 bootstrap samples of films: {found.low:.4f} to {found.high:.4f}")
        if ties:
            found = report.tie_spread()
            lines.append(f"100 random orders of equal scores: {found.low:.4f} to {found.high:.4f}")
    for note in report.notes:
        console.print(f"note: {note}")
    print("\n\n".join(lines))
    if json is not None:
        as_json(report, json)
