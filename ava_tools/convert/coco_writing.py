"""Annotations as one COCO json: videos, tracks, images called FILM/000123.jpg by their frames, one box a person.

COCO has one category an annotation, but persons do several things at once. One annotation an action would be another
person for every tool that shows the file, and one to correct in each of them; so a person is one annotation of the
category ``person``, and what it does is its attribute ``actions``, a list of names. Lists of all names (``actions``)
and of identities (``tracks``) stand beside, as tools leave them alone that do not know them.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pandas as pd

from ava_tools.atomic import replacing
from ava_tools.convert.annotations import NOBODY, AnnotatedFilm, Annotations
from ava_tools.convert.films import Films
from ava_tools.tables import COORDINATES, KEY

_PERSON = {"id": 1, "name": "person"}


def write(annotations: Annotations, out: Path, films: Films) -> list[Path]:
    """Write ``annotations.json``.

    Args:
        annotations: of key frames.
        out: the folder.
        films: where sizes and numbers of frames come from.

    Raises:
        InputError: the size of a film is not known, or the file cannot be written.
    """
    content: dict[str, list[dict[str, Any]]] = {
        "videos": [],
        "images": [],
        "tracks": [],
        "annotations": [],
        "categories": [_PERSON],
        "actions": [{"id": action.id, "name": action.name} for action in annotations.labels],
    }
    names = {action.id: action.name for action in annotations.labels}
    done = annotations.actions["action_id"].map(names).groupby(annotations.actions["box"]).agg(list)
    for number, film in enumerate(annotations.films, start=1):
        _add_film(content, annotations, film, number, films, done)
    out.mkdir(parents=True, exist_ok=True)
    with replacing(out / "annotations.json") as temporary:
        temporary.write_text(json.dumps(content, ensure_ascii=False) + "\n", encoding="utf-8")
    return [out / "annotations.json"]


def _add_film(
    content: dict[str, list[dict[str, Any]]],
    annotations: Annotations,
    film: AnnotatedFilm,
    number: int,
    films: Films,
    done: pd.Series[Any],
) -> None:
    width, height = films.size(film.name, (film.width, film.height))
    video = {"id": number, "name": film.name, "width": width, "height": height}
    info = films.info(film.name)
    rate = film.rate if info is None else float(info.rate)
    content["videos"].append(video | ({} if rate is None else {"fps": rate}))
    images: dict[int, int] = {}  # ids by frames
    shown = annotations.key_frames.loc[annotations.key_frames[KEY[0]] == film.name, KEY[1]]
    for frame in films.frames(film, shown.to_numpy(float)).tolist():
        if frame not in images:
            images[frame] = len(content["images"]) + 1
            name = {"id": images[frame], "file_name": f"{film.name}/{frame:06d}.jpg", "video_id": number}
            content["images"].append(name | {"frame_id": frame, "width": width, "height": height})
    own = annotations.persons[annotations.persons[KEY[0]] == film.name]
    tracks: dict[int, int] = {}
    frames = films.frames(film, own[KEY[1]].to_numpy(float)).tolist()
    columns = own[[*COORDINATES, "person", "score"]].itertuples(name=None)
    for frame, (place, x1, y1, x2, y2, person, score) in zip(frames, columns, strict=True):
        box = [x1 * width, y1 * height, (x2 - x1) * width, (y2 - y1) * height]
        one: dict[str, Any] = {
            "id": len(content["annotations"]) + 1,
            "image_id": images[frame],
            "video_id": number,
            "category_id": _PERSON["id"],
            "bbox": [round(value, 3) for value in box],
            "area": round(box[2] * box[3], 2),
            "iscrowd": 0,
            "attributes": {"actions": done.get(place, [])},
        }
        if person != NOBODY:
            if person not in tracks:
                tracks[person] = len(content["tracks"]) + 1
                content["tracks"].append({"id": tracks[person], "category_id": _PERSON["id"], "video_id": number})
            one["track_id"] = tracks[person]
        if not math.isnan(score):
            one["score"] = round(score, 6)
        content["annotations"].append(one)
