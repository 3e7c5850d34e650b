"""How far a command is: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys

import pytest

from slowfast_det.cli import progress
from slowfast_det.cli.progress import moment_progress


@pytest.fixture
def clock(monkeypatch):
    """The seconds that the progress sees."""
    now = [100.0]
    monkeypatch.setattr(progress, "perf_counter", lambda: now[0])
    return now


def test_lines_without_a_terminal(clock, capsys):
    with moment_progress(5678, shown=True) as advance:
        for _ in range(300):
            clock[0] += 0.25
            advance(None)
    assert capsys.readouterr().err.splitlines() == [
        "120 of 5,678 key frames, 4.0 a second, 0:23:10 left",
        "240 of 5,678 key frames, 4.0 a second, 0:22:40 left",
    ]


def test_other_processes_and_quick_work_say_nothing(clock, capsys):
    with moment_progress(10, shown=False) as advance:
        clock[0] += 100
        advance(None)
    with moment_progress(10, shown=True) as advance:
        for _ in range(10):
            clock[0] += 2
            advance(None)
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "")


def test_a_bar_on_a_terminal(monkeypatch):
    bars = []

    class Bar(progress.Progress):
        def __init__(self, *columns, **options):
            super().__init__(*columns, **options)
            bars.append(self)

    monkeypatch.setattr(progress, "Progress", Bar)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with moment_progress(10, shown=True) as advance:
        advance(None)
    (task,) = bars[0].tasks
    assert (task.completed, task.total) == (1, 10)
