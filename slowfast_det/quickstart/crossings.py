"""Films in which figures cross and hide each other, with truth of who is who and from when to when they do what."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import numpy as np

from ava_tools.boxes import pairwise_iou
from ava_tools.errors import InputError
from ava_tools.tables import format_timestamp
from slowfast_det.quickstart.acts import ACTIONS
from slowfast_det.quickstart.encounters import PAUSE, Encounters
from slowfast_det.quickstart.films import RATE, write_film
from slowfast_det.quickstart.intervals import scene_intervals
from slowfast_det.quickstart.scenes import Scene
from slowfast_det.quickstart.visibility import in_picture, seen

_MANIFEST = """films: films
labels: labels.csv
time_origin: 0
splits:
  test: {truth: truth.csv}
"""


def write_crossing_films(
    folder: Path,
    seed: int = 0,
    films: int = 6,
    seconds: float = 30.0,
    *,
    every: float | None = None,
    pause: float = PAUSE,
) -> None:
    """Write ``films/*.mp4``, their truth and a manifest: films of one shot in which figures cross all the time.

    ``truth.csv`` is AVA's, ``video,timestamp,x1,y1,x2,y2,action_id,person``: a row for each action of each figure of
    which enough is seen (see `seen`), with the number of the figure in its film; boxes go on behind other figures. A
    moment with nobody is a row ``video,timestamp``. ``intervals.csv`` has a header and rows
    ``video,person,action_id,start,end``, seconds from the film's start, of the time that a figure is in the picture.

    Args:
        folder: a new or empty one.
        seed: decides everything; the first films are the same however many follow.
        films: how many.
        seconds: how long each is.
        every: seconds from one moment of the truth to the next; None: it has every frame.
        pause: seconds from one encounter to the next.

    Raises:
        InputError: the folder holds something.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder}: holds other things; a new or empty folder is expected")
    (folder / "films").mkdir(parents=True)
    (folder / "dataset.yaml").write_text(_MANIFEST, encoding="utf-8")
    lines = ["id,name", *(f"{number},{name}" for number, name in enumerate(ACTIONS, start=1))]
    (folder / "labels.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    with (
        (folder / "truth.csv").open("w", encoding="utf-8") as truth,
        (folder / "intervals.csv").open("w", encoding="utf-8") as intervals,
    ):
        intervals.write("video,person,action_id,start,end\n")
        for number in range(films):
            scene, video = crossing_scene(seed, number, seconds, pause), f"crossing_{number:03d}"
            write_film(folder / "films" / f"{video}.mp4", [scene], round(seconds * RATE))
            truth.writelines(_truth_rows(scene, video, seconds, every))
            intervals.writelines(_interval_rows(scene, video, seconds))


def crossing_scene(seed: int, number: int, seconds: float, pause: float = PAUSE) -> Scene:
    """What film ``number`` of `write_crossing_films` shows."""
    random = np.random.default_rng([seed, 6, number])  # 0 to 5 decide other films
    return Scene(random, Encounters(random).groups(seconds, pause), seconds)


def key_frames(seconds: float, every: float | None = None) -> Iterator[tuple[float, float]]:
    """Moments of a film, ``every`` so many seconds or at each frame, and the time of the frame that is shown then."""
    step = 1 / RATE if every is None else every
    frames = round(seconds * RATE)
    for number in count():
        time = round(number * step, 6)
        frame = int(time * RATE + 0.001)
        if frame >= frames:
            return
        yield time, frame / RATE


def crossing_minutes(scene: Scene, seconds: float, least_iou: float = 0.0) -> float:
    """Figure-minutes of crossing: the time that a figure's box overlaps another's, summed over the figures.

    Args:
        scene: the figures; those hidden by others count too, those out of the picture do not.
        seconds: how long it is seen.
        least_iou: overlaps count that are larger.
    """
    frames = 0
    for _, time in key_frames(seconds):
        _, boxes = in_picture(scene, time)
        overlap = pairwise_iou(boxes, boxes)
        np.fill_diagonal(overlap, 0)
        frames += int((overlap > least_iou).any(axis=1).sum())
    return frames / RATE / 60


def _truth_rows(scene: Scene, video: str, seconds: float, every: float | None) -> Iterator[str]:
    for timestamp, time in key_frames(seconds, every):
        moment = f"{video},{format_timestamp(timestamp)}"
        there, actions = seen(scene, time), scene.actions(time)
        if not len(there.figures):
            yield f"{moment}\n"
        for figure, box in zip(there.figures.tolist(), there.boxes.tolist(), strict=True):
            coordinates = ",".join(f"{value:.6f}" for value in box)
            for action in actions[figure]:
                yield f"{moment},{coordinates},{ACTIONS.index(action) + 1},{figure}\n"


def _interval_rows(scene: Scene, video: str, seconds: float) -> Iterator[str]:
    for figure, action, start, end in scene_intervals(scene, seconds):
        yield f"{video},{figure},{ACTIONS.index(action) + 1},{start:.3f},{end:.3f}\n"
