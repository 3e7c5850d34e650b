"""Articulated figures: what a body looks like, how its joints are held, and how it is drawn."""

from __future__ import annotations

import math
from dataclasses import astuple, dataclass

import numpy as np
from numpy.typing import NDArray

from ava_tools.media.frames import Image

Colour = tuple[int, int, int]

# Lengths and radii in body heights.
_THIGH, _SHIN, _TORSO, _UPPER_ARM, _FOREARM = 0.225, 0.225, 0.29, 0.165, 0.16
_SHOULDER, _HIP, _HEAD_ABOVE_NECK = 0.085, 0.045, 0.105
_HEAD, _ARM, _HAND, _LEG, _FOOT, _TRUNK = 0.085, 0.036, 0.048, 0.044, 0.048, 0.045
_FRACTION_BITS = 4  # cv2 draws at sixteenths of a pixel, so that slow motions do not jerk


@dataclass(frozen=True)
class Pose:
    """How a body is held: angles in radians from hanging down, positive to the right; half a turn is up.

    Attributes:
        lean: of the trunk from upright, positive to the right.
        left_arm, left_forearm, right_arm, right_forearm: angles of the arms' bones.
        left_thigh, left_shin, right_thigh, right_shin: angles of the legs' bones.
        left_leg, right_leg: seen length of a leg over its true one; a knee bent to the viewer shortens it.
        lift: body heights above the ground.
        shift: body heights to the right of where the figure stands.
    """

    lean: float = 0.0
    left_arm: float = -0.15
    left_forearm: float = -0.1
    right_arm: float = 0.15
    right_forearm: float = 0.1
    left_thigh: float = -0.06
    left_shin: float = -0.04
    right_thigh: float = 0.06
    right_shin: float = 0.04
    left_leg: float = 1.0
    right_leg: float = 1.0
    lift: float = 0.0
    shift: float = 0.0

    def blended(self, other: Pose, share: float) -> Pose:
        """The pose ``share`` of the way to another one."""
        return Pose(*(a + share * (b - a) for a, b in zip(astuple(self), astuple(other), strict=True)))


@dataclass(frozen=True)
class Body:
    """What a figure looks like.

    Attributes:
        height: pixels of the film from sole to crown, standing.
        shirt, trousers, skin, hair, shoes: RGB.
        build: thickness of trunk and limbs over the usual one.
    """

    height: float
    shirt: Colour
    trousers: Colour
    skin: Colour
    hair: Colour
    shoes: Colour
    build: float = 1.0


@dataclass(frozen=True)
class _Stroke:
    """A line with round ends, or a dot: body heights, y down, from the hip."""

    points: list[tuple[float, float]]
    radius: float
    colour: Colour
    filled: bool = False


class PosedFigure:
    """A body in a pose at a place of the picture: it can be boxed and drawn."""

    def __init__(self, body: Body, pose: Pose, place: tuple[float, float]) -> None:
        """``place``: pixels of the film at which the figure stands on the ground."""
        self._trunk, self._arms = _strokes(body, pose)
        strokes = [*self._trunk, *self._arms]
        self._height = body.height
        self._points = np.array([point for stroke in strokes for point in stroke.points])  # [n, 2]
        self._radii = np.array([stroke.radius for stroke in strokes for _ in stroke.points])  # [n]
        lowest = float((self._points[:, 1] + self._radii).max())
        ground = np.array([pose.shift, -lowest - pose.lift])
        self._points = (self._points + ground) * body.height + place  # pixels of the film

    def box(self) -> NDArray[np.float64]:
        """x1 y1 x2 y2 in pixels of the film, around everything that is drawn."""
        radii = self._radii[:, None] * self._height
        return np.concatenate([(self._points - radii).min(axis=0), (self._points + radii).max(axis=0)])

    def draw_trunk(self, image: Image, scale: float, flat: Colour | None = None) -> None:
        """Draw all but the arms.

        Args:
            image: is drawn on.
            scale: pixels of the image for each of the film.
            flat: a colour for everything, with hard edges, instead of the body's own.
        """
        self._draw(image, scale, self._trunk, 0, flat)

    def draw_arms(self, image: Image, scale: float, flat: Colour | None = None) -> None:
        """Draw the arms, which two who embrace lay over each other's bodies; see `draw_trunk`."""
        self._draw(image, scale, self._arms, sum(len(stroke.points) for stroke in self._trunk), flat)

    def _draw(self, image: Image, scale: float, strokes: list[_Stroke], first: int, flat: Colour | None) -> None:
        import cv2

        edge = cv2.LINE_AA if flat is None else cv2.LINE_8
        # A pixel's centre is half a pixel from its edge, and cv2 counts from centres.
        fixed = np.round((self._points * scale - 0.5) * 2**_FRACTION_BITS).astype(np.int32)
        for stroke in strokes:
            points = fixed[first : first + len(stroke.points)]
            first += len(stroke.points)
            radius = stroke.radius * self._height * scale
            colour = stroke.colour if flat is None else flat
            if len(points) == 1:
                size = round(radius * 2**_FRACTION_BITS)
                cv2.circle(image, points[0].tolist(), size, colour, -1, edge, _FRACTION_BITS)
                continue
            if stroke.filled:
                cv2.fillConvexPoly(image, points, colour, edge, _FRACTION_BITS)
            width = max(1, round(2 * radius))
            cv2.polylines(image, [points], stroke.filled, colour, width, edge, _FRACTION_BITS)


def _strokes(body: Body, pose: Pose) -> tuple[list[_Stroke], list[_Stroke]]:
    """Legs, trunk and head; and the arms."""
    up_x, up_y = math.sin(pose.lean), -math.cos(pose.lean)

    def at(up: float, across: float) -> tuple[float, float]:
        return up * up_x - across * up_y, up * up_y + across * up_x

    left, right = at(_TORSO, -_SHOULDER), at(_TORSO, _SHOULDER)
    head = _TORSO + _HEAD_ABOVE_NECK
    trunk = [
        *_leg(body, at(0, -_HIP), (pose.left_thigh, pose.left_shin), pose.left_leg),
        *_leg(body, at(0, _HIP), (pose.right_thigh, pose.right_shin), pose.right_leg),
        _Stroke([left, right, at(0, _HIP), at(0, -_HIP)], _TRUNK * body.build, body.shirt, filled=True),
        _Stroke([at(head + 0.02, 0)], _HEAD, body.hair),
        _Stroke([at(head - 0.015, 0)], 0.8 * _HEAD, body.skin),
    ]
    arms = [
        *_arm(body, left, (pose.left_arm, pose.left_forearm)),
        *_arm(body, right, (pose.right_arm, pose.right_forearm)),
    ]
    return trunk, arms


def _leg(body: Body, top: tuple[float, float], angles: tuple[float, float], length: float) -> tuple[_Stroke, _Stroke]:
    bones = _bones(top, angles, (length * _THIGH, length * _SHIN))
    return _Stroke(bones, _LEG * body.build, body.trousers), _Stroke(bones[2:], _FOOT * body.build, body.shoes)


def _arm(body: Body, top: tuple[float, float], angles: tuple[float, float]) -> tuple[_Stroke, _Stroke]:
    bones = _bones(top, angles, (_UPPER_ARM, _FOREARM))
    return _Stroke(bones, _ARM * body.build, _shaded(body.shirt)), _Stroke(bones[2:], _HAND, body.skin)


def _bones(
    top: tuple[float, float], angles: tuple[float, float], lengths: tuple[float, float]
) -> list[tuple[float, float]]:
    """Both ends of two bones that hang at angles, one from the other's end."""
    points = [top]
    for angle, length in zip(angles, lengths, strict=True):
        points.append((points[-1][0] + length * math.sin(angle), points[-1][1] + length * math.cos(angle)))
    return points


def _shaded(colour: Colour) -> Colour:
    """A little darker, so that an arm stands out from the trunk."""
    red, green, blue = (round(0.75 * channel) for channel in colour)
    return red, green, blue
