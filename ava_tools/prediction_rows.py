"""What ``predict`` writes as .jsonl: a line for each person and action of a key frame."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ava_tools.errors import InputError
from ava_tools.json_text import parsed
from ava_tools.regular_files import check_regular
from ava_tools.tables import COORDINATES

_FIELDS = ("video", "time", "person", *COORDINATES, "action_id", "action", "score")
_NUMBERS = [*COORDINATES, "action_id", "score"]


def read_prediction_rows(source: Path) -> pd.DataFrame:
    """A row an action: video, timestamp (seconds from the film's start), person, the box, action_id, action, score.

    Raises:
        InputError: the file cannot be read or holds something else; it names the line.
    """
    check_regular(source)
    columns: dict[str, list[Any]] = {name: [] for name in _FIELDS}
    try:
        with source.open(encoding="utf-8-sig") as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    _take(columns, parsed(line, f"{source}, line {number}"), f"{source}, line {number}")
    except OSError as problem:
        raise InputError(f"{source}: cannot be read ({problem.strerror})") from None
    except UnicodeDecodeError:
        raise InputError(f"{source}: is no text; lines of json are expected") from None
    table = pd.DataFrame(columns).rename(columns={"time": "timestamp"})
    return table.astype(dict.fromkeys(["timestamp", *_NUMBERS], float) | {"person": np.int64})


def _take(columns: dict[str, list[Any]], row: Any, where: str) -> None:
    if not isinstance(row, dict) or any(name not in row for name in _FIELDS):
        raise InputError(f"{where}: an object with {', '.join(_FIELDS)} is expected, as predict writes it")
    for name in _FIELDS:
        value = row[name]
        if name in ("video", "action"):
            right = isinstance(value, str) and value != ""
        elif name in ("person", "action_id"):
            right = isinstance(value, int) and not isinstance(value, bool) and -1 <= value < 2**31
        else:
            most = 1e9 if name == "time" else 1.01
            right = isinstance(value, int | float) and not isinstance(value, bool) and -0.01 <= value <= most
        if not right:
            expected = "a number of the frame, from 0 to 1," if name in COORDINATES else "what predict writes"
            raise InputError(f"{where}: {name} is {json.dumps(value)[:50]}; {expected} is expected")
        columns[name].append(value)
    if row["x2"] < row["x1"] or row["y2"] < row["y1"]:
        raise InputError(f"{where}: the box is inverted; x1 <= x2 and y1 <= y2 are expected")
