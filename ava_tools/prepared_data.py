"""A data set whose films are cut and re-encoded: which films, which part of them, and its new manifest."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from pathlib import Path

import yaml

from ava_tools.atomic import replacing
from ava_tools.errors import InputError
from ava_tools.manifest import MANIFEST, DataSet
from ava_tools.media.library import open_library
from ava_tools.tables import read_person_boxes, read_truth

_BEFORE, _AFTER = 2.0, 3.0  # seconds kept around the annotated range: no clip of a detector is longer


@dataclass(frozen=True)
class PreparedData:
    """What `ava-tools prepare` makes of a data set.

    Attributes:
        jobs: films, and the files that they become.
        folders: folders of frames, which are copied as they are.
        start, end: seconds of the films that are kept; None: to their end.
        problems: one sentence each for the films that are missing and that cannot be read.
    """

    data_set: DataSet
    folder: Path
    jobs: tuple[tuple[Path, Path], ...]
    start: float
    end: float | None
    problems: tuple[str, ...]
    folders: tuple[Path, ...] = ()

    @cached_property
    def copies(self) -> dict[Path, str]:
        """Name of the copy of each annotation file; a name that is taken is counted on."""
        data_set = self.data_set
        files = [] if data_set.labels is None else [data_set.labels]
        for split in data_set.splits.values():
            files += [*split.truth, *split.boxes, *([] if split.excluded is None else [split.excluded])]
        copies: dict[Path, str] = {}
        for file in dict.fromkeys(files):
            taken = {*copies.values(), MANIFEST}
            names = (file.name if not number else f"{file.stem}-{number}{file.suffix}" for number in count())
            copies[file] = next(name for name in names if name not in taken)
        return copies

    def check_copies(self, overwrite: bool) -> None:
        """See that no file of somebody else would be replaced.

        Raises:
            InputError: one would.
        """
        for file, name in self.copies.items():
            target = self.folder / name
            if target.exists() and not overwrite and target.read_bytes() != file.read_bytes():
                raise InputError(f"{target}: exists and is not {file}; --overwrite replaces it")

    def write_manifest(self) -> Path:
        """Copy the annotation files, and write a manifest with the timestamp at which the films now begin."""
        data_set, copies = self.data_set, self.copies
        for file, name in copies.items():
            with replacing(self.folder / name) as temporary:
                shutil.copyfile(file, temporary)
        for source in self.folders:
            shutil.copytree(source, self.folder / "films" / source.name, dirs_exist_ok=True)
        splits = {
            name: {
                "truth": [copies[path] for path in split.truth],
                "boxes": [copies[path] for path in split.boxes],
                "excluded": None if split.excluded is None else copies[split.excluded],
                "every": split.every,
            }
            for name, split in data_set.splits.items()
        }
        content = {
            "films": "films",
            "labels": None if data_set.labels is None else copies[data_set.labels],
            "time_origin": data_set.time_origin + self.start,
            "frame_rate": data_set.frame_rate,
            "start": data_set.start,
            "end": data_set.end,
            "splits": splits,
        }
        path = self.folder / MANIFEST
        with replacing(path) as temporary:
            temporary.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
        return path


def plan_prepared_data(data_set: DataSet, folder: Path, start: float | None, end: float | None) -> PreparedData:
    """Find the films that the annotations name, and the part of them that is needed.

    Args:
        data_set: its films are whole.
        folder: for the prepared data set.
        start, end: seconds of the films that are kept; None: what the time range of the manifest needs.

    Raises:
        InputError: an annotation file is wrong, or not one film is there.
    """
    origin = data_set.time_origin
    if start is None:
        start = 0.0 if data_set.start is None else max(0.0, data_set.start - origin - _BEFORE)
    if end is None and data_set.end is not None:
        end = data_set.end - origin + _AFTER
    names: dict[str, None] = {}
    for split in data_set.splits.values():
        for table in (*map(read_truth, split.truth), *map(read_person_boxes, split.boxes)):
            names |= dict.fromkeys(table["video"])
    library = open_library(data_set.films, names, data_set.frame_rate)
    if not library.films:
        raise InputError("; ".join(library.report) or f"{data_set.films}: the annotations name no film")
    folders = tuple(info.path for info in library.films.values() if info.path.is_dir())
    if folders and start:
        raise InputError(f"{folders[0]}: is a folder of frames, of which no first {start:g} s can be cut off")
    jobs = []
    for name, info in library.films.items():
        if info.path in folders:
            continue
        jobs.append((info.path, folder / "films" / f"{Path(name).stem if name == info.path.name else name}.mp4"))
    return PreparedData(data_set, folder, tuple(jobs), start, end, library.report, folders)
