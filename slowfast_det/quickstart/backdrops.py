"""What is behind the figures: a drifting distance, a floor, and things that pass by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ava_tools.media.frames import Image
from slowfast_det.quickstart.figures import Colour


@dataclass(frozen=True)
class _Passer:
    """A thing that passes: a car, a cart, a balloon. Pixels of the film."""

    start: tuple[float, float]
    speed: float
    bob: tuple[float, float]  # pixels, times a second
    size: tuple[float, float]
    colour: Colour
    round: bool


class Backdrop:
    """The picture behind the figures at every moment."""

    def __init__(self, random: np.random.Generator, size: tuple[int, int], scale: int, seconds: float) -> None:
        """Draw what does not change.

        Args:
            random: decides everything.
            size: width and height of the film.
            scale: pixels of the pictures for each pixel of the film.
            seconds: how long the backdrop is needed.
        """
        self._width, self._height, self._scale = *size, scale
        self.horizon = float(random.uniform(0.45, 0.65)) * self._height
        self._drift = float(random.choice([-1, 1]) * random.uniform(2, 16))
        self._sway = random.uniform([0, 0, 0.1, 0.1, 0, 0], [1.5, 0.8, 0.4, 0.4, 1, 1])
        run = int(abs(self._drift) * seconds) + self._width + 12
        hue = float(random.uniform(0, 180))
        self._far = _distance(random, run, int(self.horizon) + 6, scale, hue)
        self._floor = _floor(random, self._width + 12, self._height - int(self.horizon) + 6, scale, hue)
        self._passers = [self._passer(random, hue) for _ in range(random.integers(1, 4))]

    def _passer(self, random: np.random.Generator, hue: float) -> _Passer:
        size = float(random.uniform(8, 26)), float(random.uniform(6, 20))
        return _Passer(
            start=(float(random.uniform(0, self._width)), self.horizon + float(random.uniform(-0.35, 0.12)) * 60),
            speed=float(random.choice([-1, 1]) * random.uniform(4, 32)),
            bob=(float(random.uniform(0, 4)), float(random.uniform(0.3, 1.5))),
            size=size,
            colour=muted(random, hue, 110),
            round=bool(random.random() < 0.5),
        )

    def offset(self, time: float) -> tuple[float, float]:
        """Where the swaying camera has moved everything, pixels of the film."""
        wide, high, *turns = self._sway
        across = wide * np.sin(2 * np.pi * (turns[0] * time + turns[2]))
        down = high * np.sin(2 * np.pi * (turns[1] * time + turns[3]))
        return float(across), float(down)

    def draw(self, time: float) -> Image:
        """A fresh picture of the backdrop, ``uint8[height * scale, width * scale, 3]``."""
        import cv2

        scale, (across, down) = self._scale, self.offset(time)
        width, height = self._width * scale, self._height * scale
        horizon = round((self.horizon + down) * scale)
        drifted = self._drift * time if self._drift > 0 else self._far.shape[1] / scale - self._width - 12
        drifted += 0 if self._drift > 0 else self._drift * time
        left = round(np.clip((drifted + 6 - across) * scale, 0, self._far.shape[1] - width))
        top = round(3 * scale - down * scale)
        image = np.empty((height, width, 3), np.uint8)
        image[:horizon] = self._far[max(0, top) :][:horizon, left : left + width]
        side = round((6 - across) * scale)
        image[horizon:] = self._floor[: height - horizon, side : side + width]
        for passer in self._passers:
            reach = self._width + 2 * passer.size[0]
            x = (passer.start[0] + passer.speed * time) % reach - passer.size[0] + across
            y = passer.start[1] + passer.bob[0] * np.sin(2 * np.pi * passer.bob[1] * time) + down
            low = round((x - passer.size[0] / 2) * scale), round((y - passer.size[1]) * scale)
            high = round((x + passer.size[0] / 2) * scale), round(y * scale)
            if passer.round:
                centre = (low[0] + high[0]) // 2, (low[1] + high[1]) // 2
                axes = (high[0] - low[0]) // 2, (high[1] - low[1]) // 2
                cv2.ellipse(image, centre, axes, 0, 0, 360, passer.colour, -1, cv2.LINE_AA)
            else:
                cv2.rectangle(image, low, high, passer.colour, -1)
        return image


def muted(random: np.random.Generator, hue: float, value: float) -> Colour:
    """A greyish colour near a hue, RGB; ``value`` is its usual brightness."""
    around = (hue + random.normal(0, 25)) % 180
    return hsv(around, float(random.uniform(15, 85)), float(np.clip(value + random.normal(0, 28), 35, 240)))


def hsv(hue: float, saturation: float, value: float) -> Colour:
    """RGB of a colour: hue 0-180, saturation and value 0-255."""
    import cv2

    pixel = cv2.cvtColor(np.array([[[hue, saturation, value]]], np.uint8), cv2.COLOR_HSV2RGB)
    red, green, blue = (int(channel) for channel in pixel[0, 0])
    return red, green, blue


def _distance(random: np.random.Generator, width: int, height: int, scale: int, hue: float) -> Image:
    """A wall or sky with houses, shelves, trees and poles before it."""
    import cv2

    image = _gradient(muted(random, hue, 200), muted(random, hue, 165), width, height, scale)
    for _ in range(round(width * random.uniform(0.06, 0.12))):
        x, wide = float(random.uniform(-10, width)), float(random.uniform(3, 34))
        tall = float(random.uniform(0.15, 0.85)) * height
        colour = muted(random, hue, float(random.uniform(90, 180)))
        low, high = (round(x * scale), round((height - tall) * scale)), (round((x + wide) * scale), height * scale)
        if random.random() < 0.3:
            centre, axes = (
                (low[0] + round(wide / 2 * scale), low[1]),
                (round(wide / 2 * scale), round(wide / 3 * scale)),
            )
            cv2.line(image, (centre[0], centre[1]), (centre[0], height * scale), colour, scale * 2)
            cv2.ellipse(image, centre, axes, 0, 0, 360, muted(random, hue, 120), -1, cv2.LINE_AA)
            continue
        cv2.rectangle(image, low, high, colour, -1)
        if wide > 12:  # windows, or books
            light = muted(random, hue, 190)
            step = int(random.integers(5, 9)) * scale
            for row in range(low[1] + 2 * scale, high[1] - 4 * scale, step):
                for column in range(low[0] + 2 * scale, high[0] - 3 * scale, step):
                    cv2.rectangle(image, (column, row), (column + step // 2, row + step // 2), light, -1)
    return _grainy(random, image, scale)


def _floor(random: np.random.Generator, width: int, height: int, scale: int, hue: float) -> Image:
    """A floor with joints that run to the horizon, rugs and puddles."""
    import cv2

    image = _gradient(muted(random, hue + 60, 125), muted(random, hue + 60, 160), width, height, scale)
    line = muted(random, hue + 60, 120)
    centre = float(random.uniform(0.2, 0.8)) * width
    for number in np.arange(-6, 7) if random.random() < 0.6 else []:
        start = round((centre + 10 * number) * scale), 0
        end = round((centre + 40 * number) * scale), height * scale
        cv2.line(image, start, end, line, scale, cv2.LINE_AA)
    for _ in range(random.integers(2, 9)):
        place = round(float(random.uniform(0, width)) * scale), round(float(random.uniform(0.05, 1)) * height * scale)
        axes = round(float(random.uniform(4, 26)) * scale), round(float(random.uniform(1, 6)) * scale)
        cv2.ellipse(image, place, axes, 0, 0, 360, muted(random, hue + 60, 135), -1, cv2.LINE_AA)
    return _grainy(random, image, scale)


def _gradient(top: Colour, bottom: Colour, width: int, height: int, scale: int) -> Image:
    share = np.linspace(0, 1, height * scale)[:, None, None]
    column = np.array(top) * (1 - share) + np.array(bottom) * share
    return np.ascontiguousarray(np.broadcast_to(column, (height * scale, width * scale, 3)).astype(np.uint8))


def _grainy(random: np.random.Generator, image: Image, scale: int) -> Image:
    """With a fine texture, in pixels of the film whatever the scale."""
    import cv2

    height, width = image.shape[:2]
    grain = random.normal(0, 5, (height // scale // 2 + 1, width // scale // 2 + 1)).astype(np.float32)
    grown = cv2.resize(grain, (width, height), interpolation=cv2.INTER_LINEAR)[..., None]
    return np.asarray(np.clip(image + grown, 0, 255), dtype=np.uint8)
