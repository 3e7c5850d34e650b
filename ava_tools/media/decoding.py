"""From packets to pictures in the order in which they are shown."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

LOOKAHEAD = 8  # decoded frames held to see in which order and by which clock a film runs


def pictures(
    packets: Iterable[Packet[VideoStream]], stream: VideoStream, damaged: Callable[[str], None]
) -> Iterator[VideoFrame]:
    """All pictures of the packets that decode, in display order.

    Args:
        packets: as they are stored; an empty one asks for what the decoder still holds.
        stream: the stream whose packets they are.
        damaged: is told of each packet or picture that is damaged; what it raises ends the reading.
    """
    return _in_display_order(_decoded(packets, stream, damaged), stream)


def readable(
    packets: Iterator[Packet[VideoStream]], ends_early: Callable[[str], None]
) -> Iterator[Packet[VideoStream]]:
    """Packets up to where the file can be read; ``ends_early`` is told why no further."""
    import av

    while True:
        try:
            packet = next(packets, None)
        except av.FFmpegError as problem:
            ends_early(f"its end cannot be read ({problem.strerror})")
            return
        if packet is None:
            return
        yield packet


def _in_display_order(decoded: Iterator[VideoFrame], stream: VideoStream) -> Iterator[VideoFrame]:
    """Pictures in the order in which they are shown.

    A decoder that reorders (B-frames) has already put its pictures in order, whatever the timestamps
    say: AVI gives such pictures wrong ones. One that does not delivers them as they are stored, and
    only the timestamps know better.
    """
    first = next(decoded, None)
    if first is None:
        return
    if stream.codec_context.has_b_frames:
        yield first
        yield from decoded
        return
    waiting: list[tuple[int, int, int, VideoFrame]] = []  # run, timestamp, number
    run, stamp, shown = 0, 0, None
    for number, picture in enumerate(chain([first], decoded)):
        stamp = stamp if picture.pts is None else picture.pts
        if shown is not None and stamp < shown:  # too late to be put in order: a new run begins
            run, shown = run + 1, None
        heapq.heappush(waiting, (run, stamp, number, picture))
        if len(waiting) == LOOKAHEAD:
            _, shown, _, picture = heapq.heappop(waiting)
            yield picture
    yield from (entry[3] for entry in sorted(waiting, key=lambda entry: entry[:3]))


def _decoded(
    packets: Iterable[Packet[VideoStream]], stream: VideoStream, damaged: Callable[[str], None]
) -> Iterator[VideoFrame]:
    """All pictures that decode, in the decoder's order; damage is told and passed over."""
    import av

    for packet in packets:
        try:
            for picture in stream.codec_context.decode(packet):
                if picture.is_corrupt:
                    damaged(_DAMAGED)
                yield picture
        except av.FFmpegError:
            damaged(_DAMAGED)


_DAMAGED = "it is damaged in places; the frames that decode are used"
