"""A recipe that trains on the little data set in a moment."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

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
