"""What figures do: poses over time, and the actions that they count as.

Every motion has a look-alike: the same figure held still at a random moment of it, which counts as standing
(or sitting). One frame of either looks the same, so only the frames around it tell them apart. Nothing in a
pose says which way a figure walks: the body is seen from the front, and a step played backwards is a step.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from slowfast_det.quickstart.figures import Pose

ACTIONS = ("stand", "sit", "lie", "walk left", "walk right", "jump", "wave", "push", "hug")
"""Names of the actions; the first has id 1."""
MOTIONS = ("walk left", "walk right", "jump", "wave")
"""Those that one frame cannot tell."""

Legs = Literal["stand", "sit", "lie", "walk", "jump"]
Arms = Literal["rest", "wave", "push", "pushed", "hug"]
_TURN = 2 * np.pi


@dataclass(frozen=True)
class Act:
    """What a figure does for a while.

    Attributes:
        legs, arms: what the two halves of the body do.
        facing: 1 to the right, -1 to the left: where one walks, sits, lies or turns to.
        legs_held, arms_held: that half of the body is held still: the look-alike of its motion.
        phase: turns of the motion at second 0 and at which a held one is.
        arm_phase: the same of the arms.
        sway: turns of the slight sway of everybody at second 0.
        pace: of the motion over its usual one.
        reach: of the motion over its usual amplitude.
        hand: -1 waves with the left one, 1 with the right one, 0 with both.
        ease: radians by which the limbs differ from figure to figure.
    """

    legs: Legs = "stand"
    arms: Arms = "rest"
    facing: int = 1
    legs_held: bool = False
    arms_held: bool = False
    phase: float = 0.0
    arm_phase: float = 0.0
    sway: float = 0.0
    pace: float = 1.0
    reach: float = 1.0
    hand: int = 1
    ease: float = 0.0

    @property
    def actions(self) -> tuple[str, ...]:
        """The actions that this counts as."""
        names: list[str] = []
        if self.legs == "walk" and not self.legs_held:
            names.append("walk right" if self.facing > 0 else "walk left")
        elif self.legs == "jump" and not self.legs_held:
            names.append("jump")
        else:
            names.append(self.legs if self.legs in ("sit", "lie") else "stand")
        if self.arms in ("wave", "push", "hug") and not self.arms_held:
            names.append(self.arms)
        return tuple(names)

    @property
    def speed(self) -> float:
        """Body heights a second to the right."""
        return self.facing * 0.5 * self.pace if self.legs == "walk" and not self.legs_held else 0.0

    def pose(self, time: float) -> Pose:
        """How the body is held at ``time``, seconds."""
        legs_turn = self.phase + (0.0 if self.legs_held else time * self.pace)
        arms_turn = self.arm_phase + (0.0 if self.arms_held else time * self.pace)
        idle = 0.03 * np.sin(_TURN * (0.4 * time + self.sway))
        pose = _LEGS[self.legs](self, Pose(lean=idle), legs_turn)
        return _ARMS[self.arms](self, pose, arms_turn)


def _stand(act: Act, pose: Pose, turn: float) -> Pose:
    return replace(
        pose,
        left_arm=-0.18 - act.ease + pose.lean,
        left_forearm=-0.12 + act.ease,
        right_arm=0.18 + act.ease + pose.lean,
        right_forearm=0.12 - act.ease,
        left_thigh=-0.06 - 0.3 * act.ease,
        right_thigh=0.06 + 0.3 * act.ease,
    )


def _sit(act: Act, pose: Pose, turn: float) -> Pose:
    side = act.facing
    pose = replace(
        _stand(act, pose, turn),
        lean=pose.lean + side * 0.1 * act.ease,
        left_thigh=side * (1.5 + 0.3 * act.ease),
        right_thigh=side * (1.4 - 0.3 * act.ease),
        left_shin=side * (0.15 - 0.5 * act.ease),
        right_shin=-side * 0.5 * act.ease,
        left_arm=side * (0.4 + 0.5 * act.ease),
        left_forearm=side * 1.2,
        right_arm=side * (0.5 - 0.4 * act.ease),
        right_forearm=side * 1.3,
    )
    return pose


def _lie(act: Act, pose: Pose, turn: float) -> Pose:
    side, knee = act.facing, 0.6 * max(0.0, act.ease)
    return replace(
        pose,
        lean=side * (1.52 + 0.5 * pose.lean),
        left_thigh=-side * (1.55 + knee),
        left_shin=-side * (1.5 - knee),
        right_thigh=-side * 1.5,
        right_shin=-side * 1.52,
        left_arm=-side * (1.3 + act.ease),
        left_forearm=-side * (1.4 + 1.5 * act.ease),
        right_arm=-side * (1.6 - 0.5 * act.ease),
        right_forearm=-side * 1.45,
    )


def _walk(act: Act, pose: Pose, turn: float) -> Pose:
    swing = 0.46 * act.reach * np.sin(_TURN * 0.8 * turn)
    # The leg that swings ahead is lifted. Ahead is where the figure walks, so a step has no front and back.
    raised = 0.14 * act.facing * np.cos(_TURN * 0.8 * turn)
    return replace(
        pose,
        left_thigh=swing,
        left_shin=0.9 * swing,
        right_thigh=-swing,
        right_shin=-0.9 * swing,
        left_leg=1 - max(0.0, raised),
        right_leg=1 - max(0.0, -raised),
        left_arm=-0.12 - 0.8 * swing,
        left_forearm=-0.8 * swing,
        right_arm=0.12 + 0.8 * swing,
        right_forearm=0.8 * swing,
    )


def _jump(act: Act, pose: Pose, turn: float) -> Pose:
    flight = abs(np.sin(np.pi * 1.5 * turn))  # 0 on the ground, 1 at the top
    crouch = (1 - flight) ** 3
    spread = 0.1 + 0.3 * flight * act.reach
    arm = 0.4 + 1.5 * flight * act.reach
    return replace(
        pose,
        left_thigh=-spread,
        right_thigh=spread,
        left_shin=-0.8 * spread,
        right_shin=0.8 * spread,
        left_leg=1 - 0.25 * crouch,
        right_leg=1 - 0.25 * crouch,
        left_arm=-arm,
        left_forearm=-arm - 0.2,
        right_arm=arm,
        right_forearm=arm + 0.2,
        lift=0.26 * act.reach * flight,
    )


def _wave(act: Act, pose: Pose, turn: float) -> Pose:
    swing = 0.85 * act.reach * np.sin(_TURN * 1.5 * turn)
    upper, fore = 2.2 + 0.4 * act.ease + 0.5 * swing, 2.8 + swing
    if act.hand <= 0:
        pose = replace(pose, left_arm=-upper, left_forearm=-fore)
    if act.hand >= 0:
        pose = replace(pose, right_arm=upper, right_forearm=fore)
    return pose


def _shove(turn: float) -> float:
    """How far the arms are stretched, 0 to 1."""
    return float(0.5 + 0.5 * np.sin(_TURN * 1.2 * turn))


def _push(act: Act, pose: Pose, turn: float) -> Pose:
    side, stretch = act.facing, _shove(turn)
    upper, fore = 0.6 + 0.85 * stretch, 2.5 - 0.95 * stretch
    return replace(
        pose,
        lean=pose.lean + side * (0.02 + 0.2 * stretch * act.reach),
        left_arm=side * upper,
        left_forearm=side * fore,
        right_arm=side * (upper + 0.2),
        right_forearm=side * (fore - 0.1),
        left_thigh=-0.1 - 0.1 * stretch,
        right_thigh=0.1 + 0.1 * stretch,
    )


def _pushed(act: Act, pose: Pose, turn: float) -> Pose:
    """Sways away from the one it faces."""
    stretch = _shove(turn)
    return replace(pose, lean=pose.lean - act.facing * 0.25 * stretch, shift=-act.facing * 0.07 * stretch)


def _hug(act: Act, pose: Pose, turn: float) -> Pose:
    side = act.facing
    rock = 0.04 * np.sin(_TURN * 0.5 * turn)
    return replace(
        pose,
        lean=rock + side * 0.06,
        left_arm=side * (1.35 + 0.3 * act.ease),
        left_forearm=side * (0.3 + act.ease),
        right_arm=side * (1.7 + 0.3 * act.ease),
        right_forearm=side * (2.8 + act.ease),
    )


def _rest(act: Act, pose: Pose, turn: float) -> Pose:
    return pose


_LEGS = {"stand": _stand, "sit": _sit, "lie": _lie, "walk": _walk, "jump": _jump}
_ARMS = {"rest": _rest, "wave": _wave, "push": _push, "pushed": _pushed, "hug": _hug}
