"""mmaction2's proposals: a pickle of a dict from ``video,timestamp`` to boxes."""

from __future__ import annotations

import math
import reprlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ava_tools.errors import InputError

_MOST_BOXES = 10_000  # of one key frame


def is_pickle(data: bytes) -> bool:
    """Whether bytes are a pickle: protocol 2 and later start with 0x80, 1 holds zero bytes, 0 ends in a full stop.

    A csv has neither, and a comma in its first line.
    """
    if data[:1] == b"\x80":
        return True
    utf16 = data[:2] in (b"\xff\xfe", b"\xfe\xff")
    return (b"\0" in data and not utf16) or (data[-1:] == b"." and b"," not in data.split(b"\n", 1)[0])


def proposals_table(content: Any, name: str) -> pd.DataFrame:
    """mmaction2's proposals: a dict from ``video,timestamp`` to boxes."""
    if not isinstance(content, Mapping):
        raise InputError(f"{name}: holds a {type(content).__name__}; a dict 'video,timestamp' -> boxes is expected")
    videos: list[str] = []
    timestamps: list[float] = []
    parts: list[NDArray[np.float64]] = []
    for key, boxes in content.items():
        video, seconds = _key(key, name)
        part = _boxes(key, boxes, name)
        videos.append(video)
        timestamps.append(seconds)
        parts.append(part)
    counts = [len(part) for part in parts]
    rows = np.concatenate([*parts, np.zeros((0, 5))])
    table = pd.DataFrame(rows, columns=["x1", "y1", "x2", "y2", "score"])
    table.insert(0, "video", np.repeat(np.array(videos, dtype=object), counts))
    table.insert(1, "timestamp", np.repeat(np.array(timestamps, dtype=float), counts))
    return table.astype({"video": str})


def _key(key: Any, name: str) -> tuple[str, float]:
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


def _boxes(key: Any, boxes: Any, name: str) -> NDArray[np.float64]:
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
