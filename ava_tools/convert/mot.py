"""MOTChallenge's sequences, and CVAT's MOT 1.1: gt/gt.txt with seqinfo.ini or gt/labels.txt, read and written."""

from __future__ import annotations

import configparser
import logging
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from ava_tools.atomic import replacing
from ava_tools.convert.annotations import AnnotatedFilm, Annotations, file_stems
from ava_tools.convert.films import Films
from ava_tools.convert.folder import annotations_of
from ava_tools.convert.interpolation import Interpolation
from ava_tools.csv_rows import RowFormat, read_rows
from ava_tools.errors import InputError
from ava_tools.labels import Action, Labels
from ava_tools.tables import COORDINATES, KEY

_log = logging.getLogger(__name__)
_PIXELS = ["left", "top", "width", "height"]
_ROW = RowFormat(["frame", "id", *_PIXELS, "flag", "class", "visibility", "z"], optional=4)
_CLASSES = (  # of MOT16, MOT17 and MOT20, where no labels.txt names others
    *("pedestrian", "person on vehicle", "car", "bicycle", "motorbike", "non motorized vehicle", "static person"),
    *("distractor", "occluder", "occluder on the ground", "occluder full", "reflection", "crowd"),
)
_NONE = -1  # the id of whoever has no identity, and the class of whoever does nothing
_MOST = 2_000_000  # frames of a film, and pixels of its side: far beyond what there is


class _Sequence(NamedTuple):
    """What a sequence's folder says besides its boxes."""

    name: str
    images: str
    rate: float | None
    frames: int | None
    width: int
    height: int


def read(source: Path, films: Films) -> Annotations:
    """Read a sequence's folder, or a folder of them, or a gt.txt; what somebody does is the class of the box.

    A film is called as the sequence's folder, or as its folder of images where the films are the sequences themselves.
    Boxes that MOTChallenge wants ignored (flag 0) are left out and counted.

    Raises:
        InputError: there is no such file, or it is wrong.
    """
    files = [source] if source.is_file() else [source / "gt" / "gt.txt", *sorted(source.glob("*/gt/gt.txt"))]
    files = [file for file in files if file.is_file()]
    if not files:
        raise InputError(f"{source}: holds no gt/gt.txt; a sequence's folder, or a folder of such, is expected")
    lost: Counter[str] = Counter()
    names: dict[str, None] = {}
    annotated: dict[str, AnnotatedFilm] = {}
    between = Interpolation(source)
    tables = []
    for file in files:
        film, table = _read_sequence(file, films, between, names, lost)
        if film.name in annotated:
            raise InputError(f"{file}: annotates the film {film.name!r}, as another sequence does")
        annotated[film.name] = film
        tables.append(table)
    labels = Labels(tuple(Action(number, name) for number, name in enumerate(names or _CLASSES[:1], start=1)))
    table = pd.concat(tables, ignore_index=True)
    table["action_id"] = table["action"].map({action.name: action.id for action in labels})
    return annotations_of(table, list(annotated.values()), labels, {what: n for what, n in lost.items() if n})


def _read_sequence(
    file: Path, films: Films, between: Interpolation, names: dict[str, None], lost: Counter[str]
) -> tuple[AnnotatedFilm, pd.DataFrame]:
    about = _about(file)
    name = films.called(about.name, f"{about.name}/{about.images}", about.images)
    film = AnnotatedFilm(name, about.width, about.height, about.rate, about.frames)
    rows = _rows(file)
    lost["boxes that are to be ignored (flag 0)"] += int((rows["flag"] == 0).sum())
    lost["visibility"] += int(((rows["visibility"] >= 0) & (rows["visibility"] < 1)).sum())
    rows = rows[rows["flag"] != 0]
    size = films.size(name, (film.width, film.height))
    corners = rows[_PIXELS].to_numpy(dtype=float)
    corners[:, 2:] += corners[:, :2]
    table = pd.DataFrame(np.clip(corners / (*size, *size), 0.0, 1.0), columns=COORDINATES)
    table["person"] = rows["id"].to_numpy(dtype=np.int64)
    table["action"] = _actions(file, rows, names)
    watched = range(int(rows["frame"].min()) - 1, int(rows["frame"].max())) if len(rows) else range(0)
    seconds = films.seconds(name, between.looked_at(watched), film.rate).round(6)  # see `while_annotated`
    table["timestamp"] = films.seconds(name, (rows["frame"] - 1).tolist(), film.rate).round(6)
    empty = pd.DataFrame({"timestamp": np.setdiff1d(seconds, table["timestamp"])}, dtype=float)
    return film, pd.concat([table, empty], ignore_index=True).assign(video=name)


def _rows(file: Path) -> pd.DataFrame:
    try:
        rows = read_rows(file.read_bytes(), str(file), _ROW)
    except OSError as problem:
        raise InputError(f"{file}: cannot be read ({problem.strerror})") from None
    frames = pd.to_numeric(rows["frame"], errors="coerce")
    right = (frames >= 1) & (frames <= _MOST) & (frames % 1 == 0)
    if not right.all():
        line = rows.index[~right][0]
        raise InputError(
            f"{file}, line {line}: frame is {rows.loc[line, 'frame']!r}; a whole number from 1 is expected"
        )
    far = (rows["width"] < 0) | (rows["height"] < 0) | (rows[_PIXELS].abs() > _MOST).any(axis=1)
    strange = (rows["id"] < _NONE) | (rows["id"] > 2**31) | (rows["id"] % 1 != 0)
    if (far | strange).any():
        line = rows.index[far | strange][0]
        found = ",".join(f"{value:g}" for value in rows.loc[line, ["id", *_PIXELS]])
        raise InputError(
            f"{file}, line {line}: is {found}; a whole id, left, top, width and height in pixels are expected"
        )
    return rows.assign(frame=frames.astype(np.int64))


def _actions(file: Path, rows: pd.DataFrame, names: dict[str, None]) -> list[str | None]:
    """The class of each box by its name; all names of labels.txt are known then, of MOTChallenge's those in use."""
    numbers = rows["class"].fillna(_NONE)
    listed: tuple[str, ...] = _CLASSES
    path = file.with_name("labels.txt")
    if path.is_file():
        lines = path.read_text(encoding="utf-8-sig", errors="replace").splitlines()
        listed = tuple(line.strip() for line in lines if line.strip())
        names |= dict.fromkeys(listed)
    elif rows["z"].notna().any():  # MOT15: a place in the world instead of a class
        numbers = numbers * 0 + 1
    wrong = (numbers != _NONE) & ~numbers.isin(range(1, len(listed) + 1))
    if wrong.any():
        line = rows.index[wrong][0]
        raise InputError(
            f"{file}, line {line}: the class is {numbers[line]:g}; 1 to {len(listed)} are expected, "
            f"{'the lines of labels.txt' if path.is_file() else 'as in MOT17 (gt/labels.txt may name others)'}"
        )
    names |= dict.fromkeys(listed[number - 1] for number in sorted(set(numbers.astype(int))) if number != _NONE)
    return [None if number == _NONE else listed[int(number) - 1] for number in numbers]


def _about(file: Path) -> _Sequence:
    folder = file.parent.parent if file.parent.name == "gt" else file.parent
    path = folder / "seqinfo.ini"
    values: dict[str, str] = {}
    if path.is_file():
        parser = configparser.ConfigParser(interpolation=None, strict=False)
        try:
            parser.read_string(path.read_text(encoding="utf-8-sig", errors="replace"))
        except configparser.Error as problem:
            raise InputError(f"{path}: is no ini file ({problem.message.splitlines()[0]})") from None
        values = dict(parser["Sequence"]) if parser.has_section("Sequence") else {}

    def number(key: str) -> float:
        text = values.get(key.lower(), "0")
        try:
            found = float(text)
        except ValueError:
            found = -1
        if not 0 <= found <= _MOST:  # NaN neither
            raise InputError(f"{path}: {key} is {text[:50]!r}; a number is expected")
        return found

    name = folder.resolve().name if file.parent.name == "gt" else file.stem
    width, height, frames = (int(number(key)) for key in ("imWidth", "imHeight", "seqLength"))
    return _Sequence(name, values.get("imdir", "img1"), number("frameRate") or None, frames or None, width, height)


def write(annotations: Annotations, out: Path, films: Films) -> list[Path]:
    """Write ``FILM/gt/gt.txt``, ``FILM/gt/labels.txt`` and ``FILM/seqinfo.ini`` of each film.

    A box has one class: of several actions the first in the list is written, the others are counted.

    Args:
        annotations: of key frames.
        out: the folder.
        films: where sizes, rates and numbers of frames come from.

    Raises:
        InputError: the size or rate of a film is not known, or a file cannot be written.
    """
    place = {action.id: number for number, action in enumerate(annotations.labels, start=1)}
    numbers = annotations.actions["action_id"].map(place).groupby(annotations.actions["box"]).min()
    if more := len(annotations.actions) - len(numbers):
        _log.warning("lost: second and further actions of a box, %d times; MOT has one class a box", more)
    persons = annotations.persons.assign(number=numbers.reindex(annotations.persons.index).fillna(_NONE).astype(int))
    names = "".join(f"{' '.join(action.name.split())}\n" for action in annotations.labels)
    of_film = dict(list(persons.groupby(KEY[0])))
    last_of_film = annotations.key_frames.groupby(KEY[0])["timestamp"].max().to_dict()
    stems = file_stems(annotations.films)
    files = []
    for film in annotations.films:
        folder = out / stems[film.name]
        (folder / "gt").mkdir(parents=True, exist_ok=True)
        texts = {
            folder / "gt" / "gt.txt": _gt(of_film.get(film.name, persons[:0]), film, films),
            folder / "gt" / "labels.txt": names,
            folder / "seqinfo.ini": _seqinfo(last_of_film.get(film.name, 0.0), film, films),
        }
        for path, text in texts.items():
            with replacing(path) as temporary:
                temporary.write_text(text, encoding="utf-8")
            files.append(path)
    return files


def _gt(persons: pd.DataFrame, film: AnnotatedFilm, films: Films) -> str:
    width, height = films.size(film.name, (film.width, film.height))
    frames = films.frames(film, persons["timestamp"].to_numpy(float)) + 1
    corners = persons[COORDINATES].to_numpy(float) * (width, height, width, height)
    corners[:, 2:] -= corners[:, :2]
    lines = [
        f"{frame},{person},{left:.3f},{top:.3f},{across:.3f},{down:.3f},1,{number},1\n"
        for frame, person, (left, top, across, down), number in zip(
            frames.tolist(), persons["person"], corners.tolist(), persons["number"], strict=True
        )
    ]
    return "".join(lines)


def _seqinfo(end: float, film: AnnotatedFilm, films: Films) -> str:
    width, height = films.size(film.name, (film.width, film.height))
    step = float(films.seconds(film.name, [1], film.rate)[0])
    last = int(films.frames(film, np.array([end]))[0]) + 1
    values = {
        "name": film.name,
        "imDir": "img1",
        "frameRate": f"{film.rate or 1 / step:g}",
        "seqLength": max(last, film.frames or 0),
        "imWidth": width,
        "imHeight": height,
        "imExt": ".jpg",
    }
    return "[Sequence]\n" + "".join(f"{key}={value}\n" for key, value in values.items())
