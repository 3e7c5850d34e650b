"""VIA's json: projects and annotations of VIA 2 (regions of images), projects of VIA 3 (regions of films, AVA's tool).

What a person does, the attributes of its region say: options that are set, the chosen option, words between commas.
VIA knows neither sizes nor frame rates: the films or folders of images must be there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ava_tools.convert.annotations import AnnotatedFilm, Annotations, Person, collected
from ava_tools.convert.attributes import ActionAttributes
from ava_tools.convert.films import Films, film_name, is_film_file
from ava_tools.convert.json_records import Record, read_json
from ava_tools.convert.pixel_boxes import around, unit_box

__all__ = ["read"]

_KINDS = {"1": "text", "2": "checkbox", "3": "radio", "4": "select", "5": "select"}  # VIA 3's numbers of them
_NAMES = {"rect": 2, "circle": 3, "ellipse": 4, "polyline": 6, "polygon": 7}  # VIA 2's names of VIA 3's shapes
_RECTANGLES, _CIRCLES, _ELLIPSES, _OUTLINES = (2, 8), (3, 9), (4,), (6, 7)
_SHAPES = {number: name for name, number in _NAMES.items()} | {1: "point", 5: "line", 8: "rect", 9: "circle"}


@dataclass
class _Reading:
    """A file on its way to annotations."""

    films: Films
    attributes: ActionAttributes
    lost: Counter[str]
    names: dict[str, None] = field(default_factory=dict)
    persons: list[Person] = field(default_factory=list)
    annotated: dict[str, AnnotatedFilm] = field(default_factory=dict)
    looked_at: dict[str, list[float]] = field(default_factory=dict)


def read(source: Path, films: Films, attributes: Sequence[str] | None = None) -> Annotations:
    """Read a file.

    Args:
        source: the json file.
        films: where times and sizes of frames come from.
        attributes: the only ones that name actions; None: all that can.

    Raises:
        InputError: it is no such file, or something in it is wrong.
    """
    top = Record(source, "the file", read_json(source))
    lost: Counter[str] = Counter()
    work = _Reading(films, ActionAttributes(attributes, lost), lost)
    if all(isinstance(top.values.get(key), dict) for key in ("file", "view", "metadata")):
        _read_three(work, top)
    else:
        _read_two(work, top)
    work.attributes.check(source)
    notes = work.attributes.notes
    return collected(list(work.annotated.values()), work.persons, work.names, work.looked_at, lost, notes)


def _read_two(work: _Reading, top: Record) -> None:
    """Images with regions; a project has them under a key of its own."""
    images = top.record("_via_img_metadata") if top.has("_via_img_metadata") else top
    described = top.record("_via_attributes").record("region")
    options: dict[str, Mapping[str, str]] = {}
    for name in described.values:
        given = described.record(name).record("options").values
        options[name] = {key: str(text).strip() or key if key.isdecimal() else key for key, text in given.items()}
        work.names |= dict.fromkeys(work.attributes.declared(name, list(options[name].values())))
    if not all(isinstance(image, dict) and "filename" in image for image in images.values.values()):
        raise top.wrong("is none of VIA: neither a project of VIA 2 or 3 nor images with filename and regions")
    for number, image in enumerate(Record(images.source, "image", each) for each in images.values.values()):
        name, frame = work.films.place(image.text("filename"), number)
        (time,) = work.films.seconds(name, [frame]).tolist()
        work.annotated.setdefault(name, AnnotatedFilm(name))
        work.looked_at.setdefault(name, []).append(time)
        image.what = f"image {image.text('filename')}"
        for region in image.records("regions", f"{image.what}, region"):
            shape, values = region.record("shape_attributes"), region.record("region_attributes").values
            _add(work, region, name, time, _box_of_two(shape), shape.text("name", "none"), values, options)


def _read_three(work: _Reading, top: Record) -> None:
    """Films or images with regions at times."""
    files, views = top.record("file"), top.record("view")
    names, kinds, options = {}, {}, {}
    for key in top.record("attribute").values:
        attribute = top.record("attribute").record(key)
        names[key] = attribute.text("aname")
        kinds[key] = _KINDS.get(attribute.text("type", "1"), "text")
        given = attribute.record("options").values
        options[names[key]] = {option: str(text).strip() or option for option, text in given.items()}
        work.names |= dict.fromkeys(work.attributes.declared(names[key], list(options[names[key]].values())))
    several = {names[key] for key, kind in kinds.items() if kind == "checkbox"}
    places: dict[str, tuple[str, float | None]] = {}
    for number, key in enumerate(views.values):
        shown = views.record(key).items("fid_list")
        if not shown or str(shown[0]) not in files.values:
            raise views.record(key).wrong("shows none of the files")
        places[key] = _place(work, files.record(str(shown[0])), number)
    for key in top.record("metadata").values:
        one = top.record("metadata").record(key)
        if not one.items("xy"):
            work.lost["time span or note without a box"] += 1
            continue
        if one.text("vid") not in places:
            raise one.wrong(f"is of view {one.text('vid')}, which is not among the views")
        film, time = places[one.text("vid")]
        if time is None:
            if not one.items("z"):
                raise one.wrong("has a box at no time; z with seconds is expected")
            time = one.checked(one.items("z")[0], "has in z")
        values = {names.get(each, each): value for each, value in one.record("av").values.items()}
        values = {name: str(value).split(",") if name in several else value for name, value in values.items()}
        shape = one.checked(one.items("xy")[0], "has in xy")
        numbers = [one.checked(each, "has in xy") for each in one.items("xy")[1:]]
        box = _box(one, int(shape), numbers)
        _add(work, one, film, time, box, _SHAPES.get(int(shape), str(shape)), values, options)


def _place(work: _Reading, file: Record, number: int) -> tuple[str, float | None]:
    """The film of a view, and for an image its time."""
    name = file.text("fname")
    if is_film_file(name) or file.text("type", "4") == "4":
        film = film_name(name)
        work.annotated.setdefault(film, AnnotatedFilm(film, file=name))
        return film, None
    film, frame = work.films.place(name, number)
    work.annotated.setdefault(film, AnnotatedFilm(film))
    (time,) = work.films.seconds(film, [frame]).tolist()
    work.looked_at.setdefault(film, []).append(time)
    return film, time


def _add(
    work: _Reading,
    region: Record,
    film: str,
    time: float,
    box: tuple[float, float, float, float] | None,
    shape: str,
    values: Mapping[str, Any],
    options: Mapping[str, Mapping[str, str]],
) -> None:
    if box is None:
        work.lost[f"shape: {shape}"] += 1
        return
    if shape != "rect":
        work.lost[f"outline of a {shape} (the box around it is taken)"] += 1
    meant = {name: _meant(value, options.get(name, {})) for name, value in values.items()}
    actions = work.attributes.actions(meant) or []
    unit = unit_box(box, work.films.size(film), f"{region.source}: {region.what}")
    work.persons.append(Person(film, time, unit, actions, work.attributes.identity(values)))


def _meant(value: Any, options: Mapping[str, str]) -> Any:
    """A value with the names of options in the place of their ids."""
    if isinstance(value, Mapping):
        value = [option for option, chosen in value.items() if chosen]
    if isinstance(value, list):
        return [options.get(str(each).strip(), str(each).strip()) for each in value]
    return [options[str(value)]] if str(value) in options else value


def _box_of_two(shape: Record) -> tuple[float, float, float, float] | None:
    number = _NAMES.get(shape.text("name", ""), 0)
    if number in _OUTLINES:
        xs, ys = shape.items("all_points_x"), shape.items("all_points_y")
        if len(xs) != len(ys):
            raise shape.wrong(f"has {len(xs)} x and {len(ys)} y; as many of both are expected")
        points = [value for pair in zip(xs, ys, strict=True) for value in pair]
        return _box(shape, number, [shape.checked(value, "has in all_points") for value in points])
    keys = {2: ("x", "y", "width", "height"), 3: ("cx", "cy", "r"), 4: ("cx", "cy", "rx", "ry")}.get(number, ())
    return _box(shape, number, [shape.number(key) for key in keys])


def _box(one: Record, shape: int, numbers: Sequence[float]) -> tuple[float, float, float, float] | None:
    """The box of a shape as VIA 3 writes it; None for shapes without one."""
    if shape in _OUTLINES and len(numbers) >= 2 and len(numbers) % 2 == 0:
        return around(zip(numbers[::2], numbers[1::2], strict=True))
    if shape in _RECTANGLES and len(numbers) == 4:
        x, y, width, height = numbers
        return x, y, x + width, y + height
    if (shape in _CIRCLES and len(numbers) == 3) or (shape in _ELLIPSES and len(numbers) == 4):
        x, y, across, down = (*numbers, numbers[-1])[:4]
        return x - across, y - down, x + across, y + down
    if shape in (*_OUTLINES, *_RECTANGLES, *_CIRCLES, *_ELLIPSES):
        raise one.wrong(f"is a {_SHAPES[shape]} of {len(numbers)} numbers, which is no such shape")
    return None
