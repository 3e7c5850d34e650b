"""What person boxes are worth before any action is scored: tables in, a report out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ava_tools.coded import columns_of, frame_codes, known_mean, labelled_boxes, name_of
from ava_tools.label_files import read_labels
from ava_tools.labels import Labels, ava_labels
from ava_tools.metrics.person_boxes import found_persons, oracle_ap
from ava_tools.tables import COORDINATES, read_person_boxes, read_truth


@dataclass(frozen=True)
class BoxReport:
    """What person boxes are worth.

    Attributes:
        persons: distinct boxes of persons in the truth.
        boxes: given boxes on key frames of the truth.
        recall: share of the persons that some box fits, by least overlap (0.5, 0.75, 0.9).
        ceiling: frame mAP at IoU 0.5 that perfect scores would reach with these boxes.
    """

    persons: int
    boxes: int
    recall: Mapping[float, float]
    ceiling: float


def evaluate_person_boxes(
    truth: str | Path | pd.DataFrame, boxes: str | Path | pd.DataFrame, labels: Labels | str | Path | None = None
) -> BoxReport:
    """Recall of person boxes and the frame mAP that they allow.

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
    own, own_frames = table[COORDINATES].to_numpy(dtype=float)[on_truth], frames[on_truth]
    persons = np.unique(np.column_stack([labelled.frame, labelled.boxes]), axis=0)
    recall = {
        threshold: known_mean(found_persons(persons[:, 1:], persons[:, 0].astype(np.int64), own, own_frames, threshold))
        for threshold in (0.5, 0.75, 0.9)
    }
    ceiling = known_mean(oracle_ap(labelled, own, own_frames, len(scored)))
    return BoxReport(len(persons), len(own), recall, ceiling)
