"""A data set whose films are cut and re-encoded: which films, which part of them, and its new manifest."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import yaml

from ava_tools.atomic import replacing
from ava_tools.errors import InputError
from ava_tools.manifest import MANIFEST, DataSet
from ava_tools.media.library import open_library
from ava_tools.tables import read_truth

_BEFORE, _AFTER = 2.0, 3.0  # seconds kept around the annotated range: no clip of a detector is longer


@dataclass(frozen=True)
class PreparedData:
    """What `ava-tools prepare` makes of a data set.

    Attributes:
        jobs: films, and the files that they become.
        start, end: seconds of the films that are kept; None: to their end.
        problems: one sentence each for the films that are missing and that cannot be read.
    """

    data_set: DataSet
    folder: Path
    jobs: tuple[tuple[Path, Path], ...]
    start: float
    end: float | None
    problems: tuple[str, ...]

    def write_manifest(self) -> Path:
        """Copy the annotation files, and write a manifest with the timestamp at which the films now begin."""
        data_set = self.data_set
        copies: dict[Path, str] = {}
        splits = {
            name: {
                "truth": self._copied(split.truth, copies),
                "boxes": self._copied(split.boxes, copies),
                "excluded": None if split.excluded is None else self._copied([split.excluded], copies)[0],
                "every": split.every,
            }
            for name, split in data_set.splits.items()
        }
        content = {
            "films": "films",
            "labels": None if data_set.labels is None else self._copied([data_set.labels], copies)[0],
            "time_origin": data_set.time_origin + self.start,
            "start": data_set.start,
            "end": data_set.end,
            "splits": splits,
        }
        path = self.folder / MANIFEST
        with replacing(path) as temporary:
            temporary.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
        return path

    def _copied(self, files: Iterable[Path], copies: dict[Path, str]) -> list[str]:
        """Names of the copies, each file once; a name that is taken is counted on."""
        for file in files:
            if file not in copies:
                taken = set(copies.values()) | {MANIFEST}
                names = (file.name if not count else f"{file.stem}-{count}{file.suffix}" for count in range(1000))
                copies[file] = next(name for name in names if name not in taken)
                shutil.copyfile(file, self.folder / copies[file])
        return [copies[file] for file in files]


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
    names = [name for split in data_set.splits.values() for path in split.truth for name in read_truth(path)["video"]]
    library = open_library(data_set.films, names, data_set.frame_rate)
    if not library.films:
        raise InputError("; ".join(library.report) or f"{data_set.films}: the annotations name no film")
    jobs = []
    for name, info in library.films.items():
        if info.path.is_dir():
            raise InputError(f"{info.path}: is a folder of frames, which needs no preparing")
        jobs.append((info.path, folder / "films" / f"{Path(name).stem if name == info.path.name else name}.mp4"))
    return PreparedData(data_set, folder, tuple(jobs), start, end, library.report)
