"""Films cut and re-encoded so that a training run can enter them anywhere quickly."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import chain, islice
from pathlib import Path

from ava_tools.atomic import replacing
from ava_tools.errors import InputError
from ava_tools.media.film import Film
from ava_tools.media.probe import FilmInfo
from ava_tools.media.writer import Encoding, FilmWriter

# Seven of eight pictures are B-frames that no other refers to: a clip decodes those that it samples, and few others.
# Without loop filter and arithmetic coding ("fastdecode") a picture takes half the time, at a tenth more space.
_X264 = {"preset": "medium", "tune": "fastdecode", "bf": "7", "b_strategy": "0", "b-pyramid": "none"}
_FINE_UNIT = Fraction(1, 90_000)
_SMALLEST_SIDE = 16


@dataclass(frozen=True)
class Preparation:
    """What is done to each film.

    Attributes:
        start, end: seconds of the source film that are kept; second ``start`` becomes second 0.
        key_frame_every: seconds between key frames at most.
        short_side: pixels that the shorter side is shrunk to; None keeps the size.
        crf: x264's constant quality.
    """

    start: float = 0.0
    end: float | None = None
    key_frame_every: float = 2.0
    short_side: int | None = None
    crf: float = 24.0

    def __post_init__(self) -> None:
        """Refuse what makes no sense."""
        if not (0 <= self.start < math.inf) or (self.end is not None and not self.start < self.end):
            raise InputError(f"the span is {self.start:g} to {self.end} s; 0 <= start < end is allowed")
        if not 0.02 <= self.key_frame_every <= 60:
            raise InputError(f"a key frame every {self.key_frame_every:g} s is asked for; 0.02 to 60 is allowed")
        if self.short_side is not None and not _SMALLEST_SIDE <= self.short_side <= 8192:
            raise InputError(f"a short side of {self.short_side} is asked for; {_SMALLEST_SIDE} to 8192 is allowed")
        if not 0 <= self.crf <= 51:
            raise InputError(f"a crf of {self.crf:g} is asked for; 0 to 51 is allowed")

    def remark(self, source: Path) -> str:
        """What a prepared film says of how it was made, so that it can be recognised."""
        end = "end" if self.end is None else f"{self.end:g}"
        side = "kept" if self.short_side is None else str(self.short_side)
        return (
            f"ava-tools prepare: seconds {self.start:g} to {end}, key frame every {self.key_frame_every:g} s, "
            f"short side {side}, crf {self.crf:g}, from {source.stat().st_size} bytes"
        )


def is_prepared(target: Path, source: Path, how: Preparation) -> bool:
    """Whether ``target`` is this source, prepared this way; False where nothing is there.

    Raises:
        InputError: something else is there.
    """
    import av

    if not target.exists():
        return False
    try:
        with av.open(str(target.absolute()), metadata_errors="replace") as film:
            found = film.metadata.get("comment", "")
    except (av.FFmpegError, OSError):
        found = ""
    if found != how.remark(source):
        raise InputError(f"{target}: exists and is not this film prepared this way; --overwrite replaces it")
    return True


def prepare_film(
    source: Path, target: Path, how: Preparation, advance: Callable[[float], None], threads: int = 0
) -> None:
    """Cut and re-encode a film in one pass; ``target`` appears when it is complete.

    Args:
        source: a film of any kind.
        target: an mp4 file that is replaced.
        how: the span, size and quality.
        advance: is told the seconds done so far, frame by frame; what it raises ends the work.
        threads: that decode and encode; 0 for as many as the machine has cores.

    Raises:
        InputError: the film cannot be read, has nothing in the span, or the target cannot be written.
    """
    with Film(source, threads=threads or None) as film, replacing(target) as temporary:
        written = _encode(film, temporary, target, how, advance, threads)
        _check(temporary, target, written)


def _encode(
    film: Film, path: Path, target: Path, how: Preparation, advance: Callable[[float], None], threads: int
) -> int:
    """Write the span of a film; returns how many frames that is."""
    start = Fraction(str(how.start))
    frames = film.frames(start)
    head = list(islice(frames, 2))
    first = head[0]
    if len(head) < 2 and first.time + 1 / film.info.rate <= start:
        raise InputError(f"{film.path}: ends before second {how.start:g}, where the span begins")
    info = _output_info(film.info, how, start)
    encoding = Encoding(
        how.crf, how.key_frame_every, _X264, threads, first.colour, how.remark(film.path), first.yuv_format
    )
    written = 0
    with _writing(target):
        writer = FilmWriter(path, info, encoding)
    with ExitStack() as closing:
        closing.callback(_close, writer, target)
        for frame in chain(head, frames):
            if how.end is not None and frame.time >= Fraction(str(how.end)):
                break
            picture, time = frame.yuv(info.width, info.height), max(Fraction(0), frame.time - start)
            with _writing(target):
                writer.write_frame(picture, time)
            written += 1
            advance(float(time))
    return written


def _close(writer: FilmWriter, target: Path) -> None:
    with _writing(target):
        writer.close()


@contextmanager
def _writing(target: Path) -> Iterator[None]:
    """Say of a failure which file could not be written."""
    import av

    try:
        yield
    except (av.FFmpegError, OSError) as problem:
        raise InputError(f"{target}: cannot be written ({getattr(problem, 'strerror', None) or problem})") from None


def _check(path: Path, target: Path, written: int) -> None:
    """See that the file holds what was written: a full disk is not always told of."""
    import av

    try:
        with av.open(str(path)) as film:
            found = film.streams.video[0].frames
    except (av.FFmpegError, IndexError):
        found = 0
    if found != written:
        raise InputError(f"{target}: cannot be written (of {written} frames {found} arrived; is the disk full?)")


def _output_info(info: FilmInfo, how: Preparation, start: Fraction) -> FilmInfo:
    """Size and time base of the prepared film; sides are even, since 4:2:0 has no half pixels."""
    scale = 1.0 if how.short_side is None else min(1.0, how.short_side / min(info.width, info.height))
    width, height = (max(2, 2 * round(side * scale / 2)) for side in (info.width, info.height))
    exact = (start / info.time_base).denominator == 1
    return replace(info, width=width, height=height, time_base=info.time_base if exact else _FINE_UNIT)
