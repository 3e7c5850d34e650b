"""Films of which each has one class, as in Kinetics: where each is, and what its class is called."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ava_tools.class_lists import SPLIT_WORDS, FilmList, ListedFilm, read_film_list, split_words
from ava_tools.class_names import ClassNames, class_list_in, listed_classes, named_classes, written_classes
from ava_tools.errors import InputError
from ava_tools.labels import Labels
from ava_tools.media.frame_folder import image_files
from ava_tools.media.library import find_film
from ava_tools.media.probe import FILM_SUFFIXES

_LIST_SUFFIXES = (".csv", ".txt")
_SPLITS = {word for words in SPLIT_WORDS.values() for word in words}


class MissingSplitError(InputError):
    """The data have no such part."""


@dataclass(frozen=True, eq=False)
class ClassFilms:
    """The films of a split.

    Attributes:
        paths: of F films, or of folders of their frames.
        classes: ``int64[F]`` columns of ``labels``, from 0, as PySlowFast's files count.
        labels: the classes, in the order of a network's outputs. Their ids are those of the list of class names, which
            may begin at 0 (Kinetics') or 1; without a list an id is the column itself.
        notes: one sentence each for films that are missing or given twice, and for what else is worth knowing.
    """

    paths: tuple[Path, ...]
    classes: NDArray[np.int64]
    labels: Labels
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.paths)

    @property
    def counts(self) -> NDArray[np.int64]:
        """``int64[N]`` films of each class."""
        return np.bincount(self.classes, minlength=len(self.labels)).astype(np.int64)


@dataclass(frozen=True)
class _Found:
    """A film that is there; ``where`` it is named, for sentences."""

    path: Path
    column: int
    where: str


def read_class_films(
    data: str | Path,
    split: str,
    films: str | Path | None = None,
    labels: str | Path | None = None,
    known: Labels | None = None,
) -> ClassFilms:
    """Read which films a split has, and the class of each.

    Films may be given as PySlowFast's list of ``path label`` or as Kinetics' csv (see `read_film_list`), or as a folder
    of films for each class. Films of a list that are not there are left out, and told.

    Args:
        data: a folder with SPLIT.csv, SPLIT.txt or a folder SPLIT of class folders; or one such list or folder itself.
        split: train, val, test or another name.
        films: folder that the paths of a list count from; None: that of the list.
        labels: list of class names (see `read_labels`); numbers in lists of films count its entries from 0, in the
            order of their ids. None: the one beside the films that is called so (labels.csv, classes.txt,
            kinetics_classnames.json, ...); without any, names are ordered by the alphabet, and numbers have no names.
        known: the classes that the films must have, as those of the training split; then no list is read.

    Raises:
        InputError: nothing of that kind is there, a line is wrong, a class is not known, a film of a path list has
            two classes, or no film is left.
    """
    data = Path(data)
    source = _source(data, split)
    given = None if labels is None else Path(labels)
    if source.is_dir():
        if films is not None:
            raise InputError(
                f"{source}: is a folder of films; {films} as the folder of films makes sense only for a list"
            )
        return _from_folders(source, split, _class_names(known, given, (source, data)))
    listed = read_film_list(source, split, source.parent if films is None else Path(films))
    return _from_list(listed, split, _class_names(known, given, (source.parent,)), known is None)


def _source(data: Path, split: str) -> Path:
    """The list or folder of a split."""
    if not data.is_dir():
        if not data.exists():
            raise InputError(f"{data}: no such file or folder; a folder of films or a list of them is expected")
        return data
    words = split_words(split)
    for word in words:
        for place in (*(data / f"{word}{suffix}" for suffix in _LIST_SUFFIXES), data / word):
            if place.exists():
                return place
    named = re.compile(rf"(?:.*[^a-z])?(?:{'|'.join(map(re.escape, words))})(?:list)?(?:[^a-z].*)?", re.IGNORECASE)
    inside = sorted(data.iterdir())
    lists = [path for path in inside if path.suffix.lower() in _LIST_SUFFIXES and named.fullmatch(path.stem)]
    if len(lists) == 1:
        return lists[0]
    if lists:
        raise InputError(f"{data}: several lists may be of {split!r}: {', '.join(path.name for path in lists)}")
    others = [path.name for path in inside if path.stem.lower() in _SPLITS]
    if others or not any(path.is_dir() for path in inside):
        has = f"it has {', '.join(others)}" if others else "it has no folder of a class either"
        expected = f"{split}.csv, {split}.txt or a folder of that name"
        raise MissingSplitError(f"{data}: has no split {split!r} ({expected}); {has}")
    return data


def _class_names(known: Labels | None, given: Path | None, places: Sequence[Path]) -> ClassNames | None:
    """The classes that are known before the films are read; None: the films decide."""
    if known is not None:
        return ClassNames(known, f"the {len(known):,} known classes")
    if given is not None:
        return listed_classes(given)
    beside = class_list_in(places)
    return None if beside is None else listed_classes(beside)


def _from_folders(source: Path, split: str, classes: ClassNames | None) -> ClassFilms:
    """Films, or folders of their frames, of one folder a class."""
    inside = sorted(path for path in source.iterdir() if not path.name.startswith("."))
    films = {folder: _films(folder) for folder in inside if folder.is_dir()}
    full = {folder: own for folder, own in films.items() if own}
    if not full:
        loose = next((path.name for path in inside if path.suffix.lower() in FILM_SUFFIXES), None)
        lies = f"; {loose} lies in it without a class" if loose else ""
        raise InputError(
            f"{source}: no folder in it has films; one folder a class, or a list of films, is expected{lies}"
        )
    classes = classes or named_classes(folder.name for folder in full)
    found = []
    for folder, own in full.items():
        column = classes.column(folder.name, str(folder), numbered=False)
        found += [_Found(path, column, str(path)) for path in own]
    empty = [folder.name for folder in films if folder not in full]
    notes = [f"{source}: folders without films are no classes: {_some(empty)}"] if empty else []
    lost = [path.name for folder in films for path in folder.iterdir() if path.is_symlink() and not path.exists()]
    notes += [f"{source}: {len(lost):,} links lead nowhere: {_some(sorted(lost))}"] if lost else []
    return _class_films(found, split, classes, notes)


def _films(folder: Path) -> list[Path]:
    inside = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    return [
        path
        for path in inside
        if (path.is_file() and path.suffix.lower() in FILM_SUFFIXES) or (path.is_dir() and image_files(path))
    ]


def _from_list(listed: FilmList, split: str, classes: ClassNames | None, decides: bool) -> ClassFilms:
    """Films of a list; classes are those of all its rows, so that a missing film moves no class."""
    labels, places = [film.label for film in listed.films], [listed.where(film) for film in listed.films]
    if classes is None:
        decides = False
        classes = written_classes(labels, places) if listed.numbered else named_classes(labels)
    columns = [classes.column(label, where, listed.numbered) for label, where in zip(labels, places, strict=True)]
    listings: dict[Path, dict[str, Path]] = {}
    paths = [_existing(film, listings) for film in listed.films]
    missing = [film.names[0] for film, path in zip(listed.films, paths, strict=True) if path is None]
    if len(missing) == len(paths):
        sought = listed.films[0].places
        raise InputError(
            f"{listed.path}: none of its {len(missing):,} films is there (films names another folder); the "
            f"first would be {next(sought)}"
        )
    notes = _offset_note(listed, columns, classes) if decides else []
    if missing:
        notes.append(f"{listed.path}: {len(missing):,} of {len(paths):,} films are missing: {_some(missing)}")
    there = zip(paths, columns, places, strict=True)
    found = [_Found(path, column, where) for path, column, where in there if path is not None]
    once, repeated = _once(found, classes.labels, strict=listed.numbered)
    if not once:
        raise InputError(f"{listed.path}: each of its films has several classes; one is expected")
    return _class_films(once, split, classes, notes + repeated)


def _existing(film: ListedFilm, listings: dict[Path, dict[str, Path]]) -> Path | None:
    """Where a listed film, or a folder of its frames, is; each folder is listed once, so that network disks keep up."""
    paths = map(Path, film.places)
    return next((found for path in paths if (found := find_film(path.parent, path.name, listings)) is not None), None)


def _offset_note(listed: FilmList, columns: Sequence[int], classes: ClassNames) -> list[str]:
    """Whoever numbers from 1 should see what that means here."""
    least = min(columns)
    numbers = listed.numbered and all(film.label.isdecimal() for film in listed.films)
    if least == 0 or classes.labels.ids[0] == 0 or not numbers:
        return []
    name = classes.labels.names[least]
    return [f"{listed.path}: no film has the number 0, from which classes are counted; {least} stands for {name!r}"]


def _once(found: Sequence[_Found], labels: Labels, strict: bool) -> tuple[list[_Found], list[str]]:
    """Each film once, and sentences on those that were there twice.

    Args:
        found: films as their list has them.
        labels: names of the columns.
        strict: whether a film of two classes is an error; else it is left out.
    """
    once: dict[str, _Found] = {}
    torn: set[str] = set()
    for film in found:
        place = os.path.abspath(film.path)
        first = once.setdefault(place, film)
        if first.column != film.column:
            if strict:
                names = labels.names[film.column], labels.names[first.column]
                raise InputError(
                    f"{film.where}: {film.path.name} is of the class {names[0]!r}, but of {names[1]!r} in "
                    f"{first.where}; a film has one class"
                )
            torn.add(place)
    again = len(found) - len(once)
    notes = [f"films that are listed again count once; there are {again:,} such lines"] if again else []
    if torn:
        notes.append(f"films of several classes are left out: {_some([Path(place).name for place in sorted(torn)])}")
    return [film for place, film in once.items() if place not in torn], notes


def _class_films(found: Sequence[_Found], split: str, classes: ClassNames, notes: Sequence[str]) -> ClassFilms:
    films = ClassFilms(
        tuple(film.path for film in found),
        np.array([film.column for film in found], dtype=np.int64),
        classes.labels,
        tuple(notes),
    )
    without = [name for name, count in zip(classes.labels.names, films.counts, strict=True) if not count]
    if not without:
        return films
    note = f"{split}: {len(without):,} of {len(classes.labels):,} classes have no film: {_some(without)}"
    return replace(films, notes=(*notes, note))


def _some(texts: Sequence[str], most: int = 5) -> str:
    return ", ".join(texts[:most]) + (", ..." if len(texts) > most else "")
