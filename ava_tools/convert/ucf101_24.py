"""UCF101-24 as it was corrected: pyannot.pkl, tubes in films of 320x240 pixels and 25 frames a second."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ava_tools.convert.annotations import AnnotatedFilm, Annotations
from ava_tools.convert.films import Films, film_name
from ava_tools.convert.pickled import Pickled
from ava_tools.convert.tubes import Tube, of_tubes
from ava_tools.errors import InputError

_WIDTH, _HEIGHT, _RATE = 320, 240, 25.0
_MOST_ACTIONS = 1000


def read(source: Path, films: Films) -> Annotations:
    """Read the pickle, or that of a folder; trainlist01.txt and testlist01.txt beside it make splits.

    An action is called as the folder of the films that show it.

    Raises:
        InputError: it is no such file.
    """
    data = Pickled(source, "pyannot.pkl")
    splits = _splits(data.path.parent)
    annotated, tubes = [], []
    names: dict[int, str] = {}
    for key, entry in data.mapping(data.content, "its content").items():
        name = film_name(str(key))
        about = data.mapping(entry, f"the entry of {name}", "annotations")
        count = data.whole(about["numf"], f"numf of {name}") if "numf" in about else None
        annotated.append(AnnotatedFilm(name, _WIDTH, _HEIGHT, _RATE, count, split=splits.get(name)))
        for content in data.sequence(about["annotations"], f"annotations of {name}"):
            tube = _tube(data, name, content)
            names.setdefault(tube.action, name.split("/")[0] if "/" in name else f"action {tube.action + 1}")
            tubes.append(tube)
    last = max(names, default=-1)
    if last >= _MOST_ACTIONS:
        raise InputError(f"{data.path}: has the action {last}; numbers from 0 to {_MOST_ACTIONS - 1} are expected")
    actions = [names.get(number, f"action {number + 1}") for number in range(last + 1)]
    return of_tubes(data.path, tubes, annotated, actions, films)


def _tube(data: Pickled, name: str, content: object) -> Tube:
    """Box i is that of frame ``sf + i``, ``ef`` is the first frame after them."""
    about = data.mapping(content, f"a tube of {name}", "label", "sf", "ef", "boxes")
    label, first, end = (data.whole(about[key], f"{key} of {name}") for key in ("label", "sf", "ef"))
    rows = data.rows(about["boxes"], 4, f"boxes of {name}")
    if len(rows) != end - first:
        raise InputError(f"{data.path}: a tube of {name} has {len(rows)} boxes for the frames {first} to {end - 1}")
    rows[:, 2:] += rows[:, :2]  # width and height
    return Tube(name, np.arange(first, end), rows, label)


def _splits(folder: Path) -> dict[str, str]:
    """Films of the official lists, a line each: ``Basketball/v_Basketball_g08_c01.avi 1``."""
    splits: dict[str, str] = {}
    for split in ("train", "test"):
        path = folder / f"{split}list01.txt"
        if path.is_file():
            lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
            splits |= {film_name(line.split()[0]): split for line in lines if line.strip()}
    return splits
