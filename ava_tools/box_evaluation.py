"""What person boxes are worth before any action is scored: tables in, a report out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from ava_tools.boxes import SIZES, area
from ava_tools.coded import columns_of, frame_codes, known_mean, labelled_boxes, name_of
from ava_tools.label_files import read_labels
from ava_tools.labels import Labels, ava_labels
from ava_tools.metrics.average_precision import Ints, LabelledBoxes
from ava_tools.metrics.coco import coco_figures
from ava_tools.metrics.person_boxes import found_persons, oracle_ap
from ava_tools.tables import COORDINATES, read_person_boxes, read_truth

_SCORES = (0.3, 0.5, 0.7, 0.8, 0.9, 0.95)


@dataclass(frozen=True)
class BoxFigures:
    """COCO's figures of boxes, by pycocotools: of each frame and class its 100 best boxes count.

    Attributes:
        per_class: indexed by the name of a class: ap (mean over IoU 0.5 to 0.95), ap50, ap75, truth.
        by_size: indexed by size: least and most share of the frame, truth, recall (at IoU 0.5), average_recall.
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
        recall: share of the persons that some box fits, by least overlap (0.5, 0.75, 0.9).
        ceiling: frame mAP at IoU 0.5 that perfect scores would reach with these boxes.
        truth: distinct boxes of persons in the truth.
        found: given boxes on key frames of the truth; a score is NaN where a box has none.
        frames: ``int64[*]`` all key frames of the truth.
    """

    recall: Mapping[float, float]
    ceiling: float
    truth: LabelledBoxes
    found: LabelledBoxes
    frames: Ints

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
    labelled = labelled_boxes(
        truth_table, truth_frames, columns_of(vocabulary, scored), name_of(truth, "the truth"), [], scores=False
    )
    on_truth = np.isin(frames, truth_frames)
    own = _boxes_of(table[on_truth], frames[on_truth])
    rows = np.unique(np.column_stack([labelled.frame, labelled.boxes]), axis=0)
    persons = LabelledBoxes(rows[:, 0].astype(np.int64), np.zeros(len(rows), np.int64), rows[:, 1:], np.ones(len(rows)))
    recall = {
        threshold: known_mean(found_persons(persons.boxes, persons.frame, own.boxes, own.frame, threshold))
        for threshold in (0.5, 0.75, 0.9)
    }
    ceiling = known_mean(oracle_ap(labelled, own.boxes, own.frame, len(scored)))
    return BoxReport(recall, ceiling, persons, own, truth_frames)


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
    counts = np.bincount(truth.action, minlength=len(classes))
    per_class = {"ap": figures.ap, "ap50": figures.ap50, "ap75": figures.ap75, "truth": counts}
    shares = area(truth.boxes)
    by_size = pd.DataFrame(
        {
            "least": [least for least, _ in bounds],
            "most": [most for _, most in bounds],
            "truth": [int(((shares >= least) & (shares < most)).sum()) for least, most in bounds],
            "recall": figures.recall,
            "average_recall": figures.average_recall,
        },
        index=pd.Index([size for size, _, _ in SIZES], name="size"),
    )
    return BoxFigures(pd.DataFrame(per_class, index=pd.Index(list(classes), name="class")), by_size)
