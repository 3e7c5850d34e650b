"""What a film file says of itself, and whether it is a film at all."""

from __future__ import annotations

import os
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from ava_tools.errors import InputError

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

# Text files and play lists that FFmpeg would open as "films": a play list can name other files.
_NO_FILMS = {"tty", "hls", "dash", "concat", "applehttp", "imf", "sdp", "rtsp"}
_LARGEST_FRAME = 2**27  # pixels, four times 8K: a hostile header must not ask for all the memory


@dataclass(frozen=True)
class FilmInfo:
    """A film in numbers.

    Attributes:
        name: file name without suffix; the ``video`` of every table.
        width, height: pixels of a displayed frame, after rotation.
        rate: frames a second, nominal; the frames' own times are exact.
        duration: seconds as the file declares them; None where it does not.
        time_base: the unit of the film's own timestamps, in seconds.
        pixel_aspect: width of a pixel over its height; 1 for nearly all films.
    """

    path: Path
    name: str
    width: int
    height: int
    rate: Fraction
    duration: float | None
    time_base: Fraction
    pixel_aspect: Fraction = Fraction(1)


def open_container(path: Path) -> tuple[InputContainer, VideoStream]:
    """Open a film and pick its video stream: a default one, else the largest, never a cover picture.

    Raises:
        InputError: missing, no film, or a film without pictures; one sentence that names it.
    """
    import av

    if not path.exists():
        raise InputError(f"{path}: no such file")
    if not path.is_file():
        raise InputError(f"{path}: is not a regular file")
    if path.stat().st_size == 0:
        raise InputError(f"{path}: the file is empty")
    try:
        # absolute, and local files only: neither "http:x.mp4" nor a reference inside the film reaches out
        container = av.open(
            os.path.abspath(path),
            options={
                "protocol_whitelist": "file,crypto,data",
                "format_whitelist": _film_formats(),
                "pattern_type": "none",
            },
            metadata_errors="replace",
        )
    except (av.FFmpegError, ValueError) as problem:
        reason = getattr(problem, "strerror", None) or str(problem)
        raise InputError(f"{path}: not a film that can be read, or its end is missing ({reason})") from None
    try:
        stream = _video_stream(container, path)
        stream.thread_type = "AUTO"
        return container, stream
    except BaseException:
        container.close()
        raise


@cache
def _film_formats() -> str:
    """All formats but those of text and play lists, as FFmpeg wants them listed."""
    import av

    return ",".join(name for name in sorted(av.formats_available) if not set(name.split(",")) & _NO_FILMS)


def _video_stream(container: InputContainer, path: Path) -> VideoStream:
    from av.stream import Disposition

    films = [stream for stream in container.streams.video if not stream.disposition & Disposition.attached_pic]
    if not films:
        others = sorted({stream.type for stream in container.streams if stream.type != "video"})
        holds = f"it holds only {' and '.join(others)}" if others else "it holds nothing"
        raise InputError(f"{path}: has no video stream; {holds}")
    known = [film for film in films if film.codec_context is not None]
    if not known:
        raise InputError(f"{path}: its video codec is not known to this FFmpeg")
    stream = max(known, key=lambda film: (Disposition.default in film.disposition, film.width * film.height))
    if stream.width * stream.height > _LARGEST_FRAME:
        raise InputError(
            f"{path}: declares frames of {stream.width} x {stream.height} pixels; "
            f"at most {_LARGEST_FRAME:,} pixels are allowed"
        )
    return stream


def nominal_rate(stream: VideoStream) -> Fraction:
    """Frames a second as the file states them; 25, FFmpeg's own guess, where it states nothing."""
    for rate in (stream.guessed_rate, stream.average_rate, stream.base_rate):
        if rate is not None and 0 < rate <= 1000:
            return rate
    return Fraction(25)


def declared_duration(container: InputContainer, stream: VideoStream) -> float | None:
    """Seconds of the video stream, else of the file, else None."""
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    if not container.duration:
        return None
    start = container.start_time or 0 if "matroska" in container.format.name else 0  # Matroska declares its end
    return (container.duration - start) / 1_000_000
