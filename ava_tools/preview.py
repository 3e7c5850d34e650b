"""The truth of a data set on its pictures: a sheet of key frames, or one film."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ava_tools.boxes import Boxes, to_pixels
from ava_tools.convert.annotations import NOBODY, Annotations
from ava_tools.convert.folder import annotations_of
from ava_tools.errors import InputError
from ava_tools.manifest import DataSet
from ava_tools.media.draw import BoxPainter, font_path
from ava_tools.media.frames import Image
from ava_tools.media.library import Library, open_library
from ava_tools.media.probe import FilmInfo
from ava_tools.media.reader import open_film
from ava_tools.media.writer import FilmWriter
from ava_tools.tables import COORDINATES, KEY, read_truth

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

_SAME = Fraction(1, 1000)  # seconds by which a timestamp may lie before its frame, through rounding
_LINES = 4  # actions written on a person at most
_LONGEST = 30  # characters of an action
_SHEET = 1920  # pixels, width of a sheet at most
_CELL = 480 * 300  # pixels of a picture on a sheet
_FEW = 24  # pictures; fewer are larger, up to twice as wide
_LETTERS = 15  # pixels
_GAP = 10  # pixels between pictures
_LEAST_SIDE = 480  # pixels of a film's shorter side; smaller ones are enlarged, so that names can be read


@dataclass(frozen=True)
class Shown:
    """The truth of one key frame.

    Attributes:
        time: seconds from the film's start.
        boxes: ``[K, 4]``, 0-1 of the frame.
        persons: ``[K]`` identities, or numbers.
        texts: K; a line an action.
    """

    video: str
    time: float
    boxes: Boxes
    persons: NDArray[np.int64]
    texts: tuple[str, ...]


@dataclass(frozen=True)
class Truth:
    """What there is to show.

    Attributes:
        annotations: of films that can be read, timestamps as they are written.
        library: the films.
    """

    annotations: Annotations
    library: Library
    time_origin: float
    frame_rate: float

    def key_frames(self, wanted: pd.DataFrame) -> list[Shown]:
        """The truth of some key frames (video, timestamp), in their order."""
        part = self.annotations.of_key_frames(wanted)
        labels = part.labels
        names = dict(zip(labels.ids, labels.display_names, strict=True))
        done = part.actions.groupby("box")["action_id"].apply(list).to_dict()
        rows = part.persons.groupby(KEY, sort=False).indices
        boxes = part.persons[COORDINATES].to_numpy(dtype=float)
        person = part.persons["person"].to_numpy(dtype=np.int64)
        shown = []
        for video, timestamp in part.key_frames.itertuples(index=False, name=None):
            own = rows.get((video, timestamp), np.array([], dtype=np.int64))
            numbered = np.where(person[own] == NOBODY, np.arange(len(own)), person[own])
            texts = tuple(_text([names.get(action, f"action {action}") for action in done.get(row, [])]) for row in own)
            shown.append(Shown(str(video), float(timestamp) - self.time_origin, boxes[own], numbered, texts))
        return shown


def _text(actions: Sequence[str]) -> str:
    lines = [name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1].rstrip()}…" for name in actions]
    more = len(lines) - _LINES
    return "\n".join([*lines[:_LINES], *([f"and {more} more"] if more > 0 else [])] or ["no action"])


def read_shown_truth(data_set: DataSet, split: str | None = None, film: str | None = None) -> Truth:
    """The truth of a data set, or of one of its splits or films.

    Raises:
        InputError: a file is wrong, there is no such split or film, or not one film can be read.
    """
    splits = data_set.splits.values() if split is None else [data_set.split(split)]
    truth = pd.concat(
        [data_set.counted(read_truth(file), part) for part in splits for file in part.truth], ignore_index=True
    )
    if film is not None:
        films = truth[KEY[0]].drop_duplicates()
        truth = truth[truth[KEY[0]] == film]
        if truth.empty:
            some = ", ".join(films.head(5)) + (", ..." if len(films) > 5 else "")
            raise InputError(f"the truth names no film {film!r}; it names {some or 'none'}")
    library = open_library(data_set.films, truth[KEY[0]], data_set.frame_rate)
    if not library.films:
        raise InputError("; ".join(library.report) or "the truth names no key frame; there is nothing to show")
    readable = truth[truth[KEY[0]].isin(library.films)]
    return Truth(
        annotations_of(readable, (), data_set.read_labels()), library, data_set.time_origin, data_set.frame_rate
    )


def save_sheet(truth: Truth, wanted: pd.DataFrame, path: Path) -> tuple[str, ...]:
    """Draw key frames in rows, each with its film and timestamp below.

    Args:
        truth: of their films.
        wanted: video and timestamp.
        path: a jpg or png file, by its suffix.

    Returns:
        A sentence for each film that could not be shown.

    Raises:
        InputError: none could.
    """
    from PIL import Image as Pictures
    from PIL import ImageDraw, ImageFont

    problems: list[str] = []
    shown = truth.key_frames(wanted)
    columns, width, height = _grid([truth.library.films[each.video] for each in shown])
    cells = [cell for film in _films(shown) for cell in _cells(truth, film, width, height, problems)]
    if not cells:
        raise InputError("; ".join(problems))
    columns = min(columns, len(cells))
    step = width + _GAP, height + 2 * _LETTERS + _GAP
    sheet = Pictures.new("RGB", (columns * step[0] + _GAP, -(-len(cells) // columns) * step[1] + _GAP), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.truetype(font_path(), _LETTERS)
    for number, (each, image) in enumerate(cells):
        left, top = _GAP + number % columns * step[0], _GAP + number // columns * step[1]
        sheet.paste(Pictures.fromarray(image), (left, top + height - image.shape[0]))
        stamp = f"{each.time + truth.time_origin:.6f}".rstrip("0").rstrip(".")
        pen.text((left, top + height + 4), _caption(each.video, stamp, width, font), "#222222", font)
    sheet.save(path, quality=92)
    return tuple(problems)


def _grid(films: Sequence[FilmInfo]) -> tuple[int, int, int]:
    """Columns of a sheet, width and height of its cells, which have the usual shape of the films."""
    aspect = float(np.clip(np.median([_display_width(info) / info.height for info in films]), 0.5, 2))
    area = _CELL * min(4.0, max(1.0, _FEW / len(films)))
    width = round((area * aspect) ** 0.5)
    return max(1, (_SHEET - _GAP) // (width + _GAP)), width, round(width / aspect)


def _display_width(info: FilmInfo) -> float:
    return info.width * float(info.pixel_aspect)


def _films(shown: Sequence[Shown]) -> Iterator[list[Shown]]:
    """Key frames film by film."""
    films: dict[str, list[Shown]] = {}
    for each in shown:
        films.setdefault(each.video, []).append(each)
    yield from films.values()


def _cells(
    truth: Truth, shown: list[Shown], width: int, height: int, problems: list[str]
) -> Iterator[tuple[Shown, Image]]:
    """Pictures of one film with their truth, in the largest size that fits in a cell; a problem ends the film."""
    info = truth.library.films[shown[0].video]
    scale = min(width / _display_width(info), height / info.height)
    size = max(1, round(_display_width(info) * scale)), max(1, round(info.height * scale))
    painter = BoxPainter(*size, letters=_LETTERS)
    try:
        for each, image in _pictures(info, shown, truth.frame_rate):
            resized = _resized(image, size)
            yield each, painter.draw(resized, to_pixels(each.boxes, *size), each.persons, each.texts)
    except InputError as problem:
        problems.append(str(problem))


def _pictures(info: FilmInfo, shown: Sequence[Shown], frame_rate: float) -> Iterator[tuple[Shown, Image]]:
    """The picture of each key frame: the last that starts no later.

    Raises:
        InputError: a key frame lies outside of the film; those within have come.
    """
    early = [each for each in shown if each.time < -_SAME]
    shown = shown[len(early) :]
    moments = [Fraction(each.time) + _SAME for each in shown]
    place, latest = 0, None
    with open_film(info.path, frame_rate, warn=False) as film:
        for frame in film.frames(moments=moments):
            while latest is not None and place < len(shown) and frame.time > moments[place]:
                yield shown[place], latest.rgb()
                place += 1
            if place == len(shown):
                break
            latest = frame
        while latest is not None and place < len(shown) and shown[place].time < latest.time + 2 / info.rate:
            yield shown[place], latest.rgb()
            place += 1
    outside = [*shown[place:], *early]
    if outside:
        some = f"{len(outside):,} key frames, the first" if len(outside) > 1 else "a key frame"
        raise InputError(f"{info.path}: {some} at {outside[0].time:g} s, outside of the film")


def _caption(film: str, timestamp: str, width: int, font: FreeTypeFont) -> str:
    """Film and timestamp, the film's name cut in front where both are too long."""
    for cut in range(len(film)):
        caption = f"{'…' if cut else ''}{film[cut:]}  {timestamp}"
        if font.getlength(caption) <= width:
            return caption
    return timestamp


def save_film(truth: Truth, path: Path) -> None:
    """Draw the truth on all of a film; what is drawn at a key frame stays until the next one.

    After the last key frame it stays as long as after the one before.

    Args:
        truth: of one film.
        path: the mp4.
    """
    (name, info), *_ = truth.library.films.items()
    key_frames = truth.annotations.key_frames
    shown = truth.key_frames(key_frames[key_frames[KEY[0]] == name].sort_values(KEY[1]))
    starts = np.array([each.time for each in shown]) - float(_SAME)
    end = starts[-1] + (starts[-1] - starts[-2] if len(starts) > 1 else 1.0)
    scale = max(1.0, _LEAST_SIDE / min(_display_width(info), info.height))
    size = round(_display_width(info) * scale), round(info.height * scale)
    painter = BoxPainter(*size, letters=max(_LETTERS, min(size) // 36))
    like = replace(info, width=size[0], height=size[1], pixel_aspect=Fraction(1))
    with open_film(info.path, truth.frame_rate) as film, FilmWriter(path, like) as writer:
        for frame in film.frames():
            image = _resized(frame.rgb(), size)
            place = int(np.searchsorted(starts, float(frame.time), side="right")) - 1
            if place >= 0 and frame.time < end:
                now = shown[place]
                image = painter.draw(image, to_pixels(now.boxes, *size), now.persons, now.texts)
            writer.write(image, frame.time)


def _resized(image: Image, size: tuple[int, int]) -> Image:
    from PIL import Image as Pictures

    return image if image.shape[1::-1] == size else np.array(Pictures.fromarray(image).resize(size))
