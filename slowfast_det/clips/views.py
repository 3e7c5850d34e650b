"""Which clips and squares of a film a classifier looks at: drawn in training, spread evenly in tests.

As PySlowFast's Kinetics data set does (its decoder.get_start_end_idx, transform.uniform_crop), on a time line of 30
frames a second.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import torch

from ava_tools.media.frames import FrameSource, Image
from slowfast_det.clips.augment import Random
from slowfast_det.clips.geometry import resize
from slowfast_det.clips.sample import TIMELINE_RATE

_TRIES = 10  # of an area and an aspect that fit the frame


def film_length(film: FrameSource) -> int:
    """Frames of the time line in an open film, 1 at least; one that does not say how long it is, is read."""
    seconds: float | Fraction | None = film.info.duration
    if seconds is None:
        seconds = max((frame.time for frame in film.frames()), default=Fraction(0)) + 1 / film.info.rate
    return max(1, round(seconds * TIMELINE_RATE))


def view_indices(start: float, num_frames: int, sampling_rate: int, length: int) -> list[int]:
    """Indices of the time line of the clip that begins at ``start``: T in equal steps over its T * rate frames.

    The steps are a little longer than ``sampling_rate``, so that the first and the last frame are among them; what
    lies behind the film's ``length`` is its last frame.
    """
    end = start + num_frames * sampling_rate - 1
    evenly = torch.linspace(start, end, num_frames, device="cpu")  # in its rounding a whole number may be just missed
    indices: list[int] = evenly.clamp(0, length - 1).long().tolist()
    return indices


def spread_starts(length: int, num_frames: int, sampling_rate: int, count: int) -> list[float]:
    """Where ``count`` clips of a film of ``length`` frames begin: evenly from its first; one alone in the middle."""
    room = max(length - num_frames * sampling_rate, 0)
    return [room / 2] if count == 1 else [room * number / count for number in range(count)]


def drawn_start(random: Random, length: int, num_frames: int, sampling_rate: int) -> float:
    """Where a clip begins in training: anywhere from which all of it lies within the film."""
    return random.uniform(0, max(length - num_frames * sampling_rate, 0))


def square_corners(height: int, width: int, count: int) -> list[tuple[int, int]]:
    """First row and column of squares of the shorter side: 1 in the middle, or 3 along the longer side."""
    size = min(height, width)
    top, left = math.ceil((height - size) / 2), math.ceil((width - size) / 2)
    if count == 1:
        return [(top, left)]
    return (
        [(0, left), (top, left), (height - size, left)]
        if height > width
        else [(top, 0), (top, left), (top, width - size)]
    )


def squares(frames: Sequence[Image], count: int) -> list[list[Image]]:
    """A clip's frames ``uint8[h, w, 3]`` as clips of its `square_corners`; for 0 as they are."""
    if not count:
        return [list(frames)]
    height, width = frames[0].shape[:2]
    size = min(height, width)
    corners = square_corners(height, width, count)
    return [[frame[top : top + size, left : left + size] for frame in frames] for top, left in corners]


@dataclass(frozen=True)
class Cut:
    """A part of the frame, resized to a square, perhaps mirrored.

    Attributes:
        corner: first row and column of the part, pixels of the film.
        part: its height and width.
        size: side of the square.
        mirrored: whether left and right change places.
    """

    corner: tuple[int, int]
    part: tuple[int, int]
    size: int
    mirrored: bool

    def image(self, image: Image) -> Image:
        """A film's frame ``uint8[H, W, 3]`` as the clip shows it."""
        top, left = self.corner
        cut = resize(image[top : top + self.part[0], left : left + self.part[1]], (self.size, self.size))
        return cut[:, ::-1] if self.mirrored else cut


def draw_cut(
    random: Random,
    height: int,
    width: int,
    *,
    area: tuple[float, float],
    aspect: tuple[float, float],
    size: int,
    flip: float,
) -> Cut:
    """Draw a part of the frame by its area and aspect (arXiv:1409.4842); the largest middle one if none fits.

    Args:
        random: where the numbers come from.
        height, width: of the film.
        area: least and largest share of the frame's area.
        aspect: least and largest width over height, drawn evenly by its logarithm.
        size: side of the square that it is resized to.
        flip: share of mirrored clips.
    """
    for _ in range(_TRIES):
        pixels = height * width * random.uniform(*area)
        ratio = math.exp(random.uniform(math.log(aspect[0]), math.log(aspect[1])))
        part = round(math.sqrt(pixels / ratio)), round(math.sqrt(pixels * ratio))
        if 0 < part[0] <= height and 0 < part[1] <= width:
            corner = int(random.integers(0, height - part[0] + 1)), int(random.integers(0, width - part[1] + 1))
            return Cut(corner, part, size, random.uniform() < flip)
    ratio = min(max(width / height, aspect[0]), aspect[1])
    part = min(height, round(width / ratio)), min(width, round(height * ratio))
    corner = (height - part[0]) // 2, (width - part[1]) // 2
    return Cut(corner, part, size, random.uniform() < flip)
