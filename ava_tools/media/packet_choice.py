"""Which packets of a film have to be decoded to see it at given moments.

A picture that no other refers to (H.264's ``nal_ref_idc`` 0, most B-frames) can be left out without a trace
in the others. Pictures that others refer to are always decoded: every pixel is that of a full read.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from itertools import islice
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

    _VideoPacket = Packet[VideoStream]

_SLICE = 1
_PASSING_UNITS = {_SLICE, 6, 9, 12}  # and remarks, delimiters, filling; parameter sets would be missed later
_WINDOW = 17  # packets looked ahead; H.264 and H.265 show a picture at most 16 places later than it is stored


class DoubtError(Exception):
    """A film cannot be read exactly in the short way that was tried."""


class Moments:
    """Rising moments of a film as its own timestamps; taken from their source no earlier than needed."""

    def __init__(self, moments: Iterable[Fraction], origin: Fraction, unit: Fraction) -> None:
        """``moments`` count from ``origin``; ``unit`` is the film's time base."""
        self._source = (math.floor((max(moment, Fraction(0)) + origin) / unit) for moment in moments)
        self._taken: list[int] = list(islice(self._source, 1))
        self._origin, self._unit = origin, unit

    @property
    def first(self) -> Fraction | None:
        """Seconds from the origin; None where there are no moments."""
        return self._taken[0] * self._unit - self._origin if self._taken else None

    def any_within(self, begin: int, end: float) -> bool:
        """Whether a moment lies from ``begin`` on and before ``end``."""
        while self._taken and self._taken[-1] < begin and self._take():
            pass
        place = bisect_left(self._taken, begin)
        return place < len(self._taken) and self._taken[place] < end

    def all_before(self, stamp: int) -> bool:
        """Whether no moment is left from ``stamp`` on."""
        return not self.any_within(stamp, math.inf)

    def _take(self) -> bool:
        before = len(self._taken)
        self._taken.extend(islice(self._source, 1))
        return len(self._taken) > before


class PacketChoice:
    """Passes on the packets of a film that are needed at some moments, and checks what is decoded from them.

    Attributes:
        at_end: whether the film's last packet was seen.
    """

    def __init__(self, stream: VideoStream, moments: Moments) -> None:
        import av

        self.at_end = False
        self._moments = moments
        flush = av.Packet()  # asks the decoder for what it still holds
        flush.time_base = stream.time_base or Fraction(1)
        self._flush = cast("_VideoPacket", flush)
        self._disposable = _disposable_test(stream)
        self._wanted: set[int] = set()
        self._reached: int | None = None

    def of(self, packets: Iterable[_VideoPacket]) -> Iterator[_VideoPacket]:
        """The needed ones of ``packets``, in order, up to one that is shown after the last moment; then an empty one.

        Raises:
            DoubtError: a packet has no timestamp.
        """
        window: deque[_VideoPacket] = deque()
        stamps: list[int] = []  # of the window and of the packets that went before, sorted
        passed: deque[int] = deque()
        follower = False
        stored = (packet for packet in packets if packet.size)
        while True:
            for packet in islice(stored, _WINDOW - len(window)):
                if packet.pts is None:
                    raise DoubtError("timestamps")
                window.append(packet)
                if not packet.is_discard:  # decoded, never shown: outside the film's edit list
                    stamps.insert(bisect_left(stamps, packet.pts), packet.pts)
            if not window or (follower and self._done(window)):
                break
            packet = window.popleft()
            wanted = self._is_wanted(packet, stamps)
            follows = not follower and self._moments.all_before(packet.pts or 0)
            if wanted or follows or not self._disposable(packet):
                follower |= follows and not packet.is_discard
                yield packet
            if not packet.is_discard:
                passed.append(packet.pts or 0)
            if len(passed) > _WINDOW:
                stamps.remove(passed.popleft())
        self.at_end = not window
        yield self._flush

    def checked(self, decoded: Iterable[VideoFrame]) -> Iterator[VideoFrame]:
        """Pictures, each once those have come that it may refer to: damage must be met before it is used.

        Raises:
            DoubtError: a wanted picture did not come, or not in its place.
        """
        held: deque[VideoFrame] = deque()
        for picture in decoded:
            self._check(picture.pts)
            held.append(picture)
            if len(held) > _WINDOW:
                yield held.popleft()
        if self._wanted:
            raise DoubtError("a wanted picture is missing")
        yield from held

    def _check(self, stamp: int | None) -> None:
        """Look at a picture that was decoded, in display order.

        Raises:
            DoubtError: one that was wanted did not come before it, or the order is not that of the timestamps.
        """
        if stamp is None or (self._reached is not None and stamp <= self._reached):
            raise DoubtError("timestamps")
        self._reached = stamp
        self._wanted.discard(stamp)
        if any(wanted < stamp for wanted in self._wanted):
            raise DoubtError("timestamps")

    def _is_wanted(self, packet: _VideoPacket, stamps: list[int]) -> bool:
        """Whether the packet's picture is shown at a moment; if its end is not known yet, a later one is assumed."""
        if packet.is_discard or packet.pts is None:
            return False
        place = bisect_right(stamps, packet.pts)
        end = stamps[place] if place < len(stamps) else math.inf
        if not self._moments.any_within(packet.pts, end):
            return False
        self._wanted.add(packet.pts)
        return True

    def _done(self, window: deque[_VideoPacket]) -> bool:
        """Whether no packet that is still to come is shown at a moment."""
        stored = window[-1].dts  # nothing is shown before it is decoded
        if stored is None or not self._moments.all_before(stored):
            return False
        return all(self._moments.all_before(packet.pts or 0) for packet in window)


def is_clean_entry(packet: _VideoPacket, stream: VideoStream) -> bool:
    """Whether decoding can begin at a key packet without a trace of what went before.

    H.264 also calls pictures entry points that are refreshed little by little from there on.
    """
    length_size = _unit_length_size(stream)
    if length_size is None:
        return True
    data, place = memoryview(packet), 0
    while place + length_size + 1 < len(data):
        kind, begin = data[place + length_size] & 31, data[place + length_size + 1]
        if kind == _SLICE:
            return begin >> 4 == 0b1011 or begin == 0b10001000  # the first slice is an I slice (section 7.3.3)
        place += length_size + int.from_bytes(data[place : place + length_size], "big")
    return True


def _unit_length_size(stream: VideoStream) -> int | None:
    """Bytes that give the length of each unit of an H.264 packet, where an avcC box tells it."""
    header = stream.codec_context.extradata
    if stream.codec_context.codec.name != "h264" or not header or len(header) < 5 or header[0] != 1:
        return None
    return (header[4] & 3) + 1


def _disposable_test(stream: VideoStream) -> Callable[[_VideoPacket], bool]:
    """What tells packets that no other refers to; for unknown codecs and layouts none is."""
    length_size = _unit_length_size(stream)
    if length_size is not None:
        return lambda packet: _is_disposable(memoryview(packet), length_size)
    return lambda packet: False


def _is_disposable(data: memoryview, length_size: int) -> bool:
    """Whether H.264 units hold only slices that no picture refers to; broken ones count as needed."""
    place, slices = 0, 0
    while place + length_size < len(data):
        length = int.from_bytes(data[place : place + length_size], "big")
        header = data[place + length_size]
        kind = header & 31
        if kind not in _PASSING_UNITS or (kind == _SLICE and header & 0x60):
            return False
        slices += kind == _SLICE
        place += length_size + length
    return slices > 0 and place == len(data)
