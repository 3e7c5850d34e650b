"""How training varies a clip: size, place, mirror image and colours, drawn as PySlowFast's cv2 pipeline draws them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ava_tools.boxes import Boxes, to_pixels
from ava_tools.media.frames import Image
from slowfast_det.clips.geometry import clip_size, cut_to_frame, resize, side_ratio

# Principal components of ImageNet's colours (RGB), by which "lighting" shifts them (PySlowFast's values).
_EIGENVALUES = np.array([0.225, 0.224, 0.229], dtype=np.float32)
_EIGENVECTORS = np.array(
    [[-0.5675, 0.7192, 0.4009], [-0.5808, -0.0045, -0.8140], [-0.5836, -0.6948, 0.4203]], dtype=np.float32
)
_GREY = (0.299, 0.587, 0.114)  # share of red, green and blue


class Random(Protocol):
    """What is asked of a random number generator (numpy's)."""

    def uniform(self, low: float = 0.0, high: float = 1.0) -> float:
        """A number between two others."""
        ...

    def integers(self, low: int, high: int) -> Any:
        """A whole number from ``low`` to below ``high``."""
        ...

    def normal(self, loc: float, scale: float, size: int) -> NDArray[np.float64]:
        """Normal numbers."""
        ...

    def permutation(self, x: int) -> NDArray[np.int64]:
        """The numbers below ``x`` in any order."""
        ...


@dataclass(frozen=True)
class View:
    """What a clip shows of its film: the frame resized, a square cut out of it, perhaps mirrored.

    Attributes:
        frame: height and width of the film.
        resized: height and width that its frames are resized to.
        corner: first row and column that are shown.
        shown: height and width of the clip.
        mirrored: whether left and right change places.
    """

    frame: tuple[int, int]
    resized: tuple[int, int]
    corner: tuple[int, int]
    shown: tuple[int, int]
    mirrored: bool

    def image(self, image: Image) -> Image:
        """A film's frame ``uint8[H, W, 3]`` as the clip shows it."""
        top, left = self.corner
        cut = resize(image, self.resized)[top : top + self.shown[0], left : left + self.shown[1]]
        return cut[:, ::-1] if self.mirrored else cut

    def boxes(self, boxes: Boxes) -> Boxes:
        """Unit boxes of the film's frame -> pixel boxes of the clip; one outside it has no area.

        As in PySlowFast: cut to the frame's last pixel before, to the clip's after, scaled by the ratio of
        the long sides.
        """
        height, width = self.frame
        pixels = cut_to_frame(to_pixels(boxes, width, height), height, width) * side_ratio(self.frame, self.resized)
        top, left = self.corner
        pixels = pixels - np.array([left, top, left, top], dtype=np.float64)
        if self.mirrored:
            pixels = np.stack(
                [self.shown[1] - pixels[:, 2] - 1, pixels[:, 1], self.shown[1] - pixels[:, 0] - 1, pixels[:, 3]], axis=1
            )
        return cut_to_frame(pixels, *self.shown)


def draw_view(
    random: Random, height: int, width: int, *, short_side: tuple[int, int], crop: int | None, flip: float
) -> View:
    """Draw what a clip shows.

    Args:
        random: where the numbers come from, in PySlowFast's order: size, row, column, mirror.
        height, width: of the film.
        short_side: least and largest shorter side; its inverse is drawn evenly.
        crop: side of the square that is cut out; None: everything is shown. The last possible row and
            column are never drawn (PySlowFast's bound is exclusive).
        flip: share of mirrored clips.
    """
    least, largest = short_side
    resized = clip_size(height, width, round(1 / random.uniform(1 / largest, 1 / least)))
    corner, shown = (0, 0), resized
    if crop is not None and resized != (crop, crop):
        top = int(random.integers(0, resized[0] - crop)) if resized[0] > crop else 0
        left = int(random.integers(0, resized[1] - crop)) if resized[1] > crop else 0
        corner, shown = (top, left), (crop, crop)
    return View((height, width), resized, corner, shown, random.uniform() < flip)


@dataclass(frozen=True)
class Recolouring:
    """One change of colours for all frames of a clip.

    Attributes:
        steps: ("brightness" | "contrast" | "saturation", factor), in the order in which they are applied.
        shift: added to red, green and blue.
    """

    steps: tuple[tuple[str, float], ...]
    shift: tuple[float, float, float]

    def apply(self, clip: Tensor) -> None:
        """Change ``Tensor[3, T, H, W]``, RGB from 0 to 1, in place."""
        for kind, factor in self.steps:
            if kind == "brightness":
                clip.mul_(factor)
                continue
            grey = sum(share * channel for share, channel in zip(_GREY, clip, strict=True))  # [T, H, W]
            assert isinstance(grey, Tensor)
            if kind == "contrast":
                grey = grey.mean(dim=(1, 2), keepdim=True)  # one grey level a frame
            clip.mul_(factor).add_(grey * (1 - factor))
        for channel, shift in zip(clip, self.shift, strict=True):
            channel.add_(shift)


def draw_recolouring(random: Random, *, colour: float, lighting: float) -> Recolouring | None:
    """Draw a change of colours, PySlowFast's (its AVA.TRAIN_USE_COLOR_AUGMENTATION); None if there is none.

    Args:
        random: where the numbers come from: the order of the steps, their factors, the shift.
        colour: factors of brightness, contrast and saturation are within ``1 - colour .. 1 + colour``.
        lighting: deviation of the shift along the principal components of colours.
    """
    steps: list[tuple[str, float]] = []
    if colour:
        kinds = ("brightness", "contrast", "saturation")
        steps = [(kinds[int(number)], 1 + random.uniform(-colour, colour)) for number in random.permutation(3)]
    shift: Sequence[float] = (0.0, 0.0, 0.0)
    if lighting:
        shift = (_EIGENVECTORS * random.normal(0, lighting, 3) * _EIGENVALUES).sum(axis=1).tolist()
    return Recolouring(tuple(steps), (shift[0], shift[1], shift[2])) if steps or lighting else None
