"""All that a data set holds, read once for all checks."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd

from ava_tools.coded import frame_codes
from ava_tools.errors import InputError
from ava_tools.labels import Labels
from ava_tools.manifest import MANIFEST, DataSet, read_data_set
from ava_tools.media.frame_folder import IMAGE_SUFFIXES
from ava_tools.media.library import Library, open_library
from ava_tools.media.probe import FILM_SUFFIXES
from ava_tools.validate.finding import Place
from ava_tools.validate.rows import NO_ROWS, Role, RowReader

_DEPTH = 4  # folders within folders in which films are looked for


@dataclass(frozen=True)
class Contents:
    """A data set as its checks see it; see `RowReader.read` for the columns of all tables.

    Attributes:
        manifest: the file.
        labels: the actions; None where their list cannot be read.
        faults: what is wrong with the form of the files, by the name of the check.
        rows: of all annotations, also those that cannot be placed; ``split``, and ``frame``, a number a key frame.
        boxes: the same of predicted boxes.
        excluded: the same of key frames that do not count.
        library: films that the annotations name.
        folder: names of all films in the folder with their paths.
    """

    manifest: Path
    data_set: DataSet
    labels: Labels | None
    faults: Mapping[str, Sequence[Place]]
    rows: pd.DataFrame
    boxes: pd.DataFrame
    excluded: pd.DataFrame
    library: Library
    folder: Mapping[str, Path]

    @cached_property
    def truth(self) -> pd.DataFrame:
        """Annotations that can be placed."""
        return self.rows[self.rows["placed"]]

    @cached_property
    def drawn(self) -> pd.DataFrame:
        """Annotated and predicted boxes."""
        rows = pd.concat([self.truth, self.boxes])
        return rows[rows["x1"].notna()]

    @cached_property
    def persons(self) -> pd.DataFrame:
        """Those of them that count and have a box."""
        counted = self.counted(self.truth)
        return counted[counted["x1"].notna()]

    @cached_property
    def key_frames(self) -> pd.DataFrame:
        """The first annotation of each key frame that counts, a row a split and key frame."""
        return self.counted(self.truth).drop_duplicates(["split", "frame"])

    def counted(self, table: pd.DataFrame) -> pd.DataFrame:
        """Rows whose key frames count: in the time range, on the grid of their split, not excluded from it."""
        parts = []
        for name, split in self.data_set.splits.items():
            part = self.data_set.in_time(table[table["split"] == name], split)
            left_out = self.excluded["frame"][self.excluded["split"] == name]
            parts.append(part[~part["frame"].isin(left_out)])
        return pd.concat(parts)


def read_contents(path: str | Path) -> Contents:
    """Read a data set, whatever is wrong with its files.

    Raises:
        InputError: there is no manifest, it is wrong, or a file that it names is not there.
    """
    path = Path(path)
    data_set = read_data_set(path)
    faults: dict[str, list[Place]] = {}
    labels = _labels(data_set, faults)
    reader = RowReader({} if labels is None else {action.name: action.id for action in labels})
    rows = _read(data_set, "truth", reader)
    boxes, excluded = _read(data_set, "boxes", reader), _read(data_set, "excluded", reader)
    tables = [rows, boxes, excluded]
    codes = frame_codes([table.fillna({"timestamp": 0.0}) for table in tables])
    rows, boxes, excluded = (table.assign(frame=code) for table, code in zip(tables, codes, strict=True))
    named = rows["video"][rows["video"] != ""].unique()
    return Contents(
        manifest=path / MANIFEST if path.is_dir() else path,
        data_set=data_set,
        labels=labels,
        faults=faults | reader.faults,
        rows=rows,
        boxes=boxes[boxes["placed"]],
        excluded=excluded[excluded["placed"]],
        library=open_library(data_set.films, named, data_set.frame_rate),
        folder=dict(_films_in(data_set.films)),
    )


def _labels(data_set: DataSet, faults: dict[str, list[Place]]) -> Labels | None:
    try:
        return data_set.read_labels()
    except InputError as problem:
        assert data_set.labels is not None
        reason = str(problem).removeprefix(f"{data_set.labels}").removeprefix(":").lstrip(", ")
        faults["label-list"] = [Place(data_set.labels, None, f"the list of labels: {reason}")]
        return None


def _read(data_set: DataSet, role: Role, reader: RowReader) -> pd.DataFrame:
    """The files of a kind in all splits; one that several splits name is read once."""
    known: dict[Path, pd.DataFrame] = {}
    parts = []
    for name, split in data_set.splits.items():
        excluded = () if split.excluded is None else (split.excluded,)
        for path in {"truth": split.truth, "boxes": split.boxes, "excluded": excluded}[role]:
            if path not in known:
                known[path] = reader.read(path, role)
            parts.append(known[path].assign(split=name))
    if not parts:
        return NO_ROWS.assign(split=pd.Series(dtype=str))
    return pd.concat(parts, ignore_index=True)


def _films_in(folder: Path, before: str = "", depth: int = _DEPTH) -> Iterator[tuple[str, Path]]:
    """Film files and folders of frames by their names; of those within folders the folders are part of the name."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        path = Path(entry.path)
        if entry.name.startswith("."):
            continue
        if path.suffix.lower() in FILM_SUFFIXES and entry.is_file():
            yield before + path.stem, path
        elif entry.is_dir() and _holds_images(path):
            yield before + path.name, path
        elif entry.is_dir() and depth:
            yield from _films_in(path, f"{before}{path.name}/", depth - 1)


def _holds_images(folder: Path) -> bool:
    """Whether images lie in a folder; of the many in a folder of frames few are looked at."""
    try:
        with os.scandir(folder) as entries:
            return any(Path(entry.name).suffix.lower() in IMAGE_SUFFIXES for entry in entries)
    except OSError:
        return False
