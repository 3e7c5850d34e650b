"""AVA's files as checked tables: one row a line, unit boxes, timestamps in seconds.

Every error names the file, the line, the value found and what is allowed.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ava_tools import safe_pickle
from ava_tools.errors import InputError

COORDINATES = ["x1", "y1", "x2", "y2"]
KEY = ["video", "timestamp"]
_PERSON_BOX_COLUMNS = [*KEY, *COORDINATES, "label", "score"]
_TIMESTAMP_DECIMALS = 6  # two timestamps are the same key frame when they agree in six decimals
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
        table = _csv_table(data, str(path), _PERSON_BOX_COLUMNS, optional=2)
    _check_boxes(table, str(path))
    table["timestamp"] = table["timestamp"].round(_TIMESTAMP_DECIMALS)
    once = table.drop_duplicates([*KEY, *COORDINATES], ignore_index=True)
    return once[[*KEY, *COORDINATES, "score"]]


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


def _csv_table(data: bytes, name: str, columns: list[str], optional: int) -> pd.DataFrame:
    """Parse headerless csv: video as text, all else as numbers; at most ``optional`` columns may lack."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{name}: is neither text nor a pickle; a csv or a proposals pickle is expected") from None
    rows: list[list[str]] = []
    lines: list[int] = []
    reader = csv.reader(text.splitlines())
    try:
        for row in reader:
            if row:
                rows.append(row)
                lines.append(reader.line_num)
    except csv.Error as problem:
        raise InputError(f"{name}, line {reader.line_num}: is no csv ({problem})") from None
    required = len(columns) - optional
    for row, line in zip(rows, lines, strict=True):
        if not required <= len(row) <= len(columns):
            allowed = ",".join(columns[:required]) + "".join(f"[,{extra}]" for extra in columns[required:])
            hint = "; it is separated by tabs, commas are expected" if len(row) == 1 and "\t" in row[0] else ""
            raise InputError(f"{name}, line {line}: has {len(row)} columns; {allowed} is expected{hint}")
    padded = [row + [""] * (len(columns) - len(row)) for row in rows]
    table = pd.DataFrame(padded, columns=columns, index=pd.Index(lines, name="line"), dtype=str)
    table["video"] = table["video"].str.strip()
    if (table["video"] == "").any():
        raise InputError(f"{name}, line {(table['video'] == '').idxmax()}: video is empty; the film's name is expected")
    for column in columns[1:]:
        may_be_empty = column in columns[required:]
        table[column] = _numbers(table[column].str.strip(), column, name, may_be_empty)
    return table


def _numbers(texts: pd.Series[str], column: str, name: str, may_be_empty: bool) -> pd.Series[float]:
    numbers = pd.to_numeric(texts, errors="coerce").astype(float)
    allowed = np.isfinite(np.asarray(numbers, dtype=float)) | (np.asarray(texts == "") & may_be_empty)
    wrong = np.flatnonzero(~allowed)
    if len(wrong):
        line = texts.index[wrong[0]]
        header = "; the file must have no header line" if line == 1 and column == "timestamp" else ""
        raise InputError(f"{name}, line {line}: {column} is {texts[line]!r}; a number is expected{header}")
    return numbers


def _proposals_table(content: Any, name: str) -> pd.DataFrame:
    """mmaction2's proposals: a dict from ``video,timestamp`` to boxes."""
    if not isinstance(content, Mapping):
        raise InputError(f"{name}: holds a {type(content).__name__}; a dict 'video,timestamp' -> boxes is expected")
    parts = []
    for key, boxes in content.items():
        video, comma, timestamp = str(key).rpartition(",") if isinstance(key, str) else ("", "", "")
        try:
            array = np.asarray(boxes)
        except ValueError:
            raise InputError(
                f"{name}: entry {key!r} holds rows of different lengths; 4 or 5 numbers are expected"
            ) from None
        if array.size == 0:
            continue
        shape_fits = array.ndim == 2 and array.shape[1] in (4, 5) and array.dtype.kind in "fiu"
        if not video or not comma or not shape_fits:
            raise InputError(
                f"{name}: entry {key!r} holds {array.dtype} of shape {list(array.shape)}; "
                "a key 'video,timestamp' and float[K, 4 or 5] are expected"
            )
        try:
            seconds = float(timestamp)
        except ValueError:
            raise InputError(f"{name}: entry {key!r} has no number of seconds after its comma") from None
        if not math.isfinite(seconds):
            raise InputError(f"{name}: entry {key!r} has no number of seconds after its comma")
        part = pd.DataFrame(np.asarray(array[:, :4], dtype=float), columns=COORDINATES)
        part["score"] = array[:, 4].astype(float) if array.shape[1] == 5 else np.nan
        parts.append(part.assign(video=video, timestamp=seconds))
    columns = [*KEY, *COORDINATES, "score"]
    if not parts:
        return pd.DataFrame(columns=columns).astype(dict.fromkeys(columns[1:], float))
    return pd.concat(parts, ignore_index=True)[columns]


def _check_boxes(table: pd.DataFrame, name: str) -> None:
    """Every box inside the frame and not inverted."""
    boxes = table[COORDINATES].to_numpy(dtype=float)
    inverted = np.any(boxes[:, 2:] < boxes[:, :2], axis=1)
    inside = np.all((boxes >= -_ROUNDING) & (boxes <= 1 + _ROUNDING), axis=1)  # a NaN is outside
    outside = np.logical_not(inside)
    if not (inverted | outside).any():
        return
    row = int(np.flatnonzero(inverted | outside)[0])
    where = f"{name}, line {table.index[row]}" if table.index.name == "line" else f"{name}, box {row + 1}"
    found = ",".join(f"{value:g}" for value in boxes[row])
    if outside[row]:
        pixels = "; these look like pixels: divide by the film's width and height" if boxes[row].max() > 2 else ""
        raise InputError(f"{where}: the box {found} leaves the frame; x1,y1,x2,y2 from 0 to 1 are expected{pixels}")
    raise InputError(f"{where}: the box {found} is inverted; x1 <= x2 and y1 <= y2 are expected")
