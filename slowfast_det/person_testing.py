"""Test a person detector on the annotated key frames of a data set: its boxes, and how good they are."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ava_tools.atomic import replacing
from ava_tools.box_evaluation import BoxFigures, evaluate_boxes
from ava_tools.errors import InputError
from ava_tools.manifest import DataSet
from ava_tools.media.library import Library, open_library
from slowfast_det.actors import Actors, read_actors
from slowfast_det.distributed import World
from slowfast_det.moments import Moment, annotated_moments
from slowfast_det.persons.protocol import PersonDetector
from slowfast_det.propose import boxes_table, find_persons
from slowfast_det.smoothing import Sighting


@dataclass(frozen=True)
class PersonExamination:
    """What a detector is tested on.

    Attributes:
        data_set: the films.
        actors: who is annotated on which key frames.
        classes: what the actors are called.
        moments: key frames that are looked at, film by film, rising.
        library: where the films are.
        notes: one sentence for everything that was left out, and how much of it.
    """

    data_set: DataSet
    actors: Actors
    classes: tuple[str, ...]
    moments: tuple[Moment, ...]
    library: Library
    notes: tuple[str, ...]


def prepare_person_examination(data_set: DataSet, split_name: str, classes: Sequence[str]) -> PersonExamination:
    """Read the annotations of a split and find its films.

    Raises:
        InputError: a file is wrong, or there is nothing to look at.
    """
    actors = read_actors(data_set, data_set.split(split_name), classes)
    library = open_library(data_set.films, actors.frames["video"], data_set.frame_rate)
    moments = annotated_moments(actors.frames, library, data_set.time_origin)
    if not moments:
        reasons = "; ".join(library.report) if len(actors.frames) else "its truth names no key frame that counts"
        raise InputError(f"the split {split_name!r} has nothing to be tested on: {reasons}")
    return PersonExamination(data_set, actors, tuple(classes), moments, library, (*library.report, *actors.notes))


@dataclass(frozen=True)
class PersonsTested:
    """What a test found.

    Attributes:
        boxes: video, timestamp, x1 y1 x2 y2, score, class: what the detector found; label too, the id of the action
            by which the class is told, where there is one.
        figures: how good that is, on all annotated key frames of the films that can be read.
        problems: one sentence for each film that failed on the way.
        missed: annotated key frames that could not be looked at; their persons count as missed.
    """

    boxes: pd.DataFrame
    figures: BoxFigures
    problems: tuple[str, ...]
    missed: tuple[Moment, ...]


def run_person_test(
    examination: PersonExamination,
    detector: PersonDetector,
    world: World,
    keep: Callable[[Sighting[str]], None] = lambda sighting: None,
) -> PersonsTested | None:
    """Look at all key frames, shared by the processes; the first one gets the answer."""
    data_set = examination.data_set
    found = find_persons(
        detector,
        examination.moments,
        examination.library,
        world,
        frame_rate=data_set.frame_rate,
        keep=keep,
    )
    if found is None:
        return None
    boxes = boxes_table(found.sightings, data_set.time_origin)
    readable = list(examination.library.films)
    truth, frames = (
        table[table["video"].isin(readable)] for table in (examination.actors.boxes, examination.actors.frames)
    )
    figures = evaluate_boxes(truth, boxes, frames, examination.classes)
    if (ids := examination.actors.label_ids) is not None:
        boxes = boxes.assign(label=np.array(ids)[boxes["class"]])
    return PersonsTested(boxes, figures, found.problems, found.missed)


def save_person_report(tested: PersonsTested, examination: PersonExamination, weights: str, path: Path) -> None:
    """Write the figures of a test as json; what could not be measured is null."""
    figures = tested.figures
    ids = examination.actors.label_ids or (None,) * len(examination.classes)
    per_class = figures.per_class.reset_index().to_dict(orient="records")
    content: dict[str, Any] = {
        "weights": weights,
        "ap": figures.ap,
        "ap50": figures.ap50,
        "ap75": figures.ap75,
        "per_class": [{"class": None, "label": label} | entry for entry, label in zip(per_class, ids, strict=True)],
        "by_size": figures.by_size.reset_index().to_dict(orient="records"),
        "key_frames": {"annotated": len(examination.moments), "missed": len(tested.missed)},
        "films": {
            "read": len(examination.library.films),
            "missing": len(examination.library.missing),
            "broken": len(examination.library.broken),
        },
        "boxes": len(tested.boxes),
    }
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(_plain(content), indent=2) + "\n", encoding="utf-8")


def _plain(value: Any) -> Any:
    """A value as json takes it."""
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    if isinstance(value, np.integer):
        return int(value)
    if isinstance(value, float):
        return float(value) if np.isfinite(value) else None
    return value
