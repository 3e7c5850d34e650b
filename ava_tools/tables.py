"""AVA's files as checked tables: one row a line, unit boxes, timestamps in seconds.

Every error names the file, the line, the value found and what is allowed.
"""

from __future__ import annotations

import math
import reprlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ava_tools import safe_pickle
from ava_tools.csv_rows import RowFormat, read_rows
from ava_tools.errors import InputError

COORDINATES = ["x1", "y1", "x2", "y2"]
KEY = ["video", "timestamp"]
_PERSON_BOXES = RowFormat([*KEY, *COORDINATES, "label", "score"], optional=2)
_TIMESTAMP_DECIMALS = 6  # two timestamps are the same key frame when they agree in six decimals
_LATEST = 1e9  # seconds
_MOST_BOXES = 10_000  # of one key frame
_ROUNDING = 0.01  # files round their boxes, and detectors overshoot the border by less than this


def read_person_boxes(path: str | Path) -> pd.DataFrame:
    """Person boxes of any number of films, from AVA's csv or from a proposals pickle.

    The csv has no header: ``video,timestamp,x1,y1,x2,y2[,label[,score]]``; label and score may be empty.
    The pickle is mmaction2's: ``{"video,timestamp": float[K, 4 or 5]}``, the fifth column the score.
    Which of the two a file is, its content says, not its name.

    Returns:
        Columns video, timestamp (float seconds), x1 y1 x2 y2 (0-1 of the frame), score (NaN where the
        file gives none), in the file's order. A box given twice for a key frame (as in truth files, one
        row a label) stands once, as in PySlowFast.

    Raises:
        InputError: the file is missing or holds something else; it names line, value and what is allowed.
    """
    data = _read_bytes(path)
    if _is_pickle(data):
        table = _proposals_table(safe_pickle.loads(data, str(path)), str(path))
    else:
        table = read_rows(data, str(path), _PERSON_BOXES)
    _check_boxes(table, str(path))
    once = _with_rounded_time(table, str(path)).drop_duplicates([*KEY, *COORDINATES], ignore_index=True)
    return once[[*KEY, *COORDINATES, "score"]]


def read_truth(path: str | Path) -> pd.DataFrame:
    """Annotated actions: AVA's csv ``video,timestamp,x1,y1,x2,y2,action_id[,person]``, or PySlowFast's dump.

    A row of two columns names a key frame with nobody in it; its other columns are NaN.

    Returns:
        Columns video, timestamp, x1 y1 x2 y2, action_id, person; the index is the line of the file.

    Raises:
        InputError: it names file, line, value and what is allowed.
    """
    return _labelled_boxes(path, RowFormat([*KEY, *COORDINATES, "action_id", "person"], optional=1, frame_rows=True))


def read_detections(path: str | Path) -> pd.DataFrame:
    """Scored actions: AVA's csv ``video,timestamp,x1,y1,x2,y2,action_id,score``.

    Returns:
        Columns video, timestamp, x1 y1 x2 y2, action_id, score; the index is the line of the file. Rows of
        two columns, which name a frame without detections, are left out.

    Raises:
        InputError: it names file, line, value and what is allowed.
    """
    table = _labelled_boxes(path, RowFormat([*KEY, *COORDINATES, "action_id", "score"], frame_rows=True))
    return table[table["action_id"].notna()]


def read_key_frames(path: str | Path) -> pd.DataFrame:
    """Key frames, such as AVA's excluded ones: ``video,timestamp``; the file may be empty.

    Raises:
        InputError: it names file, line, value and what is allowed.
    """
    table = read_rows(_read_bytes(path), str(path), RowFormat(KEY))
    return _with_rounded_time(table, str(path))


def read_timestamps(path: str | Path) -> list[float]:
    """Timestamps that count in every film, one a line: AVA's included timestamps."""
    texts = _read_bytes(path).decode("utf-8-sig", errors="replace").split("\n")
    seconds = []
    for line, text in enumerate(texts, start=1):
        if not text.strip():
            continue
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not 0 <= number <= _LATEST:  # NaN neither
            raise InputError(f"{path}, line {line}: is {text.strip()!r}; a number of seconds is expected")
        seconds.append(round(number, _TIMESTAMP_DECIMALS))
    if not seconds:
        raise InputError(f"{path}: names no timestamp; one a line is expected")
    return seconds


def _labelled_boxes(path: str | Path, row_format: RowFormat) -> pd.DataFrame:
    table = read_rows(_read_bytes(path), str(path), row_format)
    boxes = table[table["action_id"].notna()]
    _check_boxes(boxes, str(path))
    ids = boxes["action_id"].to_numpy(dtype=float)
    broken = np.flatnonzero((ids != np.floor(ids)) | (ids < 0))
    if len(broken):
        line, found = boxes.index[broken[0]], ids[broken[0]]
        raise InputError(f"{path}, line {line}: action_id is {found:g}; a whole number is expected")
    return _with_rounded_time(table, str(path))


def _with_rounded_time(table: pd.DataFrame, name: str) -> pd.DataFrame:
    far = np.flatnonzero(np.abs(table["timestamp"].to_numpy(dtype=float)) > _LATEST)
    if len(far):
        where = f"line {table.index[far[0]]}" if table.index.name == "line" else f"box {far[0] + 1}"
        raise InputError(f"{name}, {where}: timestamp is {table['timestamp'].iloc[far[0]]:g}; seconds are expected")
    return table.assign(timestamp=table["timestamp"].round(_TIMESTAMP_DECIMALS))


def format_timestamp(seconds: float) -> str:
    """A timestamp as AVA writes it: whole seconds in four digits (``0902``), others in decimals (``902.5``)."""
    rounded = round(seconds, _TIMESTAMP_DECIMALS)
    return f"{int(rounded):04d}" if rounded == int(rounded) else f"{rounded:.6f}".rstrip("0")


def _read_bytes(path: str | Path) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as problem:
        raise InputError(f"{path}: cannot be read ({problem.strerror})") from None


def _is_pickle(data: bytes) -> bool:
    """Protocol 2 and later start with 0x80, 1 holds zero bytes, 0 is text that ends in a full stop.

    A csv has neither, and a comma in its first line.
    """
    if data[:1] == b"\x80":
        return True
    utf16 = data[:2] in (b"\xff\xfe", b"\xfe\xff")
    return (b"\0" in data and not utf16) or (data[-1:] == b"." and b"," not in data.split(b"\n", 1)[0])


def _proposals_table(content: Any, name: str) -> pd.DataFrame:
    """mmaction2's proposals: a dict from ``video,timestamp`` to boxes."""
    if not isinstance(content, Mapping):
        raise InputError(f"{name}: holds a {type(content).__name__}; a dict 'video,timestamp' -> boxes is expected")
    videos: list[str] = []
    timestamps: list[float] = []
    parts: list[NDArray[np.float64]] = []
    for key, boxes in content.items():
        video, seconds = _proposals_key(key, name)
        part = _proposals_boxes(key, boxes, name)
        videos.append(video)
        timestamps.append(seconds)
        parts.append(part)
    counts = [len(part) for part in parts]
    rows = np.concatenate([*parts, np.zeros((0, 5))])
    table = pd.DataFrame(rows, columns=[*COORDINATES, "score"])
    table.insert(0, "video", np.repeat(np.array(videos, dtype=object), counts))
    table.insert(1, "timestamp", np.repeat(np.array(timestamps, dtype=float), counts))
    return table.astype({"video": str})


def _proposals_key(key: Any, name: str) -> tuple[str, float]:
    video, comma, timestamp = key.rpartition(",") if isinstance(key, str) else ("", "", "")
    try:
        seconds = float(timestamp) if comma and video else math.nan
    except ValueError:
        seconds = math.nan
    if not math.isfinite(seconds):
        raise InputError(
            f"{name}: has an entry {reprlib.repr(key)}; 'video,timestamp' with a number of seconds is expected"
        )
    return video, seconds


def _proposals_boxes(key: Any, boxes: Any, name: str) -> NDArray[np.float64]:
    """The boxes of an entry as ``float64[K, 5]``, the score NaN where there is none."""
    shown = reprlib.repr(key)
    if not isinstance(boxes, np.ndarray) and not _plain_rows(boxes):
        raise InputError(f"{name}: entry {shown} holds {reprlib.repr(boxes)}; rows of 4 or 5 numbers are expected")
    array = np.asarray(boxes)
    if array.size == 0:
        return np.zeros((0, 5))
    if array.ndim != 2 or array.shape[1] not in (4, 5) or array.dtype.kind not in "fiu":
        raise InputError(
            f"{name}: entry {shown} holds {array.dtype} of shape {list(array.shape)}; float[K, 4 or 5] is expected"
        )
    scores = array[:, 4:] if array.shape[1] == 5 else np.full((len(array), 1), np.nan)
    return np.concatenate([array[:, :4], scores], axis=1).astype(np.float64)


def _plain_rows(boxes: Any) -> bool:
    """Rows of 4 or 5 numbers, all of one length; looked at before numpy sees them, however deep they nest."""
    if not isinstance(boxes, list | tuple) or len(boxes) > _MOST_BOXES:
        return False
    rows = all(isinstance(row, list | tuple) and len(row) in (4, 5) and len(row) == len(boxes[0]) for row in boxes)
    return rows and all(isinstance(value, int | float | np.number) for row in boxes for value in row)


def _check_boxes(table: pd.DataFrame, name: str) -> None:
    """Every box inside the frame and not inverted."""
    boxes = table[COORDINATES].to_numpy(dtype=float)
    inverted = np.any(boxes[:, 2:] < boxes[:, :2], axis=1)
    inside = np.all((boxes >= -_ROUNDING) & (boxes <= 1 + _ROUNDING), axis=1)  # a NaN is outside
    outside = np.logical_not(inside)
    if not (inverted | outside).any():
        return
    row = int(np.flatnonzero(inverted | outside)[0])
    entry = f"entry '{table['video'].iloc[row]},{format_timestamp(table['timestamp'].iloc[row])}'"
    where = f"{name}, line {table.index[row]}" if table.index.name == "line" else f"{name}, {entry}"
    found = ",".join(f"{value:g}" for value in boxes[row])
    if outside[row]:
        pixels = "; these look like pixels: divide by the film's width and height" if boxes[row].max() > 2 else ""
        raise InputError(f"{where}: the box {found} leaves the frame; x1,y1,x2,y2 from 0 to 1 are expected{pixels}")
    raise InputError(f"{where}: the box {found} is inverted; x1 <= x2 and y1 <= y2 are expected")
