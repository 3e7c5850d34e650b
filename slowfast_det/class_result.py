"""What a classifier says of a film, or of a stretch of it, as rows and files."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ava_tools.labels import Labels
from slowfast_det.result_files.lines import LineFile, quoted


class ClassRow(NamedTuple):
    """One class of one stretch of a film; times are seconds from the film's start."""

    video: str
    start: float
    end: float
    class_id: int
    class_name: str
    score: float


@dataclass(frozen=True, eq=False)
class ClassifiedStretch:
    """A film, or a stretch of it, with the score of every class.

    Attributes:
        video: the film's name.
        start, end: seconds from its start.
        labels: the classes.
        scores: ``float64[N]``, 0 to 1.
    """

    video: str
    start: float
    end: float
    labels: Labels = field(repr=False)
    scores: NDArray[np.float64] = field(repr=False)

    def top(self, count: int = 5) -> list[ClassRow]:
        """The classes of the highest scores, best first."""
        ids, names = self.labels.ids, self.labels.names
        best = np.argsort(-self.scores, kind="stable")[:count].tolist()
        return [
            ClassRow(self.video, round(self.start, 6), round(self.end, 6), ids[i], names[i], float(self.scores[i]))
            for i in best
        ]


class ClassFile(LineFile):
    """A file that takes stretches in order: csv with a header, or one JSON object a stretch and line."""

    def __init__(self, path: Path, top: int) -> None:
        """Begin the file; its suffix says which it is. ``top`` classes of each stretch are written."""
        super().__init__(path)
        self._top, self._json = top, path.suffix == ".jsonl"
        if not self._json:
            self._write([",".join(ClassRow._fields) + "\n"])

    def write(self, stretch: ClassifiedStretch) -> None:
        """Add a stretch, on disk when this returns."""
        rows = stretch.top(self._top)
        if self._json:
            classes = [{"class_id": r.class_id, "class_name": r.class_name, "score": round(r.score, 6)} for r in rows]
            about = {"video": stretch.video, "start": round(stretch.start, 6), "end": round(stretch.end, 6)}
            self._write([json.dumps({**about, "classes": classes}, ensure_ascii=False) + "\n"])
        else:
            self._write([_line(row) for row in rows])


def _line(row: ClassRow) -> str:
    times = f"{row.start:g},{row.end:g}"
    return f"{quoted(row.video)},{times},{row.class_id},{quoted(row.class_name)},{row.score:.6f}\n"
