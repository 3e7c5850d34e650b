"""A report as one html page that needs nothing else."""

from __future__ import annotations

import math
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np
import pandas as pd
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from ava_tools import report_figures
from ava_tools.atomic import replacing
from ava_tools.comparison import Comparison, compare
from ava_tools.evaluation import TIE_ORDERS, Report
from ava_tools.metrics.confidence import Interval
from ava_tools.report_figures import shortened

_CURVES = 12
_EXTREMES = 5
_FILMS = 100


@dataclass(frozen=True)
class _Run:
    """What the page says of one run."""

    name: str
    report: Report
    confidence: Interval
    ties: Interval

    @property
    def counted(self) -> int:
        return int(self.report.per_action["ap"].notna().sum())


def save_html(
    report: Report,
    path: str | Path,
    other: Report | None = None,
    names: tuple[str, str] = ("this run", "the other run"),
    comparison: Comparison | None = None,
) -> None:
    """Write one self-contained page: numbers, figures, tables.

    Args:
        report: the run.
        path: the page; it appears when it is complete.
        other: a second run on the same truth that the first is compared with.
        names: of the two runs.
        comparison: of the two runs, where it is at hand already; it takes seconds at AVA's size.

    Raises:
        InputError: the page cannot be written, or the runs are not of the same truth.
    """
    reports = [report] if other is None else [report, other]
    runs = [_run(name, each) for name, each in zip(names, reports, strict=False)]
    table = _ranked(report)
    known = table[table["ap"].notna()]
    split = min(_EXTREMES, -(-len(known) // 2))
    if other is not None and comparison is None:
        comparison = compare(report, other)
    page = _environment().from_string(_template())
    text = page.render(
        runs=runs,
        protocol=report.protocol.name,
        actions=len(table),
        table=table.reset_index().to_dict("records"),
        best=known.head(split).to_dict("records"),
        worst=known.tail(min(split, len(known) - split)).iloc[::-1].to_dict("records"),
        kinds=_by_kind(reports),
        sizes=_by_size(reports),
        errors=_errors(reports),
        ious=[(iou, [each.by_threshold[iou] for each in reports]) for iou in report.by_threshold.index],
        films=_films(report),
        film_count=len(report.videos),
        comparison=comparison,
        compared=[] if comparison is None else comparison.per_action.reset_index().to_dict("records"),
        figures=_figures(report, runs, known, comparison),
        tie_orders=TIE_ORDERS,
    )
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _run(name: str, report: Report) -> _Run:
    return _Run(name, report, report.confidence(), report.tie_spread(TIE_ORDERS))


def _ranked(report: Report) -> pd.DataFrame:
    """Every action with its kind and the name for figures, the best first."""
    table = report.per_action.assign(
        kind=[action.kind or "" for action in report.labels],
        short=[shortened(name) for name in report.labels.display_names],
    )
    return table.sort_values("ap", ascending=False, na_position="last", kind="stable")


def _by_kind(reports: list[Report]) -> list[tuple[str, int, int, list[float]]]:
    """Kind, actions and truth boxes of the first run, mean AP of each run."""
    first = reports[0].by_kind
    means = [each.by_kind["mean_ap"].reindex(first.index) for each in reports]
    rows = zip(first.index, first["actions"], first["truth"], *means, strict=True)
    return [(str(kind), int(actions), int(truth), list(aps)) for kind, actions, truth, *aps in rows]


def _by_size(reports: list[Report]) -> list[tuple[str, int, list[float]]]:
    """Size with its limits, truth boxes, mean AP of each run."""
    first = reports[0].by_size
    names = [
        f"{size} ({least:.0%} to {most:.0%})" if most <= 1 else f"{size} (over {least:.0%})"
        for size, least, most in zip(first.index, first["least"], first["most"], strict=True)
    ]
    means = [each.by_size["mean_ap"] for each in reports]
    rows = zip(names, first["truth"], *means, strict=True)
    return [(name, int(truth), list(aps)) for name, truth, *aps in rows]


def _errors(reports: list[Report]) -> list[tuple[str, list[tuple[int, float]]]]:
    """Kind of error; its boxes and its share of the gap in each run."""
    kinds = dict.fromkeys(str(kind) for each in reports for kind in each.errors.index)
    counts = [each.errors["count"].to_dict() for each in reports]
    shares = [each.errors["share"].to_dict() for each in reports]
    return [
        (
            kind,
            [(int(count.get(kind, 0)), float(share.get(kind, 0))) for count, share in zip(counts, shares, strict=True)],
        )
        for kind in kinds
    ]


def _films(report: Report) -> list[tuple[str, int, int]]:
    """Name, truth boxes and detections of the films with the most truth."""
    found = report.evaluation
    counts = [
        np.bincount(report.video_of_frame[boxes.frame], minlength=len(report.videos))
        for boxes in (found.truth, found.detections)
    ]
    most = np.argsort(-counts[0], kind="stable")[:_FILMS]
    return [(report.videos[film], int(counts[0][film]), int(counts[1][film])) for film in most]


def _figures(report: Report, runs: list[_Run], known: pd.DataFrame, comparison: Comparison | None) -> dict[str, Markup]:
    """Those for which there is something to draw."""
    if known.empty:
        return {}
    most = known.sort_values("truth", ascending=False, kind="stable").head(_CURVES)
    figures = {
        "bars": report_figures.ap_bars(
            list(known["short"]), known["ap"].to_numpy(dtype=float), known["truth"].to_numpy(), list(known["kind"])
        ),
        "curves": report_figures.curves(
            [f"{shortened(row['short'], 22)}  {row['ap']:.3f}" for _, row in most.iterrows()],
            [[run.report.curve(int(action)) for action in most.index] for run in runs],
            [shortened(run.name) for run in runs],
        ),
        "thresholds": report_figures.thresholds({shortened(run.name): run.report.by_threshold for run in runs}),
    }
    if comparison is not None and len(comparison.per_action):
        table = comparison.per_action
        numbers = [table[column].to_numpy(dtype=float) for column in ("difference", "low", "high")]
        short = dict(zip(report.labels.ids, report.labels.display_names, strict=True))
        names = [shortened(short[int(action)]) for action in table.index]
        figures["differences"] = report_figures.differences(
            names, numbers[0], numbers[1], numbers[2], [bool(clear) for clear in table["clear"]]
        )
    return figures


def _template() -> str:
    return files("ava_tools").joinpath("data/report.html.j2").read_text(encoding="utf-8")


def _environment() -> Environment:
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["ap"] = lambda value: "n/a" if math.isnan(value) else f"{value:.4f}"
    environment.filters["signed"] = lambda value: "n/a" if math.isnan(value) else f"{value:+.4f}"
    environment.filters["count"] = lambda value: f"{value:,}"
    environment.filters["percent"] = lambda value: "n/a" if math.isnan(value) else f"{value:.1%}"
    environment.tests["known"] = lambda value: not math.isnan(value)
    return environment
