"""What person boxes are worth before any action is scored: tables in, a report out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ava_tools.boxes import SIZES, Boxes, area
from ava_tools.coded import columns_of, frame_codes, known_mean, labelled_boxes, name_of
from ava_tools.label_files import read_labels
from ava_tools.labels import Labels, ava_labels
from ava_tools.metrics.average_precision import Ints, LabelledBoxes
from ava_tools.metrics.coco import coco_figures
from ava_tools.metrics.person_boxes import found_persons, oracle_ap
from ava_tools.tables import COORDINATES, format_timestamp, read_person_boxes, read_truth

_SCORES = (0.3, 0.5, 0.7, 0.8, 0.9, 0.95)


@dataclass(frozen=True)
class BoxFigures:
    """COCO's figures of boxes, by pycocotools: of each frame and class its 100 best boxes count.

    Attributes:
        per_class: indexed by the name of a class: ap (mean over IoU 0.5 to 0.95), ap50, ap75, truth.
        by_size: indexed by size: least and most share of the frame, truth, ap, recall (at IoU 0.5), average_recall.
            A box is one person's here: of two persons whom one box fits, one is missed.
    """

    per_class: pd.DataFrame
    by_size: pd.DataFrame

    @property
    def ap(self) -> float:
        """Mean over the classes that have truth."""
        return known_mean(self.per_class["ap"].to_numpy(dtype=float))

    @property
    def ap50(self) -> float:
        """The same at IoU 0.5."""
        return known_mean(self.per_class["ap50"].to_numpy(dtype=float))

    @property
    def ap75(self) -> float:
        """The same at IoU 0.75."""
        return known_mean(self.per_class["ap75"].to_numpy(dtype=float))


@dataclass(frozen=True)
class BoxReport:
    """What person boxes are worth.

    Attributes:
        recall: share of the persons that some box fits, by least overlap (0.5, 0.75, 0.9); a box may fit several.
        ceiling: frame mAP at IoU 0.5 that perfect scores would reach with these boxes.
        truth: distinct boxes of persons in the truth.
        found: given boxes on key frames of the truth; a score is NaN where a box has none.
        frames: ``int64[*]`` all key frames of the truth.
        notes: one sentence for everything that was left out of the truth.
        warning: why no box is on a key frame of the truth; None where one is.
    """

    recall: Mapping[float, float]
    ceiling: float
    truth: LabelledBoxes
    found: LabelledBoxes
    frames: Ints
    notes: tuple[str, ...] = ()
    warning: str | None = None

    @property
    def persons(self) -> int:
        """How many distinct boxes the truth has."""
        return len(self.truth)

    @property
    def boxes(self) -> int:
        """How many given boxes are on its key frames."""
        return len(self.found)

    @property
    def scored(self) -> bool:
        """Whether all boxes have scores, without which there is no AP."""
        return bool(len(self.found)) and bool(np.isfinite(self.found.score).all())

    @cached_property
    def figures(self) -> BoxFigures:
        """COCO's AP, and recall by size."""
        return _figures(self.truth, self.found, self.frames, ["person"])

    @cached_property
    def by_score(self) -> pd.DataFrame:
        """What is left from each score on, the index: boxes (a key frame), recall, precision (both at IoU 0.5)."""
        count = max(1, len(np.unique(self.frames)))
        rows = []
        for least in _SCORES:
            kept = self.found.take(self.found.score >= least)
            recalled = found_persons(self.truth.boxes, self.truth.frame, kept.boxes, kept.frame, 0.5)
            right = found_persons(kept.boxes, kept.frame, self.truth.boxes, self.truth.frame, 0.5)
            rows.append((least, len(kept) / count, known_mean(recalled), known_mean(right)))
        return pd.DataFrame(rows, columns=["least", "boxes", "recall", "precision"]).set_index("least")


def evaluate_person_boxes(
    truth: str | Path | pd.DataFrame, boxes: str | Path | pd.DataFrame, labels: Labels | str | Path | None = None
) -> BoxReport:
    """How many persons the boxes find, and the frame mAP that they allow.

    Args:
        truth: AVA's csv, or a table as `read_truth` gives it.
        boxes: AVA's csv or a proposals pickle, or a table as `read_person_boxes` gives it.
        labels: as in `evaluate`.

    Raises:
        InputError: a file is wrong, or names an action that the labels do not have.
    """
    vocabulary = ava_labels() if labels is None else labels if isinstance(labels, Labels) else read_labels(labels)
    scored = Labels(tuple(action for action in vocabulary if action.scored))
    truth_table = truth if isinstance(truth, pd.DataFrame) else read_truth(truth)
    table = boxes if isinstance(boxes, pd.DataFrame) else read_person_boxes(boxes)
    frames, truth_frames = frame_codes([table, truth_table])
    name, notes = name_of(truth, "the truth"), list[str]()
    labelled = labelled_boxes(truth_table, truth_frames, columns_of(vocabulary, scored), name, notes, scores=False)
    on_truth = np.isin(frames, truth_frames)
    own = _boxes_of(table[on_truth], frames[on_truth])
    rows = _distinct(labelled.frame, labelled.boxes)
    persons = LabelledBoxes(rows[:, 0].astype(np.int64), np.zeros(len(rows), np.int64), rows[:, 1:], np.ones(len(rows)))
    recall = {
        threshold: known_mean(found_persons(persons.boxes, persons.frame, own.boxes, own.frame, threshold))
        for threshold in (0.5, 0.75, 0.9)
    }
    ceiling = known_mean(oracle_ap(labelled, own.boxes, own.frame, len(scored)))
    boxed = truth_table["x1"].notna().to_numpy()
    dropped = len(_distinct(truth_frames[boxed], truth_table.loc[boxed, COORDINATES].to_numpy(dtype=float))) - len(rows)
    if dropped:
        notes.append(f"{name}: {dropped:,} persons who do nothing that is scored are left out")
    warning = None if len(own) else _why_none(table, truth_table, name_of(boxes, "the boxes"), name)
    return BoxReport(recall, ceiling, persons, own, truth_frames, tuple(notes), warning)


def _distinct(frames: Ints, boxes: Boxes) -> NDArray[np.float64]:
    """Each box of each frame once: rows of frame, x1, y1, x2, y2."""
    return np.unique(np.column_stack([frames, boxes]), axis=0)


def _why_none(boxes: pd.DataFrame, truth: pd.DataFrame, boxes_name: str, truth_name: str) -> str:
    """Why no box is on a key frame of the truth: an example of either tells more than the fact."""
    for table, name in ((boxes, boxes_name), (truth, truth_name)):
        if not len(table):
            return f"{name}: names no key frame"
    ours, theirs = (f"{each['video'].iloc[0]},{format_timestamp(each['timestamp'].iloc[0])}" for each in (boxes, truth))
    return f"{boxes_name}: no box is on a key frame of {truth_name} (the boxes have {ours}, the truth has {theirs})"


def evaluate_boxes(
    truth: pd.DataFrame, found: pd.DataFrame, frames: pd.DataFrame, classes: Sequence[str] = ("person",)
) -> BoxFigures:
    """COCO's figures of the boxes of a detector.

    Args:
        truth: columns video, timestamp, x1 y1 x2 y2 (0-1 of the frame), class (number from 0); a row a person.
        found: the same with score.
        frames: video, timestamp of all annotated key frames, those with nobody too; other frames do not count.
        classes: names of the classes.
    """
    truth_frames, found_frames, all_frames = frame_codes([truth, found, frames])
    persons = _boxes_of(truth.assign(score=1.0), truth_frames, truth["class"])
    return _figures(persons, _boxes_of(found, found_frames, found["class"]), all_frames, classes)


def _boxes_of(table: pd.DataFrame, frames: Ints, classes: pd.Series[int] | None = None) -> LabelledBoxes:
    kinds: Ints = np.zeros(len(table), np.int64)
    if classes is not None:
        kinds = np.asarray(classes.to_numpy(), dtype=np.int64)
    return LabelledBoxes(frames, kinds, table[COORDINATES].to_numpy(dtype=float), table["score"].to_numpy(dtype=float))


def _figures(truth: LabelledBoxes, found: LabelledBoxes, frames: Ints, classes: Sequence[str]) -> BoxFigures:
    bounds = [(least, most) for _, least, most in SIZES]
    figures = coco_figures(truth, found, frames, len(classes), bounds)
    truth = truth.take(np.isin(truth.frame, frames))
    counts = np.bincount(truth.action, minlength=len(classes))
    per_class = {"ap": figures.ap, "ap50": figures.ap50, "ap75": figures.ap75, "truth": counts}
    shares = area(truth.boxes)
    by_size = pd.DataFrame(
        {
            "least": [least for least, _ in bounds],
            "most": [most for _, most in bounds],
            "truth": [int(((shares >= least) & (shares < most)).sum()) for least, most in bounds],
            "ap": figures.size_ap,
            "recall": figures.recall,
            "average_recall": figures.average_recall,
        },
        index=pd.Index([size for size, _, _ in SIZES], name="size"),
    )
    return BoxFigures(pd.DataFrame(per_class, index=pd.Index(list(classes), name="class")), by_size)
