"""Two runs on the same truth, action by action."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ava_tools.errors import InputError
from ava_tools.evaluation import Report
from ava_tools.metrics.average_precision import Ints
from ava_tools.metrics.significance import Difference, paired_bootstrap, truth_films


@dataclass(frozen=True)
class Comparison:
    """By how much the first run is better than the second.

    Attributes:
        mean: of the mean AP.
        per_action: indexed by action id: name, truth, films (that have it), first, second (their AP),
            difference, low, high (its 95 % interval), other_sign (share of the draws with the other sign),
            clear (the interval leaves 0 out); the greatest gain first, actions without a difference left out.
        films: how many there are to draw from.
    """

    mean: Difference
    per_action: pd.DataFrame
    films: int


def compare(first: Report, second: Report, samples: int = 1000, seed: int = 0) -> Comparison:
    """Compare two runs by a paired bootstrap over films (see `paired_bootstrap`).

    Raises:
        InputError: they are not of the same truth, actions and protocol.
    """
    if first.protocol.name != second.protocol.name:
        raise InputError(f"two protocols cannot be compared: {first.protocol.name} and {second.protocol.name}")
    if first.labels.ids != second.labels.ids:
        raise InputError("the two runs are scored on different actions and cannot be compared")
    number = {name: place for place, name in enumerate(dict.fromkeys((*first.videos, *second.videos)))}
    films = [_films(report, number) for report in (first, second)]
    if not np.array_equal(_truth_rows(first, films[0]), _truth_rows(second, films[1])):
        raise InputError("the two runs are evaluated against different truth and cannot be compared")
    found = paired_bootstrap(first.evaluation, second.evaluation, films[0], films[1], samples, seed)
    own, other = first.per_action, second.per_action["ap"].rename("second")
    table = own[["name", "truth"]].assign(
        films=truth_films(first.evaluation, films[0]),
        first=own["ap"],
        second=other,
        difference=[action.value for action in found.per_action],
        low=[action.low for action in found.per_action],
        high=[action.high for action in found.per_action],
        other_sign=[action.other_sign for action in found.per_action],
        clear=[action.clear for action in found.per_action],
    )
    table = table[table["difference"].notna()].sort_values("difference", ascending=False, kind="stable")
    return Comparison(found.mean, table, found.films)


def _films(report: Report, number: dict[str, int]) -> Ints:
    """Film of each frame code, numbered the same for both runs."""
    return np.array([number[name] for name in report.videos], dtype=np.int64)[report.video_of_frame]


def _truth_rows(report: Report, film: Ints) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Film, action and box of each truth box, sorted: frames are numbered differently in every run."""
    truth = report.evaluation.truth
    rows = np.column_stack([film[truth.frame], truth.action, truth.boxes])
    return rows[np.lexsort(rows.T)]
