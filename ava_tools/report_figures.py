"""The report's figures: plain values in, svg text out that can stand inside an html page."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager

import matplotlib
import numpy as np
import pandas as pd
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from ava_tools.metrics.average_precision import Floats, Ints

# Okabe and Ito's colours, which people who see colours differently tell apart.
KIND_COLOURS = {"pose": "#0072b2", "object": "#e69f00", "person": "#009e73", "": "#777777"}
RUN_COLOURS = ("#0072b2", "#d55e00")
ROW = 0.21  # inches a bar
_LONGEST = 40  # characters of a name in a figure; the tables have all of it
_POINTS = 400  # of a curve; more cannot be told apart


def ap_bars(names: Sequence[str], ap: Floats, truth: Ints, kinds: Sequence[str]) -> Markup:
    """A bar an action, from top to bottom, with its AP and its truth boxes at the end."""
    with style():
        figure, axes = _bars(len(names))
        axes.barh(range(len(names)), ap, color=[KIND_COLOURS[kind] for kind in kinds], height=0.72)
        for place, (value, count) in enumerate(zip(ap, truth, strict=True)):
            axes.text(value + 0.008, place, f"{value:.3f}  ({count:,})", va="center", fontsize=8, color="#333333")
        name_rows(axes, names)
        axes.set_xlim(0, 1.16)
        axes.set_xticks(np.arange(0, 1.01, 0.2))
        axes.set_xlabel("AP at IoU 0.5 (truth boxes)")
        shown = [kind for kind in KIND_COLOURS if kind in kinds]
        if shown != [""]:
            handles = [Patch(color=KIND_COLOURS[kind], label=kind or "no kind") for kind in shown]
            _legend(figure, handles, len(shown))
        return _svg(figure, "Average precision of each action")


def curves(titles: Sequence[str], runs: Sequence[Sequence[pd.DataFrame]], run_names: Sequence[str]) -> Markup:
    """Precision over recall, a small plot an action.

    Args:
        titles: of the plots.
        runs: for each run a table with columns precision and recall for each plot.
        run_names: for the legend, which is drawn where there are two.
    """
    columns = 4
    rows = -(-len(titles) // columns)
    with style():
        figure = Figure(figsize=(10, 2.15 * rows + 0.3), layout="constrained")
        for place, title in enumerate(titles):
            axes = figure.add_subplot(rows, columns, place + 1)
            for run, colour, line in reversed(list(zip(runs, RUN_COLOURS, ("-", "--"), strict=False))):
                recall, precision = _thinned(run[place])
                axes.plot(recall, precision, line, color=colour, linewidth=1.3)
            axes.set(xlim=(0, 1.03), ylim=(0, 1.05), xticks=(0, 0.5, 1), yticks=(0, 0.5, 1))
            axes.set_title(title, fontsize=8.5, loc="left")
            axes.grid(True)
            axes.tick_params(labelsize=7.5)
        figure.supxlabel("recall", fontsize=9, color="#333333")
        figure.supylabel("precision", fontsize=9, color="#333333")
        if len(runs) > 1:
            handles = [Patch(color=colour, label=name) for colour, name in zip(RUN_COLOURS, run_names, strict=True)]
            _legend(figure, handles, 2)
        return _svg(figure, "Precision over recall of the actions with the most truth")


def thresholds(runs: Mapping[str, pd.Series[float]]) -> Markup:
    """Mean AP over the least overlap, a line a run."""
    with style():
        figure = Figure(figsize=(4.6, 2.8), layout="constrained")
        axes = figure.add_subplot()
        for (name, series), colour, line in zip(runs.items(), RUN_COLOURS, ("o-", "s--"), strict=False):
            at, values = series.index.to_numpy(dtype=float), series.to_numpy(dtype=float)
            axes.plot(at, values, line, color=colour, markersize=3, linewidth=1.3, label=name)
        axes.axvline(0.5, color="#bbbbbb", linewidth=0.8, zorder=0)
        axes.set(xlabel="IoU", ylabel="mean AP", xlim=(0.08, 0.97))
        axes.set_ylim(bottom=0)
        axes.grid(True)
        if len(runs) > 1:
            axes.legend(frameon=False, fontsize=8)
        return _svg(figure, "Mean AP at each IoU threshold")


def differences(names: Sequence[str], value: Floats, low: Floats, high: Floats, clear: Sequence[bool]) -> Markup:
    """A bar an action with its interval; those whose interval leaves 0 out in full colour."""
    with style():
        figure, axes = _bars(len(names))
        places = np.arange(len(names))
        colours = [
            RUN_COLOURS[0 if gain >= 0 else 1] if sure else "#c4c4c4" for gain, sure in zip(value, clear, strict=True)
        ]
        axes.barh(places, value, color=colours, height=0.72)
        axes.hlines(places, low, high, color="#333333", linewidth=0.9)
        axes.axvline(0, color="#555555", linewidth=0.8)
        ends = np.fmax(np.fmax(value, high), 0)
        reach = float(np.nanmax(np.abs(np.concatenate([value, low, high])), initial=0)) or 0.01
        for place, (end, gain) in enumerate(zip(ends, value, strict=True)):
            axes.text(end + 0.02 * reach, place, f"{gain:+.3f}", va="center", fontsize=8, color="#333333")
        least = float(np.nanmin(np.concatenate([value, low, [0.0]])))
        axes.set_xlim(least - 0.05 * reach, float(ends.max(initial=0)) + 0.3 * reach)
        name_rows(axes, names)
        axes.set_xlabel("difference of AP, 95 % interval")
        return _svg(figure, "Difference of the two runs, action by action")


def style() -> AbstractContextManager[None]:
    """How all figures look; draw and save within it."""
    return matplotlib.rc_context(
        {
            "axes.edgecolor": "#999999",
            "axes.labelcolor": "#333333",
            "axes.spines.right": False,
            "axes.spines.top": False,
            "font.size": 9,
            "grid.color": "#e5e5e5",
            "svg.fonttype": "none",  # text stays text: it can be searched, and the reader's fonts know every script
            "text.parse_math": False,  # a $ in an action's name is a $
            "xtick.color": "#555555",
            "ytick.color": "#333333",
        }
    )


def _bars(count: int) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(10, ROW * count + 0.9), layout="constrained")
    axes = figure.add_subplot()
    axes.grid(True, axis="x")
    axes.set_axisbelow(True)
    return figure, axes


def name_rows(axes: Axes, names: Sequence[str]) -> None:
    """Name the rows of horizontal bars, from top to bottom."""
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)


def shortened(name: str, longest: int = _LONGEST) -> str:
    """A name that fits in a figure."""
    name = " ".join(name.split())
    return name if len(name) <= longest else f"{name[: longest - 1].rstrip()}…"


def _legend(figure: Figure, handles: list[Patch], columns: int) -> None:
    figure.legend(handles=handles, loc="outside upper left", ncols=columns, frameon=False)


def _thinned(curve: pd.DataFrame) -> tuple[Floats, Floats]:
    """Recall and precision where recall rises, and at the end: 240,000 rows draw like 400."""
    recall = curve["recall"].to_numpy(dtype=float)
    rises = np.flatnonzero(np.diff(recall, prepend=0) > 0)
    rises = rises[np.unique(np.linspace(0, len(rises) - 1, min(len(rises), _POINTS)).astype(np.int64))]
    rows = np.append(rises, len(recall) - 1) if len(rises) else rises
    precision = curve["precision"].to_numpy(dtype=float)[rows]
    return np.append(0.0, recall[rows])[: len(rows) + 1 if len(rows) else 0], np.append(precision[:1], precision)


def _svg(figure: Figure, title: str) -> Markup:
    """The figure as an element of a page: no prologue, no metadata, no ids that two figures share."""
    buffer = io.StringIO()
    with warnings.catch_warnings(), matplotlib.rc_context({"svg.hashsalt": title}):  # the same page every time
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # ours lacks it, the reader's font draws it
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    text = buffer.getvalue()
    text = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", text[text.index("<svg") :], flags=re.DOTALL)
    text = re.sub(r'<g id="[^"]*"', "<g", text)
    return Markup(text.replace("<svg ", f'<svg role="img" aria-label="{title}" ', 1))  # names are escaped by savefig
