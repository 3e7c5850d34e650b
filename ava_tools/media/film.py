"""Film files, read in display order with exact times."""

from __future__ import annotations

import heapq
import logging
from collections.abc import Iterator
from fractions import Fraction
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np

from ava_tools.errors import InputError
from ava_tools.media.clock import Clock
from ava_tools.media.frames import Image
from ava_tools.media.probe import FilmInfo, declared_duration, nominal_rate, open_container

if TYPE_CHECKING:
    from av.video.frame import VideoFrame
    from av.video.reformatter import VideoReformatter

log = logging.getLogger(__name__)

_DAMAGED = "it is damaged in places; the frames that decode are used"
_WITHOUT_INDEX = {"mpegts", "mpeg"}  # a seek searches by timestamps, and misses where they jump or stand rarely
_LOOKAHEAD = 8  # decoded frames held to see in which order and by which clock a film runs


class FilmFrame:
    """A decoded frame of a film, still in the film's own pixel format."""

    def __init__(self, frame: VideoFrame, time: Fraction, reformatter: VideoReformatter, size: tuple[int, int]) -> None:
        self.time = time
        self._frame = frame
        self._reformatter = reformatter
        self._size = size

    def rgb(self) -> Image:
        """Convert to RGB, to the film's one size should the stream change it, and turn upright."""
        converted = self._reformatter.reformat(self._frame, *self._size, format="rgb24")
        image: Image = converted.to_ndarray()  # type: ignore[assignment]
        return _upright(image, self._frame.rotation)


class Film:
    """A film file.

    Frames come in display order whatever the file does to its timestamps (see `Clock`). What cannot be
    decoded is left out with one warning; a file of which nothing can be decoded is an error.
    """

    def __init__(self, path: Path, warn: bool = True) -> None:
        from av.video.reformatter import VideoReformatter

        self.path = path
        self._reformatter = VideoReformatter()
        self._clock_source: str | None = None
        self._warned = not warn
        self._container, self._stream = open_container(path)
        try:
            self._from_beginning: Iterator[tuple[VideoFrame, Fraction]] | None = self._decode()
            first = next(self._from_beginning, None)
            if first is None:
                raise InputError(f"{path}: not one frame of it can be decoded")
            self._first, self._origin = first
            self.info = self._describe(self._first)
        except BaseException:
            self.close()
            raise

    def _describe(self, picture: VideoFrame) -> FilmInfo:
        stream = self._stream
        turned = round(picture.rotation / 90) % 2 == 1
        width, height = (picture.height, picture.width) if turned else (picture.width, picture.height)
        aspect = stream.sample_aspect_ratio or Fraction(1)
        return FilmInfo(
            path=self.path,
            name=self.path.stem,
            width=width,
            height=height,
            rate=nominal_rate(stream),
            duration=declared_duration(self._container, stream),
            time_base=picture.time_base or Fraction(1, 90_000),
            pixel_aspect=1 / aspect if turned and aspect else aspect or Fraction(1),
        )

    def frames(self, start: float = 0.0) -> Iterator[FilmFrame]:
        """Decode in display order, each frame once.

        Args:
            start: seconds; decoding begins at the last entry point of the film before it, if the film
                can be entered there, else at its beginning. The first frame that comes is never later.
        """
        size = self._first.width, self._first.height
        shown: FilmFrame | None = None
        for picture, time in self._from(start):
            frame = FilmFrame(picture, time - self._origin, self._reformatter, size)
            if shown is not None and frame.time > start:
                yield shown
            shown = frame
        if shown is not None:
            yield shown

    def _from(self, start: float) -> Iterator[tuple[VideoFrame, Fraction]]:
        """Frames from an entry point at or before ``start``; times still count from the file's own zero."""
        if start > 0 and self._seek(Fraction(start) + self._origin):
            frames = self._decode()
            first = next(frames, None)
            if first is not None and first[1] <= Fraction(start) + self._origin:
                yield first
                yield from frames
                return
        if self._from_beginning is None:  # not every format has a way back, reopening always works
            self._container.close()
            self._container, self._stream = open_container(self.path)
            yield from self._decode()
        else:
            frames, self._from_beginning = self._from_beginning, None
            yield self._first, self._origin
            yield from frames

    def _seek(self, time: Fraction) -> bool:
        """Go to the last entry point before ``time``; False where the film cannot be entered there."""
        import av

        unsure = self._clock_source != "pts" or self._container.format.name in _WITHOUT_INDEX
        if unsure or not self._stream.time_base:
            return False
        if not self._stream.codec_context.has_b_frames:  # pictures may be stored before others that are shown earlier
            time -= _LOOKAHEAD / nominal_rate(self._stream)
        self._from_beginning = None
        try:
            self._container.seek(int(time / self._stream.time_base), stream=self._stream, backward=True)
        except (av.FFmpegError, OverflowError):
            return False
        return True

    def _decode(self) -> Iterator[tuple[VideoFrame, Fraction]]:
        """Decode from where the container stands, in display order, with times of the file's own clock."""
        rate = nominal_rate(self._stream)
        pictures = self._in_display_order()
        window = list(islice(pictures, _LOOKAHEAD))
        clock = Clock(window, rate)
        self._clock_source = self._clock_source or clock.source
        end = None
        for picture in chain(window, pictures):
            end = clock.time(picture)
            yield picture, end
        if clock.jumped:
            self._warn("its timestamps jump back; its frames are shown one after the other")
        if end is not None:
            self._check_end(float(clock.end - self._origin))

    def _in_display_order(self) -> Iterator[VideoFrame]:
        """Pictures in the order in which they are shown.

        A decoder that reorders (B-frames) has already put its pictures in order, whatever the timestamps
        say: AVI gives such pictures wrong ones. One that does not delivers them as they are stored, and
        only the timestamps know better.
        """
        pictures = self._pictures()
        first = next(pictures, None)
        if first is None:
            return
        if self._stream.codec_context.has_b_frames:
            yield first
            yield from pictures
            return
        waiting: list[tuple[int, int, int, VideoFrame]] = []  # run, timestamp, number
        run, stamp, shown = 0, 0, None
        for number, picture in enumerate(chain([first], pictures)):
            stamp = stamp if picture.pts is None else picture.pts
            if shown is not None and stamp < shown:  # too late to be put in order: a new run begins
                run, shown = run + 1, None
            heapq.heappush(waiting, (run, stamp, number, picture))
            if len(waiting) == _LOOKAHEAD:
                _, shown, _, picture = heapq.heappop(waiting)
                yield picture
        yield from (entry[3] for entry in sorted(waiting, key=lambda entry: entry[:3]))

    def _pictures(self) -> Iterator[VideoFrame]:
        """All pictures that decode, in the decoder's order; damage is passed over."""
        import av

        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets, None)
            except av.FFmpegError as problem:
                self._warn(f"its end cannot be read ({problem.strerror})")
                return
            if packet is None:
                return
            try:
                for picture in packet.decode():
                    if picture.is_corrupt:
                        self._warn(_DAMAGED)
                    yield picture
            except av.FFmpegError:
                self._warn(_DAMAGED)

    def _check_end(self, reached: float) -> None:
        """A film that was cut off says in its header how long it was."""
        declared = self.info.duration
        alone = self._stream.duration or len(self._container.streams) == 1
        if declared is not None and alone and reached < declared - max(0.5, 0.01 * declared):
            self._warn(f"it declares {declared:.1f} s, but ends after {reached:.1f} s; what decodes is used")

    def _warn(self, message: str) -> None:
        """Say once what is wrong with this film."""
        if not self._warned:
            self._warned = True
            log.warning("%s: %s", self.path, message)

    def close(self) -> None:
        """Let go of the file."""
        self._container.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _upright(image: Image, rotation: int) -> Image:
    """Turn a picture as its display matrix says, in steps of 90 degrees counterclockwise."""
    quarters = round(rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(image, quarters)) if quarters else image
