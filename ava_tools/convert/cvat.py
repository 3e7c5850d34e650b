"""CVAT's xml 1.1, for video (tracks) and for images (shapes); of tasks, jobs and projects."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple
from xml.etree.ElementTree import Element

from ava_tools.convert.annotations import AnnotatedFilm, Annotations, Person, collected
from ava_tools.convert.cvat_writing import write
from ava_tools.convert.films import Films, film_name, frame_number, is_film_file
from ava_tools.convert.xml_events import elements
from ava_tools.errors import InputError

__all__ = ["read", "write"]

_EXPECTED = "CVAT's xml 1.1 is expected, for video or for images"
_NONE = {"", "none", "__undefined__", "no", "false", "0", "-"}  # values that stand for no action
_IDENTITIES = {"track_id", "person_id", "person", "id", "identity"}  # attributes of images that tell who is who
_MOST_FRAMES = 10_000_000  # of a film: four days of it
_ACTIONS = {"checkbox", "select", "radio", "text"}  # kinds of attributes that name actions


@dataclass
class _Task:
    """What the file says of one task."""

    source: str = ""
    name: str = ""
    width: int = 0
    height: int = 0
    frames: range = range(0)


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
    wanted: Sequence[str] | None
    tasks: dict[str, _Task] = field(default_factory=dict)
    kinds: dict[str, dict[str, str]] = field(default_factory=dict)  # of the attributes of each label
    names: dict[str, None] = field(default_factory=dict)  # of actions, in the order of the labels
    persons: list[Person] = field(default_factory=list)
    annotated: dict[str, AnnotatedFilm] = field(default_factory=dict)
    looked_at: dict[str, list[float]] = field(default_factory=dict)
    lost: Counter[str] = field(default_factory=Counter)


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
    work = _Reading(source, films, attributes)
    track = 0
    for element in elements(source, "meta", "track", "image"):
        if element.tag == "meta":
            _take_meta(work, element)
        elif not work.kinds:
            raise InputError(f"{source}: has no labels before its first {element.tag}; {_EXPECTED}")
        elif element.tag == "track":
            _take_track(work, element, track)
            track += 1
        else:
            _take_image(work, element)
    if not work.kinds:
        raise InputError(f"{source}: has no meta with labels; {_EXPECTED}")
    _look_at_all(work)
    own = {
        label: [name for name, kind in kinds.items() if _is_action(work, name, kind)]
        for label, kinds in work.kinds.items()
    }
    notes = [f"actions are the attributes {', '.join(names)} of {label!r}" for label, names in own.items() if names]
    return collected(list(work.annotated.values()), work.persons, work.names, work.looked_at, work.lost, notes)


def _take_meta(work: _Reading, meta: Element) -> None:
    for task in [*meta.iter("task"), *meta.iter("job")]:
        start, stop = _whole(work, task, "start_frame", 0), _whole(work, task, "stop_frame", -1)
        step = re.search(r"step\s*=\s*(\d+)", task.findtext("frame_filter") or "")
        stop = _whole(work, task, "size", 0) - 1 if stop < 0 else stop
        work.tasks[task.findtext("id") or ""] = _Task(
            source=task.findtext("source") or meta.findtext("source") or "",
            name=task.findtext("name") or "",
            width=_whole(work, task, "original_size/width", _whole(work, meta, "original_size/width", 0)),
            height=_whole(work, task, "original_size/height", _whole(work, meta, "original_size/height", 0)),
            frames=range(start, stop + 1, max(1, int(step[1])) if step else 1),
        )
    for label in meta.iter("label"):
        kinds = work.kinds.setdefault(label.findtext("name") or "", {})
        for attribute in label.iter("attribute"):
            name, kind = attribute.findtext("name") or "", attribute.findtext("input_type") or "text"
            kinds[name] = kind
            if _is_action(work, name, kind):
                values = (attribute.findtext("values") or "").splitlines()
                named = [name] if kind == "checkbox" else values if kind in ("select", "radio") else []
                work.names |= dict.fromkeys(value.strip() for value in named if value.strip().lower() not in _NONE)
        if not any(_is_action(work, name, kind) for name, kind in kinds.items()):
            work.names[label.findtext("name") or ""] = None
    known = {name for kinds in work.kinds.values() for name in kinds}
    if unknown := set(work.wanted or ()) - known:
        raise InputError(
            f"{work.source}: has no attribute {min(unknown)!r}; it has {', '.join(sorted(known)) or 'none'}"
        )


def _is_action(work: _Reading, name: str, kind: str) -> bool:
    if work.wanted is not None:
        return name in work.wanted
    return kind in _ACTIONS and name.lower() not in _IDENTITIES


def _take_track(work: _Reading, track: Element, number: int) -> None:
    """A person through a film: boxes between two that are written lie on the straight way from one to the other."""
    task = _task_of(work, track)
    label = _label_of(work, track)
    steady = _values(track)
    shapes = [shape for element in track if (shape := _shape(work, element, steady)) is not None]
    shapes.sort(key=lambda shape: shape.frame)
    seen: list[_Shape] = []
    for early, late in pairwise(shapes):
        if not early.outside:  # until the next box, be it one that hides the person
            seen += [early, *_between(early, late, task.frames.step)]
    seen += [shape for shape in shapes[-1:] if not shape.outside]
    film = _film_of(work, task)
    width, height = work.films.size(film.name, (film.width, film.height))
    times = work.films.seconds(film.name, [shape.frame for shape in seen])
    values: dict[str, str] = {}
    for shape, time in zip(seen, times.tolist(), strict=True):
        values = values | shape.values
        box = _unit(work, shape.box, width, height, f"track {track.get('id', number)}, frame {shape.frame}")
        work.persons.append(Person(film.name, time, box, _actions(work, label, values), number))


def _between(early: _Shape, late: _Shape, step: int) -> Iterator[_Shape]:
    for frame in range(early.frame + step, late.frame, step):
        share = (frame - early.frame) / (late.frame - early.frame)
        first, second, third, fourth = (a + share * (b - a) for a, b in zip(early.box, late.box, strict=True))
        yield _Shape(frame, (first, second, third, fourth), False, early.values)


def _take_image(work: _Reading, image: Element) -> None:
    task = _task_of(work, image)
    file = image.get("name") or ""
    film, frame = _place_of(work, task, file, _number(work, image, "id", image.get("id")))
    size = int(_number(work, image, "width")), int(_number(work, image, "height"))
    known = work.annotated.setdefault(film, AnnotatedFilm(film, *size))
    (time,) = work.films.seconds(film, [frame]).tolist()
    work.looked_at.setdefault(film, []).append(time)
    width, height = work.films.size(known.name, size)
    for element in image:
        shape = _shape(work, element, {}, int(frame))
        if shape is None:
            continue
        box = _unit(work, shape.box, width, height, f"image {file}")
        who = next((value for name, value in shape.values.items() if name.lower() in _IDENTITIES), None)
        work.persons.append(Person(film, time, box, _actions(work, _label_of(work, element), shape.values), who))


def _place_of(work: _Reading, task: _Task, file: str, number: float) -> tuple[str, int]:
    """The film of an image, and the number of its frame: images are named as films and frames are."""
    if is_film_file(task.source):
        return film_name(task.source), frame_number(file, int(number))
    folder = Path(file).parent.as_posix()
    if folder == ".":
        folder = re.sub(r"[\W_]*\d+$", "", Path(file).stem) or film_name(task.source or task.name) or "images"
    return folder, work.films.place_in_folder(folder, Path(file).name, frame_number(file, int(number)))


def _shape(work: _Reading, element: Element, steady: dict[str, str], frame: int | None = None) -> _Shape | None:
    """A box, or the box around an outline; other shapes are counted as lost."""
    if element.tag == "attribute":
        return None
    if element.tag == "box":
        left, top, right, bottom = (_number(work, element, key) for key in ("xtl", "ytl", "xbr", "ybr"))
        if (angle := math.radians(_number(work, element, "rotation", "0"))) % math.pi:
            work.lost["rotation of a box (the box around it is taken)"] += 1
            across, down = right - left, bottom - top
            wide = abs(across * math.cos(angle)) + abs(down * math.sin(angle))
            high = abs(across * math.sin(angle)) + abs(down * math.cos(angle))
            x, y = (left + right) / 2, (top + bottom) / 2
            left, top, right, bottom = x - wide / 2, y - high / 2, x + wide / 2, y + high / 2
    elif element.tag == "polygon":
        work.lost["outline of a polygon (the box around it is taken)"] += 1
        points = [point.split(",") for point in (element.get("points") or "").split(";")]
        try:
            xs, ys = ([float(point[place]) for point in points] for place in (0, 1))
        except (ValueError, IndexError):
            raise InputError(
                f"{work.source}: a polygon has the points {element.get('points')!r}; x,y;x,y is expected"
            ) from None
        left, top, right, bottom = min(xs), min(ys), max(xs), max(ys)
    else:
        work.lost[f"shape: {element.tag}"] += 1
        return None
    work.lost["occluded"] += element.get("occluded") == "1"
    work.lost["group"] += element.get("group_id") not in (None, "", "0")
    number = int(_number(work, element, "frame")) if frame is None else frame
    return _Shape(number, (left, top, right, bottom), element.get("outside") == "1", steady | _values(element))


def _values(element: Element) -> dict[str, str]:
    return {each.get("name") or "": (each.text or "").strip() for each in element.findall("attribute")}


def _actions(work: _Reading, label: str, values: dict[str, str]) -> list[str]:
    kinds, actions = work.kinds[label], []
    for name, value in values.items():
        kind = kinds.get(name, "text")
        if not _is_action(work, name, kind):
            work.lost[f"attribute {name!r}"] += name.lower() not in _IDENTITIES
        elif value.lower() not in _NONE:
            words = [name] if kind == "checkbox" else value.split(",") if kind == "text" else [value]
            actions += [word.strip() for word in words if word.strip().lower() not in _NONE]
    own = any(_is_action(work, name, kind) for name, kind in kinds.items())
    return actions if own else [label]


def _task_of(work: _Reading, element: Element) -> _Task:
    key = element.get("task_id") or next(iter(work.tasks), None)
    if key is None or key not in work.tasks:
        raise InputError(
            f"{work.source}: a {element.tag} is of task {key}, which its meta does not describe; {_EXPECTED}"
        )
    return work.tasks[key]


def _label_of(work: _Reading, element: Element) -> str:
    label = element.get("label") or ""
    if label not in work.kinds:
        raise InputError(
            f"{work.source}: a {element.tag} has the label {label!r}; its meta has {', '.join(work.kinds)}"
        )
    return label


def _film_of(work: _Reading, task: _Task) -> AnnotatedFilm:
    name = film_name(task.source or task.name)
    film = AnnotatedFilm(name, task.width, task.height, None, None, task.source)
    return work.annotated.setdefault(name, film)


def _look_at_all(work: _Reading) -> None:
    """Of a video every frame was looked at, whether somebody is in it or not."""
    for task in work.tasks.values():
        film = film_name(task.source or task.name)
        if is_film_file(task.source) and film not in work.looked_at and task.frames:
            _film_of(work, task)
            work.looked_at[film] = work.films.seconds(film, list(task.frames)).tolist()


def _unit(work: _Reading, box: Sequence[float], width: int, height: int, where: str) -> list[float]:
    """Pixels as shares of the frame; what reaches over its border is cut off."""
    if box[2] < box[0] or box[3] < box[1]:
        found = ", ".join(f"{value:g}" for value in box)
        raise InputError(
            f"{work.source}: {where} has the box {found}; left before right and top before bottom are expected"
        )
    return [min(max(value / side, 0.0), 1.0) for value, side in zip(box, (width, height, width, height), strict=True)]


def _number(work: _Reading, element: Element, key: str, default: str | None = None) -> float:
    text = element.get(key, default)
    try:
        number = float(text or "")
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise InputError(f"{work.source}: a {element.tag} has {key} {text!r}; a number is expected")
    return number


def _whole(work: _Reading, element: Element, key: str, default: int) -> int:
    text = element.findtext(key)
    if text is None or not text.strip():
        return default
    if not text.strip().isdecimal():
        raise InputError(f"{work.source}: its {key} is {text!r}; a whole number is expected")
    if int(text) > _MOST_FRAMES:
        raise InputError(f"{work.source}: its {key} is {text}; at most {_MOST_FRAMES:,} are expected")
    return int(text)
