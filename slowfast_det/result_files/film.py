"""The film itself with boxes and actions drawn."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from ava_tools.boxes import to_pixels
from ava_tools.media.draw import BoxPainter
from ava_tools.media.frames import Frame
from ava_tools.media.reader import open_film
from ava_tools.media.writer import FilmWriter
from slowfast_det.keyframe import Keyframe, Selection

_LONGEST_GLIDE = 2.0  # seconds; nobody looked at what lies between key frames farther apart
_LINES = 3  # actions written on a person at most


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
                text = self._text(keyframe, number)
                texts.append(f"{person}: {text}" if text else "")
        pixels = to_pixels(np.array(boxes).reshape(-1, 4), *self._size)
        return self._painter.draw(frame.rgb(), pixels, np.array(persons, dtype=np.int64), texts)

    def _text(self, keyframe: Keyframe, number: int) -> str:
        scores = keyframe.scores[number]
        names = keyframe.labels.display_names
        return "\n".join(f"{names[column]} {scores[column]:.2f}" for column in self._selection.of(scores))
