"""From a recipe to a trained person detector."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import torch

from ava_tools.manifest import DataSet
from slowfast_det.distributed import World
from slowfast_det.person_recipe import PersonRecipe
from slowfast_det.person_testing import prepare_person_examination, run_person_test
from slowfast_det.persons.starting import start_detector
from slowfast_det.persons.torchvision_rcnn import TorchvisionDetector
from slowfast_det.training.key_frames import read_actor_frames
from slowfast_det.training.run import required_data
from slowfast_det.training.tasks.persons import Evaluation, PersonSamples, PersonTask

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PersonPreparation:
    """What is known before the first step.

    Attributes:
        task: what will be trained.
        notes: where its weights come from, and what was left out of the data.
    """

    task: PersonTask
    notes: tuple[str, ...]


def prepare_person_training(recipe: PersonRecipe) -> PersonPreparation:
    """Read the data, build the detector, load what it starts from.

    Raises:
        InputError: the recipe names no data, a file is wrong, or nothing is left to train on.
    """
    data_set = required_data(recipe)
    key_frames = read_actor_frames(data_set, recipe.train_split, recipe.actors)
    torch.manual_seed(recipe.training.seed)
    start = start_detector(recipe.detector, recipe.actors, recipe.init)
    samples = PersonSamples(key_frames, recipe.augmentation, recipe.training.seed, recipe.training.memory * 1e9)
    evaluation, notes = _evaluation(recipe, data_set)
    task = PersonTask(start.network, start.about, samples, recipe.training, evaluation)
    return PersonPreparation(task, (*start.notes, *key_frames.notes, *notes))


def _evaluation(recipe: PersonRecipe, data_set: DataSet) -> tuple[Evaluation, tuple[str, ...]]:
    """How a detector is measured while it trains: on the test split, if there is one."""
    if recipe.test_split is None:
        return lambda detector, world: {}, ()
    if recipe.test_split not in data_set.splits:
        lacking = f"the data set has no split {recipe.test_split!r}"
        note = f"{lacking}: the detector is not tested; test_split=NAME names another"
        return lambda detector, world: {}, (note,)
    examination = prepare_person_examination(data_set, recipe.test_split, recipe.actors)

    def evaluation(detector: TorchvisionDetector, world: World) -> dict[str, float]:
        tested = run_person_test(examination, detector, world)
        for problem in tested.problems if tested is not None else ():
            log.warning("%s", problem)
        figures = {} if tested is None else {"ap": tested.figures.ap, "ap50": tested.figures.ap50}
        shared: dict[str, float] = world.gather(figures)[0]
        return shared

    return evaluation, tuple(f"test split: {note}" for note in examination.notes)
