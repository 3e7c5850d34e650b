"""Films of which each shows one class, in a folder for each: something to try the training of a classifier on."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ava_tools.errors import InputError
from slowfast_det.quickstart.acts import ACTIONS
from slowfast_det.quickstart.casting import Casting
from slowfast_det.quickstart.films import RATE, write_film
from slowfast_det.quickstart.scenes import Scene

CLASS_FILM_FRAMES = 30
"""Frames of a film, two seconds."""


def write_class_films(folder: Path, seed: int = 0, train_films: int = 900, test_films: int = 180) -> None:
    """Write ``train/CLASS/*.mp4`` and ``test/CLASS/*.mp4``: each a shot in which one figure, or a pair, does one thing.

    Classes take turns, so that they have as many films as each other, give or take one. In half of the films of each
    somebody else stands by. Many who stand are held in a pose of a motion: one frame does not tell them apart.

    Args:
        folder: a new or empty one.
        seed: decides everything; the first films are the same however many follow.
        train_films: how many to train on.
        test_films: how many to test on.

    Raises:
        InputError: the folder holds something.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder}: holds other things; a new or empty folder is expected")
    seconds = CLASS_FILM_FRAMES / RATE
    for number, (split, count) in enumerate((("train", train_films), ("test", test_films)), start=4):
        random = np.random.default_rng([seed, number])  # 0 to 3 decide other films
        casting = Casting(random)
        for film in range(count):
            name = ACTIONS[film % len(ACTIONS)]
            scene = Scene(random, casting.groups_of_class(name, seconds / 2), seconds)
            path = folder / split / name / f"{split}_{film:03d}.mp4"
            path.parent.mkdir(parents=True, exist_ok=True)
            write_film(path, [scene], CLASS_FILM_FRAMES)
