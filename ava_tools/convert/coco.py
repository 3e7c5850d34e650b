"""COCO's json: images with boxes, of films by their names or by a list of videos (COCO-VID, TAO, YouTube-VIS).

What a person does, its attributes say: ``attributes`` of an annotation (as CVAT exports them), a list of names, or ids
of a list ``attributes``. A category whose annotations have none of these is an action itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from ava_tools.convert.annotations import AnnotatedFilm, Annotations, Person, collected
from ava_tools.convert.attributes import ActionAttributes
from ava_tools.convert.coco_writing import write
from ava_tools.convert.films import Films, film_name, frame_number
from ava_tools.convert.json_records import Record, read_json
from ava_tools.convert.pixel_boxes import around, unit_box

__all__ = ["read", "write"]

_IDENTITIES = ("track_id", "instance_id", "person_id")


class _Image(NamedTuple):
    """A frame of a film."""

    film: str
    frame: int
    size: tuple[int, int]
    place: int  # among all images


class _Found(NamedTuple):
    """An annotation: box in pixels, attributes' actions (None: no attribute could say any), category, who, score."""

    image: _Image
    box: tuple[float, float, float, float]
    actions: list[str] | None
    category: str | None
    person: Hashable
    score: float
    where: str


@dataclass
class _Reading:
    """A file on its way to annotations."""

    top: Record
    films: Films
    attributes: ActionAttributes
    lost: Counter[str]
    categories: dict[str, str] = field(default_factory=dict)
    listed: dict[str, str] = field(default_factory=dict)  # attributes by their ids
    videos: dict[str, AnnotatedFilm] = field(default_factory=dict)
    images: dict[Hashable, _Image] = field(default_factory=dict)
    annotated: dict[str, AnnotatedFilm] = field(default_factory=dict)


def read(source: Path, films: Films, attributes: Sequence[str] | None = None) -> Annotations:
    """Read a file.

    Args:
        source: the json file.
        films: where the times of frames come from.
        attributes: the only ones that name actions; None: all that can.

    Raises:
        InputError: it is no such file, or something in it is wrong.
    """
    top = Record(source, "the file", read_json(source))
    if not top.has("annotations") or not (top.has("images") or top.has("videos")):
        raise top.wrong("lacks annotations, images or videos; COCO's json is expected")
    lost: Counter[str] = Counter()
    work = _Reading(top, films, ActionAttributes(attributes, lost), lost)
    work.categories = _named(top, "categories", "category")
    work.listed = _named(top, "attributes", "attribute")
    for number, video in enumerate(top.records("videos", "video")):
        _take_video(work, video, number)
    for image in top.records("images", "image"):
        _take_image(work, image)
    found = [one for annotation in top.records("annotations", "annotation") for one in _found(work, annotation)]
    work.attributes.check(source)
    return _annotations(work, found)


def _named(top: Record, key: str, what: str) -> dict[str, str]:
    """Names by ids, of which none is there twice."""
    names: dict[str, str] = {}
    for one in top.records(key, what):
        if names.setdefault(one.text("id"), one.text("name")) != one.text("name"):
            raise one.wrong(f"has the id {one.text('id')}, which {names[one.text('id')]!r} has")
    return names


def _take_video(work: _Reading, video: Record, number: int) -> None:
    """A film, and its frames where it lists them itself, as YouTube-VIS does."""
    files = [str(file) for file in video.items("file_names")]
    name = video.text("name", "") or video.text("file_name", "") or (Path(files[0]).parent.as_posix() if files else "")
    rate = video.number("fps", video.number("frame_rate", 0))
    if not 0 <= rate <= 1000:
        raise video.wrong(f"has {rate:g} frames a second; at most 1000 are expected")
    film = AnnotatedFilm(
        name=film_name(name) if name not in ("", ".") else video.text("id", str(number)),
        width=video.whole("width", 0),
        height=video.whole("height", 0),
        rate=rate or None,
        frames=video.whole("length", 0) or None,
        file=name,
    )
    work.videos[video.text("id")] = work.annotated[film.name] = film
    for place, file in enumerate(files):
        frame = work.films.place_in_folder(film.name, Path(file).name, frame_number(file, place))
        size = film.width, film.height
        work.images[video.text("id"), place] = _Image(film.name, frame, size, len(work.images))


def _take_image(work: _Reading, image: Record) -> None:
    file = image.text("file_name", "")
    size = image.whole("width", 0), image.whole("height", 0)
    index = next((image.whole(key) for key in ("frame_index", "frame_id") if image.has(key)), None)
    if image.has("video_id"):
        if image.text("video_id") not in work.videos:
            raise image.wrong(f"is of video {image.text('video_id')}, which is not among the videos")
        film = work.videos[image.text("video_id")]
        frame = frame_number(file, 0) if index is None else index
        name, frame = film.name, work.films.place_in_folder(film.name, Path(file).name, frame) if file else frame
    else:
        name, frame = work.films.place(image.text("file_name"), len(work.images) if index is None else index)
    work.annotated.setdefault(name, AnnotatedFilm(name, *size))
    if image.text("id") in work.images:
        raise image.wrong(f"has the id {image.text('id')}, which another one has")
    work.images[image.text("id")] = _Image(name, frame, size, len(work.images))


def _found(work: _Reading, one: Record) -> Iterator[_Found]:
    """The boxes of an annotation: one, or of YouTube-VIS one a frame."""
    if one.values.get("iscrowd") in (1, True):
        work.lost["crowd"] += 1
        return
    values = _attributes(work, one)
    actions = work.attributes.actions(values)
    category = None
    if one.has("category_id"):
        category = work.categories.get(one.text("category_id"))
        if category is None:
            raise one.wrong(f"has the category {one.text('category_id')}, which is not among the categories")
    person: Hashable = next((one.text(key) for key in _IDENTITIES if one.has(key)), work.attributes.identity(values))
    score = one.number("score") if one.has("score") else float("nan")
    if one.has("bboxes"):
        person = one.text("id", "") or person
        boxes = list(enumerate(one.items("bboxes")))
        for place, values_of_box in boxes:
            if values_of_box:
                frame = Record(one.source, f"{one.what}, frame {place}", {"bbox": values_of_box})
                yield _Found(
                    _image(work, frame, (one.text("video_id"), place)),
                    _corners(frame),
                    actions,
                    category,
                    person,
                    score,
                    f"{one.source}: {frame.what}",
                )
    else:
        box = _corners(one) if one.has("bbox") else _outline(work, one)
        if box is not None:
            image = _image(work, one, one.text("image_id"))
            yield _Found(image, box, actions, category, person, score, f"{one.source}: {one.what}")


def _image(work: _Reading, one: Record, key: Hashable) -> _Image:
    if key not in work.images:
        shown = key if isinstance(key, str) else "of its video"
        raise one.wrong(f"is on image {shown}, which is not among the images")
    return work.images[key]


def _corners(one: Record) -> tuple[float, float, float, float]:
    left, top, width, height = one.numbers("bbox", 4)
    return left, top, left + width, top + height


def _outline(work: _Reading, one: Record) -> tuple[float, float, float, float] | None:
    """The box around polygons; None for masks and for nothing."""
    polygons = one.values.get("segmentation")
    if not isinstance(polygons, list) or not all(isinstance(each, list) and len(each) > 3 for each in polygons or [[]]):
        work.lost["annotation without bbox and polygon"] += 1
        return None
    numbers = [[one.checked(value, "has in segmentation") for value in polygon] for polygon in polygons]
    return around((x, y) for polygon in numbers for x, y in zip(polygon[::2], polygon[1::2], strict=False))


def _attributes(work: _Reading, one: Record) -> dict[str, Any]:
    """Attributes by their names; what is given as a list, or beside them, counts as one called ``actions``."""
    given = one.values.get("attributes")
    values = dict(given) if isinstance(given, Mapping) else {}
    beside = [given] if given is not None and not isinstance(given, Mapping) else []
    beside += [one.values[key] for key in ("actions", "action", "attribute_ids", "action_ids") if one.has(key)]
    names = [name for each in beside for name in (each if isinstance(each, list) else [each])]
    if beside:
        values["actions"] = [work.listed.get(str(name), name) for name in names]
    return values


def _annotations(work: _Reading, found: Sequence[_Found]) -> Annotations:
    times = _times(work)
    notes = work.attributes.notes
    who = {one.category for one in found if one.actions is not None}  # categories that say who, not what
    doing = [name for name in work.categories.values() if name not in who]
    shares = bool(found) and max(max(one.box) for one in found) <= 1
    if shares:
        notes.append("boxes are taken as shares of the frame: none is larger than 1")
    persons = []
    for one in found:
        actions = one.actions or []
        if one.category is not None and one.category not in who:
            actions = [*actions, one.category]
        size = (1, 1) if shares else work.films.size(one.image.film, one.image.size)
        box = unit_box(one.box, size, one.where)
        persons.append(Person(one.image.film, times[one.image.place], box, actions, one.person, one.score))
    seen: dict[str, list[float]] = {}
    for image in work.images.values():
        seen.setdefault(image.film, []).append(times[image.place])
    first = {film: min(image.frame for image in images) for film, images in _by_film(work).items()}
    if first and set(first.values()) == {1}:
        notes.append("the first frame of every film has number 1; numbers are taken to count from 0, as COCO's do")
    if doing and who:
        notes.append(f"categories that are actions: {', '.join(doing[:10])}")
    names = [*_listed_actions(work), *doing]
    return collected(list(work.annotated.values()), persons, names, seen, work.lost, notes)


def _listed_actions(work: _Reading) -> list[str]:
    """The actions as a file of ours lists them, those that nobody does too."""
    return [one.text("name") for one in work.top.records("actions", "action")]


def _by_film(work: _Reading) -> dict[str, list[_Image]]:
    by_film: dict[str, list[_Image]] = {}
    for image in work.images.values():
        by_film.setdefault(image.film, []).append(image)
    return by_film


def _times(work: _Reading) -> list[float]:
    """When each image is shown."""
    times = [0.0] * len(work.images)
    for film, images in _by_film(work).items():
        seconds = work.films.seconds(film, [image.frame for image in images], work.annotated[film].rate)
        for image, second in zip(images, seconds.tolist(), strict=True):
            times[image.place] = second
    return times
