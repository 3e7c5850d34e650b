"""Results of ``predict``, to be corrected: FILM.jsonl (names, identities, scores), FILM.csv (AVA's detections)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from ava_tools.convert.annotations import Annotations
from ava_tools.convert.ava import actions_of
from ava_tools.convert.films import Films
from ava_tools.convert.folder import annotations_of, film_of
from ava_tools.errors import InputError
from ava_tools.label_files import read_labels
from ava_tools.labels import Action, Labels
from ava_tools.prediction_rows import read_prediction_rows
from ava_tools.tables import COORDINATES, KEY, read_detections


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
        table = read_prediction_rows(source)
        known, notes = _named(source, table) if labels is None else read_labels(labels), []
    if unknown := set(table["action_id"]) - set(known.ids):
        raise InputError(f"{source}: has the action {min(unknown):g}, which is none of {labels}")
    weak = table["score"] < min_score
    if weak.any():
        notes.append(f"{int(weak.sum()):,} of {len(table):,} actions have scores below {min_score:g}")
        table.loc[weak, COORDINATES] = np.nan
    annotated = [film_of(str(name), films.info(str(name))) for name in table[KEY[0]].unique()]
    return annotations_of(table, annotated, known, notes=notes, time_origin=time_origin)


def _named(source: Path, table: pd.DataFrame) -> Labels:
    pairs = table[["action_id", "action"]].drop_duplicates().sort_values("action_id", kind="stable")
    if not pairs["action_id"].is_unique:
        twice = pairs.loc[pairs["action_id"].duplicated(), "action_id"].iloc[0]
        names = " and ".join(repr(name) for name in pairs.loc[pairs["action_id"] == twice, "action"].head(2))
        raise InputError(f"{source}: calls the action {twice:g} {names}; one name is expected")
    return Labels(tuple(Action(int(number), name) for number, name in pairs.itertuples(index=False, name=None)))
