"""A report as text and as json."""

from __future__ import annotations

import json
import math
from pathlib import Path

from ava_tools.atomic import replacing
from ava_tools.evaluation import Report


def as_text(report: Report) -> str:
    """A table for the terminal: the number with its protocol, then every action, the best first."""
    table = report.per_action.sort_values("ap", ascending=False, na_position="last", kind="stable")
    width = max((len(name) for name in table["name"]), default=0)
    counted = int(table["ap"].notna().sum())
    lines = [
        f"frame mAP {report.mean_ap:.4f} ({report.protocol.name}, IoU 0.5, {counted} of {len(table)} actions)",
        "",
        *_lines(report),
        f"{'id':>4}  {'action':<{width}}  {'AP':>6}  {'truth':>8}  {'detections':>10}",
    ]
    for action_id, row in table.iterrows():
        ap = "n/a" if math.isnan(row["ap"]) else f"{row['ap']:.4f}"
        lines.append(f"{action_id:>4}  {row['name']:<{width}}  {ap:>6}  {row['truth']:>8,}  {row['detections']:>10,}")
    return "\n".join(lines)


def _lines(report: Report) -> list[str]:
    """A line a kind of action, and the mean at other overlaps."""
    kinds = [
        f"{kind:<7} {row['mean_ap']:.4f}  ({row['actions']:.0f} actions, {row['truth']:,.0f} truth boxes)"
        for kind, row in report.by_kind.iterrows()
    ]
    at = report.by_threshold
    shown = "  ".join(f"{iou:g}: {at[iou]:.4f}" for iou in (0.3, 0.5, 0.75) if not math.isnan(at[iou]))
    sizes = "  ".join(
        f"{size} {row['mean_ap']:.4f}" for size, row in report.by_size.iterrows() if not math.isnan(row["mean_ap"])
    )
    errors = [
        f"{row['share']:>7.4f}  {error} ({row['count']:,.0f})"
        for error, row in report.errors.iterrows()
        if row["count"]
    ]
    gap = [f"what keeps it from 1 ({1 - report.mean_ap:.4f}):", *errors] if errors else []
    return [*kinds, *([f"IoU {shown}"] if shown else []), *([f"boxes {sizes}"] if sizes else []), *gap, ""]


def as_json(report: Report, path: Path) -> None:
    """Write ``{"protocol", "mean_ap", "per_action": {id: {"name", "ap", "truth", "detections"}}}``; null is no AP."""
    per_action = {
        str(action_id): {
            "name": row["name"],
            "ap": None if math.isnan(row["ap"]) else row["ap"],
            "truth": int(row["truth"]),
            "detections": int(row["detections"]),
        }
        for action_id, row in report.per_action.iterrows()
    }
    mean_ap = None if math.isnan(report.mean_ap) else report.mean_ap
    content = {"protocol": report.protocol.name, "mean_ap": mean_ap, "per_action": per_action}
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def as_csv(report: Report, path: Path) -> None:
    """Write a row an action: ``action_id,name,ap,truth,detections``; an AP that there is not stays empty."""
    with replacing(path) as temporary:
        report.per_action.to_csv(temporary)
