"""The files that a prediction is written to, key frame by key frame: csv, JSON lines, annotated film."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Protocol

import numpy as np

from ava_tools.atomic import replacing
from ava_tools.boxes import to_pixels
from ava_tools.errors import InputError
from ava_tools.media.draw import BoxPainter
from ava_tools.media.frames import Frame
from ava_tools.media.reader import open_film
from ava_tools.media.writer import FilmWriter
from ava_tools.tables import format_timestamp
from slowfast_det.keyframe import Keyframe, Selection
from slowfast_det.span import Span

SUFFIXES = ("csv", "jsonl", "mp4")
_LONGEST_GLIDE = 2.0  # seconds; nobody looked at what lies between key frames farther apart
_LINES = 3  # actions written on a person at most


class ResultFile(Protocol):
    """Takes key frames in order; what was written stays, whatever happens later."""

    def write(self, keyframe: Keyframe) -> None:
        """Add a key frame."""
        ...

    def close(self, complete: bool = True) -> None:
        """Finish; ``complete`` says that the whole film was seen, not a part of it."""
        ...


class _LineFile:
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


class CsvFile(_LineFile):
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
            lines.append(f"{_quoted(row.video)},{timestamp},{box},{row.action_id},{row.score:.6f}\n")
        self._write(lines)


class JsonlFile(_LineFile):
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


class AnnotatedFilm:
    """The film itself with boxes and actions drawn, at its own size, rate and duration.

    It follows the prediction: at each key frame the film up to it is read again, drawn and written.
    Between key frames at most 2 s apart the boxes of a person seen in both glide from one to the next;
    other boxes stand still around their key frame, up to half of the way to the next one and up to 1 s.
    At most three actions are written on a person.
    """

    def __init__(
        self,
        path: Path,
        source: Path,
        selection: Selection,
        *,
        start: float = 0.0,
        end: float | None = None,
        frame_rate: float = 30.0,
    ) -> None:
        """Draw ``source`` from ``start`` to ``end`` (seconds) to ``path``; ``frame_rate`` is a folder's."""
        self._film = open_film(source, frame_rate, warn=False)
        info = self._film.info
        self._size = info.width, info.height
        self._selection = replace(selection, top=min(selection.top or _LINES, _LINES))
        self._painter = BoxPainter(*self._size)
        self._writer = FilmWriter(path, like=info)
        self._frames = self._film.frames(start)
        self._waiting: Frame | None = next(self._frames, None)
        self._first = self._waiting.time if self._waiting else Fraction(0)
        self._end = end
        self._previous: Keyframe | None = None
        self._spacing = 1.0

    def write(self, keyframe: Keyframe) -> None:
        """Draw the film up to this key frame."""
        if self._previous is not None:
            self._spacing = keyframe.time - self._previous.time
        self._draw_until(keyframe.time, keyframe)
        self._previous = keyframe

    def close(self, complete: bool = True) -> None:
        """Draw the rest of the film, if the prediction saw it all, and finish the mp4."""
        try:
            if complete:
                self._draw_rest()
        finally:
            self._writer.close()
            self._film.close()

    def _draw_until(self, time: float, following: Keyframe) -> None:
        while self._waiting is not None and self._waiting.time < time:
            self._draw_next(following)

    def _draw_rest(self) -> None:
        while self._waiting is not None and (self._end is None or self._waiting.time <= self._end):
            self._draw_next(None)

    def _draw_next(self, following: Keyframe | None) -> None:
        assert self._waiting is not None
        frame = self._waiting
        self._writer.write(self._draw(frame, following), frame.time - self._first)
        self._waiting = next(self._frames, None)

    def _draw(self, frame: Frame, following: Keyframe | None) -> np.ndarray[tuple[int, int, int], np.dtype[np.uint8]]:
        boxes, persons, texts = [], [], []
        time = float(frame.time)
        for keyframe, other in ((self._previous, following), (following, self._previous)):
            if keyframe is None:
                continue
            distance = abs(time - keyframe.time)
            for number, person in enumerate(keyframe.persons):
                elsewhere = [] if other is None else np.flatnonzero(other.persons == person).tolist()
                if other is not None and elsewhere and abs(other.time - keyframe.time) <= _LONGEST_GLIDE:
                    if keyframe is following:
                        continue  # drawn already, gliding
                    share = distance / max(other.time - keyframe.time, 1e-9)
                    box = (1 - share) * keyframe.boxes[number] + share * other.boxes[elsewhere[0]]
                elif distance <= min(self._spacing, _LONGEST_GLIDE) / 2:
                    box = keyframe.boxes[number]
                else:
                    continue
                boxes.append(box)
                persons.append(int(person))
                texts.append(self._text(keyframe, number))
        pixels = to_pixels(np.array(boxes).reshape(-1, 4), *self._size)
        return self._painter.draw(frame.rgb(), pixels, np.array(persons, dtype=np.int64), texts)

    def _text(self, keyframe: Keyframe, number: int) -> str:
        scores = keyframe.scores[number]
        names = keyframe.labels.display_names
        return "\n".join(f"{names[column]} {scores[column]:.2f}" for column in self._selection.of(scores))


def open_result(
    path: Path, suffix: str, source: Path, selection: Selection, span: Span, frame_rate: float
) -> ResultFile:
    """Begin a result file of the kind that ``suffix`` names; see `SUFFIXES`."""
    if suffix == "csv":
        return CsvFile(path, selection, span.time_origin)
    if suffix == "jsonl":
        return JsonlFile(path, selection)
    return AnnotatedFilm(path, source, selection, start=span.start, end=span.end, frame_rate=frame_rate)


def save_keyframes(
    keyframes: Iterable[Keyframe], source: Path, path: Path, selection: Selection, span: Span, frame_rate: float
) -> None:
    """Write the key frames of a film at once; see `FilmResult.save`."""
    suffix = path.suffix.lower().removeprefix(".")
    if suffix not in SUFFIXES:
        raise InputError(f"{path}: the suffix says how to save; .{', .'.join(SUFFIXES)} are known")
    if path.exists() and source.exists() and path.samefile(source):
        raise InputError(f"{path}: is the film itself; another name is expected")
    with replacing(path) as temporary:
        file = open_result(temporary, suffix, source, selection, span, frame_rate)
        try:
            for keyframe in keyframes:
                file.write(keyframe)
        except BaseException:
            file.close(complete=False)
            raise
        file.close()


def _quoted(text: str) -> str:
    """A csv field; only film names with commas, quotes or line breaks need more than themselves."""
    if any(mark in text for mark in ',"\n\r'):
        return '"' + text.replace('"', '""') + '"'
    return text
