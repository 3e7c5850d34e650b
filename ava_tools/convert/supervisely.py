"""Supervisely's videos: a project (DATASET/ann/NAME.mp4.json and meta.json), a data set of it, or one annotation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from ava_tools.convert.annotations import AnnotatedFilm, Annotations, Person, collected, while_annotated
from ava_tools.convert.films import Films, film_name
from ava_tools.convert.interpolation import Interpolation
from ava_tools.convert.json_records import Record, read_json
from ava_tools.convert.pixel_boxes import around, unit_box
from ava_tools.errors import InputError

_MOST_FRAMES = 2_000_000  # of a film: eighteen hours of it
_EXPECTED = "a project with DATASET/ann/NAME.mp4.json, or such a file, is expected"


class _Tag(NamedTuple):
    """An action of a person from one frame to another, both counted; None: all the time."""

    action: str
    first: float
    last: float


class _Object(NamedTuple):
    """A person: what its class is called, and what it does."""

    title: str
    tags: Sequence[_Tag]


@dataclass
class _Reading:
    """Files on their way to annotations."""

    films: Films
    between: Interpolation
    names: dict[str, None] = field(default_factory=dict)
    persons: list[Person] = field(default_factory=list)
    annotated: dict[str, AnnotatedFilm] = field(default_factory=dict)
    looked_at: dict[str, list[float]] = field(default_factory=dict)
    lost: Counter[str] = field(default_factory=Counter)


def read(source: Path, films: Films) -> Annotations:
    """Read annotations.

    What a person does, the tags of its object say: by their names, or by their values where they have texts; on the
    frames of their range, or on all. Where no object of the files has a tag, the class of an object is its action.

    Args:
        source: the project's folder, a data set's, or ``NAME.mp4.json``.
        films: where the times of frames come from.

    Raises:
        InputError: there is no such file, or it is wrong.
    """
    files = [Record(path, path.name, read_json(path)) for path in _files(source)]
    tagged = any(entry.items("tags") for file in files for entry in file.records("objects", "object"))
    work = _Reading(films, Interpolation(source))
    for file in files:
        _take(work, file, tagged)
    note = "actions are the tags of objects" if tagged else "actions are the classes of objects, which have no tags"
    watched = while_annotated(work.looked_at, work.persons)
    return collected(list(work.annotated.values()), work.persons, work.names, watched, work.lost, [note])


def _files(source: Path) -> list[Path]:
    if source.is_file():
        return [source]
    files = sorted([*source.glob("ann/*.json"), *source.glob("*/ann/*.json"), *source.glob("*/datasets/*/ann/*.json")])
    if not files:
        raise InputError(f"{source}: holds no annotations; {_EXPECTED}")
    return files


def _take(work: _Reading, file: Record, tagged: bool) -> None:
    path, size = file.source, file.record("size")
    width, height = size.whole("width", 0), size.whole("height", 0)
    count = _frame(file, "framesCount", 0)
    name = _film(work.films, path, file.text("videoName", ""))
    if not width or not height:
        raise size.wrong(f"is {width} x {height}; the pixels of a frame are expected")
    if name in work.annotated:
        raise InputError(f"{path}: annotates the film {name!r}, as another file does")
    work.annotated[name] = AnnotatedFilm(name, width, height, None, count or None, path.name.removesuffix(".json"))
    objects = _objects(work, file, tagged)
    work.lost["tags of whole films"] += len(file.items("tags"))
    numbers, found = [], []
    for frame in file.records("frames", "frame"):
        index = _frame(frame, "index")
        for figure in frame.records("figures", f"frame {index}, figure"):
            box = _box(work, figure, (width, height))
            if box is not None:
                key = _key(figure, "object")
                if key not in objects:
                    raise figure.wrong(f"is of the object {key}, which is not listed")
                numbers.append(index)
                found.append((key, box))
    times = work.films.seconds(name, numbers).tolist()
    for index, time, (key, box) in zip(numbers, times, found, strict=True):
        actions = [tag.action for tag in objects[key].tags if tag.first <= index <= tag.last]
        work.persons.append(Person(name, time, box, actions if tagged else [objects[key].title], key))
    work.looked_at[name] = work.films.seconds(name, work.between.looked_at(range(count))).tolist()


def _film(films: Films, path: Path, video: str) -> str:
    """What the film is called where it is: beside the annotations' folder, in a folder of films, or nowhere."""
    dataset, file = path.parent.parent.name, path.name.removesuffix(".json")
    in_project = [f"{dataset}/video/{file}", f"video/{file}", f"{dataset}/{file}"] if path.parent.name == "ann" else []
    return films.called(*(film_name(each) for each in [*([video] if video else []), file, *in_project]))


def _objects(work: _Reading, file: Record, tagged: bool) -> dict[str, _Object]:
    objects = {}
    for entry in file.records("objects", "object"):
        title = entry.text("classTitle")
        tags = []
        for tag in entry.records("tags", f"{entry.what}, tag"):
            action = _action(tag)
            if action is None:
                work.lost[f"tag {tag.text('name')!r} with a number"] += 1
                continue
            first, last = tag.numbers("frameRange", 2) if tag.items("frameRange") else (0, _MOST_FRAMES)
            tags.append(_Tag(action, first, last))
            work.names[action] = None
        if not tagged:
            work.names[title] = None
        objects[_key(entry)] = _Object(title, tags)
    if tagged:
        work.lost["classes of objects"] += len({each.title for each in objects.values()} - {"person"})
    return objects


def _action(tag: Record) -> str | None:
    """A tag's text, or its name where it has none; None: its value is a number."""
    name, value = tag.text("name"), tag.values.get("value")
    if isinstance(value, str) and value.strip():
        return value.strip()
    return name if value is None or isinstance(value, str) else None


def _key(entry: Record, prefix: str = "") -> str:
    """Who an object is: by its key (of an export), else by its id (of a download by the API)."""
    names = (f"{prefix}Key", f"{prefix}Id") if prefix else ("key", "id")
    name = next((name for name in names if entry.has(name)), None)
    if name is None:
        raise entry.wrong(f"has neither {names[0]} nor {names[1]}")
    return entry.text(name)


def _box(work: _Reading, figure: Record, size: tuple[int, int]) -> list[float] | None:
    """A rectangle as shares of the frame, or that around an outline; others are counted as lost."""
    kind = figure.text("geometryType")
    if kind not in ("rectangle", "polygon"):
        work.lost[f"figure: {kind}"] += 1
        return None
    work.lost["outline of a polygon (the box around it is taken)"] += kind == "polygon"
    points = figure.record("geometry").record("points").items("exterior")
    if len(points) < 2 or not all(isinstance(point, list) and len(point) == 2 for point in points):
        raise figure.wrong(f"is a {kind} with other points than [[x, y], [x, y], ...]")
    corners = around((figure.checked(x, "has a point"), figure.checked(y, "has a point")) for x, y in points)
    return unit_box(corners, size, f"{figure.source}: {figure.what}")


def _frame(entry: Record, key: str, default: int | None = None) -> int:
    found = entry.whole(key, default)
    if found > _MOST_FRAMES:
        raise entry.wrong(f"has {key} {found}; at most {_MOST_FRAMES:,} is expected")
    return found
