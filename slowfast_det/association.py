"""Persons keep their identity from key frame to key frame."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from ava_tools.boxes import Boxes, enlarged, pairwise_iou

_MARGIN = 0.25  # key frames lie far apart: boxes are compared a quarter larger (the idea of C-BIoU)
_LEAST_OVERLAP = 0.2
MEMORY = 3.0
"""Seconds that a person may be out of sight and keep the identity, if nobody says otherwise."""


class Association:
    """Gives persons of one film identities 1, 2, 3, ...

    At each key frame, persons are matched to those seen before so that the sum of box overlaps is
    largest; who overlaps nobody of its class is new.
    """

    def __init__(self, memory: float = MEMORY) -> None:
        """``memory``: seconds that a person may be out of sight."""
        self._memory = memory
        self._boxes: Boxes = np.zeros((0, 4))
        self._persons: NDArray[np.int64] = np.zeros(0, dtype=np.int64)
        self._classes: NDArray[np.int64] = np.zeros(0, dtype=np.int64)
        self._seen: NDArray[np.float64] = np.zeros(0)
        self._count = 0

    def identify(self, boxes: Boxes, time: float, classes: NDArray[np.int64] | None = None) -> NDArray[np.int64]:
        """Identities ``int64[K]`` of unit boxes at ``time`` (seconds, rising from call to call).

        Those of different ``classes`` (``int64[K]``; None: all are of one) are never the same.
        """
        kinds = np.zeros(len(boxes), dtype=np.int64) if classes is None else classes
        remembered = time - self._seen <= self._memory + 1e-6
        self._boxes, self._persons = self._boxes[remembered], self._persons[remembered]
        self._classes, self._seen = self._classes[remembered], self._seen[remembered]
        overlap = pairwise_iou(enlarged(boxes, _MARGIN), enlarged(self._boxes, _MARGIN))
        apart = (overlap < _LEAST_OVERLAP) | (kinds[:, None] != self._classes)
        overlap[apart] = 0  # no match at all: it must not buy another pair a worse one
        persons = np.zeros(len(boxes), dtype=np.int64)
        for row, column in zip(*linear_sum_assignment(overlap, maximize=True), strict=True):
            if overlap[row, column] > 0:
                persons[row] = self._persons[column]
        new = persons == 0
        persons[new] = self._count + 1 + np.arange(new.sum())
        self._count += int(new.sum())
        kept = ~np.isin(self._persons, persons)
        self._boxes = np.concatenate([self._boxes[kept], boxes])
        self._persons = np.concatenate([self._persons[kept], persons])
        self._classes = np.concatenate([self._classes[kept], kinds])
        self._seen = np.concatenate([self._seen[kept], np.full(len(boxes), time)])
        return persons
