"""``slowfast-det test``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from ava_tools.cli.claims import claimed_folder
from ava_tools.cli.run import console
from slowfast_det.cli.train import of_folder

if TYPE_CHECKING:
    from slowfast_det.checkpoints.model import Model
    from slowfast_det.recipe import Recipe
    from slowfast_det.testing import Examination, Tested


def test(config: str, *overrides: str, model: str, overwrite: Annotated[bool, Parameter(negative="")] = False) -> int:
    """Score the annotated key frames of a data set and compute frame mAP; of a classifier: top-1 and top-5.

    Writes detections.csv, report.json, report.html and fingerprint.json into the folder OUT/test. Under
    torchrun several processes share the key frames: torchrun --nproc-per-node 8 -m slowfast_det test ... A classifier's
    test (a recipe kinetics_...) looks at views.clips x views.crops of each film, 10 x 3 as the paper, and writes
    scores.csv, classes.csv and report.json.

    Args:
        config: A recipe by name or yaml file, or a data set's folder with a dataset.yaml.
        overrides: Settings over the recipe's, such as data=FOLDER out=FOLDER persons.source=truth views.clips=1.
        model: Checkpoint file of any layout, or the name of published weights (`slowfast-det models`).
        overwrite: Replace existing results; otherwise the next free folder is used.
    """
    from slowfast_det.class_recipe import ClassRecipe
    from slowfast_det.cli.progress import moment_progress
    from slowfast_det.distributed import joined
    from slowfast_det.recipe import read_any_recipe
    from slowfast_det.testing import load_tested_model, prepare_examination, run_test
    from slowfast_det.training.run import required_data, required_split

    name, settings = of_folder(config, list(overrides))
    recipe = read_any_recipe(name, settings)
    if isinstance(recipe, ClassRecipe):
        from slowfast_det.cli.test_classes import test_classes

        return test_classes(recipe, settings, model, overwrite)
    data_set = required_data(recipe)
    with joined(recipe.device) as world:
        loaded = load_tested_model(model, recipe, data_set.read_labels(), settings).to(world.device)
        examination = prepare_examination(recipe, data_set, required_split(recipe), world.device)
        part = len(world.share(len(examination.moments)))
        with (
            claimed_folder(Path(recipe.out) / "test", overwrite, world.is_first) as folder,
            moment_progress(part, shown=world.is_first) as advance,
        ):
            tested = run_test(examination, loaded, world, recipe, recipe.precision, advance)
    if tested is None or folder is None:
        return 0
    _write(folder, examination, tested, loaded, recipe)
    for problem in tested.problems:
        console.print(f"error: {problem}")
    return 1 if tested.problems else 0


def _write(folder: Path, examination: Examination, tested: Tested, model: Model, recipe: Recipe) -> None:
    """The files of a test, and its number with everything that belongs beside it."""
    from ava_tools.html_report import save_html
    from ava_tools.report import as_json, as_text
    from slowfast_det.fingerprint import save_fingerprint
    from slowfast_det.testing import save_detections

    save_detections(tested.keyframes, folder / "detections.csv", examination.data_set.time_origin)
    as_json(tested.report, folder / "report.json")
    save_fingerprint(folder / "fingerprint.json", examination, tested, model, recipe)
    save_html(tested.report, folder / "report.html")
    for note in (*examination.notes, *tested.report.notes):
        console.print(f"note: {note}")
    found, wanted = len(tested.keyframes), len(examination.moments)
    if found < wanted:
        console.print(f"note: {wanted - found:,} of {wanted:,} key frames could not be scored")
    print(as_text(tested.report))
    print()
    for name in ("detections.csv", "report.json", "report.html", "fingerprint.json"):
        print(folder / name)
