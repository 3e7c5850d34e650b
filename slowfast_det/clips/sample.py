"""Which frames make a clip, and taking them from a film that is read once from front to back.

All clips live on a time line of 30 frames a second, as AVA's and PySlowFast's frame folders do,
whatever the film's own rate: frame i of the time line is the last frame of the film that starts no
later than ``i/30 + 1/60`` s. Before index 0 stands frame 0, after the film's end its last frame.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

from ava_tools.media.frames import Frame, FrameSource, Image

TIMELINE_RATE = 30
SHOWN_FOR = Fraction(1, TIMELINE_RATE)  # seconds of each frame of the time line
_HALF = Fraction(1, 2)


@dataclass(frozen=True)
class Clip:
    """The pictures around one moment of a film.

    Attributes:
        time: the moment, seconds from the start of the film, as it was asked for.
        frames: T prepared pictures, ``uint8[h, w, 3]`` RGB; neighbours may be the same object.
        keyframe: the film's own picture at the moment, ``uint8[H, W, 3]`` RGB; None where it is not wanted.
    """

    time: float
    frames: Sequence[Image]
    keyframe: Image | None


def timeline_index(time: float | Fraction) -> int:
    """Index of the moment on the time line, rounded to the nearest frame."""
    return math.floor(Fraction(time) * TIMELINE_RATE + _HALF)


def first_index(frame_time: Fraction) -> int:
    """First index of the time line at which a frame that starts at ``frame_time`` is shown."""
    return math.ceil(frame_time * TIMELINE_RATE - _HALF)


def clip_indices(time: float, num_frames: int, sampling_rate: int, index_base: int = 0) -> range:
    """Time line indices of the clip around a moment; they may lie before 0 or after the end.

    PySlowFast's ``get_sequence``: the span of ``num_frames * sampling_rate`` frames around the centre,
    which is element ``num_frames // 2``. (Where T and rate are both odd it returns a frame too few;
    here there are always T.) mmaction2's centre lies ``index_base`` later: 1 on AVA, -1
    on AVA-Kinetics.
    """
    start = timeline_index(time) + index_base - num_frames * sampling_rate // 2
    return range(start, start + num_frames * sampling_rate, sampling_rate)


def clip_moments(time: float, num_frames: int, sampling_rate: int, index_base: int = 0) -> list[Fraction]:
    """The moments of a film at which the frames of the clip around ``time`` are shown, for `FrameSource.frames`.

    The centre is among them: the key frame is needed even where the sampling misses it.
    """
    return list(stream_moments([time], num_frames, sampling_rate, index_base))


def stream_moments(
    times: Iterable[float], num_frames: int, sampling_rate: int, index_base: int = 0
) -> Iterator[Fraction]:
    """The same of the clips around many rising times, which may be endless; each moment once, rising."""
    waiting: set[int] = set()
    for time in times:
        indices = {*clip_indices(time, num_frames, sampling_rate, index_base), timeline_index(time)}
        shown = {max(0, index) for index in indices}  # before 0 stands frame 0
        settled = {index for index in waiting if index < min(shown)}
        yield from _in_order(settled)
        waiting = (waiting - settled) | shown
    yield from _in_order(waiting)


def _in_order(indices: Iterable[int]) -> list[Fraction]:
    return [(index + _HALF) * SHOWN_FOR for index in sorted(indices)]


def read_clip(
    film: FrameSource,
    time: float,
    *,
    num_frames: int,
    sampling_rate: int,
    prepare: Callable[[Image], Image],
    index_base: int = 0,
) -> Clip | None:
    """The clip around one moment of a film; None beyond the film's end.

    It is the clip that `stream_clips` cuts, without the key frame; nothing that it does not need is decoded.
    """
    clips = stream_clips(
        film.frames(moments=clip_moments(time, num_frames, sampling_rate, index_base)),
        [time],
        num_frames=num_frames,
        sampling_rate=sampling_rate,
        frame_length=1 / film.info.rate,
        prepare=prepare,
        include_end=True,
        index_base=index_base,
        keyframes=False,
    )
    return next(clips, None)


@dataclass(frozen=True)
class Pictures:
    """Pictures of a film by their index on the time line.

    Attributes:
        at: the picture at each index that was asked for.
        length: frames of the time line that the film turned out to have; None: it was not read to its end.
    """

    at: dict[int, Image]
    length: int | None


def read_frames(film: FrameSource, indices: Iterable[int], prepare: Callable[[Image], Image]) -> Pictures:
    """The pictures of a film at indices of the time line, each decoded and prepared once, in one pass.

    Args:
        film: an open one.
        indices: in any order; before 0 stands frame 0, after the film's end its last frame.
        prepare: what is done to each picture before it is kept (resizing).

    Returns:
        The pictures; none of a film that ends before any frame comes.
    """
    wanted = deque(sorted(set(indices)))
    pictures: dict[int, Image] = {}
    length = None
    moments = _in_order({max(0, index) for index in wanted})
    for frame, end in _with_ends(film.frames(moments=moments)):
        shown = _Shown(frame, prepare, keyframes=False)
        while wanted and wanted[0] < end:
            pictures[wanted.popleft()] = shown.prepared
        if end == math.inf:
            length = max(1, first_index(frame.time + 1 / film.info.rate))
        if not wanted:
            break
    return Pictures(pictures, length)


class _Gathering:
    """A clip whose frames are still coming."""

    def __init__(self, time: float, indices: range) -> None:
        self.time = time
        self.indices = indices
        self.centre = timeline_index(time)
        self.frames: list[Image] = []
        self.keyframe: Image | None = None
        self.complete = False

    def offer(self, shown: _Shown, end: float) -> None:
        """Take what the clip needs of a frame shown from where the last one ended up to index ``end``."""
        missing = self.indices[len(self.frames) :]
        count = sum(1 for index in missing if index < end)
        if count:
            self.frames.extend([shown.prepared] * count)
        if shown.keyframes and self.keyframe is None and self.centre < end:
            self.keyframe = shown.image
        self.complete = len(self.frames) == len(self.indices) and self.centre < end

    def clip(self) -> Clip:
        return Clip(self.time, self.frames, self.keyframe)


class _Shown:
    """A frame, converted and prepared at most once, however many clips share it."""

    def __init__(self, frame: Frame, prepare: Callable[[Image], Image], keyframes: bool) -> None:
        self._frame, self._prepare, self.keyframes = frame, prepare, keyframes

    @cached_property
    def image(self) -> Image:
        return self._frame.rgb()

    @cached_property
    def prepared(self) -> Image:
        return self._prepare(self.image)


def stream_clips(
    frames: Iterable[Frame],
    times: Iterable[float],
    *,
    num_frames: int,
    sampling_rate: int,
    frame_length: Fraction,
    prepare: Callable[[Image], Image],
    include_end: bool = False,
    index_base: int = 0,
    keyframes: bool = True,
) -> Generator[Clip]:
    """Cut clips out of a film in one pass.

    Each frame is decoded once, converted and prepared once if any clip needs it, and held only while a
    clip that is not complete needs it: memory does not depend on the film's length.

    Args:
        frames: in display order, from the film's start or from one shown before the first clip begins.
        times: moments of the clips, seconds, rising; it may be endless.
        num_frames, sampling_rate: T, and the step between them on the time line.
        frame_length: seconds that the last frame is shown.
        prepare: what is done to each picture before it is kept (resizing).
        include_end: whether a moment exactly at the film's end still has a clip.
        index_base: see `clip_indices`.
        keyframes: whether the film's own pictures at the moments are wanted too.

    Yields:
        One clip a moment, in order, up to the last moment within the film.
    """
    moments = iter(times)
    upcoming = _gathering(next(moments, None), num_frames, sampling_rate, index_base)
    open_clips: deque[_Gathering] = deque()
    for frame, end in _with_ends(frames):
        film_end = None
        if end == math.inf:
            film_end = float(frame.time + frame_length)
        while upcoming is not None and upcoming.indices.start < end:
            if film_end is not None and (upcoming.time > film_end or (upcoming.time == film_end and not include_end)):
                upcoming = None
                break
            open_clips.append(upcoming)
            upcoming = _gathering(next(moments, None), num_frames, sampling_rate, index_base)
        if film_end is not None:  # clips begun before the end was known may lie beyond it
            late = [c for c in open_clips if c.time > film_end or (c.time == film_end and not include_end)]
            for clip in late:
                open_clips.remove(clip)
        shown = _Shown(frame, prepare, keyframes)
        for clip in open_clips:
            clip.offer(shown, end)
        while open_clips and open_clips[0].complete:
            yield open_clips.popleft().clip()
        if upcoming is None and not open_clips:
            return


def _gathering(time: float | None, num_frames: int, sampling_rate: int, index_base: int) -> _Gathering | None:
    return None if time is None else _Gathering(time, clip_indices(time, num_frames, sampling_rate, index_base))


def _with_ends(frames: Iterable[Frame]) -> Iterator[tuple[Frame, float]]:
    """Each frame that is shown on the time line, with the index at which the next one takes over."""
    iterator = iter(frames)
    current = next(iterator, None)
    if current is None:
        return
    for following in iterator:
        end = first_index(following.time)
        if end > first_index(current.time):
            yield current, end
        current = following
    yield current, math.inf
