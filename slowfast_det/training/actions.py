"""From a recipe to a trained action detector."""

from __future__ import annotations

import logging

import numpy as np
import torch
from numpy.typing import NDArray

from ava_tools.errors import InputError
from ava_tools.labels import Labels
from ava_tools.manifest import DataSet
from slowfast_det.checkpoints.model import Model, untrained_model
from slowfast_det.checkpoints.transfer import transfer
from slowfast_det.distributed import World
from slowfast_det.models.backbone import freeze_stages
from slowfast_det.recipe import Recipe
from slowfast_det.testing import prepare_examination, run_test
from slowfast_det.training.key_frames import read_key_frames
from slowfast_det.training.preparation import Preparation
from slowfast_det.training.run import required_data
from slowfast_det.training.samples import ActionSamples
from slowfast_det.training.tasks.actions import ActionTask
from slowfast_det.training.tasks.model_task import Evaluation

log = logging.getLogger(__name__)


def prepare_training(recipe: Recipe, device: torch.device = torch.device("cpu")) -> Preparation[ActionTask]:
    """Read the data, build the model, load what it starts from.

    Args:
        recipe: what is trained, on what, and how.
        device: where a person detector looks for the persons of the test split, if the recipe names one.

    Raises:
        InputError: the recipe names no data, a file is wrong, or nothing is left to train on.
    """
    data_set = required_data(recipe)
    labels = data_set.read_labels()
    key_frames = read_key_frames(data_set, recipe.train_split, labels, recipe.persons)
    torch.manual_seed(recipe.training.seed)
    model = untrained_model(recipe.of_model(), labels)
    loaded = None if recipe.init is None else transfer(recipe.init, model, recipe.class_map)
    freeze_stages(model.network, recipe.training.frozen_stages)
    samples = ActionSamples(
        key_frames,
        recipe.clip,
        recipe.augmentation,
        mirrored_actions(labels, recipe.augmentation.flip_pairs),
        recipe.training.seed,
        recipe.training.memory * 1e9,
    )
    evaluation, notes = _evaluation(recipe, data_set, labels, device)
    return Preparation(ActionTask(model, samples, recipe.training, evaluation), loaded, (*key_frames.notes, *notes))


def mirrored_actions(labels: Labels, pairs: tuple[tuple[str, str], ...]) -> NDArray[np.int64]:
    """``int64[N]`` action that each action is in the mirror.

    Raises:
        InputError: a pair names an action that is not in the labels.
    """
    mirrored = np.arange(len(labels))
    for pair in pairs:
        (first,), (second,) = (_one_column(labels, name) for name in pair)
        mirrored[[first, second]] = mirrored[[second, first]]
    return mirrored


def _one_column(labels: Labels, name: str) -> tuple[int, ...]:
    try:
        columns = labels.columns([name])
    except InputError as wrong:
        raise InputError(f"augmentation.flip_pairs: {wrong}") from None
    if len(columns) != 1:
        raise InputError(f"augmentation.flip_pairs: {name!r} fits several actions; name one by its id")
    return columns


def _evaluation(
    recipe: Recipe, data_set: DataSet, labels: Labels, device: torch.device
) -> tuple[Evaluation, tuple[str, ...]]:
    """How a model is measured while it trains: on the test split, if there is one."""
    if recipe.test_split is None:
        return lambda model, world: {}, ()
    if recipe.test_split not in data_set.splits:
        lacking = f"the data set has no split {recipe.test_split!r}"
        note = f"{lacking}: the model is not tested; test_split=NAME names another"
        return lambda model, world: {}, (note,)
    examination = prepare_examination(recipe, data_set, recipe.test_split, device)

    def evaluation(model: Model, world: World) -> dict[str, float]:
        tested = run_test(examination, model, world, recipe, recipe.training.precision)
        for problem in tested.problems if tested is not None else ():
            log.warning("%s", problem)
        return {"mean_ap": world.gather(tested and tested.report.mean_ap)[0]}

    return evaluation, tuple(f"test split: {note}" for note in examination.notes)
