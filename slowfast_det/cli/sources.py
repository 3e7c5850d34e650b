"""What a SOURCE on the command line may be: a film, a folder, a pattern."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from ava_tools.errors import InputError
from ava_tools.media.frame_folder import image_files
from ava_tools.media.probe import FILM_SUFFIXES


def expand_sources(sources: Sequence[str]) -> tuple[list[Path], list[str]]:
    """Films and frame folders that the sources stand for, each once, in the order given.

    A folder is its films; without films, itself as a folder of frames; without images either, each of
    its folders of frames, or the films of its folders.

    Returns:
        The films, and one sentence for each source that stands for none.
    """
    films: dict[Path, None] = {}
    problems = []
    for source in sources:
        try:
            films |= dict.fromkeys(_expand(source))
        except (InputError, OSError) as problem:
            problems.append(str(problem))
    return list(films), problems


def _expand(source: str) -> list[Path]:
    path = Path(source)
    if path.is_dir():
        return _in_folder(path)
    if not path.exists() and glob.has_magic(source):
        found = []
        for match in sorted(glob.glob(source, recursive=True)):
            with suppress(InputError):  # a folder without films among those that fit
                found += _expand(match)
        if not found:
            raise InputError(f"{source}: the pattern fits no film")
        return found
    if not path.exists():
        raise InputError(f"{source}: no such file or folder")
    return [path]


def _in_folder(folder: Path) -> list[Path]:
    if films := _films(folder):
        return films
    if image_files(folder):
        return [folder]
    frame_folders = sorted(path for path in folder.iterdir() if path.is_dir() and image_files(path))
    nested = [film for path in sorted(folder.iterdir()) if path.is_dir() for film in _films(path)]
    if nested and not frame_folders:  # a folder a class
        return nested
    if not frame_folders:
        raise InputError(f"{folder}: the folder holds neither films nor images")
    return frame_folders


def _films(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in FILM_SUFFIXES and path.is_file())
