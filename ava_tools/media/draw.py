"""Boxes and their actions on a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ava_tools.boxes import Boxes
from ava_tools.media.frames import Image

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

# One a person, dark enough for white text, neighbours far apart in hue.
_COLOURS = [
    "#1f5fbf",
    "#c8321e",
    "#2b8a3e",
    "#8e3fb0",
    "#b8650a",
    "#0b7f8c",
    "#c2255c",
    "#5b6b1f",
    "#5f3dc4",
    "#7a4a2b",
]


class BoxPainter:
    """Draws person boxes with their lines of text, one colour a person, sized for the frame."""

    def __init__(self, width: int, height: int, letters: int | None = None) -> None:
        """Prepare for frames of ``width`` x ``height`` pixels; ``letters``: height of the text, else it fits the frame.

        Other letters than English ones, and those of a height that is asked for, are DejaVu Sans; OpenCV's are quicker.
        """
        import supervision

        side = min(width, height)
        colours = supervision.ColorPalette.from_hex([f"#{c[5:]}{c[3:5]}{c[1:3]}" for c in _COLOURS])  # it paints BGR
        by_person = supervision.ColorLookup.TRACK
        self._box_painter = supervision.BoxAnnotator(colours, max(1, round(side / 240), (letters or 0) // 7), by_person)
        self._text_painter = supervision.LabelAnnotator(
            colours,
            text_scale=max(0.3, side / 1200),
            text_thickness=max(1, round(side / 700)),
            text_padding=max(1, round(side / 180)),
            color_lookup=by_person,
            smart_position=True,  # moves labels into the picture and off each other
        )
        self._any_text_painter = supervision.RichLabelAnnotator(
            colours,
            font_size=letters or max(10, round(side / 30)),
            text_padding=2,
            color_lookup=by_person,
            smart_position=True,
        )
        self._any_text_painter.font = _even_font(self._any_text_painter.font_size)
        self._english_is_quicker = letters is None

    def draw(self, image: Image, boxes: Boxes, persons: NDArray[np.int64], texts: Sequence[str]) -> Image:
        """Draw on ``image`` itself.

        Args:
            image: RGB ``uint8[H, W, 3]``.
            boxes: ``[K, 4]`` pixels of the image.
            persons: ``[K]`` identities; each has its colour.
            texts: K labels; lines are separated by newlines, an empty one draws the box alone.
        """
        import supervision

        if not len(boxes):
            return image
        height, width = image.shape[:2]
        inside = np.clip(boxes, 0, [width - 1, height - 1, width - 1, height - 1])
        self._box_painter.annotate(image, supervision.Detections(xyxy=inside, tracker_id=persons))
        named = [number for number, text in enumerate(texts) if text]
        if named:
            labelled = supervision.Detections(xyxy=inside[named], tracker_id=persons[named])
            lines = [texts[number] for number in named]
            quick = self._english_is_quicker and all(line.isascii() for line in lines)
            (self._text_painter if quick else self._any_text_painter).annotate(image, labelled, labels=lines)
        return image


def _even_font(size: int) -> FreeTypeFont:
    """A font all of whose lines are equally high, whichever letters are in them: labels keep their distance."""
    from PIL.ImageFont import FreeTypeFont

    class EvenFont(FreeTypeFont):
        def getbbox(self, *arguments: Any, **options: Any) -> tuple[float, float, float, float]:
            left, _, right, _ = super().getbbox(*arguments, **options)
            return left, 0.0, right, float(sum(self.getmetrics()))

    return EvenFont(font_path(), size)


def font_path() -> str:
    """DejaVu Sans, which matplotlib brings along: letters of Europe, Greek, Cyrillic, Arabic and more."""
    import matplotlib

    return str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf")
