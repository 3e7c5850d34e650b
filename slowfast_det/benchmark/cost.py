"""How the cost of a prediction grows: with the length of the film, the boxes of a key frame, the size of the clips."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from textwrap import wrap

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ava_tools.report_figures import style
from ava_tools.safe_pickle import shown
from slowfast_det.benchmark.measuring import Measured, Part, Way
from slowfast_det.benchmark.parts import Setting, fixed_detector, network_way
from slowfast_det.clips.geometry import clip_size
from slowfast_det.span import Span

_BOXES = (1, 3, 10, 30, 100)
_SIDES = (128, 192, 256, 320)
_SHARES = (1 / 8, 1 / 4, 1 / 2, 1)  # of the film
_ROUGHLY = 10.0  # seconds, where a film does not say how long it is


@dataclass(frozen=True)
class Cost:
    """One thing that costs.

    Attributes:
        part: what is called, a way for each amount.
        axis: what the amounts are of.
        amounts: in the order of the ways.
    """

    part: Part
    axis: str
    amounts: Sequence[float]


def length_cost(setting: Setting) -> Cost:
    """Whole predictions of the film's beginning."""
    whole = setting.film.duration or _ROUGHLY
    action = fixed_detector(setting)
    ends = list(dict.fromkeys(round(share * whole, 1) or 0.1 for share in _SHARES))
    ways: dict[str, Way] = {f"{end:g} s": partial(action, setting.film.path, Span(end=end)) for end in ends}
    size = f"{setting.film.height}x{setting.film.width}"
    told = f"{_who(setting)}, {setting.detector}, {size}, a key frame a second, {setting.usual}"
    return Cost(Part("length of the film", told, "calls", 1, None, ways), "seconds of film", ends)


def boxes_cost(setting: Setting) -> Cost:
    """The action network on one clip with few or many persons."""
    ways = {f"{count} boxes": network_way(replace(setting, persons=count, batch=1)) for count in _BOXES}
    height, width = setting.clip_size
    told = f"{_who(setting)}, {height}x{width}, {setting.usual}"
    return Cost(Part("boxes of a key frame", told, "clips", 1, None, ways), "boxes", _BOXES)


def size_cost(setting: Setting) -> Cost:
    """The action network on small and large clips."""
    film, look = setting.film, setting.model.clip
    sizes = list(dict.fromkeys(clip_size(film.height, film.width, side, look.geometry) for side in _SIDES))
    ways = {
        f"{height}x{width}": network_way(replace(setting, size=(height, width), batch=1)) for height, width in sizes
    }
    told = f"{_who(setting)}, {setting.persons} persons, {setting.usual}"
    amounts = [height * width / 1000 for height, width in sizes]
    return Cost(Part("size of the clips", told, "clips", 1, None, ways), "thousand pixels of a frame", amounts)


def _who(setting: Setting) -> str:
    return shown(Path(setting.model.name).name)


COSTS: Sequence[Callable[[Setting], Cost]] = (length_cost, boxes_cost, size_cost)


def save_cost_figure(found: Sequence[tuple[Cost, Sequence[Measured]]], title: str, path: Path) -> None:
    """Draw how the time grows, and the memory where it is known.

    Args:
        found: what was measured, for each amount of each cost.
        title: above all.
        path: a png or svg file, by its suffix.
    """
    with style():
        figure = Figure(figsize=(4.0 * len(found), 3.6), layout="constrained")
        figure.suptitle(title, fontsize=9)
        for axes, (cost, measured) in zip(figure.subplots(1, len(found), squeeze=False)[0], found, strict=True):
            _plot(axes, cost, measured)
        figure.savefig(path, dpi=150, facecolor="white")


def _plot(axes: Axes, cost: Cost, measured: Sequence[Measured]) -> None:
    medians = [1000 * each.median for each in measured]
    below = [1000 * (each.median - each.spread[0]) for each in measured]
    above = [1000 * (each.spread[1] - each.median) for each in measured]
    axes.errorbar(cost.amounts, medians, yerr=(below, above), marker="o", markersize=4, capsize=3, color="#0072b2")
    axes.set_title("\n".join([cost.part.name, *wrap(cost.part.told, 60)]), fontsize=8)
    axes.set_xlabel(cost.axis)
    axes.set_ylabel("ms", color="#0072b2")
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0)
    peaks = [each.peak_mb for each in measured if each.peak_mb is not None]
    if len(peaks) == len(measured):
        memory = axes.twinx()
        memory.plot(cost.amounts, peaks, marker="s", markersize=3, linestyle="--", color="#d55e00")
        memory.set_ylabel("peak MB", color="#d55e00")
        memory.set_ylim(bottom=0, top=1.3 * max(peaks))
