"""``slowfast-det train``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ava_tools.cli.run import MisuseError, console

if TYPE_CHECKING:
    from slowfast_det.automatic.facts import Facts
    from slowfast_det.automatic.rules import Choice
    from slowfast_det.checkpoints.transfer import Transfer
    from slowfast_det.training.loop import Outcome

DEFAULT = "slowfast_r50_8x8"


def train(config: str, *overrides: str) -> None:
    """Train an action detector, or a classifier of whole films, from video.

    A data set's folder alone is enough: how to train is chosen by the size of the data, this machine and the weights on
    it, and told with the reasons; a person detector is found or trained; what comes of it is FOLDER/best.safetensors,
    which predicts by itself, and FOLDER/report.html. Under torchrun several processes train together:
    torchrun --nproc-per-node 8 -m slowfast_det train ...

    Args:
        config: A data set's folder with a dataset.yaml; or a recipe by name or yaml file. One with network.head clip
            (kinetics_...) trains a classifier; its data is a folder with a list (train.csv: path label) or a folder of
            films for each class (train/CLASS/FILM.mp4).
        overrides: Settings over the recipe's, such as data=FOLDER out=FOLDER init=CHECKPOINT resume=true
            training.epochs=5; with a folder, over what is chosen.
    """
    if Path(config).is_dir():
        _train_folder(Path(config), overrides)
        return

    from slowfast_det.class_recipe import ClassRecipe
    from slowfast_det.distributed import joined
    from slowfast_det.recipe import read_any_recipe
    from slowfast_det.training.actions import prepare_training
    from slowfast_det.training.classes import prepare_class_training
    from slowfast_det.training.run import run_training

    recipe = read_any_recipe(config, overrides)
    with joined(recipe.device) as world:
        if isinstance(recipe, ClassRecipe):
            of_classes = prepare_class_training(recipe)
            if world.is_first:
                _tell(of_classes.notes, of_classes.transfer)
                films = of_classes.task.samples.films
                console.print(f"training on {len(films):,} films of {len(films.labels):,} classes")
            outcome = run_training(recipe, of_classes.task, world)
        else:
            preparation = prepare_training(recipe, world.device)
            if world.is_first:
                _tell(preparation.notes, preparation.transfer)
                frames = preparation.task.samples.key_frames
                console.print(
                    f"training on {len(frames):,} key frames with {len(frames.boxes):,} persons of "
                    f"{len(frames.films):,} films, {len(preparation.task.model.labels)} actions"
                )
            outcome = run_training(recipe, preparation.task, world)
        if world.is_first:
            tell_outcome(recipe.out, outcome)


def _tell(notes: Sequence[str], loaded: Transfer | None) -> None:
    for note in notes:
        console.print(f"note: {note}")
    if loaded is not None:
        show_transfer(loaded)


def _train_folder(data: Path, overrides: Sequence[str]) -> None:
    """Choose how to train on a data set, and do it."""
    from slowfast_det.automatic.run import Talk, train_folder
    from slowfast_det.distributed import joined

    given = dict(text.partition("=")[::2] for text in overrides)
    if taken := {"data", "out", "resume", "test_split"} & given.keys():
        raise MisuseError(
            f"{min(taken)}= is of a recipe; with a data set's folder everything is in {data}, and the same call again "
            "goes on with a training that was cut off"
        )
    with joined(given.get("device", "auto")) as world:
        silent = Talk(lambda _: None, lambda *_: None, lambda _: None)
        talk = Talk(console.print, _show_choice, show_transfer) if world.is_first else silent
        trained = train_folder(data, overrides, world, talk)
    if trained is None:
        return
    if trained.mean_ap is not None:
        print(f"frame mAP on films that were held back, with detected persons: {trained.mean_ap:.3f}")
    for path in filter(None, (trained.model, trained.report)):
        print(path)
    console.print(f"next: slowfast-det predict FILM --model {trained.model}")


def _show_choice(facts: Facts, choice: Choice) -> None:
    """Print what was chosen, and why."""
    from rich.table import Table

    for note in facts.notes:
        console.print(f"note: {note}")
    title = (
        f"{facts.key_frames:,} key frames with {facts.persons:,} persons of {facts.films:,} films, "
        f"{len(facts.labels)} actions; key=value behind the folder changes any of this"
    )
    table = Table("", "chosen", "why", title=title, title_justify="left")
    for decision in choice.decisions:
        table.add_row(decision.what, decision.value, decision.why)
    console.print(table)
    if facts.test_split is None:
        console.print("warning: no split is held back (val or test): how good the model is will not be known")


def of_folder(config: str, overrides: list[str], default: str = DEFAULT) -> tuple[str, list[str]]:
    """A data set's folder stands for the default recipe with this data; what it holds back may be called val too."""
    if not Path(config).is_dir():
        return config, overrides
    from ava_tools.manifest import read_data_set

    console.print(f"{config}: a data set's folder; the recipe is {default}")
    splits = read_data_set(config).splits
    held_back = ["test_split=val"] if "test" not in splits and "val" in splits else []
    return default, [f"data={json.dumps(config)}", *held_back, *overrides]


def tell_outcome(out: str, outcome: Outcome) -> None:
    """Print the checkpoints that a training has left."""
    for file in sorted(Path(out).glob("*.safetensors")):
        print(file)
    if outcome.unreadable:
        console.print(f"note: {outcome.unreadable:,} samples could not be read; others took their places")


def show_transfer(loaded: Transfer) -> None:
    """Print what became of the tensors of a checkpoint."""
    from rich.table import Table

    table = Table("", "tensors", "part", "why", title=f"init: {loaded.source}", title_justify="left")
    for kind, count, part, reason in loaded.rows():
        table.add_row(kind, str(count), part, reason)
    for ours, theirs in loaded.copied:
        table.add_row("copied", "1 row", f"head: {ours}", f"from {theirs}")
    console.print(table)
    if loaded.preparation:
        told = " ".join(f'"{setting}"' for setting in loaded.preparation)
        console.print(f"note: these weights were made with other colours than this recipe's: {told} gives theirs")
