"""Test a model on the annotated key frames of a data set: its detections, and how good they are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from ava_tools.atomic import replacing
from ava_tools.errors import InputError
from ava_tools.evaluation import Report, evaluate
from ava_tools.labels import Labels, numbered_labels
from ava_tools.manifest import DataSet, Split
from ava_tools.media.library import Library, open_library
from ava_tools.tables import COORDINATES, KEY, read_person_boxes, read_truth
from slowfast_det.checkpoints.model import Model, load_model
from slowfast_det.distributed import World
from slowfast_det.keyframe import EVERYTHING, Keyframe
from slowfast_det.moments import Moment, annotated_moments
from slowfast_det.persons.loading import load_person_detector
from slowfast_det.persons.precomputed import PrecomputedBoxes
from slowfast_det.persons.protocol import PersonDetector
from slowfast_det.pipeline import ActionDetector
from slowfast_det.precision import Precision
from slowfast_det.recipe import Recipe
from slowfast_det.result_files.lines import CsvFile
from slowfast_det.scoring import BrokenModelError
from slowfast_det.span import Span


@dataclass(frozen=True)
class Examination:
    """What a model is tested on.

    Attributes:
        data_set, split: the films and their annotations.
        truth: annotated actions that count.
        moments: key frames that are looked at, film by film, rising.
        persons: given boxes, or a detector that looks for them.
        library: where the films are.
        notes: one sentence for everything that was left out, and how much of it.
    """

    data_set: DataSet
    split: Split
    truth: pd.DataFrame
    moments: tuple[Moment, ...]
    persons: PersonDetector | PrecomputedBoxes
    library: Library
    notes: tuple[str, ...]


def prepare_examination(
    recipe: Recipe, data_set: DataSet, split_name: str, device: torch.device = torch.device("cpu")
) -> Examination:
    """Read the annotations of a split, find its films, and decide where its persons come from.

    Args:
        recipe: where they come from.
        data_set, split_name: what is tested on.
        device: where a person detector looks for them, if the recipe names one.

    Raises:
        InputError: a file is wrong, or there is nothing to look at.
    """
    split = data_set.split(split_name)
    truth = pd.concat([read_truth(path) for path in split.truth], ignore_index=True)
    truth = data_set.in_time(truth, split)
    persons, frames, notes = _persons(recipe, data_set, split, truth, device)
    library = open_library(data_set.films, frames["video"], data_set.frame_rate)
    moments = annotated_moments(frames, library, data_set.time_origin)
    if not moments:
        reasons = "; ".join((*library.report, *notes)) if len(truth) else "its truth names no key frame that counts"
        raise InputError(f"the split {split_name!r} has nothing to be tested on: {reasons}")
    return Examination(data_set, split, truth, moments, persons, library, (*library.report, *notes))


def _persons(
    recipe: Recipe, data_set: DataSet, split: Split, truth: pd.DataFrame, device: torch.device
) -> tuple[PersonDetector | PrecomputedBoxes, pd.DataFrame, list[str]]:
    """Where persons come from, at which key frames, and what the user should know about that."""
    source, least = recipe.persons.source, recipe.persons.min_score
    annotated = data_set.counted(truth, split)
    if source == "boxes" and not split.boxes:
        raise InputError("persons.source is boxes, but the split names no boxes in the dataset.yaml")
    if source == "boxes" or (source == "auto" and split.boxes):
        boxes = pd.concat([read_person_boxes(path) for path in split.boxes], ignore_index=True)
        weak = boxes["score"] < least
        kept = data_set.counted(boxes[~weak].drop_duplicates([*KEY, *COORDINATES]), split)
        note = f"{weak.sum():,} of {len(boxes):,} boxes are below persons.min_score {least:g} and left out"
        notes = [note] if weak.any() else []
        if not len(kept):
            notes.append("no box is left at key frames that count" if len(boxes) else "its files of boxes are empty")
        return PrecomputedBoxes(kept), kept, notes
    if source in ("auto", "truth"):
        boxes = annotated[annotated["x1"].notna()].drop_duplicates([*KEY, *COORDINATES]).assign(score=np.nan)
        note = "persons are where the truth has them; detected ones would give less"
        return PrecomputedBoxes(boxes), boxes, [note if len(boxes) else "its truth has nobody at key frames that count"]
    detector = load_person_detector(source, min_score=least, precision=recipe.precision)
    return detector.to(device), annotated, [] if len(annotated) else ["none of its key frames counts"]


@dataclass(frozen=True)
class Tested:
    """What a test found.

    Attributes:
        keyframes: all key frames in order, with every score.
        report: how good they are.
        problems: one sentence for each film that failed on the way.
    """

    keyframes: tuple[Keyframe, ...]
    report: Report
    problems: tuple[str, ...]


def load_tested_model(weights: str | Path, recipe: Recipe, labels: Labels, overrides: Sequence[str] = ()) -> Model:
    """The model that is to be tested on a data set with these labels.

    Args:
        weights: a checkpoint; what it says of its network and clips comes before the recipe.
        recipe: says it where the checkpoint does not.
        labels: the data set's actions.
        overrides: ``key=value`` texts; those of network and clip are laid over what the checkpoint says.

    Raises:
        InputError: the checkpoint is not usable, or was made for other actions.
    """
    chosen = [text for text in overrides if text.strip().startswith(("network.", "clip."))]
    return with_labels_of(load_model(weights, fallback=recipe.of_model(), overrides=chosen), labels)


def with_labels_of(model: Model, labels: Labels) -> Model:
    """A model that calls its actions as the data set does.

    Raises:
        InputError: it was made for other actions.
    """
    named = model.labels.names != numbered_labels(len(model.labels)).names
    if len(model.labels) != len(labels) or (named and model.labels.names != labels.names):
        theirs, ours = set(model.labels.names), set(labels.names)
        differing = f"{_some(sorted(theirs - ours))} are only its, {_some(sorted(ours - theirs))} only the data set's"
        raise InputError(
            f"{model.name}: is of {len(model.labels)} actions, the data set has {len(labels)}; the same in the same "
            f"order are expected ({differing})"
        )
    return replace(model, labels=labels)


def run_test(
    examination: Examination,
    model: Model,
    world: World,
    recipe: Recipe,
    precision: Precision,
    advance: Callable[[Keyframe], None] = lambda keyframe: None,
) -> Tested | None:
    """Score all key frames, shared by the processes, none of them twice; the first process gets the answer."""
    keyframes, problems = score_moments(examination, model, world.share(len(examination.moments)), precision, advance)
    parts = world.gather((keyframes, problems))
    if not world.is_first:
        return None
    found = tuple(keyframe for keyframes, _ in parts for keyframe in keyframes)
    report = evaluate_keyframes(examination, found, model.labels, recipe)
    return Tested(found, report, tuple(problem for _, problems in parts for problem in problems))


def score_moments(
    examination: Examination,
    model: Model,
    part: range,
    precision: Precision = "fp32",
    advance: Callable[[Keyframe], None] = lambda keyframe: None,
) -> tuple[list[Keyframe], list[str]]:
    """Find the actions of a part of the key frames.

    Args:
        examination: the key frames.
        model: the model, on its device.
        part: which of the key frames; each film in it is read once, from front to back.
        precision: arithmetic of the network.
        advance: called after each key frame.

    Returns:
        Key frames in order, and one sentence for each film that failed on the way.
    """
    detector = ActionDetector(model, examination.persons, str(model.device), precision)
    keyframes: list[Keyframe] = []
    problems: list[str] = []
    chosen = [examination.moments[number] for number in part]
    for video, moments in groupby(chosen, key=lambda moment: moment.video):
        times = tuple(moment.time for moment in moments)
        span = Span(start=times[0], end=times[-1], time_origin=examination.data_set.time_origin, at=times)
        info = examination.library.films[video]
        try:
            with detector.stream(info.path, span, examination.data_set.frame_rate, name=video) as run:
                for keyframe in run:
                    keyframes.append(keyframe)
                    advance(keyframe)
        except BrokenModelError:
            raise
        except (InputError, OSError) as problem:
            problems.append(str(problem))
    return keyframes, problems


def evaluate_keyframes(
    examination: Examination, keyframes: Sequence[Keyframe], labels: Labels, recipe: Recipe
) -> Report:
    """Frame mAP of detections, with six decimals of boxes and scores as a csv has them."""
    found = _table(keyframes, labels, examination.data_set.time_origin)
    return evaluate(examination.truth, found, labels, examination.split.excluded, recipe.protocol)


def _table(keyframes: Sequence[Keyframe], labels: Labels, time_origin: float) -> pd.DataFrame:
    counts = [len(keyframe.boxes) * len(labels) for keyframe in keyframes]
    boxes = np.concatenate([np.zeros((0, 4)), *(keyframe.boxes for keyframe in keyframes)])
    scores = np.concatenate([np.zeros((0, len(labels))), *(keyframe.scores for keyframe in keyframes)])
    table = pd.DataFrame(np.repeat(boxes, len(labels), axis=0).round(6), columns=COORDINATES)
    times = np.array([keyframe.time + time_origin for keyframe in keyframes], dtype=float).round(6)
    table.insert(0, "video", np.repeat(np.array([keyframe.video for keyframe in keyframes], dtype=object), counts))
    table.insert(1, "timestamp", np.repeat(times, counts))
    ids = np.tile(np.array(labels.ids), len(boxes))
    return table.assign(video=table["video"].astype(str), action_id=ids, score=scores.ravel().round(6))


def save_detections(keyframes: Iterable[Keyframe], path: Path, time_origin: float) -> None:
    """Write AVA's detection csv, every action of every person; it appears when it is complete."""
    with replacing(path) as temporary:
        file = CsvFile(temporary, EVERYTHING, time_origin)
        for keyframe in keyframes:
            file.write(keyframe)
        file.close()


def _some(names: Sequence[str]) -> str:
    return (", ".join(names[:3]) + (", ..." if len(names) > 3 else "")) or "none"
