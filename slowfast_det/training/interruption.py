"""Signals that end a training: the step at hand is finished and the state saved before it stops."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from ava_tools.cli.run import console


class Interruption:
    """Whether SIGTERM or SIGINT has come; the second one stops at once."""

    def __init__(self) -> None:
        self.asked = False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Take a signal."""
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
        console.print("stopping after this step; the same signal once more stops at once")


@contextmanager
def watched() -> Iterator[Interruption]:
    """Take both signals while the block runs; only the main thread can."""
    interruption = Interruption()
    earlier = {}
    with contextlib.suppress(ValueError):
        earlier = {number: signal.signal(number, interruption) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield interruption
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)
