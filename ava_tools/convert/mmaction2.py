"""mmaction2's AVA and MultiSports: a csv of actions with proposals, exclusions and a list of labels beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from ava_tools.convert.annotations import Annotations, joined
from ava_tools.convert.ava import actions_of, from_start, split_of, table_annotations
from ava_tools.convert.films import Films, film_name, is_film_file
from ava_tools.errors import InputError
from ava_tools.label_files import read_labels
from ava_tools.labels import Labels, numbered_labels
from ava_tools.tables import KEY, read_key_frames, read_person_boxes, read_truth

_LISTS = ("*.pbtxt", "*action_list*.txt", "*label_map*.txt")
_RATE = 25.0  # of MultiSports
_MOST_ACTIONS = 10_000


def read(source: Path, films: Films, labels: Path | None = None, time_origin: float = 0.0) -> Annotations:
    """Read a csv, or all of a folder; what belongs to each of them is found in its folder.

    Proposals (``.pkl``) belong to a csv if they share films with it, exclusions (``*exclude*.csv``) too; of files whose
    names say train, val or test only those that say the same. Films that the csv names with their suffix are
    MultiSports': numbers of frames, from 1, stand where AVA has seconds, and actions count from 0.

    Args:
        source: the csv, or the folder.
        films: where times of frames come from.
        labels: list of the actions; None: the one in the folder, else AVA's 80.
        time_origin: timestamp of the start of AVA's films.

    Raises:
        InputError: a file is wrong, or there is none.
    """
    folder = source if source.is_dir() else source.parent
    tables = (
        [path for path in sorted(folder.glob("*.csv")) if "exclu" not in path.name] if source.is_dir() else [source]
    )
    if not tables:
        raise InputError(f"{source}: holds no csv of actions")
    return joined([_read(path, films, labels, time_origin) for path in tables], [str(path) for path in tables])


def _read(path: Path, films: Films, given: Path | None, time_origin: float) -> Annotations:
    truth = read_truth(path)
    names = [str(name) for name in truth[KEY[0]].unique()]
    numbered = bool(names) and all(is_film_file(name) for name in names)
    counted, notes = _without_excluded(path, truth)
    table = _from_start(path, counted, films, numbered, time_origin)
    if numbered:
        labels, note = _labels_from_one(path, table, given)
        table["action_id"] += 0 if 0 in labels.ids else 1
        # persons are numbered anew for each action
        table["person"] = (
            table.groupby([KEY[0], "action_id", "person"], sort=False).ngroup().where(table["person"].notna())
        )
    else:
        labels, note = actions_of(path, table["action_id"], given, _LISTS)
    found = table_annotations(path, table, films, labels, [note, *notes], 0.0 if numbered else time_origin)
    boxes = [_from_start(path, each, films, numbered, time_origin) for each in _proposals(path, names)]
    if not boxes:
        return found
    proposals = pd.concat(boxes, ignore_index=True)
    kept = pd.MultiIndex.from_frame(proposals[KEY]).isin(pd.MultiIndex.from_frame(found.key_frames))
    lost = {"proposals on frames that are not annotated": int((~kept).sum())}
    return replace(found, proposals=proposals[kept].reset_index(drop=True), lost=lost)


def _from_start(path: Path, table: pd.DataFrame, films: Films, numbered: bool, time_origin: float) -> pd.DataFrame:
    """Seconds from the start of the films: of numbers of frames, or of timestamps."""
    if not numbered:
        return from_start(table, films, time_origin)
    parts = []
    for name, rows in table.groupby(KEY[0], sort=False):
        numbers, film = rows["timestamp"], film_name(str(name))
        wrong = numbers[(numbers < 1) | (numbers % 1 != 0)]
        if len(wrong):
            raise InputError(f"{path}: {name} has the frame {wrong.iloc[0]:g}, counted from 1")
        frames = (numbers - 1).astype(np.int64).tolist()
        parts.append(rows.assign(video=film, timestamp=films.seconds(film, frames, _RATE).round(6)))
    return pd.concat(parts, ignore_index=True) if parts else table


def _labels_from_one(path: Path, table: pd.DataFrame, given: Path | None) -> tuple[Labels, str]:
    """The actions of MultiSports, which csv files number from 0: of a list, else by their numbers from 1."""
    lists = [given] if given is not None else sorted(path.parent.glob("*label_map*.txt"))
    highest = int(table["action_id"].fillna(0).max())
    if highest > _MOST_ACTIONS:
        raise InputError(f"{path}: has the action {highest}; numbers from 0 to {_MOST_ACTIONS} are expected")
    if len(lists) != 1:
        return numbered_labels(highest + 1), "actions are called by their numbers (--labels FILE names them)"
    labels = read_labels(lists[0])
    if highest + (0 if 0 in labels.ids else 1) not in labels.ids:
        raise InputError(f"{path}: has the action {highest}, counted from 0, which is none of {lists[0]}")
    return labels, f"actions are those of {lists[0]}"


def _without_excluded(path: Path, table: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    keys = pd.MultiIndex.from_frame(table[KEY])
    excluded = np.zeros(len(table), dtype=bool)
    for file in sorted(path.parent.glob("*exclu*.csv")):
        if split_of(file) == split_of(path):
            excluded |= keys.isin(pd.MultiIndex.from_frame(read_key_frames(file)[KEY]))
    if not excluded.any():
        return table, []
    count = len(keys[excluded].unique())
    return table[~excluded], [f"{count:,} annotated frames are left out, as the exclusions beside {path} say"]


def _proposals(path: Path, names: Sequence[str]) -> list[pd.DataFrame]:
    """Boxes of these films, of the files beside a csv."""
    tables = []
    for file in sorted(path.parent.glob("*.pkl")):
        if split_of(file) == split_of(path):
            boxes = read_person_boxes(file)
            tables.append(boxes[boxes[KEY[0]].isin(names)])
    return [table for table in tables if len(table)]
