"""Persons of key frames on disk as they are found, so that an interrupted work goes on where it was."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np

from ava_tools.atomic import replacing
from ava_tools.errors import InputError
from ava_tools.media.library import Library
from ava_tools.media.probe import FilmInfo
from ava_tools.safe_pickle import shown
from ava_tools.settings import read_text
from slowfast_det.moments import Moment
from slowfast_det.smoothing import Sighting

_SETTINGS = "settings.json"
_PARTS = "part-*.jsonl"
_LONGEST = 1_000_000  # bytes of a line; a hundred persons are a hundredth of it


class SightingLog:
    """A folder of json lines, one a key frame; each process appends to a file of its own."""

    def __init__(self, folder: Path, library: Library, num_classes: int) -> None:
        """Say what belongs in it; nothing is read or written yet.

        Args:
            folder: may not exist.
            library: the films; what was found in others, or in films that were replaced since, does not count.
            num_classes: of the detector.
        """
        self._folder = folder
        self._films = {name: _mark(info) for name, info in library.films.items()}
        self._num_classes = num_classes
        self._own = folder / _PARTS.replace("*", uuid4().hex)

    def begin(self, settings: Mapping[str, Any], overwrite: bool) -> None:
        """Make the folder, or make sure that it was begun with the same settings.

        Args:
            settings: what decides about what is found; json can write them.
            overwrite: forget what was found with others.

        Raises:
            InputError: it was begun with others.
        """
        path = self._folder / _SETTINGS
        self._folder.mkdir(parents=True, exist_ok=True)
        parts = list(self._folder.glob(_PARTS))
        wanted = json.loads(json.dumps(settings))
        begun: Any = None
        with suppress(ValueError, OSError, InputError, RecursionError):
            begun = json.loads(read_text(path))
        if parts and begun != wanted:
            if not overwrite:
                raise InputError(f"{self._folder}: {_difference(begun, wanted)}; --overwrite begins anew")
            for part in parts:
                part.unlink()
        with replacing(path) as temporary:
            temporary.write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")

    def read(self) -> dict[Moment, Sighting[str]]:
        """All that was found before; what is no whole, sound line is forgotten.

        Raises:
            InputError: something else than a file is in the place of one.
        """
        found = {}
        for path in sorted(self._folder.glob(_PARTS)):
            if not path.is_file():
                raise InputError(f"{path}: is no regular file; delete it")
            with path.open("rb") as file:
                for line in iter(partial(file.readline, _LONGEST), b""):
                    with suppress(ValueError, KeyError, TypeError, IndexError, OverflowError, RecursionError):
                        sighting = self._parsed(json.loads(line))
                        found[Moment(sighting.of, sighting.time)] = sighting
        return found

    def write(self, sighting: Sighting[str]) -> None:
        """Add a key frame; it outlives whatever happens to this process.

        Raises:
            InputError: it cannot be written.
        """
        rows = zip(sighting.boxes.tolist(), sighting.scores.tolist(), sighting.classes.tolist(), strict=True)
        content = {
            "video": sighting.of,
            "film": self._films[sighting.of],
            "time": sighting.time,
            "persons": [[*box, score, kind] for box, score, kind in rows],
        }
        try:
            with self._own.open("a", encoding="utf-8") as file:
                file.write(json.dumps(content) + "\n")
        except OSError as problem:
            raise InputError(
                f"{self._own}: cannot be written ({problem.strerror}); what it holds already is not lost"
            ) from None

    def _parsed(self, entry: Any) -> Sighting[str]:
        """A line's content; whatever is no such line fails with one of Python's usual errors."""
        persons = np.array(entry["persons"], dtype=np.float64).reshape(-1, 6)
        boxes, scores, classes = persons[:, :4], persons[:, 4], persons[:, 5]
        sound = (
            self._films[entry["video"]] == entry["film"]
            and bool(((persons[:, :5] >= 0) & (persons[:, :5] <= 1)).all())
            and bool((boxes[:, :2] <= boxes[:, 2:]).all())
            and bool(np.isin(classes, range(self._num_classes)).all())
        )
        if not sound:
            raise ValueError
        return Sighting(float(entry["time"]), boxes, scores, classes.astype(np.int64), entry["video"])


def _mark(info: FilmInfo) -> str:
    """What tells a film from one that takes its place; copies of it are the same."""
    size = info.path.stat().st_size if info.path.is_file() else 0
    return f"{info.width}x{info.height} {info.rate} {info.duration} {size}"


def _difference(begun: Any, wanted: Mapping[str, Any]) -> str:
    if not isinstance(begun, Mapping):
        return f"its {_SETTINGS}, which say how the key frames in it were found, are missing or not readable"
    keys = [key for key in {**begun, **wanted} if begun.get(key) != wanted.get(key)]
    told = ", ".join(
        f"{shown(str(key))} was {shown(str(begun.get(key)))} and is {shown(str(wanted.get(key)))}" for key in keys[:3]
    )
    return f"holds what was found otherwise: {told}"
