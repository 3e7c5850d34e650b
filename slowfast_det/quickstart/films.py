"""The generated data set: films of several shots, their truth in AVA's format, and a film for a demonstration."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np

from ava_tools.boxes import to_unit
from ava_tools.media.probe import FilmInfo
from ava_tools.media.writer import FilmWriter
from ava_tools.tables import format_timestamp
from slowfast_det.quickstart.acts import ACTIONS
from slowfast_det.quickstart.casting import Casting
from slowfast_det.quickstart.scenes import Scene
from slowfast_det.quickstart.story import STORY_SECONDS, story

RATE = 15
"""Frames a second."""
SHOTS = 4
"""Shots of a film, with hard cuts between them. Figures, places and backdrops are new in each."""
SHOT_FRAMES = 24
_KEY_FRAME = Fraction(SHOT_FRAMES // 2, RATE)  # seconds into the shot: its middle, far from both cuts
_MANIFEST = """films: films
labels: labels.csv
time_origin: 0
splits:
  train: {truth: train.csv}
  test: {truth: test.csv}
"""


def write_data_set(folder: Path, seed: int, train_films: int = 90, test_films: int = 44) -> None:
    """Write films, labels, truth and manifest; ``seed`` decides everything.

    Each shot has one key frame in its middle, and every figure does the same throughout the shot.
    """
    (folder / "films").mkdir(parents=True, exist_ok=True)
    lines = ["id,name", *(f"{number},{name}" for number, name in enumerate(ACTIONS, start=1))]
    (folder / "labels.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "dataset.yaml").write_text(_MANIFEST, encoding="utf-8")
    for number, (split, count) in enumerate((("train", train_films), ("test", test_films))):
        random = np.random.default_rng([seed, number])
        casting = Casting(random)
        with (folder / f"{split}.csv").open("w", encoding="utf-8") as truth:
            for film in range(count):
                shots = [Scene(random, casting.groups(float(_KEY_FRAME))) for _ in range(SHOTS)]
                path = folder / "films" / f"{split}_{film:03d}.mp4"
                write_film(path, shots, SHOT_FRAMES)
                truth.writelines(truth_rows(shots, path.stem))


def truth_rows(shots: list[Scene], video: str) -> Iterator[str]:
    """Rows of AVA's truth ``video,timestamp,x1,y1,x2,y2,action_id,person``, one for each box and action."""
    first_person = 0
    for number, scene in enumerate(shots):
        time = format_timestamp(float(Fraction(number * SHOT_FRAMES, RATE) + _KEY_FRAME))
        unit = to_unit(scene.boxes(float(_KEY_FRAME)), scene.width, scene.height)
        for person, (box, actions) in enumerate(zip(unit, scene.actions(float(_KEY_FRAME)), strict=True), first_person):
            coordinates = ",".join(f"{value:.6f}" for value in box)
            for action in actions:
                yield f"{video},{time},{coordinates},{ACTIONS.index(action) + 1},{person}\n"
        first_person += len(unit)


def write_unseen_film(path: Path, seed: int, enlargement: int = 4, seconds: float = STORY_SECONDS) -> None:
    """Write a film of about 8 seconds, of one shot in which figures do one thing after another.

    Args:
        path: the mp4 file.
        seed: decides everything; no film of a data set looks like it.
        enlargement: the film is this many times as wide and high as those of a data set.
        seconds: how much of it.
    """
    write_film(path, [unseen_scene(seed, enlargement)], round(seconds * RATE))


def unseen_scene(seed: int, enlargement: int = 4) -> Scene:
    """What `write_unseen_film` films."""
    random = np.random.default_rng([seed, 2])
    return Scene(random, story(random), STORY_SECONDS, enlargement)


def write_film(path: Path, shots: list[Scene], frames: int) -> None:
    """Write shots of so many frames each, one after the other."""
    width, height = shots[0].width, shots[0].height
    seconds = frames * len(shots) / RATE
    info = FilmInfo(path, path.stem, width, height, Fraction(RATE), seconds, Fraction(1, RATE))
    with FilmWriter(path, like=info) as writer:
        for number, scene in enumerate(shots):
            for frame in range(frames):
                writer.write(scene.picture(frame / RATE), Fraction(number * frames + frame, RATE))
