"""Who does what from when to when, as files: a csv, a line a person, subtitles."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

from ava_tools.labels import short_name
from slowfast_det.association import MEMORY
from slowfast_det.intervals import Interval, IntervalFinder, IntervalRule
from slowfast_det.keyframe import Keyframe, Selection
from slowfast_det.result_files.lines import LineFile, quoted

HEADER = "video,person,action_id,action,start,end,mean_score,peak_score"


class IntervalsFile(LineFile):
    """A csv with a header, a row an interval; it comes when the interval is over."""

    def __init__(self, path: Path, rule: IntervalRule, selection: Selection) -> None:
        """Of a ``selection`` its columns count; ``rule`` says when actions begin and end."""
        super().__init__(path)
        self._finder, self._selection = IntervalFinder(rule), selection
        self._write([HEADER + "\n"])

    def write(self, keyframe: Keyframe) -> None:
        """Add the intervals that a key frame ends."""
        self._add(self._finder.see(keyframe))

    def close(self, complete: bool = True) -> None:
        """Add what is still open, and close the file."""
        try:
            self._add(self._finder.rest())
        finally:
            super().close(complete)

    def _add(self, intervals: Iterable[Interval]) -> None:
        rows = [
            f"{quoted(one.video)},{one.person},{one.action_id},{quoted(one.action)},{one.start:.3f},{one.end:.3f},"
            f"{one.mean_score:.6f},{one.peak_score:.6f}\n"
            for one in chosen(intervals, self._selection)
        ]
        self._write(rows)


class TubesFile(LineFile):
    """One JSON object a line and person: where it is at each key frame, and what it does from when to when.

    A line comes when the person has been out of sight for so long that nobody gets its identity any more.
    """

    def __init__(self, path: Path, rule: IntervalRule, selection: Selection) -> None:
        """See `IntervalsFile`."""
        super().__init__(path)
        self._finder, self._selection = IntervalFinder(rule), selection
        self._boxes: dict[int, list[list[float | None]]] = {}
        self._actions: dict[int, list[Interval]] = {}
        self._seen: dict[int, float] = {}  # when each person was seen last, seconds
        self._video = ""

    def write(self, keyframe: Keyframe) -> None:
        """Add the persons who are gone for good."""
        self._video = keyframe.video
        self._keep(self._finder.see(keyframe))
        for person, box, score in zip(
            keyframe.persons.tolist(), keyframe.boxes.tolist(), keyframe.box_scores.tolist(), strict=True
        ):
            known = None if math.isnan(score) else round(score, 6)
            place = [round(keyframe.time, 6), *(round(value, 6) for value in box), known]
            self._boxes.setdefault(person, []).append(place)
            self._seen[person] = keyframe.time
        self._add([person for person, time in self._seen.items() if keyframe.time - time > MEMORY + 1])

    def close(self, complete: bool = True) -> None:
        """Add everybody who is left, and close the file."""
        try:
            self._keep(self._finder.rest())
            self._add(list(self._boxes))
        finally:
            super().close(complete)

    def _keep(self, intervals: Iterable[Interval]) -> None:
        for interval in chosen(intervals, self._selection):
            self._actions.setdefault(interval.person, []).append(interval)

    def _add(self, persons: Iterable[int]) -> None:
        lines = []
        for person in persons:
            boxes = self._boxes.pop(person)
            del self._seen[person]
            actions = sorted(self._actions.pop(person, []), key=lambda one: (one.start, one.action_id))
            about = {
                "video": self._video,
                "person": person,
                "start": boxes[0][0],
                "end": boxes[-1][0],
                "boxes": boxes,  # rows: time, x1, y1, x2, y2, score
                "actions": [_record(action) for action in actions],
            }
            lines.append(json.dumps(about, ensure_ascii=False) + "\n")
        self._write(lines)


class SubtitlesFile(LineFile):
    """SubRip subtitles: who does what, a line a person, until that changes; written at the end, in order."""

    def __init__(self, path: Path, rule: IntervalRule, selection: Selection) -> None:
        """See `IntervalsFile`."""
        super().__init__(path)
        self._finder, self._selection = IntervalFinder(rule), selection
        self._found: list[Interval] = []

    def write(self, keyframe: Keyframe) -> None:
        """Remember the intervals that a key frame ends."""
        self._found += chosen(self._finder.see(keyframe), self._selection)

    def close(self, complete: bool = True) -> None:
        """Write them all, and close the file."""
        try:
            self._found += chosen(self._finder.rest(), self._selection)
            stretches = _stretches(self._found)
            self._write([_subtitle(number, *stretch) for number, stretch in enumerate(stretches, start=1)])
        finally:
            super().close(complete)


def chosen(intervals: Iterable[Interval], selection: Selection) -> Iterator[Interval]:
    """Intervals of the actions that are looked at."""
    return (one for one in intervals if selection.columns is None or one.column in selection.columns)


def _record(interval: Interval) -> dict[str, Any]:
    about = asdict(interval)
    for known in ("video", "person", "column"):
        del about[known]
    return {key: round(value, 6) if isinstance(value, float) else value for key, value in about.items()}


def _stretches(intervals: list[Interval]) -> Iterator[tuple[float, float, list[Interval]]]:
    """Stretches of time in which nothing changes, with what goes on in them; those of nothing are left out."""
    edges = sorted({round(edge, 3) for one in intervals for edge in (one.start, one.end)})
    waiting = sorted(intervals, key=lambda one: one.start, reverse=True)
    on: list[Interval] = []
    for start, end in pairwise(edges):
        on = [one for one in on if round(one.end, 3) > start]
        while waiting and round(waiting[-1].start, 3) <= start:
            on.append(waiting.pop())
        if on:
            yield start, end, sorted(on, key=lambda one: (one.person, one.action_id))


def _subtitle(number: int, start: float, end: float, intervals: list[Interval]) -> str:
    lines = [
        f"person {person}: {', '.join(short_name(one.action) for one in own)}"
        for person, own in groupby(intervals, key=lambda one: one.person)
    ]
    return f"{number}\n{_clock(start)} --> {_clock(end)}\n" + "\n".join(lines) + "\n\n"


def _clock(seconds: float) -> str:
    milliseconds = round(seconds * 1000)
    hours, rest = divmod(milliseconds, 3_600_000)
    minutes, rest = divmod(rest, 60_000)
    return f"{hours:02d}:{minutes:02d}:{rest // 1000:02d},{rest % 1000:03d}"
