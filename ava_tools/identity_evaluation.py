"""Whether persons keep their identities along a film: tables in, a report out."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ava_tools.atomic import replacing
from ava_tools.coded import name_of, ticks
from ava_tools.errors import InputError
from ava_tools.metrics.average_precision import Ints
from ava_tools.metrics.identity import IdentityQuality, TrackedBoxes, identity_quality, summed
from ava_tools.prediction_rows import read_prediction_rows
from ava_tools.tables import COORDINATES, KEY, format_timestamp, read_truth

_RATIOS = ("misses", "false_positives", "mota", "idf1", "recall", "precision", "mean_overlap")
_SLACK = 2_000  # microseconds by which key frames at equal distances may lie off


@dataclass(frozen=True)
class IdentityReport:
    """What an evaluation of identities found.

    Attributes:
        films: what became of the persons of each film of the truth.
        min_iou: least overlap of a match.
        notes: one sentence for everything that was left out, and how much of it.
        warning: why no box of the tracks is on a key frame of the truth; None where one is.
    """

    films: Mapping[str, IdentityQuality]
    min_iou: float
    notes: tuple[str, ...] = ()
    warning: str | None = None

    @cached_property
    def total(self) -> IdentityQuality:
        """All films together."""
        return summed(self.films.values())

    @cached_property
    def per_film(self) -> pd.DataFrame:
        """Indexed by video: everything that `IdentityQuality` has."""
        rows = [_figures(quality) for quality in self.films.values()]
        return pd.DataFrame(
            rows, index=pd.Index(list(self.films), name="video"), columns=list(_figures(IdentityQuality()))
        )


def evaluate_identities(
    truth: str | Path | pd.DataFrame,
    tracks: str | Path | Sequence[str | Path] | pd.DataFrame,
    min_iou: float = 0.5,
    *,
    time_origin: float = 0.0,
    every: float | None = None,
) -> IdentityReport:
    """Compare the identities of predicted persons with those of the truth; actions do not matter.

    Where the tracks look at a film less often than the truth does, the truth between their key frames does not count.
    Their key frames are taken to lie at equal distances, since one on which nobody was found leaves no row.

    Args:
        truth: AVA's csv with its column person, or a table as `read_truth` gives it. A row without a box names a key
            frame with nobody in it.
        tracks: what ``predict`` writes as .jsonl, one file or several, or a table as its result gives it: columns
            video, time, person, x1 y1 x2 y2. A person has any number of rows a key frame.
        min_iou: least overlap of a box with the person whose it is.
        time_origin: timestamp of a film's start in the truth.
        every: seconds from one key frame of the tracks to the next. None: in each film the least distance between two.

    Raises:
        InputError: a file is wrong, a person is not told, or has two boxes on a key frame.
    """
    if not 0 < min_iou <= 1:
        raise InputError(f"min_iou is {min_iou:g}; more than 0 and at most 1 is expected")
    if every is not None and not (every > 0 and math.isfinite(every)):
        raise InputError(f"every is {every:g}; seconds, more than 0, are expected")
    names = name_of(truth, "the truth"), _names_of(tracks)
    real, moments = _real(truth, names[0], time_origin)
    found = _persons(_rows_of(tracks), names[1])
    notes: list[str] = []
    found = _only_known(found, moments, names, notes)
    counted = _counted(moments, found, every)
    if left_out := len(moments) - int(counted.sum()):
        notes.append(f"{names[0]}: {left_out:,} key frames that lie between those of the tracks are left out")
    films = _qualities(moments[counted], real, found, min_iou)
    warning = None if len(found) else f"{names[1]}: no box is on a key frame of {names[0]}"
    return IdentityReport(films, min_iou, tuple(notes), warning)


def as_json(report: IdentityReport, path: Path) -> None:
    """Write ``{"min_iou", "total": {...}, "films": {video: {...}}}``, all numbers by name; null is no number."""
    films = {video: _plain(quality) for video, quality in report.films.items()}
    content = {"min_iou": report.min_iou, "total": _plain(report.total), "films": films}
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _figures(quality: IdentityQuality) -> dict[str, float]:
    return asdict(quality) | {name: getattr(quality, name) for name in _RATIOS}


def _plain(quality: IdentityQuality) -> dict[str, float | None]:
    return {name: None if math.isnan(value) else value for name, value in _figures(quality).items()}


def _names_of(tracks: str | Path | Sequence[str | Path] | pd.DataFrame) -> str:
    if isinstance(tracks, str | Path | pd.DataFrame):
        return name_of(tracks, "the tracks")
    return str(tracks[0]) if len(tracks) == 1 else "the tracks"


def _rows_of(tracks: str | Path | Sequence[str | Path] | pd.DataFrame) -> pd.DataFrame:
    """The rows of all files, which may not tell of a film twice: their identities have nothing in common."""
    if isinstance(tracks, pd.DataFrame):
        return tracks.rename(columns={"time": "timestamp"}) if "timestamp" not in tracks else tracks
    paths = [tracks] if isinstance(tracks, str | Path) else list(tracks)
    if not paths:
        raise InputError("no tracks are given; a .jsonl file of predict is expected")
    tables, home = [], dict[str, str | Path]()
    for path in paths:
        tables.append(read_prediction_rows(Path(path)))
        for video in tables[-1]["video"].unique():
            if video in home:
                raise InputError(
                    f"{path}: tells of the film {video} as {home[video]} does; one file a film is expected"
                )
            home[video] = path
    return pd.concat(tables, ignore_index=True)


def _real(truth: str | Path | pd.DataFrame, name: str, origin: float) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The persons of the truth, and its key frames (video, tick; rising within each film), from the films' start."""
    table = truth if isinstance(truth, pd.DataFrame) else read_truth(truth)
    _check_columns(table, name)
    table = table.assign(timestamp=table["timestamp"] - origin)
    moments = table[["video"]].assign(tick=ticks(table["timestamp"].to_numpy(dtype=float)))
    order = pd.factorize(moments["video"])[0]
    moments = moments.assign(order=order).drop_duplicates().sort_values(["order", "tick"], kind="stable")
    return _persons(table[table["x1"].notna()], name), moments[["video", "tick"]].reset_index(drop=True)


def _persons(table: pd.DataFrame, name: str) -> pd.DataFrame:
    """Each person of each key frame once: video, tick, person, x1 y1 x2 y2."""
    _check_columns(table, name)
    _refuse(table, table["person"].isna().to_numpy(), name, "person is empty; who it is is expected")
    table = table.assign(tick=ticks(table["timestamp"].to_numpy(dtype=float)), person=table["person"].astype(np.int64))
    once = table.drop_duplicates(["video", "tick", "person", *COORDINATES])
    twice = once.duplicated(["video", "tick", "person"]).to_numpy()
    _refuse(once, twice, name, "a person has two boxes on a key frame; one is expected")
    return once[["video", "tick", "person", *COORDINATES]]


def _check_columns(table: pd.DataFrame, name: str) -> None:
    needed = [*KEY, *COORDINATES, "person"]
    lacking = [column for column in needed if column not in table]
    if lacking:
        raise InputError(f"{name}: lacks the column {lacking[0]}; {', '.join(needed)} are expected")


def _refuse(table: pd.DataFrame, wrong: NDArray[np.bool_], name: str, what: str) -> None:
    if wrong.any():
        row = table.iloc[int(np.flatnonzero(wrong)[0])]
        line = f", line {row.name}" if table.index.name == "line" else ""
        where = f"film {row['video']}, timestamp {format_timestamp(float(row['timestamp']))}"
        raise InputError(f"{name}{line}: {what} ({where})")


def _only_known(found: pd.DataFrame, moments: pd.DataFrame, names: tuple[str, str], notes: list[str]) -> pd.DataFrame:
    """The boxes on key frames of the truth; the others are counted."""
    known = found["video"].isin(moments["video"]).to_numpy()
    if not known.all():
        films = found["video"][~known].nunique()
        notes.append(
            f"{names[1]}: {(~known).sum():,} boxes in {films:,} films that {names[0]} never names are left out"
        )
    found = found[known]
    on_truth = pd.MultiIndex.from_frame(found[["video", "tick"]]).isin(pd.MultiIndex.from_frame(moments))
    if not on_truth.all():
        notes.append(f"{names[1]}: {(~on_truth).sum():,} boxes at moments that {names[0]} does not name are left out")
    return found[on_truth]


def _counted(moments: pd.DataFrame, found: pd.DataFrame, every: float | None) -> NDArray[np.bool_]:
    """Which key frames of the truth are those of the tracks, too, whether anybody was found there or not."""
    seen = {str(video): np.unique(tick) for video, tick in found.groupby("video")["tick"]}
    steps = {video: _step(tick) if every is None else every * 1e6 for video, tick in seen.items()}
    usual = min(steps.values(), default=1.0 if every is None else every * 1e6)  # of a film without tracks
    counted = np.zeros(len(moments), dtype=bool)
    for video, rows in moments.groupby("video", sort=False).indices.items():
        tick = moments["tick"].to_numpy()[rows]
        own = seen.get(str(video), tick[:1])
        step = max(steps.get(str(video), usual), 1.0)
        off = np.abs((tick - own[0] + step / 2) % step - step / 2)
        counted[rows] = (off <= _SLACK) | np.isin(tick, own)
    return counted


def _step(tick: Ints) -> float:
    """Distance of rising key frames: the mean of those near the least, since timestamps are rounded; 1: any."""
    distances = np.diff(tick)
    return float(distances[distances < 1.5 * distances.min()].mean()) if len(distances) else 1.0


def _qualities(
    moments: pd.DataFrame, real: pd.DataFrame, found: pd.DataFrame, min_iou: float
) -> dict[str, IdentityQuality]:
    """What became of the persons of each film on its key frames, which are rising."""
    persons, tracks = (dict(iter(table.groupby("video"))) for table in (real, found))
    films = {}
    for video, tick in moments.groupby("video", sort=False)["tick"]:
        frames = tick.to_numpy(dtype=np.int64)
        spacing = float(np.median(np.diff(frames))) / 1e6 if len(frames) > 1 else 0.0
        own, other = (_boxes(table.get(video, real[:0]), frames) for table in (persons, tracks))
        films[str(video)] = identity_quality(own, other, min_iou, spacing)
    return films


def _boxes(table: pd.DataFrame, frames: Ints) -> TrackedBoxes:
    """The rows of a film that are on some key frames."""
    table = table[np.isin(table["tick"], frames)]
    frame = np.searchsorted(frames, table["tick"].to_numpy(dtype=np.int64))
    return TrackedBoxes(frame, table["person"].to_numpy(dtype=np.int64), table[COORDINATES].to_numpy(dtype=float))
