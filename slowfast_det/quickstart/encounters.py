"""Who comes across whom: walkers who pass, overtake, come and go, stop or meet, among others who stay."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

import numpy as np

from slowfast_det.quickstart.acts import Act
from slowfast_det.quickstart.casting import NEAR, REACH, Casting
from slowfast_det.quickstart.scenes import WIDTH, Figure, Group

PAUSE = 6.0
"""Seconds from one encounter to the next; at 4 the picture is full of people."""
_LANES = (0.0, 0.2, 0.45, 0.6, 0.8, 1.0)  # how far in front somebody is: 0 at the back, 1 at the front
_BACK, _FRONT = (94.0, 46.0), (123.0, 70.0)  # where the feet are and how high a figure is, pixels of the film
_SLOW, _FAST = 0.75, 1.3  # paces of two of whom one overtakes the other

T = TypeVar("T")
Script = tuple[tuple[float, Act], ...]


class Encounters:
    """Groups of figures for one long shot; each kind of encounter is as frequent as the others."""

    def __init__(self, random: np.random.Generator) -> None:
        """``random`` decides everything."""
        self._random = random
        self._casting = Casting(random)

    def groups(self, seconds: float, pause: float = PAUSE) -> list[Group]:
        """Two who stay, and an encounter every ``pause`` seconds of so many."""
        groups = [self._stays(seconds, place) for place in (0.3, 0.72)]
        count = max(1, round(seconds / pause))
        kinds = (self._pass, self._overtake, self._come_and_go, self._stop, self._meet)
        deck = [kinds[place] for _ in range(-(-count // len(kinds))) for place in self._random.permutation(len(kinds))]
        for number, kind in enumerate(deck[:count]):
            groups += kind((number + self._between(0.35, 0.65)) * seconds / count)
        return groups

    def _pass(self, time: float) -> list[Group]:
        """Two walk past each other."""
        x = self._between(0.25, 0.75) * WIDTH
        return [self._walker(way, lane, x, time) for way, lane in zip((1, -1), self._lanes(), strict=True)]

    def _overtake(self, time: float) -> list[Group]:
        """One overtakes another."""
        x, way = self._between(0.3, 0.7) * WIDTH, self._side()
        pairs = zip((_SLOW, _FAST), self._lanes(), strict=True)
        return [self._walker(way, lane, x, time, pace * self._between(0.95, 1.05)) for pace, lane in pairs]

    def _come_and_go(self, time: float) -> list[Group]:
        """One leaves the picture where another enters, then or a little later."""
        way = self._side()
        edge = WIDTH if way > 0 else 0.0
        leaves, enters = self._lanes()
        late = self._between(0.0, 1.5)
        return [self._walker(way, leaves, edge, time), self._walker(-way, enters, edge, time + late)]

    def _stop(self, time: float) -> list[Group]:
        """One stops, does something, and walks on or back."""
        walk = self._walk(self._side())
        act = self._casting.styled(self._one_of(Act(), Act(arms="wave"), Act("jump")))
        leaves = replace(walk, facing=self._side())
        script = ((0.0, walk), (time, act), (time + self._between(2.2, 3.5), leaves))
        return [(self._figure(self._lanes()[0], script, self._between(0.25, 0.75) * WIDTH, time),)]

    def _meet(self, time: float) -> list[Group]:
        """Two walk up to each other, embrace or push, and part."""
        acts, reach = self._one_of(
            ((Act(arms="hug"), Act(arms="hug")), NEAR), ((Act(arms="push"), Act(arms="pushed")), REACH)
        )
        begin, end = time - 1.0, time + self._between(1.2, 2.2)
        lane, x = self._lanes()[0], self._between(0.35, 0.65) * WIDTH
        first = self._casting.styled(acts[0])
        figures = []
        for act, side in zip(acts, self._one_of((-1, 1), (1, -1)), strict=True):
            holds = replace(self._casting.styled(act), facing=-side, arm_phase=first.arm_phase, pace=first.pace)
            towards = self._walk(-side)
            script = ((0.0, towards), (begin, holds), (end, replace(towards, facing=side)))
            figure = self._figure(lane, script, 0.0, begin)
            place = x + side * reach * figure.body.height, figure.place[1]
            figures.append(replace(figure, place=place))
        return [tuple(figures)]

    def _stays(self, seconds: float, place: float) -> Group:
        """One who stays where he is, and does one thing after another."""
        sits = self._random.random() < 0.3
        kinds = (Act("sit"), Act("sit", "wave")) if sits else (Act(), Act(arms="wave"), Act("jump"))
        entries, time, last = list[tuple[float, Act]](), 0.0, None
        while time < seconds:
            last = self._one_of(*(kind for kind in kinds if kind is not last))
            entries.append((time, self._casting.styled(last)))
            time += self._between(2.2, 4.5)
        stool = (0.0, 0.26, (116, 96, 82)) if sits else None
        figure = self._figure(self._between(0.3, 0.7), tuple(entries), (place + self._between(-0.08, 0.08)) * WIDTH)
        return (replace(figure, stool=stool),)

    def _walker(self, way: int, lane: float, x: float, time: float, pace: float | None = None) -> Group:
        """One who walks all the time and is at ``x`` at ``time``."""
        walk = self._walk(way)
        return (self._figure(lane, ((0.0, walk if pace is None else replace(walk, pace=pace)),), x, time),)

    def _walk(self, way: int) -> Act:
        return self._casting.styled(Act("walk", facing=way))

    def _figure(self, lane: float, script: Script, x: float, time: float = 0.0) -> Figure:
        """A figure that is at ``x``, pixels of the film, at ``time``."""
        feet, height = (back + lane * (front - back) for back, front in zip(_BACK, _FRONT, strict=True))
        return Figure(self._casting.body(height * self._between(0.94, 1.06)), script, (x, feet), time)

    def _lanes(self) -> tuple[float, float]:
        """How far in front two are, one clearly more than the other."""
        first, second = self._random.choice(len(_LANES), 2, replace=False)
        return _LANES[first] + self._between(-0.04, 0.04), _LANES[second] + self._between(-0.04, 0.04)

    def _between(self, low: float, high: float) -> float:
        return float(self._random.uniform(low, high))

    def _side(self) -> int:
        return int(self._random.choice([-1, 1]))

    def _one_of(self, *choices: T) -> T:
        return choices[self._random.integers(len(choices))]
