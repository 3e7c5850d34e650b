"""``ava-tools evaluate``."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from ava_tools.cli.run import console, patience, refuse_collisions

if TYPE_CHECKING:
    from ava_tools.metrics.significance import Difference


def evaluate(
    *,
    truth: Path,
    detections: Path,
    labels: Path | None = None,
    excluded: Path | None = None,
    included: Path | None = None,
    protocol: Literal["activitynet", "pyslowfast", "mmaction2"] = "activitynet",
    json: Path | None = None,
    csv: Path | None = None,
    html: Path | None = None,
    compare: Path | None = None,
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
        json: Write protocol, mean AP and each action's AP to this file.
        csv: Write a row for each action to this file.
        html: Write a page of figures and tables to this file.
        compare: A second detection file: how much better the first is, and how sure that is (--html: by action).
        confidence: Also print the 95 % interval of the mean over 1000 draws of the films with replacement.
        ties: Also print the spread of the mean over 20 random orders of equal scores.
    """
    inputs = [path for path in (truth, detections, labels, excluded, included, compare) if path is not None]
    refuse_collisions(inputs, [path for path in (json, csv, html) if path is not None])

    from ava_tools.comparison import compare as compare_runs
    from ava_tools.evaluation import TIE_ORDERS
    from ava_tools.evaluation import evaluate as run_evaluation
    from ava_tools.report import as_csv, as_json, as_text

    with patience("evaluating"):
        report = run_evaluation(truth, detections, labels, excluded, protocol, included)
        lines = [as_text(report)]
        if confidence:
            found = report.confidence()
            sure = f"{found.low:.4f} to {found.high:.4f}"
            known = not math.isnan(found.low)
            lines.append(f"95 % of 1000 bootstrap samples of films: {sure if known else 'it takes truth in two films'}")
        if ties:
            found = report.tie_spread()
            lines.append(f"{TIE_ORDERS} random orders of equal scores: {found.low:.4f} to {found.high:.4f}")
        other = None if compare is None else run_evaluation(truth, compare, labels, excluded, protocol, included)
        comparison = None if other is None else compare_runs(report, other)
        if other is not None and comparison is not None:
            lines.append(_difference(comparison.mean, other.mean_ap))
        if html is not None:
            from ava_tools.html_report import save_html  # matplotlib takes longer to load than AVA to evaluate

            save_html(report, html, other, _names(detections, compare or detections), comparison)
    for note in report.notes:
        console.print(f"note: {note}")
    print("\n\n".join(lines))
    if json is not None:
        as_json(report, json)
    if csv is not None:
        as_csv(report, csv)


def _difference(mean: Difference, other: float) -> str:
    sure = "no interval: it takes truth in two films"
    if not math.isnan(mean.low):
        sure = f"95 % of 1000 paired bootstrap samples of films: {mean.low:+.4f} to {mean.high:+.4f}"
    return f"against {other:.4f}: {mean.value:+.4f} ({sure})"


def _names(first: Path, second: Path) -> tuple[str, str]:
    """File names, or the paths where those are the same."""
    return (str(first), str(second)) if first.name == second.name else (first.name, second.name)
