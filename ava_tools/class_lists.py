"""Text files that list films with one class each, line by line; whether the films exist is looked up later.

Two kinds, told apart by their content: Kinetics' own csv (a header with ``youtube_id``), and lines of a path and a
class as PySlowFast reads them.
"""

from __future__ import annotations

import csv
import math
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ava_tools.class_names import shown
from ava_tools.errors import InputError
from ava_tools.media.probe import FILM_SUFFIXES
from ava_tools.regular_files import check_regular

SPLIT_WORDS = {"train": ("train",), "val": ("val", "validate", "validation"), "test": ("test",)}
"""What files, folders and columns call the parts of a data set."""
_KINETICS = ("label", "youtube_id", "time_start", "time_end")
_EXPECTED = "a path and a class are expected, such as: run/a.mp4 3"
_HEADER = re.compile(
    r"(?:path|film|file|file_?name|video|video_?(?:path|name))[\s,]+(?:\w+[\s,]+)?(?:label|class)(?:_?(?:id|name))?",
    re.IGNORECASE,
)
_LINE_END = re.compile(r"\r\n|\n|\r")

_SUFFIXES = "|".join(sorted(suffix.removeprefix(".") for suffix in FILM_SUFFIXES))
_BETWEEN = r"(?:\s*,\s*|\s+)"
_FILM_FIRST = re.compile(rf"(.*\.(?:{_SUFFIXES})){_BETWEEN}(\S.*)", re.IGNORECASE)
_LAST_COMMA, _LAST_SPACE = re.compile(r"(.*\S)\s*[,\t]\s*([^,\t]+)"), re.compile(r"(.*\S)\s+(\S+)")
# the second of three fields; before a name only commas tell it from the name's own beginning
_NUMBER_FIRST = re.compile(r"\d+(?:\s*[,\t]\s*(\S.*)|\s+([-+]?\d+))")
_NUMBER_LAST = re.compile(rf"(.*\S){_BETWEEN}\d+")


@dataclass(frozen=True)
class ListedFilm:
    """A film of a list.

    Attributes:
        line: its line in the file, from 1.
        label: its class as it is written, a number or a name.
        names: paths that may be meant, the likeliest first.
        folders: from which they count, if they are not absolute; the likeliest first.
    """

    line: int
    label: str
    names: tuple[str, ...]
    folders: tuple[str, ...]

    @property
    def places(self) -> Iterator[str]:
        """Paths at which it may be, the likeliest first."""
        return (os.path.join(folder, name) for folder in self.folders for name in self.names)


@dataclass(frozen=True)
class FilmList:
    """What a file lists.

    Attributes:
        path: of the file.
        numbered: whether a label of digits alone is a number; in Kinetics' own csv it is a name.
    """

    path: Path
    films: tuple[ListedFilm, ...]
    numbered: bool

    def where(self, film: ListedFilm) -> str:
        """The place of a film in the file, for sentences."""
        return f"{self.path}, line {film.line}"


def read_film_list(path: Path, split: str, films: Path) -> FilmList:
    """Read a list of films.

    - PySlowFast's: ``path label`` a line, without header; the path may hold spaces, a comma or tab may separate too, a
      number may stand between, and the label may be a name. Also ``path,label`` with that header.
    - Kinetics': a csv with the header ``label,youtube_id,time_start,time_end,split[,is_cc]``. Its films are called
      ``ID_START_END`` (six digits each) or ``ID``, in the folder, in a folder within for the split or the class, or in
      both, one in the other; spaces of a class may be underscores there.

    Args:
        path: the file.
        split: part of the data set: where rows of Kinetics are of several, only its are taken.
        films: folder that paths count from.

    Raises:
        InputError: it cannot be read, is empty, or a line is wrong; one sentence with the file and the line.
    """
    lines = _lines(path)
    first = next((line for line in lines if line.strip()), None)
    if first is None:
        raise InputError(f"{path}: is empty; lines of {_EXPECTED}")
    if re.search(r"\byoutube_id\b", first.lower()):
        return FilmList(path, tuple(_kinetics(lines, str(path), split, films)), numbered=False)
    listed = tuple(_paths_with_labels(lines, str(path), films))
    if not listed:
        raise InputError(f"{path}: lists no film behind its header; lines of {_EXPECTED}")
    return FilmList(path, listed, numbered=True)


def _lines(path: Path) -> list[str]:
    check_regular(path)
    try:
        return _LINE_END.split(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError) as problem:
        reason = problem.strerror if isinstance(problem, OSError) else "it is no utf-8"
        raise InputError(f"{path}: cannot be read as text ({reason})") from None


def _paths_with_labels(lines: Iterable[str], name: str, films: Path) -> Iterable[ListedFilm]:
    folders, begun = (str(films),), False
    for number, line in enumerate(map(str.strip, lines), start=1):
        if not line or (not begun and _HEADER.fullmatch(line)):
            begun = begun or bool(line)
            continue
        begun = True
        fields = _quoted(line) if line.startswith('"') or ',"' in line else _fields(line)
        if fields is None:
            raise InputError(f"{name}, line {number}: is {shown(line)}; {_EXPECTED}")
        label, names = fields
        yield ListedFilm(number, label, names, folders)


def _fields(line: str) -> tuple[str, tuple[str, ...]] | None:
    """The class of a line and the paths that may be meant; None: there is no class."""
    if film := _FILM_FIRST.fullmatch(line):
        between = _NUMBER_FIRST.fullmatch(film[2])
        return (between[1] or between[2] if between else film[2]), (film[1],)
    split = (_LAST_COMMA if "," in line or "\t" in line else _LAST_SPACE).fullmatch(line)
    if split is None:
        return None
    between = _NUMBER_LAST.fullmatch(split[1])  # folders of frames: path, number of frames, label
    return split[2], (split[1], between[1]) if between else (split[1],)


def _quoted(line: str) -> tuple[str, tuple[str, ...]] | None:
    """The same of a line with quotes as csv has them."""
    try:
        cells = next(csv.reader([line], skipinitialspace=True, delimiter="," if '",' in line or ',"' in line else " "))
    except csv.Error:
        return None
    cells = [cell.strip() for cell in cells]
    if not 2 <= len(cells) <= 3 or not all(cells) or (len(cells) == 3 and not cells[1].isdecimal()):
        return None
    return cells[-1], (cells[0],)


def _kinetics(lines: Sequence[str], name: str, split: str, films: Path) -> list[ListedFilm]:
    reader = csv.reader(lines)
    header: list[str] = []
    places: dict[str, tuple[str, ...]] = {}
    found: list[tuple[str, ListedFilm]] = []
    try:
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if not header:
                header = _kinetics_header(cells, f"{name}, line {reader.line_num}")
                continue
            row = dict(zip(header, (cell.strip() for cell in cells), strict=False))
            names = _kinetics_names(row, f"{name}, line {reader.line_num}")
            label = row["label"]
            if label not in places:
                places[label] = _class_places(films, split, label)
            found.append((row.get("split", "").lower(), ListedFilm(reader.line_num, label, names, places[label])))
    except csv.Error as problem:
        raise InputError(f"{name}, line {reader.line_num}: is no csv ({problem})") from None
    splits = {part for part, _ in found}
    words = split_words(split)
    chosen = [film for part, film in found if len(splits) == 1 or part in words]
    if not chosen:
        holds = f"its splits are {', '.join(sorted(splits))}" if splits else "it has no line behind its header"
        raise InputError(f"{name}: has no film of the split {split!r}; {holds}")
    return chosen


def _kinetics_header(cells: Sequence[str], where: str) -> list[str]:
    header = [cell.strip().lower() for cell in cells]
    if missing := [column for column in _KINETICS if column not in header]:
        raise InputError(
            f"{where}: Kinetics' header lacks {' and '.join(missing)}; {','.join(_KINETICS)},split is expected"
        )
    return header


def _kinetics_names(row: dict[str, str], where: str) -> tuple[str, str]:
    """What the film of a row may be called, without suffix."""
    for column in ("label", "youtube_id"):
        if not row.get(column):
            raise InputError(f"{where}: has no {column}; {','.join(_KINETICS)},split is expected")
    seconds = []
    for column in ("time_start", "time_end"):
        text = row.get(column, "")
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not 0 <= number < 1e6:  # NaN neither
            raise InputError(f"{where}: {column} is {shown(text)}; a number of seconds is expected")
        seconds.append(int(number))
    return f"{row['youtube_id']}_{seconds[0]:06d}_{seconds[1]:06d}", row["youtube_id"]


def _class_places(films: Path, split: str, label: str) -> tuple[str, ...]:
    """Folders in which films of a class may be, of those that exist: there are many films to be looked for."""
    classes = dict.fromkeys((label, label.replace(" ", "_"), ""))
    places = [os.path.join(films, part, each) for part in ("", *split_words(split)) for each in classes]
    return tuple(place for place in places if os.path.isdir(place)) or (str(films),)


def split_words(split: str) -> tuple[str, ...]:
    """What a split may be called."""
    return SPLIT_WORDS.get(split, (split,))
