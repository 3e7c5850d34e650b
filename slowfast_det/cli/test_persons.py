"""``slowfast-det test-persons``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from ava_tools.cli.claims import claimed_folder
from ava_tools.cli.run import console
from slowfast_det.cli.train import of_folder
from slowfast_det.cli.train_persons import DEFAULT

if TYPE_CHECKING:
    from slowfast_det.person_testing import PersonExamination, PersonsTested


def test_persons(
    config: str,
    *overrides: str,
    model: str,
    detectron2: Path | None = None,
    overwrite: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """AP and recall, by size too, of a person detector on a data set's annotated key frames, by pycocotools.

    Writes person_boxes.csv, with the labels that tell actors apart, and report.json into the folder OUT/test-persons.
    Under torchrun several processes share the key frames: torchrun --nproc-per-node 8 -m slowfast_det test-persons ...

    Args:
        config: A recipe by name or yaml file, or a data set's folder with a dataset.yaml.
        overrides: Settings over the recipe's, such as data=FOLDER out=FOLDER test_split=val actors=bird,car. Where the
            recipe names no actors, they are what the detector finds.
        model: Person detector: a name of torchvision's, a file of its weights or of Detectron2's, or
            detectron2:CONFIG for Detectron2 itself. Boxes count from a score of 0.05 on.
        detectron2: The config.yaml of the training that Detectron2's weights come from.
        overwrite: Replace existing results; otherwise the next free folder is used.
    """
    from slowfast_det.cli.progress import moment_progress
    from slowfast_det.distributed import joined
    from slowfast_det.person_recipe import read_person_recipe
    from slowfast_det.person_testing import prepare_person_examination, run_person_test
    from slowfast_det.persons.loading import load_person_detector
    from slowfast_det.training.run import required_data, required_split
    from slowfast_det.training.tasks.persons import LEAST_SCORE

    name, settings = of_folder(config, list(overrides), DEFAULT)
    recipe = read_person_recipe(name, settings)
    data_set = required_data(recipe)
    with joined(recipe.device) as world:
        detector = load_person_detector(
            model,
            LEAST_SCORE,
            recipe.detector.min_size,
            recipe.detector.max_size,
            max_overlap=recipe.detector.max_overlap,
            actors=recipe.actors if "actors" in recipe.model_fields_set else None,
            precision=recipe.precision,
            detectron2=detectron2,
        ).to(world.device)
        if world.is_first:
            console.print(f"looking for what {model} finds: {', '.join(detector.classes)}")
        examination = prepare_person_examination(data_set, required_split(recipe), detector.classes)
        part = len(world.share(len(examination.moments)))
        with (
            claimed_folder(Path(recipe.out) / "test-persons", overwrite, world.is_first) as folder,
            moment_progress(part, shown=world.is_first) as advance,
        ):
            tested = run_person_test(examination, detector, world, advance)
    if tested is None or folder is None:
        return 0
    _write(folder, examination, tested, model)
    for problem in tested.problems:
        console.print(f"error: {problem}")
    return 1 if tested.problems else 0


def _write(folder: Path, examination: PersonExamination, tested: PersonsTested, model: str) -> None:
    from ava_tools.cli.evaluate_boxes import figure_lines
    from ava_tools.person_files import save_person_boxes
    from slowfast_det.person_testing import save_person_report

    save_person_boxes(tested.boxes, folder / "person_boxes.csv")
    save_person_report(tested, examination, model, folder / "report.json")
    for note in examination.notes:
        console.print(f"note: {note}")
    if tested.missed:
        console.print(f"note: {len(tested.missed):,} key frames could not be looked at; their persons count as missed")
    truth = int(tested.figures.per_class["truth"].sum())
    print(f"{len(examination.moments):,} key frames, {truth:,} in the truth: {', '.join(examination.classes)}")
    print("\n".join(figure_lines(tested.figures)))
    print()
    for name in ("person_boxes.csv", "report.json"):
        print(folder / name)
