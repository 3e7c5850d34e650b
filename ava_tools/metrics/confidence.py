"""How sure a mean AP is: bootstrap over films, and the spread over orders of equal scores."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ava_tools.metrics.average_precision import Floats, Ints
from ava_tools.metrics.frame_map import FrameEvaluation

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
        The middle ``level`` of the samples; NaN with fewer than two films.
    """
    videos = int(video_of_frame.max(initial=-1)) + 1
    if videos < 2:
        return Interval(np.nan, np.nan)
    draws: Draws = np.random.default_rng(seed).multinomial(videos, np.full(videos, 1 / videos), size=samples).T
    ranking = evaluation.ranking
    hit = evaluation.true_positives()[ranking]
    video = video_of_frame[evaluation.detections.frame[ranking]]
    ends = np.searchsorted(evaluation.detections.action[ranking], np.arange(len(evaluation.truth_counts) + 1))
    truth_video = video_of_frame[evaluation.truth.frame]
    total, counted = np.zeros(samples), np.zeros(samples)
    for column in np.flatnonzero(evaluation.truth_counts):
        own = slice(ends[column], ends[column + 1])
        truth = np.bincount(truth_video[evaluation.truth.action == column], minlength=videos) @ draws  # [S]
        total += weighted_ap(hit[own], video[own], draws, truth)
        counted += truth > 0
    means = total[counted > 0] / counted[counted > 0]
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high))


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
