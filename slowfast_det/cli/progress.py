"""The progress of a prediction on the standard error, and its closing line."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import TYPE_CHECKING, Self

from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from ava_tools.cli.run import console

if TYPE_CHECKING:
    from slowfast_det.keyframe import Keyframe
    from slowfast_det.pipeline import FilmRun


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:.2f} key frames/s" if speed else "")


@contextmanager
def moment_progress(total: int, shown: bool) -> Iterator[Callable[[object], None]]:
    """A bar over the key frames of a test, on a terminal; gives the function that advances it."""
    bar = Progress(
        TextColumn("key frames"),
        BarColumn(),
        TextColumn("{task.completed:.0f}/{task.total:.0f}"),
        _Rate(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not (shown and sys.stderr.isatty()),
    )
    with bar:
        task = bar.add_task("", total=total)
        yield lambda _: bar.advance(task)


class KeyframeProgress:
    """A bar with rate and time left on a terminal, silence elsewhere; counts what the summary tells."""

    def __init__(self, run: FilmRun) -> None:
        self._run = run
        self.keyframes = 0
        self._persons = 0
        self._begin = perf_counter()
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.completed:.0f}/{task.total:.0f}" if run.total is not None else "{task.completed:.0f}"),
            _Rate(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not sys.stderr.isatty(),
        )
        self._task = self._bar.add_task(run.info.name, total=run.total)

    def advance(self, keyframe: Keyframe) -> None:
        """Count a finished key frame."""
        self.keyframes += 1
        self._persons += len(keyframe.boxes)
        self._bar.advance(self._task)

    def summary(self, complete: bool) -> str:
        """What was done and where the time went."""
        seconds = perf_counter() - self._begin
        timings = self._run.timings
        rest = max(0.0, seconds - timings.decoding - timings.persons - timings.actions)
        return (
            f"{self._run.info.name}: {'' if complete else 'stopped after '}"
            f"{self.keyframes:,} key frames, {self._persons:,} persons; {timings.decoding:.1f} s decoding / "
            f"{timings.persons:.1f} s boxes / {timings.actions:.1f} s actions / {rest:.1f} s writing "
            f"({self.keyframes / max(seconds, 1e-9):.2f} key frames/s)"
        )

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()
