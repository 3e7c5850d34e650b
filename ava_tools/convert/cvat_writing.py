"""Annotations as CVAT's xml for video 1.1: a file a film, to be uploaded into a task with that film and these labels.

Whoever has an identity is one track from key frame to key frame, others are a track of one frame each. What a person
does are checkboxes of the label ``person``, so that all actions of a person can be corrected.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import groupby, pairwise
from pathlib import Path
from typing import NamedTuple
from xml.etree.ElementTree import Element, ElementTree, SubElement, indent

from ava_tools.atomic import replacing
from ava_tools.convert.annotations import NOBODY, AnnotatedFilm, Annotations, file_stems
from ava_tools.convert.films import Films
from ava_tools.tables import COORDINATES, KEY

LABEL = "person"


class _Seen(NamedTuple):
    """A person on a frame; ``track`` falls below 0 for those without identity, each another."""

    track: int
    frame: int
    box: tuple[float, ...]
    actions: frozenset[str]


def write(annotations: Annotations, out: Path, films: Films) -> list[Path]:
    """Write ``FILM.xml`` of each film, and ``labels.json``, CVAT's raw text of the labels that a task needs.

    Args:
        annotations: of key frames.
        out: the folder.
        films: where sizes and numbers of frames come from.

    Raises:
        InputError: the size of a film is not known, or a file cannot be written.
    """
    out.mkdir(parents=True, exist_ok=True)
    names = list(annotations.labels.names)
    files = []
    stems = file_stems(annotations.films)
    for film in annotations.films:
        path = out / f"{stems[film.name]}.xml"
        tree = ElementTree(_film(annotations, film, names, films))
        indent(tree)
        with replacing(path) as temporary:
            tree.write(temporary, encoding="utf-8", xml_declaration=True)
        files.append(path)
    checkboxes = [
        {"name": name, "input_type": "checkbox", "mutable": True, "values": ["false"], "default_value": "false"}
        for name in names
    ]
    with replacing(out / "labels.json") as temporary:
        temporary.write_text(json.dumps([{"name": LABEL, "attributes": checkboxes}], indent=2) + "\n", encoding="utf-8")
    return [*files, out / "labels.json"]


def _film(annotations: Annotations, film: AnnotatedFilm, names: Sequence[str], films: Films) -> Element:
    width, height = films.size(film.name, (film.width, film.height))
    times = annotations.key_frames.loc[annotations.key_frames[KEY[0]] == film.name, KEY[1]]
    frames = sorted(set(films.frames(film, times.to_numpy(float)).tolist()))
    root = Element("annotations")
    SubElement(root, "version").text = "1.1"
    following = dict(pairwise(frames))
    stop = max(frames[-1] if frames else 0, (film.frames or 1) - 1)
    _describe(SubElement(SubElement(root, "meta"), "task"), film, stop, names, (width, height))
    seen = sorted(_seen(annotations, film, films), key=lambda one: (one.track, one.frame))
    for number, (track, sightings) in enumerate(groupby(seen, key=lambda one: one.track)):
        element = SubElement(root, "track", id=str(number), label=LABEL, source="file" if track >= 0 else "auto")
        shown = list(sightings)
        for one, after in zip(shown, [*shown[1:], None], strict=True):
            _box(element, one, one.frame, False, names, (width, height))
            gone = after is None or after.frame != following.get(one.frame)  # who is not on the next key frame
            if gone and one.frame < stop:
                _box(element, one, one.frame + 1, True, names, (width, height))
    return root


def _describe(task: Element, film: AnnotatedFilm, stop: int, names: Sequence[str], size: tuple[int, int]) -> None:
    values: Mapping[str, object] = {
        "name": film.name,
        "size": stop + 1,
        "mode": "interpolation",
        "start_frame": 0,
        "stop_frame": stop,
        "frame_filter": "",
    }
    for key, value in values.items():
        SubElement(task, key).text = str(value)
    label = SubElement(SubElement(task, "labels"), "label")
    SubElement(label, "name").text = LABEL
    attributes = SubElement(label, "attributes")
    for name in names:
        attribute = SubElement(attributes, "attribute")
        for key, text in (("name", name), ("mutable", "True"), ("input_type", "checkbox"), ("values", "false")):
            SubElement(attribute, key).text = text
    original = SubElement(task, "original_size")
    SubElement(original, "width").text, SubElement(original, "height").text = map(str, size)
    SubElement(task, "source").text = film.file or film.name


def _seen(annotations: Annotations, film: AnnotatedFilm, films: Films) -> list[_Seen]:
    own = annotations.persons[annotations.persons[KEY[0]] == film.name]
    names = {action.id: action.name for action in annotations.labels}
    done = annotations.actions[annotations.actions["box"].isin(own.index)]
    of_box = done["action_id"].map(names).groupby(done["box"]).agg(frozenset)
    frames = films.frames(film, own[KEY[1]].to_numpy(float)).tolist()
    alone = -1 - own.index.to_numpy()
    tracks = own["person"].where(own["person"] != NOBODY, alone).tolist()
    boxes = own[COORDINATES].itertuples(index=False, name=None)
    return [
        _Seen(track, frame, box, of_box.get(place, frozenset()))
        for place, track, frame, box in zip(own.index, tracks, frames, boxes, strict=True)
    ]


def _box(track: Element, one: _Seen, frame: int, outside: bool, names: Sequence[str], size: tuple[int, int]) -> None:
    corners = zip(("xtl", "ytl", "xbr", "ybr"), one.box, (*size, *size), strict=True)
    values = {"frame": str(frame), "outside": str(int(outside)), "occluded": "0", "keyframe": "1"}
    values |= {key: f"{value * side:.2f}" for key, value, side in corners}
    box = SubElement(track, "box", values | {"z_order": "0"})
    for name in names:
        SubElement(box, "attribute", name=name).text = "true" if name in one.actions else "false"
