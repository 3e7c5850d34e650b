"""Persons from a file of boxes: AVA's csv or a proposals pickle."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ava_tools.boxes import Boxes
from ava_tools.tables import COORDINATES, read_person_boxes


class PrecomputedBoxes:
    """Given person boxes of any number of films; every one of them is used, whatever its score."""

    def __init__(self, boxes: str | Path | pd.DataFrame) -> None:
        """``boxes``: a file (see `ava_tools.tables.read_person_boxes`), or a table as it returns."""
        self._table = boxes if isinstance(boxes, pd.DataFrame) else read_person_boxes(boxes)
        self.name = "the given table" if isinstance(boxes, pd.DataFrame) else str(boxes)

    @property
    def films(self) -> list[str]:
        """Names of the films that the boxes are of."""
        return list(self._table["video"].unique())

    def of_film(self, name: str) -> dict[float, tuple[Boxes, NDArray[np.float64]]]:
        """Boxes of one film by timestamp, rising: unit boxes ``[K, 4]`` and their scores ``[K]``."""
        own = self._table[self._table["video"] == name].sort_values("timestamp", kind="stable")
        times, starts = np.unique(own["timestamp"].to_numpy(dtype=float), return_index=True)
        boxes = np.split(own[COORDINATES].to_numpy(dtype=float), starts[1:])
        scores = np.split(own["score"].to_numpy(dtype=float), starts[1:])
        return {float(time): persons for time, persons in zip(times, zip(boxes, scores, strict=True), strict=False)}
