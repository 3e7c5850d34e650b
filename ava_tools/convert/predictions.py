"""Results of ``predict``, to be corrected: FILM.jsonl (names, identities, scores), FILM.csv (AVA's detections)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ava_tools.convert.annotations import Annotations
from ava_tools.convert.ava import actions_of
from ava_tools.convert.films import Films
from ava_tools.convert.folder import annotations_of, film_of
from ava_tools.convert.json_records import parsed
from ava_tools.errors import InputError
from ava_tools.label_files import read_labels
from ava_tools.labels import Action, Labels
from ava_tools.regular_files import check_regular
from ava_tools.tables import COORDINATES, KEY, read_detections

_FIELDS = ("video", "time", "person", *COORDINATES, "action_id", "action", "score")
_NUMBERS = [*COORDINATES, "action_id", "score"]


def read(
    source: Path, films: Films, labels: Path | None = None, time_origin: float = 0.0, min_score: float = 0.0
) -> Annotations:
    """Read a file; what it is, its suffix says.

    Args:
        source: ``.jsonl`` or ``.csv``.
        films: the films, which say sizes and rates.
        labels: list of the actions; None: those that the lines of json name; of a csv as `ava.read` says.
        time_origin: timestamp of a film's start in the csv.
        min_score: actions below it are left out, and persons who then do nothing; their key frames stay.

    Raises:
        InputError: the file is wrong.
    """
    if source.suffix.lower() == ".csv":
        table = read_detections(source)
        table["timestamp"] = (table["timestamp"] - time_origin).round(6)
        known, note = actions_of(source, table["action_id"], labels)
        notes = [note]
    else:
        table = _lines(source)
        known, notes = _named(source, table) if labels is None else read_labels(labels), []
    if unknown := set(table["action_id"]) - set(known.ids):
        raise InputError(f"{source}: has the action {min(unknown):g}, which is none of {labels}")
    weak = table["score"] < min_score
    if weak.any():
        notes.append(f"{int(weak.sum()):,} of {len(table):,} actions have scores below {min_score:g}")
        table.loc[weak, COORDINATES] = np.nan
    annotated = [film_of(str(name), films.info(str(name))) for name in table[KEY[0]].unique()]
    return annotations_of(table, annotated, known, notes=notes, time_origin=time_origin)


def _lines(source: Path) -> pd.DataFrame:
    """A row an action: video, timestamp, the box, person, action_id, action, score."""
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


def _named(source: Path, table: pd.DataFrame) -> Labels:
    pairs = table[["action_id", "action"]].drop_duplicates().sort_values("action_id", kind="stable")
    if not pairs["action_id"].is_unique:
        twice = pairs.loc[pairs["action_id"].duplicated(), "action_id"].iloc[0]
        names = " and ".join(repr(name) for name in pairs.loc[pairs["action_id"] == twice, "action"].head(2))
        raise InputError(f"{source}: calls the action {twice:g} {names}; one name is expected")
    return Labels(tuple(Action(int(number), name) for number, name in pairs.itertuples(index=False, name=None)))
