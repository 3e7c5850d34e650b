"""What the quickstart finds out about its model: how good it is, and whether it really reads motion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from ava_tools.evaluation import Report, evaluate
from ava_tools.labels import Action, Labels
from ava_tools.tables import COORDINATES, KEY
from slowfast_det.checkpoints.model import Model
from slowfast_det.keyframe import Keyframe
from slowfast_det.models.network import ActionNetwork
from slowfast_det.persons.precomputed import PrecomputedBoxes
from slowfast_det.precision import Precision
from slowfast_det.quickstart.acts import MOTIONS
from slowfast_det.recipe import Recipe
from slowfast_det.testing import Examination, evaluate_keyframes, score_moments

_PERSON = Labels((Action(1, "person"),))
_DRAWS = 20


@dataclass(frozen=True)
class Findings:
    """The figures of ``report.json``; APs are frame APs at IoU 0.5 on held-out films with detected persons.

    Attributes:
        mean_ap: over all actions.
        chance_ap: the same with random scores.
        true_box_ap: with the persons where the truth has them.
        person_ap: of the person detector.
        motion_ap: mean over walking left and right, jumping, waving.
        motion_ap_shuffled: of clips whose frames are in random order.
        motion_ap_single_frame: of clips that show the key frame again and again.
        motion_ap_reversed: of clips that run backwards.
        reversed_walks: AP of walking left and right with the scores of the other, of clips that run backwards.
        actions: of each action the AP with detected persons, with true ones, with a single frame.
        test_films, test_key_frames, test_persons: what it was tested on.
        parts, seconds: how long each part took, and all of them.
    """

    mean_ap: float
    chance_ap: float
    true_box_ap: float
    person_ap: float
    motion_ap: float
    motion_ap_shuffled: float
    motion_ap_single_frame: float
    motion_ap_reversed: float
    reversed_walks: dict[str, float]
    actions: dict[str, dict[str, float]]
    test_films: int
    test_key_frames: int
    test_persons: int
    parts: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0

    def with_seconds(self, parts: dict[str, float]) -> Findings:
        """The same with how long everything took."""
        return replace(self, parts=parts, seconds=round(sum(parts.values()), 1))

    def as_dict(self) -> dict[str, Any]:
        """As json takes it; what could not be measured is null."""
        return _without_nan(asdict(self))


def _without_nan(content: dict[str, Any]) -> dict[str, Any]:
    return {
        key: _without_nan(value) if isinstance(value, dict) else None if value != value else value
        for key, value in content.items()
    }


class _Reordered(torch.nn.Module):
    """A network that sees the frames of every clip in another order."""

    def __init__(self, network: ActionNetwork, order: Sequence[int]) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("order", torch.tensor(order))

    def forward(self, clip: Tensor, boxes: Tensor) -> Tensor:
        """Logits of the reordered clip."""
        logits: Tensor = self.network(clip[:, :, self.get_buffer("order")], boxes)
        return logits

    @property
    def channels_last(self) -> bool:
        """See `ActionNetwork`."""
        return self.network.channels_last

    def optimized(self, precision: Precision) -> _Reordered:
        """A copy for inference."""
        return _Reordered(self.network.optimized(precision), self.get_buffer("order").tolist())


def examine(
    recipe: Recipe, annotated: Examination, found: pd.DataFrame, model: Model
) -> tuple[Findings, list[Keyframe], Report]:
    """Test a model with detected and with true persons, and with clips that are robbed of their motion.

    Args:
        recipe: how it is tested.
        annotated: the held-out key frames, with the true persons.
        found: the detected ones, see `find_persons`.
        model: what is tested.

    Returns:
        The findings; key frames and report of the test with detected persons.
    """
    detected = replace(annotated, persons=PrecomputedBoxes(found))
    frames = model.clip.num_frames
    random = np.random.default_rng(recipe.training.seed)
    orders = {
        "single": [frames // 2] * frames,
        "shuffled": random.permutation(frames).tolist(),
        "reversed": list(range(frames))[::-1],
    }
    keyframes, report = _tested(recipe, detected, model)
    true = _tested(recipe, annotated, model)[1]
    robbed = {name: _tested(recipe, detected, _in_order(model, order)) for name, order in orders.items()}
    of_motions = {name: _motion_ap(of_order) for name, (_, of_order) in robbed.items()}
    findings = Findings(
        mean_ap=report.mean_ap,
        chance_ap=_chance(recipe, detected, keyframes, model, random),
        true_box_ap=true.mean_ap,
        person_ap=person_ap(annotated, found),
        motion_ap=_motion_ap(report),
        motion_ap_shuffled=of_motions["shuffled"],
        motion_ap_single_frame=of_motions["single"],
        motion_ap_reversed=of_motions["reversed"],
        reversed_walks=_swapped_walks(recipe, detected, robbed["reversed"][0], model),
        actions={
            name: {
                "ap": _ap(report)[name],
                "true_box_ap": _ap(true)[name],
                "single_frame_ap": _ap(robbed["single"][1])[name],
            }
            for name in model.labels.names
        },
        test_films=len(annotated.library.films),
        test_key_frames=len(annotated.moments),
        test_persons=len(annotated.truth.drop_duplicates([*KEY, *COORDINATES])),
    )
    return findings, keyframes, report


def _tested(recipe: Recipe, examination: Examination, model: Model) -> tuple[list[Keyframe], Report]:
    keyframes, _ = score_moments(examination, model, range(len(examination.moments)), recipe.training.precision)
    return keyframes, evaluate_keyframes(examination, keyframes, model.labels, recipe)


def _in_order(model: Model, order: Sequence[int]) -> Model:
    return replace(model, network=_Reordered(model.network, order).eval())  # type: ignore[arg-type]


def _ap(report: Report) -> dict[str, float]:
    table = report.per_action
    return {str(name): float(ap) for name, ap in zip(table["name"], table["ap"], strict=True)}


def _motion_ap(report: Report) -> float:
    return float(np.mean([_ap(report)[name] for name in MOTIONS]))


def _chance(
    recipe: Recipe, examination: Examination, keyframes: Sequence[Keyframe], model: Model, random: np.random.Generator
) -> float:
    """Mean AP of random scores on the same boxes."""
    means = []
    for _ in range(_DRAWS):
        drawn = [replace(keyframe, scores=random.random(keyframe.scores.shape)) for keyframe in keyframes]
        means.append(evaluate_keyframes(examination, drawn, model.labels, recipe).mean_ap)
    return float(np.mean(means))


def _swapped_walks(
    recipe: Recipe, examination: Examination, keyframes: Sequence[Keyframe], model: Model
) -> dict[str, float]:
    """AP of both walks if each takes the other's scores."""
    order = np.arange(len(model.labels))
    left, right = (model.labels.names.index(name) for name in MOTIONS[:2])
    order[[left, right]] = right, left
    swapped = [replace(keyframe, scores=keyframe.scores[:, order]) for keyframe in keyframes]
    found = _ap(evaluate_keyframes(examination, swapped, model.labels, recipe))
    return {name: found[name] for name in MOTIONS[:2]}


def person_ap(annotated: Examination, found: pd.DataFrame) -> float:
    """AP at IoU 0.5 of person boxes: the frame AP of a single action, being there."""
    truth = annotated.truth[annotated.truth["x1"].notna()]
    truth = truth.drop_duplicates([*KEY, *COORDINATES]).assign(action_id=1)
    return evaluate(truth, found.assign(action_id=1), _PERSON).mean_ap
