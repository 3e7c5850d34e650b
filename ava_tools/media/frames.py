"""What films and folders of frames have in common.

Time 0 is the first displayed frame; pictures are as displayed, after rotation.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from types import TracebackType
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from ava_tools.media.probe import FilmInfo

Image = NDArray[np.uint8]  # [H, W, 3] RGB


class Frame(Protocol):
    """One displayed picture: when it starts, and its pixels on demand."""

    @property
    def time(self) -> Fraction:
        """Seconds from the first displayed frame, exact."""
        ...

    def rgb(self) -> Image:
        """Pixels ``uint8[H, W, 3]``, RGB; converted on each call, so ask once."""
        ...


class FrameSource(Protocol):
    """What a film and a folder of frames have in common."""

    info: FilmInfo

    def frames(self, start: float | Fraction = 0.0, moments: Iterable[Fraction] | None = None) -> Iterator[Frame]:
        """Frames in display order, from the one that is shown at ``start`` (or earlier) to the end.

        Args:
            start: seconds.
            moments: seconds, rising, where only some frames are needed: those that are shown at a moment (the
                last that start no later) and one after them are sure to come, any others may be left out.
                Then ``start`` counts only if it is later than the first moment.
        """
        ...

    def close(self) -> None:
        """Let go of the file."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None: ...
