"""How sure a mean AP is: bootstrap over films, and the spread over orders of equal scores."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ava_tools.metrics.average_precision import Floats, Ints
from ava_tools.metrics.frame_map import FrameEvaluation

_BLOCK = 250  # draws at a time: `weighted_ap` holds [true positives, draws] several times

Draws = NDArray[np.int64]  # [V, S] how often each film is drawn in each sample


@dataclass(frozen=True)
class Interval:
    """A range of mean APs."""

    low: float
    high: float


def bootstrap_mean_ap(
    evaluation: FrameEvaluation, video_of_frame: Ints, samples: int = 1000, seed: int = 0, level: float = 0.95
) -> Interval:
    """Confidence interval of the mean AP: films are drawn with replacement, as many as there are.

    Args:
        evaluation: what was matched.
        video_of_frame: ``int64[F]`` film, 0 to V - 1, of each frame code.
        samples: how often films are drawn.
        seed: of the draws.
        level: share of the samples inside the interval.

    Returns:
        The middle ``level`` of the samples; NaN with truth in fewer than two films.
    """
    truth_film, film = video_of_frame[evaluation.truth.frame], video_of_frame[evaluation.detections.frame]
    films = np.unique(np.concatenate([truth_film, film]))
    if len(np.unique(truth_film)) < 2:
        return Interval(np.nan, np.nan)
    shares = np.full(len(films), 1 / len(films))
    draws: Draws = np.random.default_rng(seed).multinomial(len(films), shares, size=samples).T
    truth_film, film = np.searchsorted(films, truth_film), np.searchsorted(films, film)
    means = mean_of_known(drawn_aps(evaluation, truth_film, film, draws))
    means = means[~np.isnan(means)]
    if not len(means):
        return Interval(np.nan, np.nan)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high))


def drawn_aps(run: FrameEvaluation, truth_film: Ints, film: Ints, draws: Draws) -> Floats:
    """AP of each action in each draw ``[N, S]``; NaN where it has none.

    Args:
        run: what was matched.
        truth_film: film of each truth box.
        film: film of each detection.
        draws: ``[V, S]``.
    """
    ranking = run.ranking
    hit, film = run.true_positives()[ranking], film[ranking]
    ends = np.searchsorted(run.detections.action[ranking], np.arange(len(run.truth_counts) + 1))
    aps = np.full((len(run.truth_counts), draws.shape[1]), np.nan)
    for column in np.flatnonzero(~np.isnan(run.ap())):
        own = slice(ends[column], ends[column + 1])
        truth = np.bincount(truth_film[run.truth.action == column], minlength=len(draws)) @ draws  # [S]
        for start in range(0, draws.shape[1], _BLOCK):
            block = slice(start, start + _BLOCK)
            aps[column, block] = weighted_ap(hit[own], film[own], draws[:, block], truth[block])
        aps[column, truth == 0] = np.nan
    return aps


def mean_of_known(aps: Floats) -> Floats:
    """Mean over the actions that have an AP, ``[N, S]`` -> ``[S]``; NaN where none has."""
    known = ~np.isnan(aps)
    counted = known.sum(axis=0)
    total = np.where(known, aps, 0).sum(axis=0)
    return np.asarray(np.where(counted > 0, total / np.maximum(counted, 1), np.nan), dtype=np.float64)


def weighted_ap(hit: NDArray[np.bool_], video: Ints, draws: Draws, truth: Ints) -> Floats:
    """AP of one action in each sample ``[S]``, everything counting as often as its film was drawn.

    Precision is looked at where recall rises: between two true positives it can but fall.

    Args:
        hit: ``bool[D]`` whether each detection is a true positive, by falling score.
        video: ``int64[D]`` its film.
        draws: ``[V, S]``.
        truth: ``int64[S]`` truth boxes of the action in each sample; 0 gives an AP of 0.
    """
    hits = np.flatnonzero(hit)
    if not len(hits):
        return np.zeros(draws.shape[1])
    place = np.searchsorted(hits, np.arange(hits[-1] + 1))  # the true positive at or after each detection
    until = np.zeros((len(hits), len(draws)), dtype=np.int64)
    np.add.at(until, (place, video[: hits[-1] + 1]), 1)
    seen = np.cumsum(until, axis=0) @ draws  # [hits, S]
    gained = draws[video[hits]]  # [hits, S]
    precision = np.cumsum(gained, axis=0) / np.maximum(seen, 1)
    best = np.maximum.accumulate(precision[::-1], axis=0)[::-1]
    return np.asarray((best * gained).sum(axis=0) / np.maximum(truth, 1), dtype=np.float64)


def spread_over_ties(evaluate_shuffled: Callable[[np.random.Generator], float], orders: int, seed: int = 0) -> Interval:
    """Least and largest mean AP over random orders of detections with equal scores.

    Args:
        evaluate_shuffled: the mean AP with the detections in an order drawn from the generator; sorting by
            score then leaves equal scores in random order, in matching, in ranking and in the cap.
        orders: how many are tried.
        seed: of the draws.
    """
    random = np.random.default_rng(seed)
    means = [evaluate_shuffled(random) for _ in range(orders)]
    return Interval(min(means), max(means))
