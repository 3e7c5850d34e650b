"""What a prediction is at one moment: persons, their scores, and which of them are shown."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ava_tools.boxes import Boxes
from ava_tools.labels import Labels


class Row(NamedTuple):
    """One action of one person at one moment: a line of every output."""

    video: str
    time: float
    person: int
    x1: float
    y1: float
    x2: float
    y2: float
    action_id: int
    action: str
    score: float


@dataclass(frozen=True)
class Selection:
    """Which scores are shown.

    Attributes:
        min_score: least score; 0 keeps everything.
        min_scores: least score of each action, instead; None: the same for all.
        top: at most so many actions a person, the best ones; None: all.
        columns: outputs of the network that are looked at; None: all.
    """

    min_score: float = 0.0
    top: int | None = None
    columns: tuple[int, ...] | None = None
    min_scores: tuple[float, ...] | None = None

    def of(self, scores: NDArray[np.float64]) -> list[int]:
        """Columns of one person's scores ``[N]`` that are shown, the best first, equal ones in their order."""
        order = np.argsort(-scores, kind="stable")
        if self.columns is not None:
            order = order[np.isin(order, self.columns)]
        least = self.min_score if self.min_scores is None else np.array(self.min_scores)[order]
        order = order[scores[order] >= least]
        return [int(column) for column in order[: self.top]]


EVERYTHING = Selection()


@dataclass(frozen=True)
class Keyframe:
    """The persons of one moment and what each of them does.

    Attributes:
        video: name of the film.
        time: seconds from the start of the film.
        boxes: ``float64[K, 4]`` xyxy, 0-1 of the frame after rotation.
        box_scores: ``float64[K]`` of the person detector; NaN where given boxes had none.
        persons: ``int64[K]`` identities, kept from key frame to key frame.
        scores: ``float64[K, N]`` of every action, 0 to 1.
        labels: the N actions.
    """

    video: str
    time: float
    boxes: Boxes
    box_scores: NDArray[np.float64]
    persons: NDArray[np.int64]
    scores: NDArray[np.float64]
    labels: Labels

    def rows(self, selection: Selection = EVERYTHING) -> Iterator[Row]:
        """One row for each person and action that is shown."""
        for box, person, scores in zip(self.boxes, self.persons, self.scores, strict=True):
            for column in selection.of(scores):
                action = self.labels.actions[column]
                x1, y1, x2, y2 = box.tolist()
                score = float(scores[column])
                yield Row(self.video, self.time, int(person), x1, y1, x2, y2, action.id, action.name, score)
