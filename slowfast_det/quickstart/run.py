"""The quickstart: films are generated, a person detector and an action network are trained on them and tested."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter

import torch

from ava_tools.atomic import replacing
from ava_tools.errors import InputError
from ava_tools.html_report import save_html
from ava_tools.person_files import save_person_boxes
from slowfast_det.checkpoints.model import Model, load_model
from slowfast_det.distributed import World
from slowfast_det.person_recipe import read_person_recipe
from slowfast_det.persons.loading import load_person_detector
from slowfast_det.persons.protocol import PersonDetector
from slowfast_det.pipeline import ActionDetector
from slowfast_det.precision import has_bf16
from slowfast_det.propose import boxes_table, find_persons
from slowfast_det.quickstart.examination import Findings, examine
from slowfast_det.quickstart.films import write_data_set, write_unseen_film
from slowfast_det.recipe import Recipe, read_recipe
from slowfast_det.span import Span
from slowfast_det.testing import prepare_examination, save_detections
from slowfast_det.training.actions import prepare_training
from slowfast_det.training.loop import LAST
from slowfast_det.training.persons import prepare_person_training
from slowfast_det.training.run import required_data, required_split, run_training

RECIPE, PERSON_RECIPE = "tiny", "small"
_MARK = ".quickstart"  # an empty file that tells our folders
_MIN_SCORE = 0.5  # of a detected person, and of an action that is shown in the film
_EVERY = 0.4  # seconds between the key frames of the film


@dataclass
class _Clock:
    """Seconds of each part, told as they pass."""

    tell: Callable[[str], None]
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        self.tell(f"{name} ...")
        begin = perf_counter()
        yield
        self.seconds[name] = round(perf_counter() - begin, 1)


def run_quickstart(
    out: Path,
    seed: int = 0,
    tell: Callable[[str], None] = lambda sentence: None,
    *,
    films: tuple[int, int] = (90, 44),
    settings: tuple[str, ...] = (),
    person_settings: tuple[str, ...] = (),
) -> Findings:
    """Generate films, train on them, test on held-out ones, predict one that nobody has seen.

    Args:
        out: folder for everything: a new or empty one, or that of an earlier quickstart, which is replaced.
        seed: decides films and weights.
        tell: is told what is being done.
        films: how many are generated to train on and to test on.
        settings: ``key=value`` texts over the recipe of the action network.
        person_settings: over that of the person detector.

    Returns:
        What was found; ``report.json`` holds the same.

    Raises:
        InputError: the folder holds other things.
    """
    _claim(out)
    clock = _Clock(tell)
    data = out / "data"
    world = World(torch.device("cpu"))
    with clock.part("generating films"):
        write_data_set(data, seed, *films)
    recipe = read_recipe(RECIPE, (*_settings(data, out / "actions", seed), *settings))
    with clock.part("training the person detector"):
        persons = _train_persons(data, seed, person_settings, world, out)
    with clock.part("training the action network"):
        model = _train_actions(recipe, world, out)
    with clock.part("testing on held-out films"):
        findings = _test(recipe, model, persons, out)
    with clock.part("predicting an unseen film"):
        _predict(model, persons, out, seed)
    findings = findings.with_seconds(clock.seconds)
    with replacing(out / "report.json") as temporary:
        temporary.write_text(json.dumps(findings.as_dict(), indent=2) + "\n", encoding="utf-8")
    return findings


def _claim(out: Path) -> None:
    """Begin with an empty folder, and never empty one that is not ours."""
    if out.exists() and not (out / _MARK).is_file() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out}: holds other things; a new or empty folder is expected")
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    (out / _MARK).touch()


def _settings(data: Path, folder: Path, seed: int) -> list[str]:
    """What the recipe cannot know."""
    return [
        f"data={json.dumps(str(data))}",
        f"out={json.dumps(str(folder))}",
        f"training.seed={seed}",
        f"training.precision={'bf16' if has_bf16() else 'fp32'}",
        f"augmentation.flip_pairs={json.dumps([['walk left', 'walk right']])}",
    ]


def _train_persons(data: Path, seed: int, settings: Sequence[str], world: World, out: Path) -> PersonDetector:
    folder = out / "persons"
    own = (f"data={json.dumps(str(data))}", f"out={json.dumps(str(folder))}", f"training.seed={seed}")
    recipe = read_person_recipe(PERSON_RECIPE, (*own, *settings))
    run_training(recipe, prepare_person_training(recipe).task, world)
    shutil.copyfile(folder / LAST, out / "persons.safetensors")
    return load_person_detector(out / "persons.safetensors", min_score=_MIN_SCORE)


def _train_actions(recipe: Recipe, world: World, out: Path) -> Model:
    folder = Path(recipe.out)
    run_training(recipe, prepare_training(recipe).task, world)
    shutil.copyfile(folder / LAST, out / "model.safetensors")
    return load_model(out / "model.safetensors")


def _test(recipe: Recipe, model: Model, persons: PersonDetector, out: Path) -> Findings:
    """Detect the persons of the held-out films once, then score them in every way that tells something."""
    data_set = required_data(recipe)
    annotated = prepare_examination(recipe, data_set, required_split(recipe))
    proposals = find_persons(persons, annotated.moments, annotated.library, World(torch.device("cpu")))
    assert proposals is not None
    found = boxes_table(proposals.sightings, data_set.time_origin)
    save_person_boxes(found, out / "persons.csv")
    findings, keyframes, report = examine(recipe, annotated, found, model)
    shutil.copyfile(out / "data" / "test.csv", out / "truth.csv")
    shutil.copyfile(out / "data" / "labels.csv", out / "labels.csv")
    save_detections(keyframes, out / "detections.csv", data_set.time_origin)
    save_html(report, out / "report.html")
    return findings


def _predict(model: Model, persons: PersonDetector, out: Path, seed: int) -> None:
    film = out / "unseen.mp4"
    write_unseen_film(film, seed)
    result = ActionDetector(model, persons, "cpu")(film, Span(every=_EVERY))
    for suffix in ("csv", "jsonl", "mp4"):
        result.save(out / f"prediction.{suffix}", min_score=_MIN_SCORE)
