"""Who does what where: draws groups of figures for a scene so that nothing but what they do gives them away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from slowfast_det.quickstart.acts import Act
from slowfast_det.quickstart.backdrops import hsv, muted
from slowfast_det.quickstart.figures import Body
from slowfast_det.quickstart.scenes import HEIGHT, WIDTH, Figure, Group

Part = tuple[tuple[Act, float], ...]
"""What the members of a group do, and how many body heights they stand from its middle."""

_SOUND = 0.5  # seconds to either side of the key frame in which figures stay in the picture
_TRIES = 40
_MANY, _FEW = (46.0, 84.0), (64.0, 94.0)  # least and largest height of figures in a scene of many or few, pixels
_WAVE, _HELD_WAVE = Act(arms="wave"), Act(arms="wave", arms_held=True)


def _walks(direction: int) -> list[Act]:
    plain = Act(legs="walk", facing=direction)
    return [*3 * [plain], replace(plain, arms="wave"), replace(plain, arms="wave", arms_held=True)]


_SINGLES: list[Act] = [
    *2 * [Act()],
    *6 * [Act("sit")],
    *2 * [Act("sit", "wave")],
    *2 * [Act("sit", "wave", arms_held=True)],
    *4 * [Act("lie")],
    *_walks(-1),
    *_walks(1),
    *[replace(act, legs_held=True) for act in _walks(-1) + _walks(1)],
    *5 * [Act("jump")],
    *7 * [Act("jump", legs_held=True)],
    *6 * [_WAVE],
    *7 * [_HELD_WAVE],
    *2 * [Act(arms="push", arms_held=True)],
]
REACH, NEAR = 0.29, 0.215  # half the distance of two who push, and of two who embrace, body heights
_PAIRS: list[Part] = [
    *6 * [((Act(arms="push"), -REACH), (Act(arms="pushed"), REACH))],
    *3 * [((Act(arms="push", arms_held=True), -REACH), (Act(arms="pushed", arms_held=True), REACH))],
    *3 * [((Act(arms="hug"), -NEAR), (Act(arms="hug"), NEAR))],
    *2 * [((Act(), -1.05 * NEAR), (Act(), 1.05 * NEAR))],
]


def _class_of(part: Part) -> str | None:
    """The one action that a scene of this part alone would be called after; None: it has several."""
    names = {name for act, _ in part for name in act.actions}
    told = names - {"stand"} or names
    return told.pop() if len(told) == 1 else None


def _parts_of(name: str) -> list[Part]:
    """Parts of a class. Whoever stands is held in a pose of a motion in about half of them, not in nearly all."""
    parts = [*(((act, 0.0),) for act in _SINGLES), *_PAIRS]
    own = [part for part in parts if _class_of(part) == name]
    held = [part for part in own if any(act.legs_held or act.arms_held for act, _ in part)]
    plain = [part for part in own if part not in held]
    return held + plain * max(1, len(held) // len(plain))


class Casting:
    """Deals parts from a shuffled deck, so that every action is as frequent as planned in any number of films."""

    def __init__(self, random: np.random.Generator) -> None:
        """``random`` decides everything."""
        self._random = random
        self._singles: list[Act] = []
        self._pairs: list[Part] = []
        self._of_class: dict[str, list[Part]] = {}

    def groups(self, moment: float) -> list[Group]:
        """Groups of figures for one scene; ``moment`` is its key frame, around which they are placed."""
        pairs = int(self._random.random() < 0.5)
        singles = int(self._random.integers(2, 4)) - pairs
        parts = [*(self._pair() for _ in range(pairs)), *(self._single() for _ in range(singles))]
        return self._placed(parts, moment, _MANY)

    def groups_of_class(self, name: str, moment: float) -> list[Group]:
        """Groups for a scene of one class: the first does it; in half of the scenes of any class somebody stands by.

        Args:
            name: the class, one of `ACTIONS`.
            moment: around which the figures are placed.
        """
        if not self._of_class.get(name):
            parts = _parts_of(name)
            self._of_class[name] = [parts[number] for number in self._random.permutation(len(parts))]
        part = self._of_class[name].pop()
        cast = [self._paired(part) if len(part) > 1 else ((self.styled(part[0][0]), 0.0),)]
        if self._random.random() < 0.5:
            cast.append(((self.styled(Act()), 0.0),))
        return self._placed(cast, moment, _FEW)

    def _placed(self, parts: Sequence[Part], moment: float, heights: tuple[float, float]) -> list[Group]:
        """A group for each part, somewhere in the picture and apart from the others; they shrink where need be."""
        scale = float(self._random.uniform(*heights))
        while True:
            groups = [self._group(part, scale, moment) for part in parts]
            swept = [_swept(group, moment) for group in groups]
            for _ in range(_TRIES):
                places = [self._place(boxes, scale) for boxes in swept]
                if _apart([boxes + np.tile(place, 2) for boxes, place in zip(swept, places, strict=True)]):
                    return [_moved(group, place) for group, place in zip(groups, places, strict=True)]
            scale *= 0.94

    def _single(self) -> Part:
        if not self._singles:
            self._singles = [_SINGLES[number] for number in self._random.permutation(len(_SINGLES))]
        return ((self.styled(self._singles.pop()), 0.0),)

    def _pair(self) -> Part:
        """A pair, with either one on the left."""
        if not self._pairs:
            self._pairs = [_PAIRS[number] for number in self._random.permutation(len(_PAIRS))]
        return self._paired(self._pairs.pop())

    def _paired(self, part: Part) -> Part:
        side = float(self._random.choice([-1, 1]))
        members = [(self.styled(act), offset * side) for act, offset in part]
        first = members[0][0]
        return tuple(
            (
                replace(act, facing=-int(np.sign(offset)), arm_phase=first.arm_phase, pace=first.pace),
                offset * float(self._random.uniform(0.97, 1.06)),
            )
            for act, offset in members
        )

    def styled(self, act: Act) -> Act:
        """The act as one figure does it: its phase, pace, reach, hand and the way it faces are drawn."""
        random = self._random
        walks = act.legs == "walk"
        return replace(
            act,
            facing=act.facing if walks else int(random.choice([-1, 1])),
            phase=float(random.uniform(0, 10)),
            arm_phase=float(random.uniform(0, 10)),
            sway=float(random.uniform(0, 1)),
            pace=float(random.uniform(0.8, 1.25)),
            reach=float(random.uniform(0.85, 1.15)),
            hand=int(random.choice([-1, 0, 1])),
            ease=float(random.uniform(-0.25, 0.4)),
        )

    def _place(self, swept: NDArray[np.float64], scale: float) -> NDArray[np.float64]:
        """Somewhere in the picture. All keep as far from its sides as those who walk must."""
        random, room = self._random, 0.5 * scale + 4
        highest = max(1.3 * scale, 0.66 * HEIGHT)
        return np.array([random.uniform(room, WIDTH - room), random.uniform(min(highest, HEIGHT - 4), HEIGHT - 3)])

    def _group(self, part: Part, scale: float, moment: float) -> Group:
        """A group of that size around the origin; some who do not sit have a stool near, too."""
        random = self._random
        figures = []
        for (act, offset), height in zip(part, scale * random.uniform(0.92, 1.08, len(part)), strict=True):
            sits = act.legs == "sit"
            aside = 0.0 if sits else float(random.choice([-1, 1]) * random.uniform(0.15, 0.5))
            stool = (aside, float(random.uniform(0.16, 0.3)), muted(random, float(random.uniform(0, 180)), 110))
            figures.append(
                Figure(
                    body=self.body(float(height)),
                    script=((0.0, act),),
                    place=(offset * float(height), 0.0),
                    placed_at=moment,
                    stool=stool if sits or (len(part) == 1 and random.random() < 0.3) else None,
                )
            )
        return tuple(figures)

    def body(self, height: float) -> Body:
        """Somebody of that height, dressed at random."""
        random = self._random
        skin = hsv(float(random.uniform(8, 16)), float(random.uniform(60, 130)), float(random.uniform(120, 245)))
        return Body(
            height=height,
            shirt=hsv(float(random.uniform(0, 180)), float(random.uniform(120, 230)), float(random.uniform(110, 245))),
            trousers=hsv(float(random.uniform(0, 180)), float(random.uniform(40, 170)), float(random.uniform(40, 150))),
            skin=skin,
            hair=hsv(float(random.uniform(5, 22)), float(random.uniform(60, 180)), float(random.uniform(25, 150))),
            shoes=hsv(float(random.uniform(0, 180)), float(random.uniform(20, 150)), float(random.uniform(25, 90))),
            build=float(random.uniform(0.85, 1.15)),
        )


def _swept(group: Group, moment: float) -> NDArray[np.float64]:
    """Box around a group before, at and after a moment, pixels: ``[3, 4]``.

    All count as upright: if those who lie had more places to be, places would tell of lying.
    """
    times = (moment - _SOUND, moment, moment + _SOUND)
    upright = [np.array([x, y - figure.body.height, x, y]) for figure in group for x, y in [figure.place]]
    return np.stack([_union(np.stack([figure.posed(time).box() for figure in group] + upright)) for time in times])


def _moved(group: Group, by: NDArray[np.float64]) -> Group:
    return tuple(
        replace(figure, place=(figure.place[0] + float(by[0]), figure.place[1] + float(by[1]))) for figure in group
    )


def _apart(swept: Sequence[NDArray[np.float64]]) -> bool:
    """Whether all are in the picture and hide little of each other."""
    around = [_union(boxes) for boxes in swept]
    if any(min(box[:2]) < 1 or box[2] > WIDTH - 1 or box[3] > HEIGHT - 1 for box in around):
        return False
    for number, first in enumerate(swept):
        for other in range(number + 1, len(swept)):
            if _hidden(first[1], swept[other][1]) > 0.08 or _hidden(around[number], around[other]) > 0.35:
                return False
    return True


def _union(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.concatenate([boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)])


def _hidden(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Intersection over the smaller of two boxes."""
    wide, high = (min(first[2 + axis], second[2 + axis]) - max(first[axis], second[axis]) for axis in (0, 1))
    smaller = min((box[2] - box[0]) * (box[3] - box[1]) for box in (first, second))
    return float(max(0.0, wide) * max(0.0, high) / smaller)
