"""A data set: films, labels and annotation files, described by one ``dataset.yaml``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Self

import numpy as np
import pandas as pd
from pydantic import BeforeValidator, Field, model_validator

from ava_tools.errors import InputError
from ava_tools.label_files import read_labels
from ava_tools.labels import Labels, ava_labels
from ava_tools.settings import Settings, parse_settings, read_text, read_yaml
from ava_tools.tables import KEY, read_key_frames

MANIFEST = "dataset.yaml"
_SPLIT_NAME = re.compile(r"\w[\w. -]{0,99}")


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str | Path) else value


Paths = Annotated[tuple[Path, ...], BeforeValidator(_as_list)]


class Split(Settings):
    """Annotation files of one part of a data set."""

    truth: Paths = Field(min_length=1)
    """AVA's csv of annotated actions, one or several."""
    boxes: Paths = ()
    """Predicted person boxes, AVA's csv or a proposals pickle; none: persons are where the truth has them."""
    excluded: Path | None = None
    """AVA's csv of key frames that do not count."""
    every: float | None = Field(None, ge=0.001, le=1e6)
    """Only timestamps that are multiples of so many seconds count; PySlowFast validates on every 4th."""


class DataSet(Settings):
    """What ``dataset.yaml`` holds; paths count from its folder."""

    films: Path
    """Folder of film files, or of folders of extracted frames; each is named as the annotations name it."""
    labels: Path | None = None
    """List of the actions (see `read_labels`); none: AVA's 80."""
    time_origin: float = Field(0.0, ge=-1e9, le=1e9)
    """Timestamp of a film's start in the annotations: 900 for AVA's films, cut at 900 seconds."""
    frame_rate: float = Field(30.0, gt=0, le=1000)
    """Images a second of folders of frames."""
    start: float | None = Field(None, allow_inf_nan=False)
    """First timestamp that counts; AVA: 902."""
    end: float | None = Field(None, allow_inf_nan=False)
    """Last timestamp that counts; AVA: 1798."""
    splits: dict[str, Split] = Field(min_length=1)
    """Parts of the data set by name: train, test, ..."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        for name in self.splits:
            if not _SPLIT_NAME.fullmatch(name):  # files of results are called so
                raise ValueError(f"a split is called {name!r}; letters, digits, spaces and . - _ within are expected")
        if self.start is not None and self.end is not None and self.start > self.end:
            raise ValueError(f"start {self.start:g} is after end {self.end:g}")
        return self

    def split(self, name: str) -> Split:
        """A part by its name.

        Raises:
            InputError: there is none; those that exist are listed.
        """
        if name not in self.splits:
            raise InputError(f"the data set has no split {name!r}; it has {', '.join(self.splits)}")
        return self.splits[name]

    @property
    def files(self) -> list[Path]:
        """The files that it names, beside the films."""
        splits = self.splits.values()
        optional = [self.labels, *(split.excluded for split in splits)]
        named = [path for split in splits for path in (*split.truth, *split.boxes)]
        return [*named, *(path for path in optional if path is not None)]

    def read_labels(self) -> Labels:
        """The actions: those of the list, or AVA's 80."""
        return ava_labels() if self.labels is None else read_labels(self.labels)

    def in_time(self, table: pd.DataFrame, split: Split) -> pd.DataFrame:
        """Rows of a table whose timestamps are in the time range and on the grid of a split."""
        timestamps = table["timestamp"].to_numpy(dtype=float)
        chosen = np.ones(len(table), dtype=bool)
        if self.start is not None:
            chosen &= timestamps >= self.start
        if self.end is not None:
            chosen &= timestamps <= self.end
        if split.every is not None:
            steps = timestamps / split.every
            chosen &= np.abs(steps - np.round(steps)) < 1e-6
        return table[chosen]

    def counted(self, table: pd.DataFrame, split: Split) -> pd.DataFrame:
        """Rows of a table whose key frames count: in time, and not excluded."""
        table = self.in_time(table, split)
        if split.excluded is None:
            return table
        left_out = pd.MultiIndex.from_frame(read_key_frames(split.excluded)[KEY])
        return table[~pd.MultiIndex.from_frame(table[KEY]).isin(left_out)]


def read_data_set(path: str | Path) -> DataSet:
    """Read a manifest, given as its file or as the folder that holds it; its paths become whole ones.

    Raises:
        InputError: there is none, or it is wrong; each wrong key is named, and each file that is missing.
    """
    path = Path(path)
    file = path / MANIFEST if path.is_dir() else path
    if not file.is_file():
        raise InputError(f"{path}: no such data set; a folder with a {MANIFEST} or such a file is expected")
    relative = parse_settings(DataSet, read_yaml(read_text(file), str(file)), str(file))
    folder = file.resolve().parent

    def whole(paths: Sequence[Path]) -> tuple[Path, ...]:
        return tuple(folder / each for each in paths)

    data_set = relative.model_copy(
        update={
            "films": folder / relative.films,
            "labels": folder / relative.labels if relative.labels is not None else None,
            "splits": {
                name: split.model_copy(
                    update={
                        "truth": whole(split.truth),
                        "boxes": whole(split.boxes),
                        "excluded": folder / split.excluded if split.excluded is not None else None,
                    }
                )
                for name, split in relative.splits.items()
            },
        }
    )
    for expected in (data_set.films, *data_set.files):
        if not expected.exists():
            raise InputError(f"{file}: names {expected}, which does not exist")
    return data_set
