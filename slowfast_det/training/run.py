"""A training in its folder: nobody else's, begun once, gone on with where it was."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import yaml
from filelock import FileLock, Timeout

from ava_tools.atomic import replacing
from ava_tools.errors import InputError
from ava_tools.manifest import DataSet, read_data_set
from slowfast_det.distributed import World
from slowfast_det.run_config import RunConfig
from slowfast_det.training.loop import STATE, Outcome, train
from slowfast_det.training.tasks.protocol import B, Task

log = logging.getLogger(__name__)

RECIPE = "recipe.yaml"


def required_data(recipe: RunConfig) -> DataSet:
    """The data set of a recipe.

    Raises:
        InputError: it names none, or one that is wrong.
    """
    if recipe.data is None:
        raise InputError("the recipe names no data; data=FOLDER is expected, a folder with a dataset.yaml")
    return read_data_set(recipe.data)


def required_split(recipe: RunConfig) -> str:
    """The part of the data that is tested on.

    Raises:
        InputError: the recipe names none.
    """
    if recipe.test_split is None:
        raise InputError("the recipe names no part of the data to test on; test_split=NAME is expected")
    return recipe.test_split


def run_training(recipe: RunConfig, task: Task[B], world: World, hint: str = "resume=true") -> Outcome:
    """Train in the folder ``recipe.out``, which then holds the recipe, the state, the log and the checkpoints.

    ``hint`` is what a user says to go on with a training that was stopped.

    Raises:
        InputError: the folder holds another training, or the training cannot go on; see `train`.
    """
    folder = Path(recipe.out)
    with owned(folder) if world.is_first else nullcontext():
        begun: bool = world.gather((folder / STATE).exists())[0]  # all must agree; machines may not share the folder
        if begun and not recipe.resume:
            raise InputError(
                f"{folder}: holds a training already; resume=true goes on with it, out=... names another folder"
            )
        if recipe.resume and not begun and world.is_first:
            log.warning("%s does not exist: the training begins anew", folder / STATE)

        schedule, epochs = recipe.training.schedule, recipe.training.epochs
        if world.is_first and schedule.warmup_epochs > epochs / 2:
            log.warning(
                "training.schedule.warmup_epochs is %g, with training.epochs %d: the learning rate hardly grows before "
                "it falls; a smaller warmup_epochs is expected",
                schedule.warmup_epochs,
                epochs,
            )

        def begin() -> None:
            if world.is_first:
                write_recipe(folder / RECIPE, recipe)

        return train(task, recipe.training, world, folder, begun, begin, hint)


@contextmanager
def owned(folder: Path, hint: str = "out=... names another folder") -> Iterator[None]:
    """Keep other processes from working in the same folder; the lock ends with the process, however that ends.

    Raises:
        InputError: one is at it, or the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise InputError(f"{folder}: another process is at work there; {hint}") from None
    try:
        yield
    finally:
        lock.release()


def write_recipe(path: Path, recipe: RunConfig) -> None:
    """Write down how something was trained; the file is a recipe itself."""
    with replacing(path) as temporary:
        content = recipe.model_dump(mode="json", exclude={"resume"})
        temporary.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
