"""Supervisely's videos: a project (DATASET/ann/NAME.mp4.json and meta.json), a data set of it, or one annotation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from ava_tools.convert.annotations import AnnotatedFilm, Annotations, Person, collected
from ava_tools.convert.films import Films, film_name
from ava_tools.convert.json_values import member, number, read_json
from ava_tools.errors import InputError

_MOST_FRAMES = 2_000_000  # of a film: eighteen hours of it
_EXPECTED = "a project with DATASET/ann/NAME.mp4.json, or such a file, is expected"


class _Tag(NamedTuple):
    """An action of a person from one frame to another, both counted; None: all the time."""

    action: str
    first: int
    last: int


class _Object(NamedTuple):
    """A person: what its class is called, and what it does."""

    title: str
    tags: Sequence[_Tag]


@dataclass
class _Reading:
    """Files on their way to annotations."""

    films: Films
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
    files = _files(source)
    contents = [read_json(path) for path in files]
    tagged = any(
        member(entry, "tags", list, str(path), [])
        for path, content in zip(files, contents, strict=True)
        for entry in member(content, "objects", list, str(path))
    )
    work = _Reading(films)
    for path, content in zip(files, contents, strict=True):
        _take(work, path, content, tagged)
    note = "actions are the tags of objects" if tagged else "actions are the classes of objects, which have no tags"
    return collected(list(work.annotated.values()), work.persons, work.names, work.looked_at, work.lost, [note])


def _files(source: Path) -> list[Path]:
    if source.is_file():
        return [source]
    files = sorted([*source.glob("ann/*.json"), *source.glob("*/ann/*.json"), *source.glob("*/datasets/*/ann/*.json")])
    if not files:
        raise InputError(f"{source}: holds no annotations; {_EXPECTED}")
    return files


def _take(work: _Reading, path: Path, content: Any, tagged: bool) -> None:
    where = str(path)
    size = member(content, "size", dict, where)
    width, height = (_whole(member(size, key, int, where), key, where, 1) for key in ("width", "height"))
    count = _whole(member(content, "framesCount", int, where, 0), "framesCount", where)
    name = _film(work.films, path, member(content, "videoName", str, where, ""))
    if name in work.annotated:
        raise InputError(f"{path}: annotates the film {name!r}, as another file does")
    work.annotated[name] = AnnotatedFilm(name, width, height, None, count or None, path.name.removesuffix(".json"))
    objects = _objects(work, content, where, tagged)
    work.lost["tags of whole films"] += len(member(content, "tags", list, where, []))
    numbers, found = [], []
    for frame in member(content, "frames", list, where):
        index = _whole(member(frame, "index", int, where), "index", where)
        for figure in member(frame, "figures", list, f"{where}, frame {index}"):
            box = _box(work, figure, (width, height), f"{where}, frame {index}")
            if box is not None:
                numbers.append(index)
                found.append((_key(figure, "object", where), box))
    times = work.films.seconds(name, numbers).tolist()
    for index, time, (key, box) in zip(numbers, times, found, strict=True):
        if key not in objects:
            raise InputError(f"{where}, frame {index}: a figure is of the object {key}, which is not listed")
        actions = [tag.action for tag in objects[key].tags if tag.first <= index <= tag.last]
        work.persons.append(Person(name, time, box, actions if tagged else [objects[key].title], key))
    work.looked_at[name] = work.films.seconds(name, range(count)).tolist()  # of a video all frames were looked at


def _film(films: Films, path: Path, video: str) -> str:
    """What the film is called where it is: beside the annotations' folder, in a folder of films, or nowhere."""
    dataset, file = path.parent.parent.name, path.name.removesuffix(".json")
    in_project = [f"{dataset}/video/{file}", f"video/{file}", f"{dataset}/{file}"] if path.parent.name == "ann" else []
    return films.called(*(film_name(each) for each in [*([video] if video else []), file, *in_project]))


def _objects(work: _Reading, content: Any, where: str, tagged: bool) -> dict[str, _Object]:
    objects = {}
    for entry in member(content, "objects", list, where):
        title = member(entry, "classTitle", str, where)
        tags = []
        for tag in member(entry, "tags", list, where, []):
            action = _action(tag, where)
            if action is None:
                work.lost[f"tag {member(tag, 'name', str, where)!r} with a number"] += 1
                continue
            first, last = _range(tag, where)
            tags.append(_Tag(action, first, last))
            work.names[action] = None
        if not tagged:
            work.names[title] = None
        objects[_key(entry, "", where)] = _Object(title, tags)
    if tagged:
        work.lost["classes of objects"] += len({each.title for each in objects.values()} - {"person"})
    return objects


def _action(tag: Any, where: str) -> str | None:
    """A tag's text, or its name where it has none; None: its value is a number."""
    name, value = member(tag, "name", str, where), tag.get("value")
    if isinstance(value, str) and value.strip():
        return value.strip()
    return name if value is None or value == "" else None


def _range(tag: Any, where: str) -> tuple[int, int]:
    ends = member(tag, "frameRange", list, where, [])
    if not ends:
        return 0, _MOST_FRAMES
    if len(ends) != 2:
        raise InputError(f"{where}: frameRange has {len(ends)} numbers; the first and the last frame are expected")
    first, last = (int(number(end, "frameRange", where)) for end in ends)
    return first, last


def _key(entry: Any, prefix: str, where: str) -> str:
    """Who an object is: by its id (of a download by the API), else by its key (of an export)."""
    names = (f"{prefix}Key", f"{prefix}Id") if prefix else ("key", "id")
    value = next((entry[name] for name in names if isinstance(entry.get(name), str | int)), None)
    if value is None:
        raise InputError(f"{where}: an object or figure has neither {names[0]} nor {names[1]}")
    return str(value)


def _box(work: _Reading, figure: Any, size: tuple[int, int], where: str) -> list[float] | None:
    """A rectangle as shares of the frame, or that around an outline; others are counted as lost."""
    kind = member(figure, "geometryType", str, where)
    if kind not in ("rectangle", "polygon"):
        work.lost[f"figure: {kind}"] += 1
        return None
    work.lost["outline of a polygon (the box around it is taken)"] += kind == "polygon"
    points = member(member(member(figure, "geometry", dict, where), "points", dict, where), "exterior", list, where)
    if len(points) < 2 or not all(isinstance(point, list) and len(point) == 2 for point in points):
        raise InputError(f"{where}: a {kind} has other points than [[x, y], [x, y], ...]")
    xs, ys = ([number(point[axis], "a point", where) for point in points] for axis in (0, 1))
    corners = (min(xs), min(ys), max(xs), max(ys))
    return [min(max(value / side, 0.0), 1.0) for value, side in zip(corners, (*size, *size), strict=True)]


def _whole(value: int, what: str, where: str, least: int = 0) -> int:
    if not least <= value <= _MOST_FRAMES:
        raise InputError(f"{where}: {what} is {number(value, what, where):g}; {least} to {_MOST_FRAMES:,} is expected")
    return value
