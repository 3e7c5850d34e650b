"""The person detector of a data set: one that is here if it finds these persons, else one that learns to."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import pandas as pd

from ava_tools.box_evaluation import evaluate_person_boxes
from ava_tools.evaluation import evaluate
from ava_tools.labels import Action, Labels
from ava_tools.manifest import read_data_set
from ava_tools.tables import KEY
from slowfast_det.automatic.facts import TRAIN, Facts
from slowfast_det.distributed import World
from slowfast_det.person_recipe import PersonRecipe, read_person_recipe
from slowfast_det.person_testing import PersonExamination, prepare_person_examination, run_person_test
from slowfast_det.persons.detector_file import About, save_detector
from slowfast_det.persons.detectron2_weights import read_detectron2
from slowfast_det.persons.loading import load_person_detector
from slowfast_det.persons.options import COCO_LABELS, PERSON
from slowfast_det.persons.torchvision_networks import DETECTORS
from slowfast_det.persons.torchvision_rcnn import described_state, published_state
from slowfast_det.training.loop import LAST, STATE
from slowfast_det.training.persons import prepare_person_training
from slowfast_det.training.run import run_training
from slowfast_det.weights.companion import companion_of
from slowfast_det.weights.files import open_weights

T = TypeVar("T")
FILE = "persons.safetensors"
_ANYBODY = Labels((Action(1, "person"),))
_FROM_COCO = {
    "cuda": (
        ("resnet50", "fasterrcnn_resnet50_fpn_v2"),
        ("mobilenet", "fasterrcnn_mobilenet_v3_large_320_fpn"),
    ),
    "cpu": (("mobilenet", "fasterrcnn_mobilenet_v3_large_320_fpn"),),
}
"""Recipes that begin with COCO's weights, by where they are trained: their names, and whose weights."""
_SMALL_FRAMES = 240  # pixels of the shorter side up to which the small network sees all that there is
_BATCH = 8
_GOOD = 0.9  # share of the persons that a detector must find, at IoU 0.5, to be taken as it is
_LOOKED_AT = 100  # key frames by which a detector is judged
_STEPS = 700
_LEAST_SCORE = 0.05


@dataclass(frozen=True)
class Settled:
    """The person detector of a data set.

    Attributes:
        source: its name, or its file of weights.
        min_score: the score from which on its boxes balance recall and precision best.
        file: its weights as a file of ours, which can come along with a model; None: Detectron2's cannot.
    """

    source: str
    min_score: float
    file: Path | None


def settle_persons(
    data: Path,
    facts: Facts,
    source: str | None,
    folder: Path,
    world: World,
    tell: Callable[[str], None],
    least: float | None = None,
) -> Settled:
    """Find or train a person detector, and tell how many of the persons it finds.

    Args:
        data: the data set's folder.
        facts: what is known of it.
        source: the detector that the user names; None: nobody named one.
        folder: where its training and its file go.
        world: the processes that work together.
        tell: is told what is done and found.
        least: score from which on its boxes count, if the user names one.
    """
    examination = prepare_person_examination(read_data_set(data), facts.test_split or TRAIN, [_actor(facts)])
    few = replace(examination, moments=evenly(examination.moments, _LOOKED_AT))
    if source is None and not facts.detectors:
        tell("person detector: no weights of torchvision's are here; one is trained on these boxes")
    for name in [source] if source is not None else facts.detectors[:1]:
        recall, min_score = _judge(name, few, "", world, tell)
        if source is not None or recall >= _GOOD:
            return _kept(name, min_score if least is None else least, folder, world)
        tell(f"person detector: {_GOOD:.0%} of them should be found; another one is trained on these boxes")
    recipe = _recipe(facts, data, folder / "persons")
    run_training(recipe, prepare_person_training(recipe).task, world, f"the same call of train {data}")
    trained = folder / "persons" / LAST
    where = "" if facts.test_split else " that it was trained on"
    _, min_score = _judge(str(trained), examination, where, world, tell)
    return _kept(str(trained), min_score if least is None else least, folder, world)


def evenly(things: Sequence[T], most: int) -> tuple[T, ...]:
    """At most so many of things in a row, from all over it."""
    step = max(1.0, len(things) / most)
    return tuple(things[int(number * step)] for number in range(min(len(things), most)))


def _actor(facts: Facts) -> str:
    """A name that is no label, so that every annotated box counts whatever it does."""
    taken = {name.lower() for name in facts.labels.names}
    return next(name for name in (PERSON, "anybody", "actor") if name not in taken)


def _judge(
    source: str, examination: PersonExamination, where: str, world: World, tell: Callable[[str], None]
) -> tuple[float, float]:
    """Share of the persons that a detector finds at IoU 0.5, and the score from which on its boxes serve best.

    ``where`` says in what is told which key frames these are.
    """
    detector = load_person_detector(source, _LEAST_SCORE, precision="auto").to(world.device)
    tested = run_person_test(examination, detector, world)
    figures = (0.0, 0.0)
    if tested is not None:
        for problem in tested.problems:
            tell(f"error: {problem}")
        looked_at = pd.DataFrame(examination.moments, columns=KEY)
        looked_at["timestamp"] = (looked_at["timestamp"] + examination.data_set.time_origin).round(6)
        truth = examination.actors.boxes.merge(looked_at, on=KEY).assign(action_id=1)
        report = evaluate(truth, tested.boxes.assign(action_id=1), _ANYBODY)
        min_score = max(_LEAST_SCORE, round(report.thresholds(0.5)[1], 3))
        kept = tested.boxes[tested.boxes["score"] >= min_score]
        recall = evaluate_person_boxes(truth, kept, _ANYBODY).recall[0.5] if len(truth) else 0.0
        tell(
            f"person detector: {Path(source).name} finds {recall:.0%} of {len(truth):,} persons on "
            f"{len(looked_at):,} key frames{where} at IoU 0.5, by scores from {min_score:g} on"
        )
        figures = (recall, min_score)
    shared: tuple[float, float] = world.gather(figures)[0]
    return shared


def _kept(source: str, min_score: float, folder: Path, world: World) -> Settled:
    """Its file, if it can be one of ours."""
    path = folder / FILE
    if source in DETECTORS:
        state, about = published_state(source), About(network=source, classes=COCO_LABELS)
    elif Path(source).is_file() and read_detectron2((file := open_weights(source)).content, source) is None:
        state, about = described_state(companion_of(file) or file)
    else:
        return Settled(source, min_score, None)
    if world.is_first:
        save_detector(path, state, about.model_copy(update={"min_score": min_score}))
    world.wait()
    return Settled(str(path), min_score, path)


def _recipe(facts: Facts, data: Path, folder: Path) -> PersonRecipe:
    """How a detector is trained: from COCO's weights where they are here and frames are large, else from scratch."""
    large = facts.short_side > _SMALL_FRAMES
    name = next(
        (recipe for recipe, network in _FROM_COCO.get(facts.device.type, ()) if network in facts.detectors and large),
        "small",
    )
    epochs = max(8, min(120, round(_STEPS * _BATCH / facts.key_frames)))
    return read_person_recipe(
        name,
        [
            f"data={json.dumps(str(data))}",
            f"out={json.dumps(str(folder))}",
            f"actors={json.dumps([_actor(facts)])}",
            "test_split=null",  # it is judged when it is done
            f"device={facts.device}",
            f"resume={str((folder / STATE).is_file()).lower()}",
            f"training.epochs={epochs}",
            f"training.batch={min(_BATCH, facts.key_frames)}",
        ],
    )
