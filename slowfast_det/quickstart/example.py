"""Films with annotations as CVAT writes them: something to try the way from annotations to a detector on."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np

from ava_tools.boxes import area, to_unit
from ava_tools.convert.annotations import AnnotatedFilm, Person, collected
from ava_tools.convert.cvat import write
from ava_tools.convert.films import Films
from ava_tools.errors import InputError
from slowfast_det.quickstart.acts import ACTIONS
from slowfast_det.quickstart.casting import Casting
from slowfast_det.quickstart.films import RATE, write_film, write_unseen_film
from slowfast_det.quickstart.scenes import HEIGHT, WIDTH, Scene

_SHOTS, _SHOT_FRAMES = 3, 36
_LEAST_AREA = 0.002  # of the frame; whoever shows less of himself has left


def write_example(folder: Path, seed: int = 0, films: int = 40) -> None:
    """Write ``films/``, ``annotations/`` (CVAT for video 1.1, a file a film, every frame annotated) and ``new.mp4``.

    Args:
        folder: a new or empty one.
        seed: decides everything.
        films: how many.

    Raises:
        InputError: the folder holds something.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder}: holds other things; a new or empty folder is expected")
    (folder / "films").mkdir(parents=True)
    random = np.random.default_rng([seed, 3])
    casting = Casting(random)
    annotated, persons = [], []
    for number in range(films):
        middle = float(Fraction(_SHOT_FRAMES // 2, RATE))
        shots = [Scene(random, casting.groups(middle), _SHOT_FRAMES / RATE) for _ in range(_SHOTS)]
        name = f"film_{number:02d}"
        write_film(folder / "films" / f"{name}.mp4", shots, _SHOT_FRAMES)
        annotated.append(AnnotatedFilm(name, WIDTH, HEIGHT, float(RATE), _SHOTS * _SHOT_FRAMES, f"{name}.mp4"))
        persons += [person for place, scene in enumerate(shots) for person in _persons(name, scene, place)]
    write(collected(annotated, persons, ACTIONS), folder / "annotations", Films(folder / "films"))
    write_unseen_film(folder / "new.mp4", seed)


def _persons(video: str, scene: Scene, place: int) -> list[Person]:
    """Everybody in a shot, frame by frame."""
    found = []
    for frame in range(_SHOT_FRAMES):
        time = frame / RATE
        unit = to_unit(scene.boxes(time), scene.width, scene.height)
        shown = area(unit) >= _LEAST_AREA
        for number, (box, actions) in enumerate(zip(unit.tolist(), scene.actions(time), strict=True)):
            if shown[number]:
                when = (place * _SHOT_FRAMES + frame) / RATE
                found.append(Person(video, when, box, actions, (place, number)))
    return found
