"""``slowfast-det train``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ava_tools.cli.run import console

if TYPE_CHECKING:
    from slowfast_det.checkpoints.transfer import Transfer
    from slowfast_det.training.loop import Outcome

DEFAULT = "slowfast_r50_8x8"


def train(config: str, *overrides: str) -> None:
    """Train an action detector from video.

    Under torchrun several processes train together: torchrun --nproc-per-node 8 -m slowfast_det train ...

    Args:
        config: A recipe by name or yaml file, or a data set's folder with a dataset.yaml.
        overrides: Settings over the recipe's, such as data=FOLDER out=FOLDER init=CHECKPOINT resume=true
            training.epochs=5.
    """
    from slowfast_det.distributed import joined
    from slowfast_det.recipe import read_recipe
    from slowfast_det.training.actions import prepare_training
    from slowfast_det.training.run import run_training

    name, settings = of_folder(config, list(overrides))
    recipe = read_recipe(name, settings)
    with joined(recipe.device) as world:
        preparation = prepare_training(recipe, world.device)
        if world.is_first:
            for note in preparation.notes:
                console.print(f"note: {note}")
            if preparation.transfer is not None:
                show_transfer(preparation.transfer)
            frames = preparation.task.samples.key_frames
            console.print(
                f"training on {len(frames):,} key frames with {len(frames.boxes):,} persons of "
                f"{len(frames.films):,} films, {len(preparation.task.model.labels)} actions"
            )
        outcome = run_training(recipe, preparation.task, world)
        if world.is_first:
            tell_outcome(recipe.out, outcome)


def of_folder(config: str, overrides: list[str], default: str = DEFAULT) -> tuple[str, list[str]]:
    """A data set's folder stands for the default recipe with this data."""
    if Path(config).is_dir():
        console.print(f"{config}: a data set's folder; the recipe is {default}")
        return default, [f"data={config}", *overrides]
    return config, overrides


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
