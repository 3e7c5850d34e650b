"""CVAT's xml 1.1, for video (tracks) and for images (shapes); of tasks, jobs and projects."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple
from xml.etree.ElementTree import Element

from ava_tools.convert.annotations import AnnotatedFilm, Annotations, Person, collected, while_annotated
from ava_tools.convert.attributes import IDENTITIES, named_actions
from ava_tools.convert.cvat_meta import EXPECTED, MOST_FRAMES, Meta, Task
from ava_tools.convert.cvat_writing import write
from ava_tools.convert.films import Films, frame_number
from ava_tools.convert.interpolation import Interpolation
from ava_tools.convert.pixel_boxes import around, turned, unit_box
from ava_tools.convert.xml_events import elements
from ava_tools.errors import InputError

__all__ = ["read", "write"]


class _Shape(NamedTuple):
    """A box as the file has it: pixels, and the values of its attributes."""

    frame: int
    box: tuple[float, float, float, float]
    outside: bool
    values: dict[str, str]


@dataclass
class _Reading:
    """A file on its way to annotations."""

    source: Path
    films: Films
    meta: Meta
    persons: list[Person] = field(default_factory=list)
    annotated: dict[str, AnnotatedFilm] = field(default_factory=dict)
    looked_at: dict[str, list[float]] = field(default_factory=dict)
    lost: Counter[str] = field(default_factory=Counter)
    between: Interpolation = field(init=False)

    def __post_init__(self) -> None:
        self.between = Interpolation(self.source)


def read(source: Path, films: Films, attributes: Sequence[str] | None = None) -> Annotations:
    """Read a file.

    What a person does, its box says: the checkbox attributes that are true by their names, the values of select and
    radio attributes, the words between the commas of text attributes. A label without any of these is an action itself.

    Args:
        source: ``annotations.xml``.
        films: where the times of frames come from.
        attributes: the only ones that name actions; None: all of these kinds.

    Raises:
        InputError: it is no such file, or something in it is wrong.
    """
    work = _Reading(source, films, Meta(source, attributes))
    track = 0
    for element in elements(source, "meta", "track", "image"):
        if element.tag == "meta":
            work.meta.take(element)
        elif not work.meta.kinds:
            raise InputError(f"{source}: has no labels before its first {element.tag}; {EXPECTED}")
        elif element.tag == "track":
            _take_track(work, element, track)
            track += 1
        else:
            _take_image(work, element)
    if not work.meta.kinds:
        raise InputError(f"{source}: has no meta with labels; {EXPECTED}")
    _look_at_all(work)
    films_of_file = list(work.annotated.values())
    return collected(films_of_file, work.persons, work.meta.names, work.looked_at, work.lost, work.meta.notes)


def _take_track(work: _Reading, track: Element, number: int) -> None:
    """A person through a film: boxes between two that are written lie on the straight way from one to the other."""
    task = work.meta.task_of(track)
    label = work.meta.label_of(track)
    steady = _values(track)
    shapes = [shape for element in track if (shape := _shape(work, element)) is not None]
    shapes.sort(key=lambda shape: shape.frame)
    values = [steady := steady | shape.values for shape in shapes]
    drawn = [(shape.frame, shape.box) for shape in shapes]
    seen = [
        one
        for one in work.between.boxes(drawn, lambda place: not shapes[place].outside, task.frames)
        if not shapes[one[0]].outside
    ]
    film = _film_of(work, task)
    size = work.films.size(film.name, (film.width, film.height))
    times = work.films.seconds(film.name, [frame for _, frame, _ in seen])
    actions = [[] if shape.outside else _actions(work, label, each) for shape, each in zip(shapes, values, strict=True)]
    for (place, frame, box), time in zip(seen, times.tolist(), strict=True):
        unit = unit_box(box, size, f"{work.source}: track {track.get('id', number)}, frame {frame}")
        work.persons.append(Person(film.name, time, unit, actions[place], number))


def _take_image(work: _Reading, image: Element) -> None:
    task = work.meta.task_of(image)
    file = image.get("name") or ""
    film, frame = _place_of(work, task, file, _frame(work, image, "id"))
    size = int(_number(work, image, "width")), int(_number(work, image, "height"))
    known = work.annotated.setdefault(film, AnnotatedFilm(film, *size, split=task.split))
    (time,) = work.films.seconds(film, [frame]).tolist()
    work.looked_at.setdefault(film, []).append(time)
    size = work.films.size(known.name, size)
    for element in image:
        shape = _shape(work, element, frame)
        if shape is None:
            continue
        box = unit_box(shape.box, size, f"{work.source}: image {file}")
        who = next((value for name, value in shape.values.items() if name.lower() in IDENTITIES and value), None)
        work.persons.append(Person(film, time, box, _actions(work, work.meta.label_of(element), shape.values), who))


def _place_of(work: _Reading, task: Task, file: str, number: int) -> tuple[str, int]:
    """The film of an image, and the number of its frame."""
    if task.is_video:
        return task.film, frame_number(file, number)
    return work.films.place(file, number, task.film or "images")


def _shape(work: _Reading, element: Element, frame: int | None = None) -> _Shape | None:
    """A box, or the box around an outline; other shapes are counted as lost."""
    if element.tag == "attribute":
        return None
    box = _box(work, element)
    if box is None:
        work.lost[f"shape: {element.tag}"] += 1
        return None
    if element.tag != "box":
        work.lost[f"outline of a {element.tag} (the box around it is taken)"] += 1
    if (angle := _number(work, element, "rotation", "0")) % 180:
        work.lost["rotation of a box (the box around it is taken)"] += 1
        box = turned(box, angle, ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2))
    work.lost["occluded"] += element.get("occluded") == "1"
    work.lost["group"] += element.get("group_id") not in (None, "", "0")
    number = _frame(work, element, "frame") if frame is None else frame
    return _Shape(number, box, element.get("outside") == "1", _values(element))


def _box(work: _Reading, element: Element) -> tuple[float, float, float, float] | None:
    """The box of a shape in pixels; None for shapes without one."""

    def numbers(*keys: str) -> list[float]:
        return [_number(work, element, key) for key in keys]

    if element.tag == "box":
        left, top, right, bottom = numbers("xtl", "ytl", "xbr", "ybr")
        return left, top, right, bottom
    if element.tag == "mask":
        left, top, width, height = numbers("left", "top", "width", "height")
        return left, top, left + width, top + height
    if element.tag == "ellipse":
        x, y, across, down = numbers("cx", "cy", "rx", "ry")
        return x - across, y - down, x + across, y + down
    if element.tag != "polygon":
        return None
    points = [point.split(",") for point in (element.get("points") or "").split(";")]
    try:
        box = around((float(x), float(y)) for x, y in points)
    except ValueError:
        box = (math.nan,) * 4
    if not all(map(math.isfinite, box)):
        raise InputError(f"{work.source}: a polygon has the points {element.get('points')!r}; x,y;x,y is expected")
    return box


def _values(element: Element) -> dict[str, str]:
    return {each.get("name") or "": (each.text or "").strip() for each in element.findall("attribute")}


def _actions(work: _Reading, label: str, values: dict[str, str]) -> list[str]:
    kinds, actions = work.meta.kinds[label], list[str]()
    for name, value in values.items():
        kind = kinds.get(name, "text")
        if not work.meta.is_action(name, kind):
            work.lost[f"attribute {name!r}"] += name.lower() not in IDENTITIES
        else:
            actions += named_actions(name, value, kind)
    own = any(work.meta.is_action(name, kind) for name, kind in kinds.items())
    return actions if own else [label]


def _film_of(work: _Reading, task: Task) -> AnnotatedFilm:
    film = AnnotatedFilm(task.film, task.width, task.height, None, None, task.source, task.split)
    return work.annotated.setdefault(film.name, film)


def _look_at_all(work: _Reading) -> None:
    """Of a video all frames between those with persons were looked at."""
    watched = {}
    for task in work.meta.tasks.values():
        if task.is_video and task.film not in work.looked_at and task.frames:
            _film_of(work, task)
            watched[task.film] = work.films.seconds(task.film, work.between.looked_at(task.frames)).tolist()
    work.looked_at |= while_annotated(watched, work.persons)


def _number(work: _Reading, element: Element, key: str, default: str | None = None) -> float:
    text = element.get(key, default)
    try:
        number = float(text or "")
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise InputError(f"{work.source}: a {element.tag} has {key} {text!r}; a number is expected")
    return number


def _frame(work: _Reading, element: Element, key: str) -> int:
    number = _number(work, element, key)
    if not 0 <= number <= MOST_FRAMES or number != int(number):
        raise InputError(f"{work.source}: a {element.tag} has {key} {element.get(key)!r}; a frame's number is expected")
    return int(number)
