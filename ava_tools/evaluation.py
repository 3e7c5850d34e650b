"""Frame mAP of a detection file against a truth file: tables and a protocol in, a report out."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from ava_tools.boxes import SIZES, area
from ava_tools.coded import columns_of, frame_codes, known_mean, labelled_boxes, name_of, only_at, videos_of_frames
from ava_tools.errors import InputError
from ava_tools.label_files import read_labels
from ava_tools.labels import KINDS, Labels, ava_labels
from ava_tools.metrics.average_precision import Ints, LabelledBoxes
from ava_tools.metrics.breakdown import break_down
from ava_tools.metrics.confidence import Interval, bootstrap_mean_ap, spread_over_ties
from ava_tools.metrics.frame_map import FrameEvaluation, evaluate_frames, size_ap
from ava_tools.metrics.protocols import PROTOCOLS, Protocol, ProtocolName
from ava_tools.tables import (
    read_detections,
    read_key_frames,
    read_timestamps,
    read_truth,
)

TIE_ORDERS = 20


@dataclass(frozen=True, repr=False)
class Report:
    """What an evaluation found.

    Attributes:
        protocol: the id that belongs to the number.
        labels: the actions that are scored.
        evaluation: truth and detections that count, matched.
        notes: one sentence for everything that was left out, and how much of it.
        video_of_frame: ``int64[F]`` film of each frame code.
        evaluate_shuffled: the same evaluation with equal scores in an order drawn from a generator.
        videos: name of each film.
    """

    protocol: Protocol
    labels: Labels
    evaluation: FrameEvaluation
    notes: tuple[str, ...]
    video_of_frame: Ints
    evaluate_shuffled: Callable[[np.random.Generator], FrameEvaluation]
    videos: tuple[str, ...]

    def __repr__(self) -> str:
        return f"Report({self.protocol.name}, mean_ap={self.mean_ap:.4f}, {len(self.labels)} actions)"

    @cached_property
    def per_action(self) -> pd.DataFrame:
        """Indexed by action id: name, ap (NaN where there is no truth), truth, detections."""
        return pd.DataFrame(
            {
                "name": self.labels.names,
                "ap": self.evaluation.ap(),
                "truth": self.evaluation.truth_counts,
                "detections": self.evaluation.detection_counts,
            },
            index=pd.Index(self.labels.ids, name="action_id"),
        )

    @cached_property
    def mean_ap(self) -> float:
        """Mean over the actions that have an AP; NaN if none has."""
        return known_mean(self.per_action["ap"].to_numpy(dtype=float))

    @cached_property
    def by_threshold(self) -> pd.Series[float]:
        """Mean AP at each least overlap from 0.1 to 0.95."""
        thresholds = np.round(np.arange(0.1, 0.96, 0.05), 2)
        means = [known_mean(self.evaluation.ap(threshold)) for threshold in thresholds]
        return pd.Series(means, index=pd.Index(thresholds, name="iou"), name="mean_ap")

    @cached_property
    def by_kind(self) -> pd.DataFrame:
        """Mean AP of each kind of action (pose, object, person), with how many actions and truth boxes it has."""
        table = self.per_action.assign(kind=[action.kind or "" for action in self.labels])
        groups = table[table["ap"].notna()].groupby("kind")
        found = groups.agg(mean_ap=("ap", "mean"), actions=("ap", "size"), truth=("truth", "sum"))
        return found.reindex([kind for kind in KINDS if kind in found.index])

    @cached_property
    def by_size(self) -> pd.DataFrame:
        """Mean AP on small, medium and large truth boxes, by their share of the frame, and their numbers."""
        areas = area(self.evaluation.truth.boxes)
        rows = [
            (
                size,
                least,
                most,
                known_mean(size_ap(self.evaluation, least, most)),
                int(((areas >= least) & (areas < most)).sum()),
            )
            for size, least, most in SIZES
        ]
        return pd.DataFrame(rows, columns=["size", "least", "most", "mean_ap", "truth"]).set_index("size")

    @cached_property
    def errors(self) -> pd.DataFrame:
        """Each kind of error with its count and its share of the gap between the mean AP and 1 (see `break_down`)."""
        found = [(error.kind, error.count, error.share) for error in break_down(self.evaluation)]
        return pd.DataFrame(found, columns=["error", "count", "share"]).set_index("error")

    def curve(self, action_id: int) -> pd.DataFrame:
        """Precision and recall of one action down the ranking: columns score, precision, recall.

        Raises:
            InputError: the action is not scored.
        """
        if action_id not in self.labels.ids:
            raise InputError(f"action_id {action_id} is not one of the {len(self.labels)} that are scored")
        column = self.labels.ids.index(action_id)
        found = self.evaluation
        rows = found.ranking[found.detections.action[found.ranking] == column]
        hits = np.cumsum(found.true_positives()[rows])
        truth = found.truth_counts[column]
        return pd.DataFrame(
            {
                "score": found.detections.score[rows],
                "precision": hits / np.arange(1, len(rows) + 1),
                "recall": hits / truth if truth else np.full(len(rows), np.nan),
            }
        )

    def thresholds(self, otherwise: float, least: float = 0.0, least_truth: int = 3) -> dict[int, float]:
        """The score of each action from which on its detections balance precision and recall best (their F1).

        It lies midway between the last score that is taken and the next one.

        Args:
            otherwise: for actions with fewer examples than ``least_truth``, and those that are never found.
            least: no score below it is chosen; who says less knows nothing.
            least_truth: examples that are needed to tell.
        """
        chosen = {}
        for action_id, truth in zip(self.labels.ids, self.evaluation.truth_counts.tolist(), strict=True):
            curve = self.curve(action_id)
            score, precision, recall = (curve[name].to_numpy(dtype=float) for name in ("score", "precision", "recall"))
            last = np.append(score[1:] < score[:-1], True)[: len(score)]  # of those with one score
            able = last & (precision > 0) & (score >= least)
            balance = np.where(able, 2 * precision * recall / (precision + recall + 1e-12), 0.0)
            if truth < least_truth or not balance.any():
                chosen[action_id] = otherwise
                continue
            place = int(balance.argmax())
            following = score[place + 1] if place + 1 < len(score) else 0.0
            chosen[action_id] = float(np.clip((score[place] + following) / 2, least, 1).round(6))
        return chosen

    def confidence(self, samples: int = 1000, seed: int = 0) -> Interval:
        """The 95 % interval of the mean AP when films are drawn anew; NaN with a single film."""
        return bootstrap_mean_ap(self.evaluation, self.video_of_frame, samples, seed)

    def tie_spread(self, orders: int = TIE_ORDERS, seed: int = 0) -> Interval:
        """Least and largest mean AP over random orders of equal scores.

        The peers' sort is unstable: their number is one of these.
        """
        return spread_over_ties(lambda random: known_mean(self.evaluate_shuffled(random).ap()), orders, seed)


def evaluate(
    truth: str | Path | pd.DataFrame,
    detections: str | Path | pd.DataFrame,
    labels: Labels | str | Path | None = None,
    excluded: str | Path | pd.DataFrame | None = None,
    protocol: ProtocolName = "activitynet",
    included: str | Path | Iterable[float] | None = None,
) -> Report:
    """Compute frame mAP at IoU 0.5.

    Args:
        truth: AVA's csv, or a table as `read_truth` gives it.
        detections: AVA's csv, or a table as `read_detections` gives it.
        labels: the actions, or a file of them (see `read_labels`); those that are scored count.
            None: AVA's 80, of which 60 are scored.
        excluded: key frames that do not count.
        protocol: ``activitynet`` (the official code), ``pyslowfast`` or ``mmaction2``.
        included: timestamps that count, of every film (AVA's included timestamps); None: all.

    Raises:
        InputError: a file is wrong, or names an action that the labels do not have.
    """
    if protocol not in PROTOCOLS:
        raise InputError(f"the protocol is {protocol!r}; one of {', '.join(PROTOCOLS)} is expected")
    vocabulary = ava_labels() if labels is None else labels if isinstance(labels, Labels) else read_labels(labels)
    scored = Labels(tuple(action for action in vocabulary if action.scored))
    truth_table = truth if isinstance(truth, pd.DataFrame) else read_truth(truth)
    found_table = detections if isinstance(detections, pd.DataFrame) else read_detections(detections)
    excluded_table = excluded if isinstance(excluded, pd.DataFrame) or excluded is None else read_key_frames(excluded)

    notes: list[str] = []
    if included is not None:
        timestamps = read_timestamps(included) if isinstance(included, str | Path) else list(included)
        truth_table = only_at(truth_table, timestamps, name_of(truth, "the truth"), notes)
        found_table = only_at(found_table, timestamps, name_of(detections, "the detections"), notes)
    tables = [found_table, truth_table] + ([excluded_table] if excluded_table is not None else [])
    found_frames, truth_frames, *rest = frame_codes(tables)
    columns = columns_of(vocabulary, scored)
    truth_boxes = labelled_boxes(truth_table, truth_frames, columns, name_of(truth, "the truth"), notes, scores=False)
    found_boxes = labelled_boxes(found_table, found_frames, columns, name_of(detections, "the detections"), notes)
    excluded_frames = rest[0] if rest else np.zeros(0, dtype=np.int64)
    rules = PROTOCOLS[protocol]
    named, left_out = np.unique(truth_frames), np.unique(excluded_frames)

    def evaluate_in_order(shuffle: np.random.Generator | None) -> FrameEvaluation:
        return evaluate_frames(
            truth_boxes,
            found_boxes,
            len(scored),
            rules,
            named_frames=named,
            excluded_frames=left_out,
            shuffle=shuffle,
        )

    notes += _notes_on_frames(found_boxes, truth_frames, excluded_frames, rules)
    evaluation = evaluate_in_order(None)
    excluded_truth = int(np.isin(truth_boxes.frame, left_out).sum())
    if excluded_truth:
        fate = "still count as missed" if rules.excluded_truth else "are left out"
        notes.append(f"{excluded_truth:,} truth boxes on excluded key frames {fate}")
    if not len(evaluation.truth):
        notes.append("no truth is left that could be found: there is no mean AP")
    if not len(found_boxes):
        notes.append(f"{name_of(detections, 'the detections')}: hold no row of a scored action")
    strangers = len(np.setdiff1d(left_out, np.concatenate([found_frames, truth_frames])))
    if strangers:
        notes.append(f"{strangers:,} excluded key frames are in neither file")
    if evaluation.over_cap:
        notes.append(
            f"{evaluation.over_cap:,} detections beyond the {rules.cap} best-scored of a key frame do not count"
        )
    if evaluation.without_area:
        notes.append(f"{evaluation.without_area:,} detections with boxes without area are left out")
    of_frame, videos = videos_of_frames([found_table, truth_table], [found_frames, truth_frames])
    return Report(rules, scored, evaluation, tuple(notes), of_frame, evaluate_in_order, videos)


def _notes_on_frames(found: LabelledBoxes, truth_frames: Ints, excluded: Ints, rules: Protocol) -> list[str]:
    notes = []
    on_excluded = np.isin(found.frame, excluded)
    if on_excluded.any():
        notes.append(f"{on_excluded.sum():,} detections on excluded key frames are left out")
    unnamed = ~np.isin(found.frame, truth_frames) & ~on_excluded
    if unnamed.any():
        count = len(np.unique(found.frame[unnamed]))
        fate = "count as false" if rules.unnamed_frames else "are ignored"
        notes.append(f"{unnamed.sum():,} detections on {count:,} key frames that the truth never names {fate}")
    return notes
