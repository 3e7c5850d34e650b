"""``slowfast-det train-persons``."""

from __future__ import annotations

from ava_tools.cli.run import console
from slowfast_det.cli.train import of_folder, tell_outcome

DEFAULT = "resnet50"


def train_persons(config: str, *overrides: str) -> None:
    """Train a person detector, or one of any other actors, on the annotated boxes of a data set.

    Under torchrun several processes train together: torchrun --nproc-per-node 8 -m slowfast_det train-persons ...

    Args:
        config: A recipe by name (resnet50, mobilenet: from COCO's weights; small: from scratch) or yaml file, or a
            data set's folder with a dataset.yaml.
        overrides: Settings over the recipe's, such as data=FOLDER out=FOLDER init=FILE actors=bird,car
            resume=true training.epochs=5.
    """
    from slowfast_det.distributed import joined
    from slowfast_det.person_recipe import read_person_recipe
    from slowfast_det.training.persons import prepare_person_training
    from slowfast_det.training.run import run_training

    name, settings = of_folder(config, list(overrides), DEFAULT)
    recipe = read_person_recipe(name, settings)
    with joined(recipe.device) as world:
        preparation = prepare_person_training(recipe)
        if world.is_first:
            for note in preparation.notes:
                console.print(f"note: {note}")
            frames = preparation.task.samples.key_frames
            console.print(
                f"training on {len(frames):,} key frames with {len(frames.boxes):,} boxes of {len(frames.films):,} "
                f"films: {', '.join(recipe.actors)}"
            )
        outcome = run_training(recipe, preparation.task, world)
        if world.is_first:
            tell_outcome(recipe.out, outcome)
