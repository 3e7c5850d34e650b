"""The script of the film that is predicted for show: one shot in which everybody does one thing after another."""

from __future__ import annotations

import numpy as np

from slowfast_det.quickstart.acts import Act
from slowfast_det.quickstart.casting import Casting
from slowfast_det.quickstart.scenes import WIDTH, Figure, Group

STORY_SECONDS = 8.0
_HEIGHT = 58.0  # pixels: three figures side by side have room
_MEETING, _PARTING = 2.6, 5.4  # seconds
_EMBRACE, _APART = 0.42, 1.35  # body heights between two who embrace, and before they walk up to each other


def story(random: np.random.Generator) -> list[Group]:
    """Two meet, embrace and part, one for joy; a third gets up and waves. ``random`` decides how they look."""
    casting = Casting(random)
    mirrored = int(random.choice([-1, 1]))

    def figure(script: tuple[tuple[float, Act], ...], x: float, y: float, sits: bool = False) -> Figure:
        place = WIDTH / 2 + mirrored * (x - WIDTH / 2), y
        return Figure(casting.body(_HEIGHT), script, place, stool=(0.0, 0.26, (116, 96, 82)) if sits else None)

    pace = (_APART - _EMBRACE) / (0.5 * _MEETING)
    towards = Act("walk", facing=mirrored, pace=pace)
    comes = ((0.0, towards), (_MEETING, Act(arms="hug", facing=mirrored)), (_PARTING, _back(towards)))
    waits = (
        (0.0, Act(arms="wave", hand=mirrored)),
        (_MEETING, Act(arms="hug", facing=-mirrored, ease=0.2)),
        (_PARTING, Act("jump")),
    )
    gets_up = ((0.0, Act("lie", facing=mirrored)), (_MEETING, Act("sit", facing=mirrored)), (_PARTING, _waving()))
    meeting = 18.0 + _APART * _HEIGHT
    return [
        (figure(comes, 18.0, 112.0), figure(waits, meeting, 112.0)),
        (figure(gets_up, WIDTH - 36.0, 122.0, sits=True),),
    ]


def _back(act: Act) -> Act:
    return Act(act.legs, facing=-act.facing, pace=0.9 * act.pace)


def _waving() -> Act:
    return Act("sit", "wave", hand=0)
