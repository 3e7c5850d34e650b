"""Persons of key frames on disk as they are found, so that an interrupted work goes on where it was."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np

from ava_tools.atomic import replacing
from ava_tools.errors import InputError
from ava_tools.media.library import Library
from ava_tools.media.probe import FilmInfo
from slowfast_det.moments import Moment
from slowfast_det.smoothing import Sighting

_SETTINGS = "settings.json"
_PARTS = "part-*.jsonl"


class SightingLog:
    """A folder of json lines, one a key frame; each process appends to a file of its own."""

    def __init__(self, folder: Path, library: Library) -> None:
        """``library``: the films; what was found in others, or in films that were replaced since, does not count."""
        self._folder = folder
        self._films = {name: _mark(info) for name, info in library.films.items()}
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
        wanted = json.loads(json.dumps(settings))
        begun: Any = wanted
        if path.is_file():
            with suppress(ValueError, OSError):
                begun = json.loads(path.read_text(encoding="utf-8"))
        if begun != wanted:
            if not overwrite:
                raise InputError(f"{self._folder}: {_difference(begun, wanted)}; --overwrite begins anew")
            for part in self._folder.glob(_PARTS):
                part.unlink()
        with replacing(path) as temporary:
            temporary.write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")

    def read(self) -> dict[Moment, Sighting[str]]:
        """All that was found before; a line that was cut off is forgotten."""
        found = {}
        for path in sorted(self._folder.glob(_PARTS)):
            for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
                with suppress(ValueError, KeyError, TypeError, IndexError):
                    entry = json.loads(line)
                    sighting = _parsed(entry)
                    if self._films.get(sighting.of) == entry["film"]:
                        found[Moment(sighting.of, sighting.time)] = sighting
        return found

    def write(self, sightings: Iterable[Sighting[str]]) -> None:
        """Add key frames; they outlive whatever happens to this process."""
        lines = [json.dumps(self._as_json(sighting)) + "\n" for sighting in sightings]
        with self._own.open("a", encoding="utf-8") as file:
            file.write("".join(lines))

    def _as_json(self, sighting: Sighting[str]) -> dict[str, Any]:
        rows = zip(sighting.boxes.tolist(), sighting.scores.tolist(), sighting.classes.tolist(), strict=True)
        return {
            "video": sighting.of,
            "film": self._films[sighting.of],
            "time": sighting.time,
            "persons": [[*box, score, kind] for box, score, kind in rows],
        }


def _mark(info: FilmInfo) -> str:
    """What tells a film from one that takes its place; copies of it are the same."""
    size = info.path.stat().st_size if info.path.is_file() else 0
    return f"{info.width}x{info.height} {info.rate} {info.duration} {size}"


def _parsed(entry: Any) -> Sighting[str]:
    """A line's content; whatever is no such line fails with one of Python's usual errors."""
    persons = np.array(entry["persons"], dtype=np.float64).reshape(-1, 6)
    if not isinstance(entry["video"], str) or not np.isfinite(persons).all():
        raise ValueError
    boxes, scores, classes = persons[:, :4], persons[:, 4], persons[:, 5].astype(np.int64)
    return Sighting(float(entry["time"]), boxes, scores, classes, entry["video"])


def _difference(begun: Any, wanted: Mapping[str, Any]) -> str:
    if not isinstance(begun, Mapping):
        return "its settings are not readable"
    keys = [key for key in {**begun, **wanted} if begun.get(key) != wanted.get(key)]
    told = ", ".join(f"{key} was {begun.get(key)} and is {wanted.get(key)}" for key in keys[:3])
    return f"holds what was found otherwise: {told}"
