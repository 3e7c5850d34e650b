"""H.264 films that browsers play, written so that a crash at any moment leaves a film that plays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np

from ava_tools.media.frames import Image
from ava_tools.media.probe import FilmInfo

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

_HYBRID = {"movflags": "hybrid_fragmented+delay_moov", "flush_packets": "1"}
_FINEST_TIME_BASE = 1_000_000  # an mp4 track counts time in a 32-bit number of units


@dataclass(frozen=True)
class Encoding:
    """How x264 encodes.

    Attributes:
        crf: its constant quality; lower is better and larger.
        key_frame_every: seconds between key frames at most.
        x264: further options by their FFmpeg names.
        threads: that encode; 0 for as many as the machine has cores.
        colour: range, matrix and curves of the frames, as an encoder's context names them.
        comment: a remark that is kept in the file; with one, the file is no film before it is closed.
        pixel_format: of the frames that come.
    """

    crf: float = 21
    key_frame_every: float = 2.0
    x264: Mapping[str, str] = field(default_factory=lambda: {"preset": "veryfast", "bf": "0"})
    threads: int = 0
    colour: Mapping[str, int] = field(default_factory=dict)
    comment: str = ""
    pixel_format: str = "yuv420p"


class FilmWriter:
    """Writes frames with the times, size, rate and pixel shape of another film.

    While it is open the mp4 consists of fragments that play as they stand; closing turns it into a plain
    mp4. A frame with an odd side is widened by one repeated row or column, since 4:2:0 has no half pixels.
    """

    def __init__(self, path: str | Path, like: FilmInfo, encoding: Encoding = Encoding()) -> None:
        """Create ``path``, replacing what is there; ``like`` is the film whose frames will come."""
        import av

        unit = like.time_base
        self._unit = unit if 0 < unit.denominator <= _FINEST_TIME_BASE else Fraction(1, 90_000)
        self._pad = like.height % 2, like.width % 2
        self._container = av.open(
            str(path),
            "w",
            format="mp4",
            options={} if encoding.comment else _HYBRID,
        )
        if encoding.comment:
            self._container.metadata["comment"] = encoding.comment
        options = {**encoding.x264, "crf": f"{encoding.crf:g}"}
        self._stream = self._container.add_stream("libx264", rate=like.rate, options=options)
        self._stream.width = like.width + self._pad[1]
        self._stream.height = like.height + self._pad[0]
        self._stream.pix_fmt = encoding.pixel_format
        self._stream.codec_context.time_base = self._unit
        self._stream.codec_context.sample_aspect_ratio = like.pixel_aspect
        self._stream.codec_context.gop_size = max(1, round(encoding.key_frame_every * like.rate))  # ends a fragment
        self._stream.codec_context.thread_count = encoding.threads
        self._stream.codec_context.thread_type = "FRAME"  # else pictures are cut in slices: larger, slower
        for name, value in encoding.colour.items():
            setattr(self._stream.codec_context, name, value)
        self._frame_length = max(1, round(1 / like.rate / self._unit))
        self._last: int | None = None
        self._durations: dict[int, int] = {}
        self._broken = False

    def write(self, image: Image, time: Fraction) -> None:
        """Add one frame, RGB ``uint8[H, W, 3]``, shown from ``time`` (seconds) on; times must rise."""
        from av.video.frame import VideoFrame

        if any(self._pad):
            image = np.pad(image, ((0, self._pad[0]), (0, self._pad[1]), (0, 0)), mode="edge")
        self.write_frame(VideoFrame.from_ndarray(image, format="rgb24"), time)

    def write_frame(self, frame: VideoFrame, time: Fraction) -> None:
        """Add a frame as a decoder gave it, in the encoding's pixel format and of the film's even size."""
        stamp = round(time / self._unit)
        if self._last is not None:
            stamp = max(stamp, self._last + 1)
            self._durations[self._last] = stamp - self._last
        self._last = stamp
        frame.pts, frame.time_base = stamp, self._unit
        self._mux(frame)

    def _mux(self, frame: VideoFrame | None) -> None:
        """Encode a frame, or what the encoder still holds, and write it with the length it is shown."""
        try:
            for packet in self._stream.encode(frame):
                packet.duration = self._durations.pop(packet.pts, self._frame_length)  # type: ignore[arg-type]
                self._container.mux(packet)
        except BaseException:
            self._broken = True
            raise

    def close(self) -> None:
        """Write what the encoder still holds, and the index."""
        try:
            if self._last is not None and not self._broken:  # FFmpeg crashes when a broken file is written on
                self._mux(None)
        finally:
            self._container.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
