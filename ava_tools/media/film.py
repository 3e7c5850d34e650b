"""Film files, read in display order with exact times."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

from ava_tools.errors import InputError
from ava_tools.media.clock import Clock
from ava_tools.media.decoding import LOOKAHEAD, pictures, readable
from ava_tools.media.film_frame import FilmFrame
from ava_tools.media.packet_choice import DoubtError, Moments, PacketChoice, is_clean_entry
from ava_tools.media.probe import WITHOUT_INDEX, FilmInfo, declared_duration, nominal_rate, open_container

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

log = logging.getLogger(__name__)

_REORDERING = {"h264", "hevc"}  # their decoders show pictures in order, however they are stored
_ENTRIES = 4  # entry points that are tried before a film is read from its beginning

_Timed = tuple["VideoFrame", Fraction]


class Film:
    """A film file.

    Frames come in display order whatever the file does to its timestamps (see `Clock`). What cannot be
    decoded is left out with one warning; a file of which nothing can be decoded is an error.
    """

    def __init__(self, path: Path, warn: bool = True, threads: int | None = None) -> None:
        """Open ``path``; for ``warn`` and ``threads`` see `open_film`."""
        from av.video.reformatter import VideoReformatter

        self.path = path
        self._reformatter = VideoReformatter()
        self._clock_source: Literal["pts", "dts"] | None = None
        self._warned = not warn
        self._threads = threads
        self._readings = 0
        self._jumps = self._damage_met = self._strict = self._leading = False
        self._container, self._stream = open_container(path, threads)
        try:
            self._from_beginning: Iterator[_Timed] | None = self._decode()
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

    def frames(self, start: float | Fraction = 0.0, moments: Iterable[Fraction] | None = None) -> Iterator[FilmFrame]:
        """Decode in display order, each frame once; only the latest call may be read on.

        Reading begins at the last entry point of the film before ``start``, if the film can be entered there,
        else at its beginning. Whatever the way, pixels are those of a read from the beginning.

        Args:
            start: seconds; the first frame that comes is never later.
            moments: see `FrameSource.frames`; packets of the film that they do not need are not decoded.
        """
        self._readings += 1
        begin, times = Fraction(start), None
        if moments is not None and self._stream.time_base:
            times = Moments(moments, self._origin, self._stream.time_base)
            begin = max(begin, times.first or begin)
        size = self._first.width, self._first.height
        last: Fraction | None = None
        for way in self._ways(begin, times):
            try:
                for picture, time in self._shown_from(begin, self._while_latest(way)):
                    if last is None or time > last:
                        last = time
                        yield FilmFrame(picture, time, self._reformatter, size)
                return
            except DoubtError as doubt:
                log.debug("%s: read again from an earlier place (%s)", self.path, doubt)

    def _shown_from(self, start: Fraction, read: Iterator[_Timed]) -> Iterator[_Timed]:
        """Leave out what is over at ``start``; times count from the first frame."""
        shown: _Timed | None = None
        for picture, time in read:
            if shown is not None and time - self._origin > start:
                yield shown
            shown = picture, time - self._origin
        if shown is not None:
            yield shown

    def _while_latest(self, read: Iterator[_Timed]) -> Iterator[_Timed]:
        mine = self._readings
        for timed in read:
            yield timed
            if mine != self._readings:
                raise RuntimeError(f"{self.path}: an older reading goes on after frames() was called again")

    def _ways(self, start: Fraction, moments: Moments | None) -> Iterator[Iterator[_Timed]]:
        """Ways to read from ``start``, the shortest first; the next one where one ends in doubt."""
        if start > 0 or moments is not None or self._from_beginning is None:
            place: int | None = None
            for _ in range(_ENTRIES):
                packets = self._enter(max(start, Fraction(0)) + self._origin, place)
                first = next(packets, None)
                if first is None:
                    break
                yield self._entered(chain([first], packets), start, moments)
                if self._damage_met or first.dts is None:
                    break  # how the decoder fills holes depends on all that went before
                place = first.dts - 1
        yield self._all()

    def _all(self) -> Iterator[_Timed]:
        """All pictures from the beginning."""
        if self._from_beginning is None:  # not every format has a way back, reopening always works
            self._reopen(strict=False)
            return self._decode()
        frames, self._from_beginning = self._from_beginning, None
        return chain([(self._first, self._origin)], frames)

    def _reopen(self, strict: bool) -> None:
        """Open the file anew; how a decoder patches damage depends on its threads, so that is left to FFmpeg."""
        self._container.close()
        self._strict = strict
        self._container, self._stream = open_container(self.path, self._threads if strict else None, strict)

    def _enter(self, time: Fraction, before: int | None) -> Iterator[Packet[VideoStream]]:
        """Packets from the last entry point whose picture is shown no later than ``time``; none if there is none.

        Args:
            time: seconds of the film's own clock.
            before: a decoding timestamp that the entry point has to lie before.
        """
        import av

        unit = self._stream.time_base
        if self._clock_source != "pts" or self._jumps or not unit or self._container.format.name in WITHOUT_INDEX:
            return
        context = self._stream.codec_context
        if not context.has_b_frames and context.codec.name not in _REORDERING:
            time -= LOOKAHEAD / nominal_rate(self._stream)  # pictures may be stored before others shown earlier
        self._from_beginning, self._damage_met, self._leading = None, False, False
        if not self._strict:
            self._reopen(strict=True)
            unit = self._stream.time_base or unit
        target = math.floor(time / unit) if before is None else before
        for _ in range(_ENTRIES):
            try:
                self._container.seek(target, stream=self._stream, backward=True)
            except (av.FFmpegError, OverflowError):
                return
            packets = readable(self._container.demux(self._stream), self._warn)
            first = next(packets, None)
            if first is None or first.pts is None:
                return
            if first.pts * unit <= time and is_clean_entry(first, self._stream):
                yield first
                yield from packets
                return
            target = min(target, first.pts if first.dts is None else first.dts) - 1

    def _entered(
        self, packets: Iterator[Packet[VideoStream]], start: Fraction, moments: Moments | None
    ) -> Iterator[_Timed]:
        """Pictures from an entry point on.

        Raises:
            DoubtError: they may not be all that a read from the beginning shows.
        """
        unit = self._stream.time_base or Fraction(1)
        choice = None if moments is None else PacketChoice(self._stream, moments)
        clock = Clock([], nominal_rate(self._stream))  # runs by presentation timestamps
        early = False
        fed = self._minding_the_lead(choice.of(packets) if choice else packets)
        shown = pictures(fed, self._stream, self._doubt)
        for picture in choice.checked(shown) if choice else shown:
            time = clock.time(picture)
            early = early or time <= start + self._origin
            if not early or (choice and picture.pts is not None and time != picture.pts * unit):
                raise DoubtError(f"at {float(time):.3f} s")
            yield picture, time
        if not early:
            raise DoubtError("nothing decodes")
        if choice is None or choice.at_end:
            self._check_end(clock)

    def _minding_the_lead(self, packets: Iterator[Packet[VideoStream]]) -> Iterator[Packet[VideoStream]]:
        """Pictures shown before the entry point may refer to others before it; nobody sees them."""
        entry = None
        for packet in packets:
            entry = packet.pts if entry is None else entry
            self._leading = packet.pts is not None and entry is not None and packet.pts < entry
            yield packet

    def _doubt(self, damage: str) -> None:
        """Take no picture for granted that is damaged, or comes after one."""
        if not self._leading:
            self._damage_met = True
            raise DoubtError(damage)

    def _decode(self) -> Iterator[_Timed]:
        """Decode from the beginning, in display order, with times of the film's own clock."""
        packets = readable(self._container.demux(self._stream), self._warn)
        shown = pictures(packets, self._stream, self._warn)
        window = list(islice(shown, LOOKAHEAD))
        clock = Clock(window, nominal_rate(self._stream))
        self._clock_source = self._clock_source or clock.source
        for picture in chain(window, shown):
            yield picture, clock.time(picture)
        if window:
            self._check_end(clock)

    def _check_end(self, clock: Clock) -> None:
        """A film that was cut off says in its header how long it was."""
        if clock.jumped:
            self._jumps = True
            self._warn("its timestamps jump back; its frames are shown one after the other")
        reached, declared = float(clock.end - self._origin), self.info.duration
        alone = self._stream.duration or len(self._container.streams) == 1
        if declared is not None and alone and reached < declared - max(0.5, 0.01 * declared):
            self._warn(f"it declares {declared:.1f} s, but ends after {reached:.1f} s; what decodes is used")

    def _warn(self, message: str) -> None:
        """Say once what is wrong with this film."""
        if not self._warned:
            self._warned = True
            log.warning("%s: %s", self.path, message)

    def close(self) -> None:
        """Let go of the file, and of the decoder's threads."""
        self._from_beginning = None
        self._container.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
