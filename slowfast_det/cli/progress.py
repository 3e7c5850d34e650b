"""The progress of a prediction on the standard error, and its closing line."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from time import perf_counter
from typing import TYPE_CHECKING, Self

from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from ava_tools.cli.run import console

if TYPE_CHECKING:
    from slowfast_det.keyframe import Keyframe
    from slowfast_det.pipeline import FilmRun


_EVERY = 30.0  # seconds between two lines where there is no terminal


class _Rate(ProgressColumn):
    def __init__(self, what: str) -> None:
        super().__init__()
        self._what = what

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:.2f} {self._what}/s" if speed else "")


@contextmanager
def moment_progress(total: int, shown: bool, what: str = "key frames") -> Iterator[Callable[[object], None]]:
    """A bar over key frames, or a line now and then where there is no terminal; gives the function that advances it.

    Args:
        total: how many there are.
        shown: whether this process is the one that tells.
        what: what they are, if not key frames.
    """
    if shown and not sys.stderr.isatty():
        yield _Lines(total, what).advance
        return
    bar = Progress(
        TextColumn(what),
        BarColumn(),
        TextColumn("{task.completed:.0f}/{task.total:.0f}"),
        _Rate(what),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not shown,
    )
    with bar:
        task = bar.add_task("", total=total)
        yield lambda _: bar.advance(task)


class _Lines:
    """Says every 30 seconds how far it is."""

    def __init__(self, total: int, what: str) -> None:
        self._total, self._done, self._what = total, 0, what
        self._begin = self._told = perf_counter()

    def advance(self, _: object) -> None:
        self._done += 1
        now = perf_counter()
        if now - self._told < _EVERY:
            return
        self._told = now
        rate = self._done / (now - self._begin)
        left = timedelta(seconds=round(max(0, self._total - self._done) / rate))
        console.print(f"{self._done:,} of {self._total:,} {self._what}, {rate:.1f} a second, {left} left")


class _Done(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.completed:.0f}" if task.total is None else f"{task.completed:.0f}/{task.total:.0f}")


def film_bars() -> Progress:
    """Bars with rate and time left on a terminal, one a film; silence elsewhere."""
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        _Done(),
        _Rate("key frames"),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not sys.stderr.isatty(),
    )


class KeyframeProgress:
    """A film's bar among others; counts what the summary tells."""

    def __init__(self, run: FilmRun, bars: Progress) -> None:
        self._run = run
        self.keyframes = 0
        self._persons = 0
        self._begin = perf_counter()
        self._bars = bars
        self._task = bars.add_task(run.info.name, total=run.total)

    def advance(self, keyframe: Keyframe) -> None:
        """Count a finished key frame."""
        self.keyframes += 1
        self._persons += len(keyframe.boxes)
        self._bars.advance(self._task)

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
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.remove_task(self._task)
