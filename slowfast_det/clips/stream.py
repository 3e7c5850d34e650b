"""All clips of a film, read in threads of their own ahead of whoever looks at them."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import Self

from ava_tools.media.frames import Frame, FrameSource
from slowfast_det.ahead import Ahead
from slowfast_det.clips.geometry import resize
from slowfast_det.clips.sample import SHOWN_FOR, Clip, stream_clips, stream_moments

_FRAMES_AHEAD = 8  # decoded frames that wait to be cut into clips
_SHORT = 20  # seconds of a film below which leaving packets out saves less than opening it once more takes


class ClipStream(Iterator[Clip]):
    """The clips around rising moments of a film: one thread decodes, one resizes and cuts out.

    Of a film that is not short, frames that no clip needs are not decoded where its coding allows that. Leave it by
    ``with`` before the film is closed.
    """

    def __init__(
        self,
        film: FrameSource,
        moments: Callable[[], Iterable[float]],
        size: tuple[int, int],
        *,
        num_frames: int,
        sampling_rate: int,
        index_base: int = 0,
        include_end: bool = False,
        keyframes: bool = True,
        depth: int = 1,
    ) -> None:
        """Begin to read.

        Args:
            film: an open one.
            moments: gives them, seconds; they may be endless.
            size: height and width of the clips.
            num_frames, sampling_rate, index_base, include_end, keyframes: see `stream_clips`.
            depth: clips that are made before they are taken.
        """
        self._reach = _Reach()
        needed = stream_moments(moments(), num_frames, sampling_rate, index_base)
        if film.info.duration is None or film.info.duration > _SHORT:
            read = film.frames(moments=needed)
        else:
            read = film.frames(next(needed, Fraction(0)) - SHOWN_FOR / 2)
        with ExitStack() as threads:
            frames = threads.enter_context(Ahead(_watched(read, self._reach, 1 / film.info.rate), _FRAMES_AHEAD))
            clips = stream_clips(
                frames,
                moments(),
                num_frames=num_frames,
                sampling_rate=sampling_rate,
                frame_length=1 / film.info.rate,
                prepare=partial(resize, size=size),
                include_end=include_end,
                index_base=index_base,
                keyframes=keyframes,
            )
            self._clips = threads.enter_context(Ahead(clips, depth))
            self._threads = threads.pop_all()

    @property
    def seen(self) -> float:
        """Seconds of the film that are decoded so far; a film may end before it says."""
        return self._reach.seen

    def __next__(self) -> Clip:
        return next(self._clips)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._threads.close()


@dataclass
class _Reach:
    seen: float = 0.0


def _watched(frames: Iterator[Frame], reach: _Reach, length: Fraction) -> Generator[Frame]:
    for frame in frames:
        reach.seen = float(frame.time + length)
        yield frame
