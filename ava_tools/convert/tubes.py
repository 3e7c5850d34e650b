"""Data sets of tubes: a person frame by frame, doing one thing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ava_tools.convert.annotations import AnnotatedFilm, Annotations
from ava_tools.convert.films import Films
from ava_tools.convert.folder import annotations_of
from ava_tools.errors import InputError
from ava_tools.labels import Action, Labels
from ava_tools.tables import COORDINATES, KEY

_MOST_FRAMES = 10_000_000  # of a film: four days of it


class Tube(NamedTuple):
    """One person of a film, who does one thing.

    Attributes:
        frames: their numbers from 0, ``int64[K]``.
        boxes: x1 y1 x2 y2 in pixels, ``float64[K, 4]``.
        action: number in the list of names, from 0.
    """

    video: str
    frames: NDArray[np.int64]
    boxes: NDArray[np.float64]
    action: int


def of_tubes(
    path: Path, tubes: Sequence[Tube], annotated: Sequence[AnnotatedFilm], names: Sequence[str], films: Films
) -> Annotations:
    """Tubes as annotations: each is a person, on the frames that it covers; nobody says who is on other frames.

    Args:
        path: of the file, for messages.
        tubes: of any films.
        annotated: the films with their sizes, if these are known.
        names: of actions; ids count from 1.
        films: sizes and times of frames.

    Raises:
        InputError: a tube has no such frames or boxes, or a size or rate is not known.
    """
    known = {film.name: film for film in annotated}
    sizes = {film.name: films.size(film.name, (film.width, film.height)) for film in annotated}
    persons = dict.fromkeys(sizes, 0)
    parts = []
    for tube in tubes:
        _check(path, tube, len(names))
        width, height = sizes[tube.video]
        boxes = np.clip(tube.boxes / (width, height, width, height), 0.0, 1.0)
        part = pd.DataFrame(boxes, columns=COORDINATES)
        times = films.seconds(tube.video, tube.frames, known[tube.video].rate)
        parts.append(part.assign(timestamp=times.round(6), person=persons[tube.video], action_id=tube.action + 1))
        persons[tube.video] += 1
    if not parts:
        raise InputError(f"{path}: has no tube of a person")
    table = pd.concat(parts, ignore_index=True)
    videos = np.repeat(np.array([tube.video for tube in tubes], dtype=object), [len(tube.frames) for tube in tubes])
    table.insert(0, KEY[0], videos)
    labels = Labels(tuple(Action(number, name) for number, name in enumerate(names, start=1)))
    return annotations_of(table, annotated, labels)


def _check(path: Path, tube: Tube, actions: int) -> None:
    where = f"{path}: a tube of {tube.video}"
    if not 0 <= tube.action < actions:
        raise InputError(f"{where} has the action {tube.action}; the file names {actions}, counted from 0")
    if len(tube.frames) and not 0 <= tube.frames.min() <= tube.frames.max() <= _MOST_FRAMES:
        raise InputError(f"{where} covers the frames {tube.frames.min()} to {tube.frames.max()}, counted from 0")
    wrong = ~np.isfinite(tube.boxes).all(axis=1) | (tube.boxes[:, 2:] < tube.boxes[:, :2]).any(axis=1)
    if wrong.any():
        place = int(np.flatnonzero(wrong)[0])
        found = ", ".join(f"{value:g}" for value in tube.boxes[place])
        raise InputError(
            f"{where} has the box {found} on frame {tube.frames[place]}; left before right and top before bottom"
        )
