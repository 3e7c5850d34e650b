"""The films that annotations speak of: where each is, and which are missing or broken."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from ava_tools.errors import InputError
from ava_tools.media.probe import FILM_SUFFIXES, FilmInfo
from ava_tools.media.reader import open_film

_PROBES = 8  # films looked at together: opening one mostly waits for the disk


@dataclass(frozen=True)
class Library:
    """Films by the names that annotations give them.

    Attributes:
        films: those that can be read.
        missing: names without a film.
        broken: names of films that cannot be read, with the reason.
    """

    films: dict[str, FilmInfo]
    missing: tuple[str, ...]
    broken: dict[str, str]

    @property
    def report(self) -> tuple[str, ...]:
        """One sentence for the missing films and one for the broken ones; none if all is well."""
        total = len(self.films) + len(self.missing) + len(self.broken)
        sentences = []
        if self.missing:
            sentences.append(f"{len(self.missing):,} of {total:,} films are missing: {_some(self.missing)}")
        if self.broken:
            reasons = list(self.broken.values())
            sentences.append(f"{len(reasons):,} of {total:,} films cannot be read: {_some(reasons, '; ')}")
        return tuple(sentences)


def open_library(
    folder: Path, names: Iterable[str], frame_rate: float = 30.0, advance: Callable[[], None] = lambda: None
) -> Library:
    """Find films in a folder and look into each of them.

    Args:
        folder: of film files, or of folders of extracted frames.
        names: of the films as the annotations give them: a file's name without suffix (or with it), or a
            folder's name; within folders, FOLDER/NAME.
        frame_rate: images a second of folders of frames.
        advance: called after each film.

    Raises:
        InputError: the folder cannot be read.
    """
    try:
        present = sorted(folder.iterdir())
    except OSError as problem:
        raise InputError(f"{folder}: cannot be read as a folder of films ({problem.strerror})") from None
    places = _places(present)
    wanted = list(dict.fromkeys(names))
    listed: dict[Path, dict[str, Path]] = {}
    inner = {name: path for name in wanted if "/" in name and (path := find_film(folder, name, listed)) is not None}
    found = {name: path for name in wanted if (path := places.get(name) or inner.get(name)) is not None}

    return _looked_into(found, tuple(name for name in wanted if name not in found), frame_rate, advance)


def find_film(folder: Path, name: str, listed: dict[Path, dict[str, Path]] | None = None) -> Path | None:
    """A film, or a folder of frames, by the name that annotations give it; one in a folder within has that before it.

    Nothing outside the folder is ever found.

    Args:
        folder: of films.
        name: as annotations give it.
        listed: takes what the folders hold, so that each is listed once for many names.
    """
    *inner, own = name.split("/")
    if any(part in ("", ".", "..") for part in inner):
        return None
    place = folder.joinpath(*inner)
    listed = {} if listed is None else listed
    if place not in listed:
        try:
            listed[place] = _places(sorted(place.iterdir()))
        except (OSError, ValueError):  # no folder, or no name of one
            listed[place] = {}
    return listed[place].get(own)


def _places(paths: Sequence[Path]) -> dict[str, Path]:
    """Paths of a folder by the names that annotations may give them, with suffix or without."""
    places = {path.name: path for path in paths}
    return places | {path.stem: path for path in reversed(paths) if path.suffix.lower() in FILM_SUFFIXES}


def library_of(paths: Iterable[Path], frame_rate: float = 30.0) -> Library:
    """Films by their paths; each is called as its file without suffix, or as its folder of frames.

    Raises:
        InputError: two of them would have one name.
    """
    found: dict[str, Path] = {}
    for path in paths:
        name = path.name if path.is_dir() else path.stem
        if name in found:
            raise InputError(
                f"{path}: is called {name!r}, as {found[name]} is; films of one call need names of their own"
            )
        found[name] = path
    return _looked_into(found, (), frame_rate)


def _looked_into(
    found: Mapping[str, Path], missing: tuple[str, ...], frame_rate: float, advance: Callable[[], None] = lambda: None
) -> Library:
    """Films that are there, looked into side by side."""

    def look(path: Path) -> FilmInfo | str:
        try:
            with open_film(path, frame_rate, warn=False, threads=1) as film:
                return film.info
        except InputError as problem:
            return str(problem)
        finally:
            advance()

    with ThreadPoolExecutor(_PROBES) as pool:
        looked = dict(zip(found, pool.map(look, found.values()), strict=True))
    return Library(
        films={name: info for name, info in looked.items() if isinstance(info, FilmInfo)},
        missing=missing,
        broken={name: reason for name, reason in looked.items() if isinstance(reason, str)},
    )


def _some(texts: Iterable[str], comma: str = ", ", most: int = 5) -> str:
    listed = list(texts)
    return comma.join(listed[:most]) + (f"{comma}..." if len(listed) > most else "")
