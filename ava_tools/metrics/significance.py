"""Whether one run is better than another on the same truth: a paired bootstrap over films."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ava_tools.metrics.average_precision import Floats, Ints
from ava_tools.metrics.confidence import Draws, drawn_aps, mean_of_known
from ava_tools.metrics.frame_map import FrameEvaluation


@dataclass(frozen=True)
class Difference:
    """By how much the first run is better; NaN where it cannot be said.

    Attributes:
        value: AP of the first less AP of the second.
        low: lower end of the interval.
        high: upper end of the interval.
        other_sign: share of the draws in which the difference is 0 or has the other sign than ``value``.
    """

    value: float
    low: float
    high: float
    other_sign: float

    @property
    def clear(self) -> bool:
        """Whether the interval leaves 0 out."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True)
class PairedDifferences:
    """Differences of two runs.

    Attributes:
        mean: of the mean AP.
        per_action: of each action, N of them.
        films: how many there are to draw from.
    """

    mean: Difference
    per_action: tuple[Difference, ...]
    films: int


def paired_bootstrap(
    first: FrameEvaluation,
    second: FrameEvaluation,
    film_of_first: Ints,
    film_of_second: Ints,
    samples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> PairedDifferences:
    """Draw films with replacement, as many as there are, and evaluate both runs on the same draw.

    What is hard about a film is hard for both runs, so their difference is surer than either AP.
    Draws without truth of an action say nothing about it and are left out; an action with truth in a single
    film has no interval, since every draw would show that film again.

    Args:
        first: one run, N actions.
        second: another on the same truth.
        film_of_first: ``int64[F]`` film of each frame code of the first run.
        film_of_second: ``int64[G]`` film of each frame code of the second run, numbered as for the first.
        samples: how often films are drawn.
        seed: of the draws.
        level: share of the draws inside the intervals.

    Returns:
        The observed differences; intervals are NaN with truth in fewer than two films.
    """
    runs = ((first, film_of_first), (second, film_of_second))
    used = [film[boxes.frame] for run, film in runs for boxes in (run.truth, run.detections)]
    films = np.unique(np.concatenate(used))
    observed = [run.ap() for run, _ in runs]
    draws: Draws = np.zeros((len(films), 0), dtype=np.int64)
    if len(np.unique(used[0])) > 1:  # the films with truth
        shares = np.full(len(films), 1 / len(films))
        draws = np.random.default_rng(seed).multinomial(len(films), shares, size=samples).T
    drawn = [
        drawn_aps(run, np.searchsorted(films, used[2 * place]), np.searchsorted(films, used[2 * place + 1]), draws)
        for place, (run, _) in enumerate(runs)
    ]
    values = observed[0] - observed[1]
    differences = drawn[0] - drawn[1]
    differences[truth_films(first, film_of_first) < 2] = np.nan
    mean = mean_of_known(observed[0][:, None]) - mean_of_known(observed[1][:, None])
    return PairedDifferences(
        _difference(float(mean[0]), mean_of_known(drawn[0]) - mean_of_known(drawn[1]), level),
        tuple(_difference(float(value), row, level) for value, row in zip(values, differences, strict=True)),
        len(films),
    )


def truth_films(run: FrameEvaluation, film: Ints) -> Ints:
    """Films with truth of each action, ``int64[N]``, with ``int64[F]`` the film of each frame code."""
    pairs = np.unique(np.column_stack([run.truth.action, film[run.truth.frame]]), axis=0)
    return np.bincount(pairs[:, 0], minlength=len(run.truth_counts))


def _difference(value: float, drawn: Floats, level: float) -> Difference:
    drawn = drawn[~np.isnan(drawn)]
    if not len(drawn) or np.isnan(value):
        return Difference(value, np.nan, np.nan, np.nan)
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return Difference(value, float(low), float(high), float(np.mean(drawn * np.sign(value) <= 0)))
