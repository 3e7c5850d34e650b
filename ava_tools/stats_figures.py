"""A data set's numbers as one picture."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter, NullLocator

from ava_tools.boxes import SIZES
from ava_tools.metrics.average_precision import Floats
from ava_tools.report_figures import ROW, name_rows, shortened, style
from ava_tools.stats import DataSetStats, Part, duration

_SPLITS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00")  # Okabe and Ito's
_WIDTH = 11.0  # inches
_COLUMNS = 3  # of small plots
_PLOT, _CELL = 2.3, 0.17  # inches: height of a small plot, side of a cell of the map
_ACTIONS = 100  # bars at most
_MAPPED = 40  # actions of the map at most
_NUMBERED = 14  # actions of a map whose cells have room for numbers
_BINS = 24
_VALUES = 12  # so many different values have a bar each
_LACKING = 10  # actions without examples that are listed; more are counted
_LONG_TAIL = 50  # the most over the least from which counts of actions are drawn by their logarithm
_WHOLE = FuncFormatter(lambda value, _: f"{value:,.0f}")


def save_stats_figure(stats: DataSetStats, title: str, path: Path) -> None:
    """Draw how persons, boxes, key frames and actions lie: small plots, a bar an action, a map of pairs.

    Args:
        stats: the numbers.
        title: above all.
        path: a png or svg file, by its suffix.
    """
    with style(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        _figure(stats, title).savefig(path, dpi=150, facecolor="white")


def _figure(stats: DataSetStats, title: str) -> Figure:
    whole = stats.whole
    plots = [plot for plot in _PLOTS if len(plot.values(whole))]
    actions = whole.per_action.sort_values("examples", ascending=False, kind="stable")
    lacking = int((actions["examples"] == 0).sum())
    actions = actions.head(min(len(actions) - (lacking if lacking > _LACKING else 0), _ACTIONS))
    paired = _paired(whole)
    lines = -(-len(plots) // _COLUMNS)
    heights = [0.75, _PLOT * lines, ROW * len(actions) + 1.0]
    heights += [_map_side(len(paired)) + 2.6] if len(paired) else []
    figure = Figure(figsize=(_WIDTH, sum(heights)), layout="constrained")
    parts = figure.subfigures(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0]
    _head(parts[0], stats, title)
    for place, plot in enumerate(plots):
        plot.draw(parts[1].add_subplot(lines, _COLUMNS, place + 1), stats.splits)
    _bars(parts[2], actions, stats)
    if len(paired):
        _map(parts[3], whole, paired)
    return figure


def _head(figure: SubFigure, stats: DataSetStats, title: str) -> None:
    whole = stats.whole
    done = int((whole.per_action["examples"] > 0).sum())
    figure.text(0.01, 0.95, shortened(title, 90), fontsize=13, va="top", color="#222222")
    films = f"{len(whole.frames_a_film):,} films" + (f" ({duration(whole.hours)})" if whole.hours else "")
    told = (
        f"{films}, {len(whole.persons_a_frame):,} key frames, {len(whole.area):,} persons ({whole.idle:,} without "
        f"action), {whole.examples:,} examples, {done:,} of {len(whole.per_action):,} actions with any"
    )
    figure.text(0.01, 0.5, told, fontsize=9, va="top", color="#555555")
    handles = [Patch(color=_colour(place), label=shortened(part.name)) for place, part in enumerate(stats.splits)]
    figure.legend(handles=handles, loc="lower left", bbox_to_anchor=(0.0, -0.08), ncols=8, frameon=False)


def _colour(place: int) -> str:
    return _SPLITS[place % len(_SPLITS)]


class _Counts:
    """How often each value occurs; many different ones are put in bins."""

    def __init__(self, title: str, attribute: str, most: float = np.inf) -> None:
        """``most``: what is larger counts as this."""
        self.title, self._attribute, self._most = title, attribute, most

    def values(self, part: Part) -> Floats:
        """What is counted, of a part."""
        return np.asarray(getattr(part, self._attribute), dtype=float)

    def draw(self, axes: Axes, parts: Sequence[Part]) -> None:
        """Stack the parts' bars."""
        _plain(axes, self.title)
        samples = [np.minimum(self.values(part).round(3), self._most) for part in parts]
        found = np.unique(np.concatenate(samples))
        colours = [_colour(place) for place in range(len(parts))]
        whole = bool((found == found.round()).all())
        if whole and len(found) and found[-1] - found[0] <= 2 * _VALUES:
            found = np.arange(found[0], found[-1] + 1)
        elif len(found) > _VALUES:
            width = np.ceil(np.ptp(found) / _BINS) if whole else np.ptp(found) / _BINS
            edges = found[0] - whole / 2 + width * np.arange(_BINS + 2)
            axes.hist(
                samples, bins=edges[: np.searchsorted(edges, found[-1]) + 1].tolist(), stacked=True, color=colours
            )
            return
        base = np.zeros(len(found))
        for sample, colour in zip(samples, colours, strict=True):
            counts = (sample[:, None] == found).sum(axis=0) if len(sample) else np.zeros(len(found))
            axes.bar(range(len(found)), counts, bottom=base, width=0.8, color=colour)
            base += counts
        axes.set_xticks(range(len(found)), [f"{value:g}{'+' if value == self._most else ''}" for value in found])
        axes.set_xlim(-max(0.6, (4 - len(found)) / 2), len(found) - 1 + max(0.6, (4 - len(found)) / 2))
        for label in axes.get_xticklabels()[1::2] if len(found) > _VALUES else []:
            label.set_visible(False)


class _Shares:
    """How values lie that differ by factors: bins of one width on a logarithmic axis."""

    def __init__(
        self, title: str, attribute: str, reach: tuple[float, float], ticks: Sequence[float], percent: bool
    ) -> None:
        self.title, self._attribute, self._reach, self._ticks, self._percent = title, attribute, reach, ticks, percent

    def values(self, part: Part) -> Floats:
        """What is counted, of a part."""
        return np.asarray(getattr(part, self._attribute), dtype=float)

    def draw(self, axes: Axes, parts: Sequence[Part]) -> None:
        """Stack the parts' bars; what is beyond the axis stands at its ends."""
        _plain(axes, self.title)
        axes.set_xscale("log")
        samples = [np.clip(self.values(part), *self._reach) for part in parts]
        axes.hist(
            samples,
            bins=np.geomspace(*self._reach, 33).tolist(),
            stacked=True,
            color=[_colour(n) for n in range(len(parts))],
        )
        axes.set_xlim(*self._reach)
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_xticks(self._ticks, [f"{100 * tick:g} %" if self._percent else f"{tick:g}" for tick in self._ticks])
        if self._percent:
            self._name_sizes(axes)

    def _name_sizes(self, axes: Axes) -> None:
        low, high = self._reach
        axes.margins(y=0.16)
        for name, least, most in SIZES:
            middle = float(np.sqrt(max(least, low) * min(most, high)))
            axes.text(middle, 0.99, name, transform=axes.get_xaxis_transform(), ha="center", va="top", fontsize=7.5)
            if least > 0:
                axes.axvline(least, color="#bbbbbb", linewidth=0.8)


_PLOTS = (
    _Counts("persons on a key frame", "persons_a_frame", 15),
    _Counts("actions of a person", "actions_a_person", 10),
    _Counts("key frames of a film", "frames_a_film"),
    _Counts("seconds between key frames", "spacing"),
    _Shares("boxes: share of the frame", "area", (0.001, 1), (0.001, 0.01, 0.05, 0.2, 1), percent=True),
    _Shares("boxes: width over height", "aspect", (0.1, 10), (0.1, 0.2, 0.5, 1, 2, 5, 10), percent=False),
)


def _plain(axes: Axes, title: str) -> None:
    axes.set_title(title, fontsize=9, loc="left")
    axes.grid(True, axis="y")
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=7.5)
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.yaxis.set_major_formatter(_WHOLE)


def _bars(figure: SubFigure, actions: pd.DataFrame, stats: DataSetStats) -> None:
    """A bar an action and split, and at the end the examples of all and their films."""
    axes = figure.add_subplot()
    axes.grid(True, axis="x")
    axes.set_axisbelow(True)
    own = np.array(
        [part.per_action["examples"].reindex(actions.index, fill_value=0).to_numpy(float) for part in stats.splits]
    )  # [splits, actions]
    least, most = float(own[own > 0].min(initial=1e9)), float(own.max(initial=1))
    if most > _LONG_TAIL * least:
        start = 0.7 * least
        axes.set_xscale("log")
        axes.set_xlim(start, most * (most / start) ** 0.16)
        _side_by_side(axes, own)
        ends = np.maximum(own.max(axis=0), start) * (most / start) ** 0.008
    else:
        most = float(own.sum(axis=0).max(initial=1))
        axes.set_xlim(0, 1.16 * most)
        _behind_each_other(axes, own)
        ends = own.sum(axis=0) + 0.008 * most
    for place, (end, count, films) in enumerate(zip(ends, actions["examples"], actions["films"], strict=True)):
        told = f"{count:,}  ({films:,})" if count else "none"
        axes.text(end, place, told, va="center", fontsize=8, color="#333333" if count else "#a33333")
    name_rows(axes, [shortened(name) for name in actions["short"]])
    more = f"; {others:,} more actions have fewer" if (others := len(stats.whole.per_action) - len(actions)) else ""
    more = more if len(actions) == _ACTIONS else more.replace("fewer", "none")
    axes.set_title(f"examples of each action (films){more}", fontsize=9, loc="left")
    axes.xaxis.set_major_formatter(_WHOLE)


def _side_by_side(axes: Axes, counts: Floats) -> None:
    """Splits share the height of a row: lengths that are logarithms cannot be added."""
    thickness = 0.76 / len(counts)
    for number, own in enumerate(counts):
        middle = np.arange(len(own)) + (number - (len(counts) - 1) / 2) * thickness
        axes.barh(middle, own, color=_colour(number), height=thickness)


def _behind_each_other(axes: Axes, counts: Floats) -> None:
    for number, own in enumerate(counts):
        axes.barh(range(len(own)), own, left=counts[:number].sum(axis=0), color=_colour(number), height=0.72)


def _paired(part: Part) -> list[int]:
    """Actions that are done with others, the most frequent ones, in the order of the labels."""
    done = set(part.together["first"]) | set(part.together["second"])
    table = part.per_action[part.per_action.index.isin(done)]
    most = set(table.sort_values("examples", ascending=False, kind="stable").head(_MAPPED).index)
    return [int(action) for action in table.index if action in most]


def _map_side(actions: int) -> float:
    """Inches."""
    return max(2.0, actions * (_CELL if actions > _NUMBERED else 0.36))


def _map(figure: SubFigure, part: Part, ids: Sequence[int]) -> None:
    """How often persons who do the action of a row also do that of a column."""
    place = {action: number for number, action in enumerate(ids)}
    pairs = part.together[part.together["first"].isin(ids) & part.together["second"].isin(ids)]
    first, second = pairs["first"].map(place).to_numpy(dtype=int), pairs["second"].map(place).to_numpy(dtype=int)
    both = np.zeros((len(ids), len(ids)))
    both[first, second] = both[second, first] = pairs["persons"]
    share = both / np.maximum(part.per_action.loc[list(ids), "examples"].to_numpy(dtype=float), 1)[:, None]
    np.fill_diagonal(share, np.nan)
    axes = figure.add_subplot()
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1, aspect="equal")
    axes.set_facecolor("#eeeeee")
    names = [shortened(name, 28) for name in part.per_action["short"][list(ids)]]
    size = 8.5 if len(ids) <= _NUMBERED else 7
    axes.set_xticks(range(len(ids)), names, rotation=90, fontsize=size)
    axes.set_yticks(range(len(ids)), names, fontsize=size)
    axes.tick_params(length=0)
    if len(ids) <= _NUMBERED:
        for row, column in np.argwhere(both > 0):
            dark = share[row, column] > 0.5
            axes.text(
                column, row, f"{share[row, column]:.0%}", ha="center", va="center", fontsize=7,
                color="white" if dark else "#333333",
            )  # fmt: skip
    told = "of the persons who do the row's action, the share who also do the column's (white: none, dark blue: all)"
    told += f"; the {len(ids)} most frequent" if len(ids) == _MAPPED else ""
    figure.suptitle(told, fontsize=9, x=0.01, ha="left")
    axes.set_anchor("W")
