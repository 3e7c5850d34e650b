"""One frame of a film file."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from ava_tools.media.frames import Image

if TYPE_CHECKING:
    from av.video.frame import VideoFrame
    from av.video.reformatter import VideoReformatter


class FilmFrame:
    """A decoded frame of a film, still in the film's own pixel format."""

    def __init__(self, frame: VideoFrame, time: Fraction, reformatter: VideoReformatter, size: tuple[int, int]) -> None:
        """Take a picture as the decoder gives it; ``size`` is the film's, width and height before rotation."""
        self.time = time
        self._frame = frame
        self._reformatter = reformatter
        self._size = size

    def rgb(self) -> Image:
        """Convert to RGB, to the film's one size should the stream change it, and turn upright."""
        converted = self._reformatter.reformat(self._frame, *self._size, format="rgb24")
        image: Image = converted.to_ndarray()  # type: ignore[assignment]
        quarters = _quarters(self._frame)
        return np.ascontiguousarray(np.rot90(image, quarters)) if quarters else image

    def yuv(self, width: int, height: int) -> VideoFrame:
        """The upright picture as 8-bit YUV 4:2:0 of an even size, in the film's own range, matrix and primaries.

        A film that is so already comes untouched: nothing is rounded on the way to an encoder.
        """
        from av.video.frame import PictureType, VideoFrame

        quarters = _quarters(self._frame)
        size = (height, width) if quarters % 2 else (width, height)
        frame, kind = self._frame, self.yuv_format
        if (frame.width, frame.height) != size or frame.format.name not in ("yuv420p", kind):
            frame = self._reformatter.reformat(frame, *size, format=kind)
        if quarters:
            planes: Image = frame.to_ndarray()  # type: ignore[assignment]
            frame = VideoFrame.from_ndarray(_turned(planes, size, quarters), format=kind)
        frame.pict_type = PictureType.NONE  # else the encoder would repeat the film's own choice of key frames
        return frame

    @property
    def yuv_format(self) -> str:
        """Pixel format of `yuv`."""
        frame = self._frame
        full = frame.format.name.startswith("yuvj") or (frame.color_range == _FULL_RANGE and not frame.format.is_rgb)
        return "yuvj420p" if full else "yuv420p"

    @property
    def colour(self) -> dict[str, int]:
        """Range, matrix and curves of the film's colours, as an encoder's context names them."""
        frame = self._frame
        rgb = frame.format.is_rgb
        return {
            "color_range": _FULL_RANGE if frame.format.name.startswith("yuvj") else 0 if rgb else frame.color_range,
            "colorspace": _UNKNOWN if rgb else frame.colorspace,
            "color_primaries": frame.color_primaries,
            "color_trc": frame.color_trc,
        }


_FULL_RANGE = 2  # AVCOL_RANGE_JPEG
_UNKNOWN = 2  # AVCOL_SPC_UNSPECIFIED


def _quarters(frame: VideoFrame) -> int:
    """Turns of 90 degrees counterclockwise that the display matrix asks for."""
    return round(frame.rotation / 90) % 4


def _turned(planes: Image, size: tuple[int, int], quarters: int) -> Image:
    """Turn YUV 4:2:0, whose planes lie one behind the other; ``size`` is width and height before."""
    flat = planes.reshape(-1)
    luma = size[0] * size[1]
    shapes = ((0, size[1], size[0]), (luma, size[1] // 2, size[0] // 2), (luma * 5 // 4, size[1] // 2, size[0] // 2))
    parts = [np.rot90(flat[at : at + rows * wide].reshape(rows, wide), quarters) for at, rows, wide in shapes]
    return np.concatenate([part.reshape(-1) for part in parts]).reshape(-1, size[1] if quarters % 2 else size[0])
