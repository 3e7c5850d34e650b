"""AVA's csv, read and written: ``video,timestamp,x1,y1,x2,y2,action_id[,person]``, and AVA-Kinetics' alike."""

from __future__ import annotations

import csv
import io
import logging
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from ava_tools.atomic import replacing
from ava_tools.convert.annotations import NOBODY, Annotations
from ava_tools.convert.films import Films
from ava_tools.convert.folder import annotations_of, film_of, truth_csv
from ava_tools.errors import InputError
from ava_tools.label_files import read_labels
from ava_tools.labels import Labels, ava_labels
from ava_tools.tables import COORDINATES, KEY, format_timestamp, read_truth

_log = logging.getLogger(__name__)
_SPLIT = re.compile(r"(?<![a-z])(train|val|test)(?![a-z])", re.IGNORECASE)
_CUT = re.compile(r"(.+)_(\d{6})_(\d{6})")  # what Kinetics calls a film: ID, first and last second of it
_LABEL_TYPES = {"pose": "PERSON_MOVEMENT", "object": "OBJECT_MANIPULATION", "person": "PERSON_INTERACTION"}


def read(source: Path, films: Films, labels: Path | None = None, time_origin: float = 0.0) -> Annotations:
    """Read a file; the word train, val or test in its name makes it a split.

    Timestamps of Kinetics count from the start of the film that ``ID_START_END`` was cut of: where a folder of films
    has such a name for an ID, or where all rows with such names lie in those seconds, START is taken off.

    Args:
        source: the csv.
        films: where Kinetics' names are looked up.
        labels: list of the actions; None: the pbtxt beside the file, if there is one alone, else AVA's 80.
        time_origin: timestamp of the start of all other films.

    Raises:
        InputError: the file is wrong, or it has an action that the list lacks.
    """
    table = from_start(read_truth(source), films, time_origin)
    list_of_actions, note = actions_of(source, table["action_id"], labels)
    return table_annotations(source, table, films, list_of_actions, [note], time_origin)


def table_annotations(
    source: Path, table: pd.DataFrame, films: Films, labels: Labels, notes: Sequence[str], time_origin: float
) -> Annotations:
    """Rows whose timestamps count from the start of their films, as annotations."""
    split = split_of(source)
    known = [film_of(str(name), films.info(str(name)), split) for name in table[KEY[0]].unique()]
    if not time_origin and len(table) and table["timestamp"].min() >= 900:
        notes = [*notes, "timestamps begin at 900 or later; where films were cut there, say --time-origin 900"]
    return annotations_of(table, known, labels, notes=notes, time_origin=time_origin)


def split_of(source: Path) -> str | None:
    """The part of a data set that the name of a file tells: train, val or test."""
    found = _SPLIT.search(source.stem)
    return found[1].lower() if found else None


def actions_of(
    source: Path, ids: pd.Series[float], given: Path | None, beside: Sequence[str] = ("*.pbtxt",)
) -> tuple[Labels, str]:
    """The actions that ids of a file stand for, and a sentence that tells whose they are.

    Raises:
        InputError: an id is not in the list.
    """
    found = {path for each in beside for path in source.parent.glob(each)} if given is None else {given}
    used = set(ids.dropna())
    lists = {str(path): read_labels(path) for path in found} if len(found) == 1 else {}
    lists |= {} if given is not None else {"AVA's list of 80 (--labels FILE names another)": ava_labels()}
    for whose, labels in lists.items():
        if used <= set(labels.ids):
            return labels, f"actions are those of {whose}"
    whose, labels = next(iter(lists.items()))
    unknown = min(used - set(labels.ids))
    raise InputError(
        f"{source}: has the action {unknown:g}, which is none of {whose}; --labels FILE with it is expected"
    )


def from_start(table: pd.DataFrame, films: Films, time_origin: float) -> pd.DataFrame:
    """Timestamps that count from the start of the film, and Kinetics' films by the names of their files."""
    names = [str(name) for name in table[KEY[0]].unique()]
    parts = {name: found for name in names if (found := _CUT.fullmatch(name))}
    begin = table[KEY[0]].map({name: float(found[2]) for name, found in parts.items()}).astype(float)
    end = table[KEY[0]].map({name: float(found[3]) for name, found in parts.items()}).astype(float)
    time, named = table["timestamp"], begin.notna()
    whole = named.any() and ((time >= begin) & (time <= end))[named].all()
    videos = table[KEY[0]].tolist()
    starts = (begin if whole else begin * 0).fillna(time_origin).tolist()
    cuts = _cuts(films, names)
    for row, (name, second) in enumerate(zip(videos, time, strict=True)) if cuts else ():
        for first, last, film in cuts.get(name, ()):
            if first <= second <= last:
                videos[row], starts[row] = film, first
                break
    return table.assign(video=pd.Series(videos, index=table.index, dtype=object), timestamp=(time - starts).round(6))


def _cuts(films: Films, names: Iterable[str]) -> dict[str, list[tuple[int, int, str]]]:
    """Films ``ID_START_END`` of the folder by those IDs that the annotations name."""
    wanted = set(names)
    found: dict[str, list[tuple[int, int, str]]] = {}
    try:
        paths = sorted(films.folder.iterdir()) if films.folder is not None else []
    except OSError:
        return {}
    for path in paths:
        film = path.name if path.is_dir() else path.stem
        if (cut := _CUT.fullmatch(film)) and cut[1] in wanted:
            found.setdefault(cut[1], []).append((int(cut[2]), int(cut[3]), film))
    return found


def write(annotations: Annotations, out: Path, films: Films) -> list[Path]:
    """Write ``SPLIT.csv`` of each split (``truth.csv``: no split) and ``labels.pbtxt``.

    Where actions have scores, ``detections.csv`` is written instead.

    Args:
        annotations: of key frames.
        out: the folder.
        films: not looked at.

    Raises:
        InputError: a file cannot be written.
    """
    out.mkdir(parents=True, exist_ok=True)
    shifted = annotations.moved(annotations.time_origin)
    texts = {"labels.pbtxt": _pbtxt(annotations.labels)}
    if "score" in annotations.actions:
        texts["detections.csv"] = _detections_csv(shifted)
    else:
        split = shifted.key_frames[KEY[0]].map({film.name: film.split or "truth" for film in annotations.films})
        for name in sorted(split.unique()):
            texts[f"{name}.csv"] = truth_csv(shifted.of_key_frames(shifted.key_frames[split == name]))
    for name, text in texts.items():
        with replacing(out / name) as temporary:
            temporary.write_text(text, encoding="utf-8")
    return [out / name for name in texts]


def _detections_csv(annotations: Annotations) -> str:
    """Rows ``video,timestamp,x1,y1,x2,y2,action_id,score``; those of two columns name key frames without detections."""
    persons, actions = annotations.persons, annotations.actions
    idle = len(persons) - actions["box"].nunique()
    known = int((persons["person"] != NOBODY).sum())
    for what, count in (("persons without an action", idle), ("identities of persons", known)):
        if count:
            _log.warning("lost: %s, %d times; AVA's csv of detections has no place for them", what, count)
    rows = persons[[*KEY, *COORDINATES]].join(actions.set_index("box"), how="inner")
    seen = pd.MultiIndex.from_frame(annotations.key_frames[KEY]).isin(pd.MultiIndex.from_frame(rows[KEY]))
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    for video, time, *box, action, score in rows.itertuples(index=False, name=None):
        cells = (f"{value:.6f}" for value in box)
        writer.writerow([video, format_timestamp(time), *cells, action, f"{0.0 if np.isnan(score) else score:.6f}"])
    for video, time in annotations.key_frames[~seen].itertuples(index=False, name=None):
        writer.writerow([video, format_timestamp(time)])
    return text.getvalue()


def _pbtxt(labels: Labels) -> str:
    lines = []
    for action in labels:
        name = " ".join(action.name.split())
        quote = "'" if '"' in name else '"'
        name = name.replace("\\", "\\\\").replace(quote, f"\\{quote}")
        kind = f" label_type: {_LABEL_TYPES[action.kind]}" if action.kind else ""
        lines.append(f"label {{ name: {quote}{name}{quote} label_id: {action.id}{kind} }}\n")
    return "".join(lines)
