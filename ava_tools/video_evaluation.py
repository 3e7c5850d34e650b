"""Video mAP (tube mAP) of detections against annotated tubes: tables in, a report out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ava_tools.coded import columns_of
from ava_tools.errors import InputError
from ava_tools.label_files import read_labels
from ava_tools.labels import Action, Labels
from ava_tools.metrics.average_precision import Floats, Ints
from ava_tools.metrics.linking import Linking, link_tubes
from ava_tools.metrics.tubes import FilmBoxes, Tube, TubeEvaluation, evaluate_tubes, gather_tubes
from ava_tools.tables import COORDINATES, KEY, read_detections, read_truth

__all__ = ["Linking", "VideoReport", "video_map"]
_STRICT = tuple(percent / 100 for percent in range(50, 100, 5))  # 0.5 to 0.95, as COCO averages over
_STRICT_COLUMN = "ap@0.5:0.95"


@dataclass(frozen=True)
class VideoReport:
    """What a video evaluation found.

    Attributes:
        labels: the actions that are scored.
        thresholds: least overlaps at which APs are asked for.
        evaluation: truth and detected tubes, matched.
        notes: one sentence for everything that was left out, and how much of it.
    """

    labels: Labels
    thresholds: tuple[float, ...]
    evaluation: TubeEvaluation
    notes: tuple[str, ...]

    @cached_property
    def per_action(self) -> pd.DataFrame:
        """Indexed by action id: name, ``ap@<threshold>`` for each, ``ap@0.5:0.95``, truth, detections (tubes).

        An AP is NaN where there is no truth.
        """
        aps = {_column(threshold): self.evaluation.ap(threshold) for threshold in self.thresholds}
        strict = np.mean([self.evaluation.ap(threshold) for threshold in _STRICT], axis=0)
        counts = {"truth": self.evaluation.truth_counts, "detections": self.evaluation.detection_counts}
        return pd.DataFrame(
            {"name": self.labels.names, **aps, _STRICT_COLUMN: strict, **counts},
            index=pd.Index(self.labels.ids, name="action_id"),
        )

    @cached_property
    def mean_ap(self) -> Mapping[float, float]:
        """Mean over the actions that have an AP, at each threshold; NaN if none has."""
        return {threshold: float(self.per_action[_column(threshold)].mean()) for threshold in self.thresholds}

    @cached_property
    def mean_ap_50_95(self) -> float:
        """Mean of the mean APs at 0.5, 0.55, ... 0.95."""
        return float(self.per_action[_STRICT_COLUMN].mean())


def video_map(
    truth: str | Path | pd.DataFrame,
    detections: str | Path | pd.DataFrame,
    labels: Labels | str | Path | None = None,
    thresholds: Sequence[float] = (0.2, 0.5),
    *,
    linking: Linking | None = None,
    step: float | None = None,
) -> VideoReport:
    """Compute video mAP, the metric of UCF101-24, JHMDB and MultiSports.

    A truth tube is all boxes of one film, action and person. Two tubes overlap by their shared frames over
    all their frames, times the mean box IoU on the shared frames.

    Args:
        truth: AVA's csv (see `read_truth`), or columns video, timestamp, x1 y1 x2 y2, action_id, person (tube
            id). A row without action_id names a film that may have no tube.
        detections: AVA's csv (see `read_detections`), or columns video, timestamp, x1 y1 x2 y2, action_id,
            score. With a column person they are tubes already, scored by the mean of their rows; else they
            are linked. Boxes are in the truth's unit. Films that the truth never names do not count.
        labels: the actions, or a file of them (see `read_labels`); those that are scored count.
            None: all action ids of both tables.
        thresholds: least overlaps.
        linking: how boxes become tubes; None: `Linking` as it stands.
        step: time from one frame to the next in the unit of the timestamps (1 for frame numbers, 0.04 for
            seconds at 25 frames a second). None: in each film the least distance between two timestamps.

    Raises:
        InputError: a column lacks, a value is wrong, a tube has two boxes on one frame, or an action is none
            of the labels.
    """
    levels = _checked(thresholds, step)
    truth = truth if isinstance(truth, pd.DataFrame) else read_truth(truth)
    detections = detections if isinstance(detections, pd.DataFrame) else read_detections(detections)
    ready = "person" in detections and bool(detections["person"].notna().any())
    _check_table(truth, "the truth", ["person"])
    _check_table(detections, "the detections", ["score", "person"] if ready else ["score"])
    notes: list[str] = []
    known = detections["video"].isin(truth["video"]).to_numpy(dtype=bool)
    if not known.all():
        films = detections["video"][~known].nunique()
        notes.append(f"{(~known).sum():,} detections in {films:,} films that the truth never names are left out")
    detections = detections[known]

    vocabulary = _vocabulary(truth, detections, labels)
    scored = Labels(tuple(action for action in vocabulary if action.scored))
    columns = columns_of(vocabulary, scored)
    both = pd.concat([truth[KEY], detections[KEY]], ignore_index=True)
    videos = pd.factorize(both["video"])[0].astype(np.int64)
    frames = _frame_numbers(videos, both["timestamp"].to_numpy(dtype=float), step)
    places = np.stack([videos, frames])  # [2, rows]
    truth_tubes = _ready_tubes(truth, places[:, : len(truth)], columns, "the truth", notes)
    if ready:
        found = _ready_tubes(detections, places[:, len(truth) :], columns, "the detections", notes)
    else:
        boxes, _ = _film_boxes(detections, places[:, len(truth) :], columns, "the detections", notes)
        found = link_tubes(boxes, linking or Linking())
    return VideoReport(scored, levels, evaluate_tubes(truth_tubes, found, len(scored)), tuple(notes))


def _column(threshold: float) -> str:
    return f"ap@{threshold:g}"


def _checked(thresholds: Sequence[float], step: float | None) -> tuple[float, ...]:
    for threshold in thresholds:
        if not 0 < threshold <= 1:
            raise InputError(f"a threshold is {threshold}; more than 0 and at most 1 is expected")
    if step is not None and not step > 0:
        raise InputError(f"step is {step}; the time from one frame to the next, more than 0, is expected")
    return tuple(float(threshold) for threshold in thresholds)


def _check_table(table: pd.DataFrame, name: str, more: list[str]) -> None:
    """Every column is there, and every box has all its values and is not inverted."""
    needed = [*KEY, *COORDINATES, "action_id", *more]
    lacking = [column for column in needed if column not in table]
    if lacking:
        raise InputError(f"{name}: lack the column {lacking[0]}; {', '.join(needed)} are expected")
    _refuse(table, table[KEY].isna().any(axis=1).to_numpy(), name, "video or timestamp is empty")
    boxes = table[table["action_id"].notna()]
    numbers = ["timestamp", *COORDINATES, "action_id", *(column for column in more if column == "score")]
    try:
        values = boxes[numbers].to_numpy(dtype=float)
    except (TypeError, ValueError):
        raise InputError(f"{name}: {', '.join(numbers)} must be numbers; one of them is text") from None
    for column, wrong in zip(numbers, ~np.isfinite(values).T, strict=True):
        _refuse(boxes, wrong, name, f"{column} is no number")
    if "person" in more:
        _refuse(boxes, boxes["person"].isna().to_numpy(), name, "person is empty; the tube's id is expected")
    x1, y1, x2, y2 = boxes[COORDINATES].to_numpy(dtype=float).T
    _refuse(boxes, (x2 < x1) | (y2 < y1), name, "the box is inverted; x1 <= x2 and y1 <= y2 are expected")


def _refuse(table: pd.DataFrame, wrong: NDArray[np.bool_], name: str, what: str) -> None:
    if wrong.any():
        row = table.iloc[int(np.flatnonzero(wrong)[0])]
        raise InputError(f"{name}: {what} (film {row['video']}, timestamp {row['timestamp']})")


def _vocabulary(truth: pd.DataFrame, detections: pd.DataFrame, labels: Labels | str | Path | None) -> Labels:
    """The labels, checked against the ids in the tables; without labels those ids are the labels."""
    ids = pd.concat([truth["action_id"].dropna(), detections["action_id"].dropna()]).unique().astype(float)
    broken = ids[ids != np.floor(ids)]
    if len(broken):
        raise InputError(f"action_id is {broken[0]:g}; a whole number is expected")
    if labels is None:
        return Labels(tuple(Action(int(action_id), f"action {int(action_id)}") for action_id in np.sort(ids)))
    vocabulary = labels if isinstance(labels, Labels) else read_labels(labels)
    unknown = sorted({int(action_id) for action_id in ids} - set(vocabulary.ids))
    if unknown:
        allowed = f"{min(vocabulary.ids)} to {max(vocabulary.ids)}" if len(vocabulary) else "none"
        raise InputError(f"action_id {unknown[0]} is none of the {len(vocabulary)} known, {allowed}")
    return vocabulary


def _frame_numbers(video: Ints, time: Floats, step: float | None) -> Ints:
    """Number of each row's frame, from 0 in each film."""
    films = int(video.max(initial=-1)) + 1
    first = np.full(films, np.inf)
    np.minimum.at(first, video, time)
    steps = _smallest_distances(video, time, films) if step is None else np.full(films, step)
    return np.asarray(np.floor((time - first[video]) / steps[video] + 0.5), dtype=np.int64)


def _smallest_distances(video: Ints, time: Floats, films: int) -> Floats:
    """Time from frame to frame of each film, ``float64[films]``; 1 where it has but one.

    It is the mean of the distances within half of the very least, because timestamps in rounded seconds
    (0.033, 0.067, 0.1) lie unevenly.
    """
    order = np.lexsort((time, video))
    film, distance = video[order][1:], np.diff(time[order])
    apart = (np.diff(video[order]) == 0) & (distance > 0)
    film, distance = film[apart], distance[apart]
    least = np.full(films, np.inf)
    np.minimum.at(least, film, distance)
    single = distance < 1.5 * least[film]
    total = np.bincount(film[single], weights=distance[single], minlength=films)
    count = np.bincount(film[single], minlength=films)
    return np.where(count > 0, total / np.maximum(count, 1), 1.0)


def _film_boxes(
    table: pd.DataFrame, places: Ints, columns: Mapping[int, int], name: str, notes: list[str]
) -> tuple[FilmBoxes, pd.DataFrame]:
    """The rows that carry scored actions, as arrays and as they are; the others are counted.

    Args:
        table: one of the two.
        places: ``int64[2, rows]`` film and frame number.
        columns: of each action id; -1 of those that are not scored.
        name: what to call the table.
        notes: gets a sentence on what is left out.
    """
    codes, ids = pd.factorize(table["action_id"].to_numpy(dtype=float))  # code -1: a row without action
    column = np.array([*(columns[int(action_id)] for action_id in ids), -1], dtype=np.int64)[codes]
    unscored = (column < 0) & (codes >= 0)
    if unscored.any():
        notes.append(f"{name}: {unscored.sum():,} rows of actions that are not scored are left out")
    kept = column >= 0
    rows = table[kept]
    score = rows["score"].to_numpy(dtype=float) if "score" in rows else np.ones(len(rows))
    boxes = rows[COORDINATES].to_numpy(dtype=float)
    return FilmBoxes(places[0, kept], column[kept], places[1, kept], boxes, score), rows


def _ready_tubes(
    table: pd.DataFrame, places: Ints, columns: Mapping[int, int], name: str, notes: list[str]
) -> list[Tube]:
    """The tubes of a table that says which row belongs to which."""
    boxes, rows = _film_boxes(table, places, columns, name, notes)
    persons = pd.factorize(rows["person"])[0].astype(np.int64)
    tube = pd.factorize(_pairs(_pairs(boxes.video, boxes.action), persons))[0].astype(np.int64)
    twice = pd.Series(_pairs(tube, boxes.frame)).duplicated().to_numpy()
    _refuse(rows, twice, name, "a person has two boxes with one action on one frame")
    return gather_tubes(boxes, tube)


def _pairs(first: Ints, second: Ints) -> Ints:
    """One number for each pair of numbers from 0."""
    return np.asarray(first * (second.max(initial=0) + 1) + second, dtype=np.int64)
