"""Films beside annotations: what the annotations leave open (sizes, times of frames) the films say."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ava_tools.convert.annotations import AnnotatedFilm
from ava_tools.errors import InputError
from ava_tools.media.frame_folder import image_files
from ava_tools.media.frame_times import frame_times
from ava_tools.media.library import find_film
from ava_tools.media.probe import FILM_SUFFIXES, FilmInfo
from ava_tools.media.reader import open_film

_SLOWEST, _FASTEST = 0.01, 1000  # frames a second
_SAME = 1e-3  # seconds, and frames, by which times of one frame may differ through rounding

_MOST_DIGITS = 7  # of a frame's number
_NUMBER = re.compile(r"[\W_]*(frame|image|img)?[\W_]*\d+$", re.IGNORECASE)  # of a frame, at the end of its image's name

_ELSEWHERE = re.compile(r"[a-z][a-z0-9+.-]*:/", re.IGNORECASE)  # a drive, or an address


class Films:
    """A folder of films, each looked into when something is asked of it; or none."""

    def __init__(self, folder: Path | None = None, frame_rate: float | None = None) -> None:
        """``frame_rate``: images a second of folders of frames, and of films that are not there."""
        self.folder = folder
        self.frame_rate = frame_rate
        self._listed: dict[Path, dict[str, Path]] = {}
        self._known: dict[str, FilmInfo | None] = {}
        self._times: dict[str, NDArray[np.float64]] = {}
        self._images: dict[str, dict[str, int]] = {}
        self._film_of_images: dict[tuple[str, str], str] = {}
        self._image_of_frame: dict[tuple[str, int], str] = {}

    def info(self, name: str) -> FilmInfo | None:
        """The film; None if it is not there or cannot be read (`validate` says more)."""
        if name not in self._known:
            self._known[name] = self._look(name)
        return self._known[name]

    def _look(self, name: str) -> FilmInfo | None:
        path = None if self.folder is None else find_film(self.folder, name, self._listed)
        if path is None:
            return None
        try:
            with open_film(path, self.frame_rate or 30.0, warn=False, threads=1) as film:
                return film.info
        except InputError:
            return None

    def size(self, name: str, annotated: tuple[int, int] = (0, 0)) -> tuple[int, int]:
        """Width and height of a film's frames; the annotations' own count first, their pixels are meant.

        Raises:
            InputError: neither they nor a film say it.
        """
        if min(annotated) < 0:
            raise InputError(f"{name}: has a width of {annotated[0]} and a height of {annotated[1]} in its annotations")
        if all(annotated):
            return annotated
        info = self.info(name)
        if info is None:
            raise InputError(f"{name}: its width and height are not in the annotations; {self._needed(name)}")
        return info.width, info.height

    def seconds(
        self, name: str, frames: Sequence[int] | NDArray[np.int64], annotated_rate: float | None = None
    ) -> NDArray[np.float64]:
        """When frames are shown: as the film says, else by a steady rate.

        Args:
            name: the film.
            frames: numbers of frames from 0.
            annotated_rate: frames a second as the annotations have it.

        Raises:
            InputError: there is neither a film nor a rate.
        """
        numbers = np.asarray(frames, dtype=np.int64)
        info = self.info(name)
        if info is not None and info.path.is_file():
            if name not in self._times:
                self._times[name] = frame_times(info.path)
            times = self._times[name]
            inside = np.clip(numbers, 0, len(times) - 1)
            return np.asarray(times[inside] + (numbers - inside) / float(info.rate))  # beyond the end: for validate
        if info is not None and self.frame_rate is None:
            self.frame_rate = annotated_rate  # folders of frames share one rate in a data set
        rate = self.frame_rate or annotated_rate or (30.0 if info is not None else None)
        if rate is None:
            raise InputError(f"{name}: its frames a second are not in the annotations; {self._needed(name)}")
        if not _SLOWEST <= rate <= _FASTEST:
            raise InputError(f"{name}: has {rate:g} frames a second; {_SLOWEST:g} to {_FASTEST:g} are expected")
        return numbers / rate

    def frames(self, film: AnnotatedFilm, seconds: NDArray[np.float64]) -> NDArray[np.int64]:
        """Numbers of the frames that are shown at some times; the way back from `seconds`.

        Raises:
            InputError: there is neither a film nor a rate.
        """
        step = float(self.seconds(film.name, [1], film.rate)[0])
        times = self._times.get(film.name)
        if times is not None:
            after = np.searchsorted(times, seconds + _SAME, side="right") - 1
            return np.asarray(np.clip(after, 0, len(times) - 1), dtype=np.int64)
        return np.floor(seconds / step + _SAME).astype(np.int64)

    def called(self, *names: str) -> str:
        """The first of some names that a film has; the first one if none has."""
        return next((name for name in names if self.info(name) is not None), names[0])

    def place_in_folder(self, name: str, image: str, number: int) -> int:
        """Which frame of a folder of frames an image is; ``number`` where the folder is not there."""
        info = self.info(name)
        if info is None or not info.path.is_dir():
            return number
        if name not in self._images:
            self._images[name] = {path.name: place for place, path in enumerate(image_files(info.path))}
        if image not in self._images[name]:
            raise InputError(f"{info.path}: holds no image {image}, which is annotated")
        return self._images[name][image]

    def place(self, image: str, number: int, otherwise: str = "images") -> tuple[str, int]:
        """The film of an image, and which of its frames it is: FILM/000123.jpg, or FILM_000123.jpg.

        Args:
            image: its path as annotations give it.
            number: of the frame, where its name has none.
            otherwise: the film, where its path names none.
        """
        path = Path(image.replace("\\", "/"))
        folder = path.parent.as_posix()
        stem = _NUMBER.sub("", path.stem)
        if (folder, stem) not in self._film_of_images:
            self._film_of_images[folder, stem] = self._film_of_image(folder, stem) or otherwise
        film = self._film_of_images[folder, stem]
        frame = self.place_in_folder(film, path.name, frame_number(image, number))
        other = self._image_of_frame.setdefault((film, frame), image)
        if other != image:
            raise InputError(
                f"the images {other!r} and {image!r} would both be frame {frame} of {film}; a folder for each film is "
                "expected, and names that end with the frame's number"
            )
        return film, frame

    def _film_of_image(self, folder: str, stem: str) -> str:
        """Of what the path of an image may say, the first that is a film here; else its folder, else its name."""
        whole = "" if folder == "." else film_name(folder)
        named = [whole, Path(whole).name, stem, f"{whole}/{stem}"]
        names = [name for name in named if name and not name.startswith("/")]
        return next((name for name in names if self.info(name) is not None), names[0] if names else "")

    def _needed(self, name: str) -> str:
        where = (
            "--videos FOLDER is expected" if self.folder is None else f"and {self.folder} holds no film of that name"
        )
        return f"{where} (or --frame-rate)"


def is_film_file(file: str) -> bool:
    """Whether a file is called like a film."""
    return Path(file).suffix.lower() in FILM_SUFFIXES


def frame_number(image: str, otherwise: int) -> int:
    """The last number in the name of an image; longer ones, of clocks and cameras, count no frames."""
    found = [digits for digits in re.findall(r"\d+", Path(image).stem) if len(digits.lstrip("0")) <= _MOST_DIGITS]
    return int(found[-1]) if found else otherwise


def film_name(file: str) -> str:
    """What tables call a film file: no suffix; of an absolute path or an address the file's name alone."""
    path = Path(file.replace("\\", "/").strip())
    elsewhere = path.is_absolute() or ".." in path.parts or _ELSEWHERE.match(path.as_posix())
    path = Path(path.name) if elsewhere else path
    return (path.with_suffix("") if path.suffix.lower() in FILM_SUFFIXES else path).as_posix()
