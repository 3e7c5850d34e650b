"""The annotated key frames of a data set's split, as arrays that any number of processes can share."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ava_tools.boxes import Boxes
from ava_tools.errors import InputError
from ava_tools.labels import Labels
from ava_tools.manifest import DataSet, Split
from ava_tools.media.library import Library, open_library
from ava_tools.media.probe import LATE, FilmInfo, entry_spacing
from ava_tools.tables import COORDINATES, KEY, KeyframeBoxes, format_timestamp, merge_boxes
from slowfast_det.actors import read_actors
from slowfast_det.recipe import PersonsConfig

log = logging.getLogger(__name__)

_WIDE = 3.0  # seconds between a film's entry points from which it is slow to read in any order


@dataclass(frozen=True)
class KeyFrames:
    """Key frames with their persons.

    Attributes:
        films: the films, readable all of them.
        frame_rate: images a second, where films are folders of frames.
        film_of: ``int64[F]`` film of each key frame.
        timestamps: ``float64[F]`` as annotated.
        times: ``float64[F]`` seconds from the film's start.
        starts: ``int64[F + 1]`` first person of each key frame, and the number of persons.
        boxes: ``float64[M, 4]``, unit boxes of all persons.
        targets: ``bool[M, N]`` what each person does.
        notes: one sentence for everything that was left out, and how much of it.
    """

    films: tuple[FilmInfo, ...]
    frame_rate: float
    film_of: NDArray[np.int64]
    timestamps: NDArray[np.float64]
    times: NDArray[np.float64]
    starts: NDArray[np.int64]
    boxes: Boxes
    targets: NDArray[np.bool_]
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.times)

    def film(self, index: int) -> FilmInfo:
        """The film of a key frame."""
        return self.films[int(self.film_of[index])]

    def name(self, index: int) -> str:
        """What to call a key frame in messages."""
        return f"{self.film(index).path} at {format_timestamp(float(self.timestamps[index]))}"

    def persons(self, index: int) -> tuple[Boxes, NDArray[np.float32]]:
        """Unit boxes ``[K, 4]`` and what each person does ``float32[K, N]``."""
        rows = slice(self.starts[index], self.starts[index + 1])
        return self.boxes[rows], self.targets[rows].astype(np.float32)

    @cached_property
    def identity(self) -> str:
        """What tells these key frames from others: a digest of films, times, boxes and actions."""
        digest = hashlib.sha256("\0".join(film.name for film in self.films).encode())
        for array in (self.film_of, self.timestamps, self.starts, self.boxes, self.targets):
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()

    @cached_property
    def aspects(self) -> NDArray[np.float64]:
        """``[F]`` width over height."""
        return np.array([film.width / film.height for film in self.films])[self.film_of]


def read_key_frames(data_set: DataSet, split_name: str, labels: Labels, persons: PersonsConfig) -> KeyFrames:
    """The key frames of a split: annotated and predicted boxes merged, films found and looked into.

    Raises:
        InputError: a file is wrong, an action is not in the labels, or nothing is left to train on.
    """
    split = data_set.split(split_name)
    merged = merge_boxes(split.truth, split.boxes, persons.min_score, persons.match_iou)
    library = open_library(data_set.films, merged.boxes["video"], data_set.frame_rate)
    targets = _targets(merged, labels)
    kept = data_set.counted(merged.boxes, split)
    notes = [*library.report]
    if merged.weak:
        notes.append(f"{merged.weak:,} predicted boxes are below persons.min_score {persons.min_score:g} and left out")
    if len(kept) < len(merged.boxes):
        notes.append(f"{len(merged.boxes) - len(kept):,} of {len(merged.boxes):,} persons are at timestamps left out")
    notes += wide_films(library)
    kept = _within_films(kept[kept["video"].isin(library.films)], library, data_set.time_origin, notes)
    if kept.empty:
        raise _nothing_left(split, notes)
    return _assembled(kept, kept, targets[kept.index.to_numpy()], data_set, library, notes)


def read_actor_frames(data_set: DataSet, split_name: str, actors: Sequence[str]) -> KeyFrames:
    """The key frames of a split with its actors, those with nobody too; targets are classes, one a person.

    Raises:
        InputError: a file is wrong, an actor is not in the labels, or nothing is left to train on.
    """
    split = data_set.split(split_name)
    found = read_actors(data_set, split, actors)
    library = open_library(data_set.films, found.frames["video"], data_set.frame_rate)
    notes = [*library.report, *found.notes, *wide_films(library)]
    frames = _within_films(
        found.frames[found.frames["video"].isin(library.films)], library, data_set.time_origin, notes
    )
    boxes = found.boxes.merge(frames, on=KEY)
    if boxes.empty:
        raise _nothing_left(split, notes)
    targets = np.eye(len(actors), dtype=bool)[boxes["class"].to_numpy()]
    return _assembled(frames, boxes, targets, data_set, library, notes)


def _nothing_left(split: Split, notes: Sequence[str]) -> InputError:
    reasons = "; ".join(notes) or "the annotation files are empty"
    return InputError(f"{', '.join(map(str, split.truth))}: no person is left to train on: {reasons}")


def _assembled(
    frames: pd.DataFrame,
    boxes: pd.DataFrame,
    targets: NDArray[np.bool_],
    data_set: DataSet,
    library: Library,
    notes: Sequence[str],
) -> KeyFrames:
    """Key frames as arrays: ``frames`` has them all, ``boxes`` and ``targets`` a row a person."""
    keys = pd.MultiIndex.from_frame(frames[KEY].drop_duplicates())
    of_person = keys.get_indexer(pd.MultiIndex.from_frame(boxes[KEY]))
    order = np.argsort(of_person, kind="stable")
    numbers = {name: number for number, name in enumerate(library.films)}
    timestamps = keys.get_level_values(KEY[1]).to_numpy(dtype=float)
    return KeyFrames(
        films=tuple(library.films.values()),
        frame_rate=data_set.frame_rate,
        film_of=np.array([numbers[name] for name in keys.get_level_values(KEY[0])], dtype=np.int64),
        timestamps=timestamps,
        times=timestamps - data_set.time_origin,
        starts=np.searchsorted(of_person[order], np.arange(len(keys) + 1)).astype(np.int64),
        boxes=boxes[COORDINATES].to_numpy(dtype=float)[order],
        targets=targets[order],
        notes=tuple(notes),
    )


def _targets(merged: KeyframeBoxes, labels: Labels) -> NDArray[np.bool_]:
    columns = {action_id: column for column, action_id in enumerate(labels.ids)}
    known = merged.labels["action_id"].isin(columns)
    if not known.all():
        action_id = int(merged.labels["action_id"][~known].iloc[0])
        person = merged.boxes.iloc[int(merged.labels["box"][~known].iloc[0])]
        where = f"{person['video']} at {format_timestamp(person['timestamp'])}"
        allowed = f"ids {min(labels.ids)} to {max(labels.ids)} ({len(labels)} actions) are allowed"
        raise InputError(f"{where} has the action {action_id}, which the labels do not name; {allowed}")
    targets = np.zeros((len(merged.boxes), len(labels)), dtype=bool)
    targets[merged.labels["box"], merged.labels["action_id"].map(columns)] = True
    return targets


def _within_films(table: pd.DataFrame, library: Library, origin: float, notes: list[str]) -> pd.DataFrame:
    """Persons whose timestamps lie within their films; the others are counted in a note."""
    ends = {name: np.inf if info.duration is None else info.duration + LATE for name, info in library.films.items()}
    times = table["timestamp"] - origin
    inside = (times >= 0) & (times <= table["video"].map(ends).astype(float))
    if inside.all():
        return table
    outside = table[~inside].drop_duplicates(KEY)
    worst = outside.iloc[0]
    end = ends[worst["video"]] - LATE
    hint = "; AVA's timestamps need time_origin: 900" if origin == 0 and outside["timestamp"].min() >= 900 else ""
    notes.append(
        f"{len(outside):,} key frames lie outside their films, such as {worst['video']} at "
        f"{format_timestamp(worst['timestamp'])} (the film runs from {origin:g} to {end + origin:.2f}){hint}"
    )
    return table[inside]


def wide_films(library: Library) -> list[str]:
    """A sentence that names films whose clips are slow to reach; nothing if there are none."""
    spacing = {name: entry_spacing(info.path) for name, info in library.films.items() if info.path.is_file()}
    wide = {name: seconds for name, seconds in spacing.items() if seconds is not None and seconds > _WIDE}
    if not wide:
        return []
    worst = sorted(wide, key=lambda name: -wide[name])
    named = ", ".join(worst[:3]) + (", ..." if len(worst) > 3 else "")
    return [
        f"{len(wide):,} of {len(spacing):,} films can be entered only every {wide[worst[0]]:.1f} s or so ({named}): "
        "reading clips from them is slow, ava-tools prepare mends that"
    ]
