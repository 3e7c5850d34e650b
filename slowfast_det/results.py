"""What a prediction of a film is: all its key frames, as a table and as files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING

from slowfast_det.intervals import Interval, IntervalRule, find_intervals
from slowfast_det.keyframe import EVERYTHING, Keyframe, Row, Selection
from slowfast_det.result_files.opening import save_keyframes
from slowfast_det.span import Span

if TYPE_CHECKING:
    import pandas as pd


@dataclass
class Timings:
    """Where the time went, in seconds."""

    decoding: float = 0.0
    persons: float = 0.0
    actions: float = 0.0


@dataclass(frozen=True, repr=False)
class FilmResult:
    """All key frames of one film, and how they were chosen: the span, and the images a second of a folder."""

    source: Path
    keyframes: Sequence[Keyframe]
    span: Span = field(default_factory=Span)
    frame_rate: float = 30.0
    timings: Timings = field(default_factory=Timings)

    def __repr__(self) -> str:
        persons = sum(len(keyframe.boxes) for keyframe in self.keyframes)
        return f"FilmResult({str(self.source)!r}: {len(self):,} key frames, {persons:,} persons)"

    def __len__(self) -> int:
        return len(self.keyframes)

    def __iter__(self) -> Iterator[Keyframe]:
        return iter(self.keyframes)

    def table(self, min_score: float = 0.0, top: int | None = None) -> pd.DataFrame:
        """A row for each person and action: video, time, person, x1 .. y2, action_id, action, score."""
        return as_table(self.keyframes, Selection(min_score, top))

    def intervals(self, rule: IntervalRule = IntervalRule()) -> pd.DataFrame:
        """A row for each person and action, from when to when; ``rule`` says when actions begin and end.

        Columns: video, person, column, action_id, action, start, end, mean_score, peak_score.
        """
        import pandas as pd

        names = [entry.name for entry in fields(Interval)]
        return pd.DataFrame([astuple(one) for one in find_intervals(self.keyframes, rule)], columns=names)

    def save(
        self, path: str | Path, min_score: float = 0.0, top: int | None = None, rule: IntervalRule = IntervalRule()
    ) -> None:
        """Write the result; the ending says how: ``.csv`` (AVA's), ``.jsonl``, ``.mp4`` (annotated film), ...

        ``.persons.csv`` holds identities and boxes; ``.intervals.csv``, ``.tubes.jsonl`` and ``.srt`` who does what
        from when to when, by ``rule``. The file appears under its name only when it is complete.
        """
        selection = Selection(min_score, top)
        save_keyframes(self.keyframes, self.source, Path(path), selection, self.span, self.frame_rate, rule)


def as_table(keyframes: Iterable[Keyframe], selection: Selection = EVERYTHING) -> pd.DataFrame:
    """Rows of key frames as a DataFrame."""
    import pandas as pd

    rows = [row for keyframe in keyframes for row in keyframe.rows(selection)]
    return pd.DataFrame(rows, columns=list(Row._fields))
