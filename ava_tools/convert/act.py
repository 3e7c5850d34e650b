"""Pickles of the form of the ACT detector: JHMDB, UCF101-24 and MultiSports come so."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ava_tools.convert.annotations import AnnotatedFilm, Annotations
from ava_tools.convert.films import Films, film_name
from ava_tools.convert.pickled import Pickled
from ava_tools.convert.tubes import Tube, of_tubes
from ava_tools.errors import InputError


def read_act(source: Path, films: Films, file: str, held_back: str, rate: float | None = None) -> Annotations:
    """Read a file.

    ``gttubes[film][action]`` are arrays ``[frame, x1, y1, x2, y2]``, frames from 1; ``resolution[film]`` is height,
    width. Of several divisions into train and test the first one counts.

    Args:
        source: the file, or its folder.
        films: where times of frames come from.
        file: its name in a folder.
        held_back: what the split of ``test_videos`` is called.
        rate: frames a second, where no film says it.

    Raises:
        InputError: it is no such file.
    """
    data = Pickled(source, file)
    content = data.mapping(data.content, "its content", "labels", "gttubes", "resolution")
    names = [data.text(name, "a label") for name in data.sequence(content["labels"], "labels")]
    splits = _films_of(data, content.get("test_videos", []), held_back)
    splits |= _films_of(data, content.get("train_videos", []), "train")
    lengths = data.mapping(content.get("nframes", {}), "nframes")
    sizes = data.mapping(content["resolution"], "resolution")
    annotated, tubes = [], []
    for film, actions in data.mapping(content["gttubes"], "gttubes").items():
        name = film_name(data.text(film, "a film"))
        size = data.sequence(sizes.get(film, (0, 0)), f"resolution of {name}")
        if len(size) != 2:
            raise data.wrong(f"resolution of {name}", size, "height, width is expected")
        height, width = (data.whole(side, f"resolution of {name}") for side in size)
        count = data.whole(lengths[film], f"nframes of {name}") if film in lengths else None
        annotated.append(AnnotatedFilm(name, width, height, rate, count, split=splits.get(name)))
        for action, own in data.mapping(actions, f"gttubes of {name}").items():
            number = data.whole(action, f"an action of {name}")
            for tube in data.sequence(own, f"gttubes of {name}"):
                rows = data.rows(tube, 5, f"a tube of {name}")
                tubes.append(Tube(name, _frames(data, rows[:, 0], name) - 1, rows[:, 1:], number))
    return of_tubes(data.path, tubes, annotated, names, films)


def _films_of(data: Pickled, divisions: object, split: str) -> dict[str, str]:
    """The split of the films of a list, or of the first of several lists."""
    listed = data.sequence(divisions, f"the films of {split}")
    first = data.sequence(listed[0], f"the films of {split}") if listed and not isinstance(listed[0], str) else listed
    return {film_name(data.text(film, "a film")): split for film in first}


def _frames(data: Pickled, numbers: NDArray[np.float64], name: str) -> NDArray[np.int64]:
    if not (np.abs(numbers) < 1e9).all() or (numbers != np.floor(numbers)).any():  # NaN neither
        raise InputError(f"{data.path}: a tube of {name} has frames that are no whole numbers")
    return numbers.astype(np.int64)
