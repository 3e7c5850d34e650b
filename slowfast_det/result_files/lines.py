"""Results as lines of text: AVA's csv, JSON lines, persons with their identities."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Protocol

import numpy as np

from ava_tools.tables import format_timestamp
from slowfast_det.keyframe import Keyframe, Selection


class ResultFile(Protocol):
    """Takes key frames in order; what was written stays, whatever happens later."""

    def write(self, keyframe: Keyframe) -> None:
        """Add a key frame."""
        ...

    def close(self, complete: bool = True) -> None:
        """Finish; ``complete`` says that the whole film was seen, not a part of it."""
        ...


class LineFile:
    """A text file that holds whole key frames only, whatever happens."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb", buffering=0)

    def _write(self, lines: list[str]) -> None:
        """Add the lines of a key frame, on disk when this returns; none of them if the disk is full."""
        begin, text = self._file.tell(), "".join(lines).encode()
        try:
            while text:
                text = text[self._file.write(text) :]
        except OSError:
            self._file.truncate(begin)
            raise

    def close(self, complete: bool = True) -> None:
        """Close the file."""
        self._file.close()


class CsvFile(LineFile):
    """AVA's detection csv, no header: ``video,timestamp,x1,y1,x2,y2,action_id,score``."""

    def __init__(self, path: Path, selection: Selection, time_origin: float = 0.0) -> None:
        """``time_origin`` is the timestamp of the film's start: 900 for AVA's cut films."""
        super().__init__(path)
        self._selection = selection
        self._origin = time_origin

    def write(self, keyframe: Keyframe) -> None:
        """Add the rows of a key frame, on disk when this returns."""
        timestamp = format_timestamp(keyframe.time + self._origin)
        lines = []
        for row in keyframe.rows(self._selection):
            box = ",".join(f"{value:.6f}" for value in (row.x1, row.y1, row.x2, row.y2))
            lines.append(f"{quoted(row.video)},{timestamp},{box},{row.action_id},{row.score:.6f}\n")
        self._write(lines)


class JsonlFile(LineFile):
    """One JSON object a line, with the fields of `Row`."""

    def __init__(self, path: Path, selection: Selection) -> None:
        super().__init__(path)
        self._selection = selection

    def write(self, keyframe: Keyframe) -> None:
        """Add the rows of a key frame, on disk when this returns."""
        lines = []
        for row in keyframe.rows(self._selection):
            values = {name: round(v, 6) if isinstance(v, float) else v for name, v in row._asdict().items()}
            lines.append(json.dumps(values, ensure_ascii=False) + "\n")
        self._write(lines)


class PersonsFile(LineFile):
    """Where each identity is: a csv with a header, ``video,time,person,x1,y1,x2,y2,score``; a row a person."""

    def __init__(self, path: Path) -> None:
        """``score`` is the person detector's, empty where given boxes had none."""
        super().__init__(path)
        self._write(["video,time,person,x1,y1,x2,y2,score\n"])

    def write(self, keyframe: Keyframe) -> None:
        """Add the persons of a key frame, on disk when this returns."""
        lines = []
        for box, person, score in zip(keyframe.boxes, keyframe.persons, keyframe.box_scores, strict=True):
            place = ",".join(f"{value:.6f}" for value in box)
            known = "" if np.isnan(score) else f"{score:.6f}"
            lines.append(f"{quoted(keyframe.video)},{keyframe.time:.3f},{person},{place},{known}\n")
        self._write(lines)


def quoted(text: str) -> str:
    """A csv field; only film names with commas, quotes or line breaks need more than themselves."""
    if any(mark in text for mark in ',"\n\r'):
        return '"' + text.replace('"', '""') + '"'
    return text
