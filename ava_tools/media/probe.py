"""What a film file says of itself, and whether it is a film at all."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from ava_tools.errors import InputError

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

WITHOUT_INDEX = {"mpegts", "mpeg"}  # a seek searches by timestamps, and misses where they jump or stand rarely

# Text files and play lists that FFmpeg would open as "films": a play list can name other files.
_NO_FILMS = {"tty", "hls", "dash", "concat", "applehttp", "imf", "sdp", "rtsp"}
LATE = 0.5
"""Seconds by which a timestamp may lie beyond the end that a film declares."""
_PROBED = 60  # seconds that are looked through where a film has no index
_LARGEST_FRAME = 2**27  # pixels, four times 8K: a hostile header must not ask for all the memory

FILM_SUFFIXES = frozenset(
    f".{suffix}"
    for suffix in (
        *("3gp", "avi", "flv", "h264", "m2ts", "m4v", "mkv", "mov", "mp4", "mpeg", "mpg"),
        *("mts", "ogv", "ts", "vob", "webm", "wmv"),
    )
)


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


def open_container(path: Path, threads: int | None = None, strict: bool = False) -> tuple[InputContainer, VideoStream]:
    """Open a film and pick its video stream: a default one, else the largest, never a cover picture.

    Args:
        path: the film.
        threads: that decode it; None for as many as the machine has cores.
        strict: whether a damaged picture is an error; else it is patched from others, in silence.

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
        if threads is not None:
            stream.codec_context.thread_count = threads
        if strict:
            stream.codec_context.options = {"err_detect": "explode"}
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


def film_duration(path: Path) -> float | None:
    """Seconds as a film declares them; None where it does not.

    Raises:
        InputError: no film.
    """
    container, stream = open_container(path)
    with container:
        return declared_duration(container, stream)


def entry_spacing(path: Path) -> float | None:
    """The longest distance, in seconds, between places where a film can be entered (key frames) or to its end.

    It is told from the container's index, else from the packets of the first minute. A clip takes as long to
    read as half this distance on top of its own length: beyond about 2 s random access is slow.

    Returns:
        Seconds; None for a film that cannot be entered, having no timestamps.

    Raises:
        InputError: no film.
    """
    container, stream = open_container(path)
    with container:
        unit = stream.time_base
        if not unit:
            return None
        duration = declared_duration(container, stream)
        entries, end = _indexed_entries(container, stream)
        if len(entries) < 2 or end is None:
            entries, end = _first_entries(container, stream)
            if end is not None and duration is not None and end * unit - entries[0] * unit < _PROBED:
                end = entries[0] + round(duration / unit)
        if end is None:
            return None
        return float(max(late - early for early, late in pairwise([*entries, max(end, entries[-1])])) * unit)


def _indexed_entries(container: InputContainer, stream: VideoStream) -> tuple[list[int], int | None]:
    """Timestamps of key frames and of the end, from an index that covers the film, or none."""
    import av

    if container.format.name in WITHOUT_INDEX:
        return [], None
    with suppress(av.FFmpegError):
        container.seek(stream.start_time or 0, stream=stream)  # Matroska reads its index when it is first needed
    entries = sorted({entry.timestamp for entry in stream.index_entries if entry.is_keyframe and not entry.is_discard})
    duration = declared_duration(container, stream)
    if not entries or duration is None or not stream.time_base:
        return [], None
    return entries, entries[0] + round(duration / stream.time_base)


def _first_entries(container: InputContainer, stream: VideoStream) -> tuple[list[int], int | None]:
    """Timestamps of key frames, and of the last packet, of the film's first minute."""
    import av

    entries: list[int] = []
    last = None
    with suppress(av.FFmpegError):
        for packet in container.demux(stream):
            stamp = packet.dts if packet.pts is None else packet.pts
            if stamp is None:
                continue
            if packet.is_keyframe:
                entries.append(stamp)
            if not entries:
                continue
            last = max(last or stamp, stamp + (packet.duration or 0))
            if (last - entries[0]) * (stream.time_base or 0) > _PROBED:
                break
    return sorted(entries), last
