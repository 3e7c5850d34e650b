"""A recipe that trains on the little data set in a moment."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import yaml
from class_data import CLASSES, drawing
from class_data import RECIPE as CLASS_RECIPE

from slowfast_det.class_recipe import ClassRecipe
from slowfast_det.distributed import World
from slowfast_det.recipe import read_any_recipe
from slowfast_det.training.classes import prepare_class_training
from slowfast_det.training.run import run_training

RECIPE = {
    "clip": {"num_frames": 4, "sampling_rate": 4, "short_side": 32},
    "network": {"architecture": "slowfast", "depth": 14, "width": 8, "alpha": 2, "beta": 2, "fusion_kernel": 3},
    "augmentation": {"short_side": [32, 40], "crop": 32, "flip_pairs": [["wave left", "wave right"]]},
    "persons": {"min_score": 0.5},
    "training": {
        "epochs": 2,
        "batch": 4,
        "schedule": {"lr": 0.05, "lr_batch": None, "warmup_epochs": 1},
        "evaluate_every": 0,
        "workers": 0,
    },
}


@pytest.fixture
def recipe_file(tmp_path) -> Path:
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(RECIPE))
    return path


@pytest.fixture
def read_recipe_of(recipe_file, data, tmp_path):
    """The small recipe with settings over it."""
    from slowfast_det.recipe import read_recipe

    def read(*settings: str, out: str = "run"):
        return read_recipe(recipe_file, [f"data={data}", f"out={tmp_path / out}", *settings])

    return read


@pytest.fixture
def run(read_recipe_of) -> Callable:
    """Train the small recipe in this process; returns its folder and what came out."""
    from slowfast_det.distributed import joined
    from slowfast_det.training.actions import prepare_training
    from slowfast_det.training.run import run_training

    def train(*settings: str, out: str = "run"):
        recipe = read_recipe_of(*settings, out=out)
        with joined("cpu") as world:
            outcome = run_training(recipe, prepare_training(recipe).task, world)
        return Path(recipe.out), outcome

    return train


@pytest.fixture(scope="session")
def steps_of():
    """Step, loss and gradient of each entry of a log."""

    def read(folder: Path) -> list[tuple[int, float, float]]:
        entries = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
        return [(entry["step"], entry["loss"], entry["gradient"]) for entry in entries if entry["kind"] == "step"]

    return read


@pytest.fixture(scope="session")
def class_films(films, tmp_path_factory):
    """train/CLASS/*.mp4 and test/CLASS/*.mp4."""
    folder = tmp_path_factory.mktemp("classes")
    for split, count in (("train", 6), ("test", 2)):
        for name in CLASSES:
            (folder / split / name).mkdir(parents=True)
            for number in range(count):
                draw = drawing(name, 7 * number + (3 if split == "test" else 0))
                times = films.steady(30, 30)
                films.write(folder / split / name / f"{number}.mp4", times, width=48, height=32, draw=draw)
    return folder


@pytest.fixture
def class_recipe_of(class_films, tmp_path):
    """The recipe of these films with settings over it."""
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(CLASS_RECIPE))

    def read(*settings) -> ClassRecipe:
        recipe = read_any_recipe(path, [f"data={class_films}", f"out={tmp_path / 'run'}", *settings])
        assert isinstance(recipe, ClassRecipe)
        return recipe

    return read


@pytest.fixture(scope="session")
def trained_classifier(class_films, tmp_path_factory):
    """A recipe's yaml and what it trained; it tells left from right."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "recipe.yaml").write_text(yaml.safe_dump(CLASS_RECIPE))
    recipe = read_any_recipe(folder / "recipe.yaml", [f"data={class_films}", f"out={folder / 'run'}"])
    run_training(recipe, prepare_class_training(recipe).task, World(torch.device("cpu")))
    return folder


@pytest.fixture
def cut_film(films, tmp_path):
    """A film that ends before it says, beside the whole one."""
    whole = films.write(tmp_path / "whole.mkv", films.steady(90, 30), width=48, height=32, draw=drawing("right", 3))
    path = tmp_path / "cut.mkv"
    path.write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
    return path
