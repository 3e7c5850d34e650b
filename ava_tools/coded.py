"""Tables as the arrays that the metrics take: key frames, films and actions as numbers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ava_tools.errors import InputError
from ava_tools.labels import Labels
from ava_tools.metrics.average_precision import Ints, LabelledBoxes
from ava_tools.tables import COORDINATES

_MICRO = 1_000_000


def only_at(table: pd.DataFrame, timestamps: list[float], name: str, notes: list[str]) -> pd.DataFrame:
    """The rows at some timestamps; the others are counted in a note."""
    kept = np.isin(ticks(table["timestamp"].to_numpy(dtype=float)), ticks(np.array(timestamps, dtype=float)))
    if not kept.all():
        notes.append(f"{name}: {int((~kept).sum()):,} rows at timestamps that are not included are left out")
    return table[kept]


def ticks(seconds: NDArray[np.float64]) -> Ints:
    """Timestamps as whole microseconds: two that agree in six decimals are the same."""
    return np.asarray(np.round(seconds * _MICRO), dtype=np.int64)


def frame_codes(tables: list[pd.DataFrame]) -> list[Ints]:
    """A number for each key frame, the same in all tables, rising as frames first appear."""
    videos, _ = pd.factorize(pd.concat([table["video"] for table in tables], ignore_index=True))
    times = np.concatenate([table["timestamp"].to_numpy(dtype=float) for table in tables])
    moments, _ = pd.factorize(ticks(times))
    frames, _ = pd.factorize(videos.astype(np.int64) * (moments.max(initial=0) + 1) + moments)
    ends = np.cumsum([len(table) for table in tables])[:-1]
    return [part.astype(np.int64) for part in np.split(frames, ends)]


def videos_of_frames(tables: list[pd.DataFrame], frames: list[Ints]) -> tuple[Ints, tuple[str, ...]]:
    """Film, 0 to V - 1, of each frame code, and the names of the films."""
    videos, names = pd.factorize(pd.concat([table["video"] for table in tables], ignore_index=True))
    of_frame = np.zeros(max((int(part.max(initial=-1)) for part in frames), default=-1) + 1, dtype=np.int64)
    of_frame[np.concatenate(frames)] = videos
    return of_frame, tuple(map(str, names))


def columns_of(vocabulary: Labels, scored: Labels) -> Mapping[int, int]:
    """Column of each scored action id; -1 of those that are known but not scored."""
    return dict.fromkeys(vocabulary.ids, -1) | {action.id: column for column, action in enumerate(scored)}


def labelled_boxes(
    table: pd.DataFrame,
    frames: Ints,
    columns: Mapping[int, int],
    name: str,
    notes: list[str],
    scores: bool = True,
) -> LabelledBoxes:
    """The rows that carry scored actions; the others are counted, unknown ids are an error."""
    has_box = table["action_id"].notna().to_numpy()
    table, frames = table[has_box], frames[has_box]
    codes, ids = pd.factorize(table["action_id"].to_numpy(dtype=float))
    unknown = [int(action_id) for action_id in ids if int(action_id) not in columns]
    if unknown:
        first = int(np.flatnonzero(codes == list(ids).index(unknown[0]))[0])
        line = f", line {table.index[first]}" if table.index.name == "line" else ""
        allowed = f"{min(columns)} to {max(columns)}"
        raise InputError(f"{name}{line}: action_id {unknown[0]} is none of the {len(columns)} known, {allowed}")
    column = np.array([columns[int(action_id)] for action_id in ids], dtype=np.int64)[codes]
    unscored = column < 0
    if unscored.any():
        left_out = sorted({int(action_id) for action_id in ids if columns[int(action_id)] < 0})
        shown = ", ".join(map(str, left_out))
        notes.append(f"{name}: {unscored.sum():,} rows of actions that are not scored ({shown}) are left out")
    kept = ~unscored
    score = table["score"].to_numpy(dtype=float) if scores else np.ones(len(table))
    boxes = table[COORDINATES].to_numpy(dtype=float)
    return LabelledBoxes(frames[kept], column[kept], boxes[kept], score[kept])


def name_of(source: str | Path | pd.DataFrame, otherwise: str) -> str:
    """What to call a source in a sentence: its path, or ``otherwise`` for a table."""
    return otherwise if isinstance(source, pd.DataFrame) else str(source)


def known_mean(values: NDArray[np.float64] | NDArray[np.bool_]) -> float:
    """Mean of what is not NaN; NaN of nothing."""
    values = np.asarray(values, dtype=float)
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")
