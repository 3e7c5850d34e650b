"""A data set of a few small films, and a recipe that trains on it in a moment."""

from __future__ import annotations

import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest
import yaml

ACTIONS = ("run", "sit", "wave left", "wave right")
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


def rows(video: str, count: int, shift: int = 0) -> str:
    """Two persons each half second, whose actions go round."""
    lines = []
    for number in range(1, count):
        for person, box in enumerate(("0.1,0.2,0.5,0.9", "0.55,0.1,0.95,0.8")):
            action = (number + person + shift) % len(ACTIONS) + 1
            lines.append(f"{video},{number / 2:g},{box},{action},{person}\n")
    return "".join(lines)


@pytest.fixture(scope="session")
def data(films, tmp_path_factory) -> Path:
    """Three films to train on (one at 12.5 frames a second, one a folder of frames), one to test on."""
    folder = tmp_path_factory.mktemp("data")
    (folder / "films").mkdir()
    size = {"width": 64, "height": 48}
    films.write(folder / "films" / "a.mp4", films.steady(90, 30), **size)
    slow = Fraction(25, 2)
    films.write(folder / "films" / "b.mp4", films.steady(38, slow), rate=slow, **size)
    films.write_frames(folder / "films" / "c", 90, **size)
    films.write(folder / "films" / "d.mp4", films.steady(90, 30), **size)
    (folder / "train.csv").write_text(rows("a", 6) + rows("b", 6, 1) + rows("c", 6, 2))
    (folder / "test.csv").write_text(rows("d", 6))
    (folder / "labels.csv").write_text("".join(f"{number},{name}\n" for number, name in enumerate(ACTIONS, 1)))
    manifest = {
        "films": "films",
        "labels": "labels.csv",
        "splits": {"train": {"truth": "train.csv"}, "test": {"truth": "test.csv"}},
    }
    (folder / "dataset.yaml").write_text(yaml.safe_dump(manifest))
    return folder


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
    from slowfast_det.training.actions import prepare_training, run_training

    def train(*settings: str, out: str = "run"):
        recipe = read_recipe_of(*settings, out=out)
        with joined("cpu") as world:
            outcome = run_training(recipe, prepare_training(recipe), world)
        return Path(recipe.out), outcome

    return train


@pytest.fixture(scope="session")
def steps_of():
    """Step, loss and gradient of each entry of a log."""

    def read(folder: Path) -> list[tuple[int, float, float]]:
        entries = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
        return [(entry["step"], entry["loss"], entry["gradient"]) for entry in entries if entry["kind"] == "step"]

    return read
