"""From a recipe to a trained classifier."""

from __future__ import annotations

import logging

import torch

from ava_tools.class_films import MissingSplitError
from ava_tools.errors import InputError
from ava_tools.labels import Labels, packaged_labels
from slowfast_det.checkpoints.model import Model, untrained_any_model
from slowfast_det.checkpoints.transfer import transfer
from slowfast_det.class_recipe import ClassRecipe, ViewsConfig
from slowfast_det.class_testing import held_back_films, run_class_test, split_films
from slowfast_det.distributed import World
from slowfast_det.models.backbone import freeze_stages
from slowfast_det.training.actions import mirrored_actions
from slowfast_det.training.class_samples import ClassSamples
from slowfast_det.training.preparation import Preparation
from slowfast_det.training.tasks.classes import ClassTask
from slowfast_det.training.tasks.model_task import Evaluation

log = logging.getLogger(__name__)


def prepare_class_training(recipe: ClassRecipe) -> Preparation[ClassTask]:
    """Read the lists of films, build the model, load what it starts from.

    Raises:
        InputError: the recipe names no data, a file is wrong, or nothing is left to train on.
    """
    films = split_films(recipe, recipe.train_split)
    notes = [*films.notes]
    if recipe.labels != "numbered" and films.labels.names != packaged_labels(recipe.labels).names:
        notes.append(
            f"the recipe speaks of {recipe.labels}; learnt are the {len(films.labels):,} classes of the films; "
            f"class_names={recipe.labels} would take those"
        )
    if len(films.labels) < 2:
        raise InputError(f"{recipe.data}: its films have one class, {films.labels.names[0]}; two or more are expected")
    torch.manual_seed(recipe.training.seed)
    model = untrained_any_model(recipe.of_model(), films.labels)
    loaded = None if recipe.init is None else transfer(recipe.init, model, recipe.class_map)
    freeze_stages(model.network, recipe.training.frozen_stages)
    samples = ClassSamples(
        films,
        recipe.clip,
        recipe.augmentation,
        mirrored_actions(films.labels, recipe.augmentation.flip_pairs),
        recipe.training.seed,
        recipe.training.memory * 1e9,
    )
    evaluation, more = _evaluation(recipe, films.labels)
    return Preparation(ClassTask(model, samples, recipe.training, evaluation), loaded, (*notes, *more))


def _evaluation(recipe: ClassRecipe, labels: Labels) -> tuple[Evaluation, tuple[str, ...]]:
    """How a model is measured while it trains: on the test split, if there is one."""
    if recipe.test_split is None:
        return lambda model, world: {}, ()
    try:
        films = held_back_films(recipe, labels)
    except MissingSplitError as problem:
        return lambda model, world: {}, (f"the model is not tested: {problem}; test_split=NAME names another",)

    glance = ViewsConfig(clips=1, crops=min(recipe.views.crops, 1))

    def evaluation(model: Model, world: World) -> dict[str, float]:
        tested = run_class_test(films, model, world, glance, recipe.training.precision)
        for problem in tested.problems if tested is not None else ():
            log.warning("%s", problem)
        figures = {} if tested is None else {f"top{count}": tested.accuracy(count) for count in (1, 5)}
        shared: dict[str, float] = world.gather(figures)[0]
        return shared

    return evaluation, tuple(f"test split: {note}" for note in films.notes)
