"""Films whose pictures carry their own number, so that a test knows which picture it got."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from av.video.frame import VideoFrame

BITS = 8
SIZE = (96, 64)  # width, height
FAST = {"libx264": {"preset": "ultrafast", "crf": "18"}}

Edit = Callable[[list[av.Packet]], Iterable[av.Packet]]


def numbered_picture(number: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """RGB ``uint8[H, W, 3]``: eight stripes are the bits of ``number``, their complement stands below."""
    width, height = size
    bits = np.array([number >> bit & 1 for bit in range(BITS)])
    stripe = np.minimum(np.arange(width) * BITS // width, BITS - 1)
    picture = np.empty((height, width, 3), dtype=np.uint8)
    picture[: height // 2] = np.where(bits[stripe], 220, 30)[None, :, None]
    picture[height // 2 :] = np.where(bits[stripe], 30, 220)[None, :, None]
    return picture


def number_of_picture(picture: np.ndarray) -> int:
    """The number that `numbered_picture` drew; fails where the two halves do not agree."""
    height, width, _ = picture.shape
    grey = picture.mean(axis=2)
    centres = [(2 * bit + 1) * width // (2 * BITS) for bit in range(BITS)]
    upper = [grey[height // 4, x - 1 : x + 2].mean() > 125 for x in centres]
    lower = [grey[3 * height // 4, x - 1 : x + 2].mean() < 125 for x in centres]
    assert upper == lower, "the picture is torn"
    return sum(1 << place for place, bit in enumerate(upper) if bit)


def evenly(count: int, rate: Fraction | int) -> list[Fraction]:
    return [Fraction(number) / rate for number in range(count)]


class FilmMaker:
    """Writes small films into a folder; nothing here uses the code under test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(
        self,
        name: str,
        *,
        count: int = 12,
        rate: Fraction | int = 25,
        times: Sequence[Fraction] | None = None,
        numbers: Sequence[int] | None = None,
        size: tuple[int, int] = SIZE,
        codec: str = "libx264",
        pix_fmt: str = "yuv420p",
        gop: int = 4,
        b_frames: int = 0,
        unit: Fraction | None = None,
        rotation: int | None = None,
        options: dict[str, str] | None = None,
        container: dict[str, str] | None = None,
        picture: Callable[[int, tuple[int, int]], np.ndarray] = numbered_picture,
        extra: Sequence[str] = (),
        format: str | None = None,  # noqa: A002 (as av.open calls it)
    ) -> Path:
        """Write picture i at ``times[i]``; ``extra`` adds streams: audio, small (video), cover (picture)."""
        path = self.folder / name
        if numbers is None:
            numbers = range(count if times is None else len(times))
        times = evenly(len(numbers), rate) if times is None else times
        with av.open(str(path), "w", format=format, options=container or {}) as film:
            others = [_OTHERS[kind](film) for kind in extra if kind != "cover"]
            stream = film.add_stream(codec, rate=rate, options=FAST.get(codec, {}) | (options or {}))
            stream.width, stream.height = size
            stream.pix_fmt = pix_fmt
            stream.codec_context.time_base = unit or 1 / Fraction(rate)
            stream.codec_context.gop_size = gop
            stream.codec_context.max_b_frames = b_frames
            if rotation is not None:
                stream.set_display_rotation(rotation)
            cover = _cover(film) if "cover" in extra else None
            film.start_encoding()
            if cover is not None:
                film.mux(cover)
            for other in others:
                other(film, float(times[-1]))
            for number, time in zip(numbers, times, strict=True):
                frame = VideoFrame.from_ndarray(picture(number, size), format="rgb24")
                frame.time_base = stream.codec_context.time_base
                frame.pts = round(time / frame.time_base)
                film.mux(stream.encode(frame))
            film.mux(stream.encode(None))
        return path

    def remux(self, source: Path, name: str, edit: Edit, container: dict[str, str] | None = None) -> Path:
        """Copy the first video stream of ``source``; ``edit`` sees its packets in stored order."""
        path = self.folder / name
        with av.open(str(source)) as old, av.open(str(path), "w", options=container or {}) as new:
            stream = new.add_stream_from_template(old.streams.video[0])
            for packet in edit([packet for packet in old.demux(old.streams.video[0]) if packet.size]):
                packet.stream = stream
                new.mux_one(packet)
        return path


def _small_video(film: av.container.OutputContainer) -> Callable[..., None]:
    """A second film of black pictures, smaller than the first."""
    stream = film.add_stream("libx264", rate=25, options=FAST["libx264"])
    stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"

    def write(film: av.container.OutputContainer, seconds: float) -> None:
        for _ in range(max(1, round(seconds * 25))):
            film.mux(stream.encode(VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8))))
        film.mux(stream.encode(None))

    return write


def _audio(film: av.container.OutputContainer) -> Callable[..., None]:
    stream = film.add_stream("aac", rate=8000)

    def write(film: av.container.OutputContainer, seconds: float) -> None:
        for block in range(int(seconds * 8000 // 1024) + 1):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = 8000, block * 1024, Fraction(1, 8000)
            film.mux(stream.encode(frame))
        film.mux(stream.encode(None))

    return write


def _cover(film: av.container.OutputContainer) -> Any:
    """A large white picture, as music players and phones attach them."""
    stream = film.add_stream("mjpeg", rate=1)
    stream.width, stream.height, stream.pix_fmt = 320, 320, "yuvj420p"
    stream.disposition = av.stream.Disposition.attached_pic
    return stream.encode(VideoFrame.from_ndarray(np.full((320, 320, 3), 255, np.uint8))) + stream.encode(None)


_OTHERS = {"audio": _audio, "small": _small_video}


@pytest.fixture
def make_film(tmp_path: Path) -> FilmMaker:
    return FilmMaker(tmp_path)


@pytest.fixture
def numbered() -> Callable[..., np.ndarray]:
    return numbered_picture


@pytest.fixture
def number_of() -> Callable[[np.ndarray], int]:
    return number_of_picture


@pytest.fixture
def make_picture() -> Callable[[Path], None]:
    """Write an image of the films' size; its folder is made."""

    def make(path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), np.zeros((SIZE[1], SIZE[0], 3), np.uint8))

    return make
