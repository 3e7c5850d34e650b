"""Generated films: articulated figures walk in front of a cluttered, moving background."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ava_tools.boxes import Boxes, to_unit
from ava_tools.media.frames import Image
from ava_tools.media.probe import FilmInfo
from ava_tools.media.writer import FilmWriter
from ava_tools.tables import format_timestamp

Points = NDArray[np.float64]


@dataclass(frozen=True)
class Figure:
    """A person who walks.

    Attributes:
        height: pixels from head to foot.
        start: pixels from the left at second 0.
        speed: pixels a second; negative walks left.
        ground: pixels from the top on which the feet stand.
        stride: steps a second.
        shirt: RGB of the upper body; legs are darker.
    """

    height: float
    start: float
    speed: float
    ground: float
    stride: float
    shirt: tuple[int, int, int]

    def joints(self, time: float) -> dict[str, Points]:
        """Poly-lines of the body at ``time`` (seconds), pixels of the frame."""
        swing = 0.5 * np.sin(2 * np.pi * self.stride * time)
        facing = 1.0 if self.speed >= 0 else -1.0
        bob = 0.02 * self.height * abs(np.cos(2 * np.pi * self.stride * time))
        hip = np.array([self.start + self.speed * time, self.ground - 0.48 * self.height - bob])
        neck = hip - [0, 0.34 * self.height]
        lines = {"torso": np.stack([neck, hip])}
        for side, angle in (("left", swing), ("right", -swing)):
            lines[f"{side} leg"] = _limb(hip, angle, max(0.0, -angle), 0.25 * self.height, facing)
            lines[f"{side} arm"] = _limb(neck, -0.9 * angle, -0.5, 0.18 * self.height, facing)
        return lines

    def draw(self, image: Image, time: float) -> NDArray[np.float64]:
        """Draw the figure; returns its box, pixels, cut to the frame."""
        import cv2

        thickness = max(2, round(self.height / 14))
        dark = tuple(channel // 3 for channel in self.shirt)
        lines = self.joints(time)
        for part in ("left arm", "left leg", "torso", "right leg", "right arm"):
            colour = dark if part.endswith("leg") else self.shirt
            points = np.round(lines[part]).astype(np.int32)
            cv2.polylines(image, [points], False, colour, thickness * (2 if part == "torso" else 1), cv2.LINE_AA)
        head = lines["torso"][0] - [0, 0.09 * self.height]
        radius = 0.085 * self.height
        cv2.circle(image, (round(head[0]), round(head[1])), round(radius), (224, 180, 150), -1, cv2.LINE_AA)
        points = np.concatenate([*lines.values(), [head - radius, head + radius]])
        margin = thickness / 2
        box = np.concatenate([points.min(axis=0) - margin, points.max(axis=0) + margin])
        height, width = image.shape[:2]
        return np.asarray(np.clip(box, 0, [width, height, width, height]), dtype=np.float64)


def _limb(top: Points, angle: float, bend: float, length: float, facing: float) -> Points:
    """Two bones from ``top`` down: ``angle`` from the vertical, and ``bend`` more below the middle."""
    middle = top + length * np.array([facing * np.sin(angle), np.cos(angle)])
    lower = angle - bend
    return np.stack([top, middle, middle + length * np.array([facing * np.sin(lower), np.cos(lower)])])


class Scene:
    """Figures before a background of coloured patches that drifts sideways."""

    def __init__(self, seed: int, width: int = 640, height: int = 360, figures: int = 3) -> None:
        """``seed`` decides everything: backgrounds, figures, their sizes, colours and speeds."""
        random = np.random.default_rng(seed)
        self.width, self.height = width, height
        self._drift = float(random.uniform(-25, 25))
        coarse = random.integers(60, 220, (height // 40, 2 * width // 40, 3))
        noise = random.normal(0, 8, (height, 2 * width, 3))
        patches = np.kron(coarse, np.ones((40, 40, 1)))
        self._background = np.clip(patches + noise[: patches.shape[0], : patches.shape[1]], 0, 255).astype(np.uint8)
        self.figures = [self._figure(random, number, figures) for number in range(figures)]

    def _figure(self, random: np.random.Generator, number: int, count: int) -> Figure:
        size = float(random.uniform(0.35, 0.75)) * self.height
        return Figure(
            height=size,
            start=self.width * (number + 0.5) / count + float(random.uniform(-20, 20)),
            speed=float(random.choice([-1, 1]) * random.uniform(0.1, 0.35)) * size,
            ground=float(random.uniform(0.82, 0.97)) * self.height,
            stride=float(random.uniform(0.8, 1.6)),
            shirt=tuple(int(channel) for channel in random.integers(40, 255, 3)),  # type: ignore[arg-type]
        )

    def frame(self, time: float) -> tuple[Image, Boxes]:
        """The picture at ``time`` and the figures' boxes, pixels; a figure out of sight has none."""
        rows = np.arange(self.height) % self._background.shape[0]
        columns = (np.arange(self.width) + round(self._drift * time)) % self._background.shape[1]
        image = np.ascontiguousarray(self._background[rows][:, columns])
        boxes = np.array([figure.draw(image, time) for figure in self.figures]).reshape(-1, 4)
        visible = (boxes[:, 2] - boxes[:, 0] > 4) & (boxes[:, 3] - boxes[:, 1] > 4)
        return image, boxes[visible]

    def frames(self, seconds: float, rate: int) -> Iterator[tuple[float, Image, Boxes]]:
        """Time, picture and boxes of every frame."""
        for number in range(round(seconds * rate)):
            time = number / rate
            yield time, *self.frame(time)


def write_film(scene: Scene, path: Path, boxes_path: Path, seconds: float = 8, rate: int = 30) -> None:
    """Write a scene as mp4, and the boxes of its whole seconds as AVA's person csv."""
    info = FilmInfo(path, path.stem, scene.width, scene.height, Fraction(rate), seconds, Fraction(1, rate))
    with FilmWriter(path, like=info) as writer, boxes_path.open("w", encoding="utf-8") as file:
        for number, (time, image, boxes) in enumerate(scene.frames(seconds, rate)):
            writer.write(image, Fraction(number, rate))
            if number % rate == 0:
                for box in to_unit(boxes, scene.width, scene.height):
                    coordinates = ",".join(f"{value:.4f}" for value in box)
                    file.write(f"{path.stem},{format_timestamp(time)},{coordinates},,1.0\n")
