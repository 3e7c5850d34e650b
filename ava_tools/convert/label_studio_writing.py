"""Annotations as predictions of Label Studio, to be imported into a project with these films, and corrected.

A region's choices hold for all its frames: whoever begins to do something else goes on as another region, with the same
number in the control ``person``. The data of a task list all actions, also those that nobody does.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any, NamedTuple
from xml.sax.saxutils import quoteattr

from ava_tools.atomic import replacing
from ava_tools.convert.annotations import NOBODY, AnnotatedFilm, Annotations
from ava_tools.convert.films import Films
from ava_tools.tables import COORDINATES, KEY

LABEL = "person"


class _Seen(NamedTuple):
    """A person on a frame, counted from 0; ``track`` falls below 0 for those without identity, each another."""

    track: int
    frame: int
    box: tuple[float, float, float, float]
    actions: tuple[str, ...]
    score: float


def write(annotations: Annotations, out: Path, films: Films) -> list[Path]:
    """Write ``tasks.json``, and ``labeling_config.xml``, the labelling interface that the project needs.

    Args:
        annotations: of key frames.
        out: the folder.
        films: where numbers of frames come from.

    Raises:
        InputError: the frame rate of a film is not known, or a file cannot be written.
    """
    tasks = [_task(annotations, film, films) for film in annotations.films]
    choices = "".join(f"    <Choice value={quoteattr(name)}/>\n" for name in annotations.labels.names)
    rates = {round(_rate(film, films), 3) for film in annotations.films}
    config = (
        "<View>\n"
        f'  <Labels name="label" toName="video">\n    <Label value="{LABEL}"/>\n  </Labels>\n'
        f'  <Video name="video" value="$video" frameRate="{min(rates, default=25):g}"/>\n'
        '  <VideoRectangle name="box" toName="video"/>\n'
        f'  <Choices name="action" toName="video" choice="multiple" perRegion="true">\n{choices}  </Choices>\n'
        '  <Number name="person" toName="video" perRegion="true"/>\n'
        "</View>\n"
    )
    out.mkdir(parents=True, exist_ok=True)
    texts = {"tasks.json": json.dumps(tasks, ensure_ascii=False) + "\n", "labeling_config.xml": config}
    for name, text in texts.items():
        with replacing(out / name) as temporary:
            temporary.write_text(text, encoding="utf-8")
    return [out / name for name in texts]


def _rate(film: AnnotatedFilm, films: Films) -> float:
    info = films.info(film.name)
    return float(info.rate) if info is not None else 1 / float(films.seconds(film.name, [1], film.rate)[0])


def _task(annotations: Annotations, film: AnnotatedFilm, films: Films) -> dict[str, Any]:
    rate = _rate(film, films)
    shown = annotations.key_frames.loc[annotations.key_frames[KEY[0]] == film.name, KEY[1]]
    frames = sorted(set(films.frames(film, shown.to_numpy(float)).tolist()))
    count = max(film.frames or 0, frames[-1] + 1 if frames else 0)
    seen = sorted(_seen(annotations, film, films), key=lambda one: (one.track, one.frame))
    result: list[dict[str, Any]] = []
    for track, sightings in groupby(seen, key=lambda one: one.track):
        for number, part in enumerate(_parts(list(sightings), dict(pairwise(frames)))):
            shared = {"id": f"{track}_{number}", "to_name": "video", "origin": "prediction"}
            sequence = [_key_frame(one, enabled, rate) for one, enabled in part]
            value = {"framesCount": count, "duration": count / rate, "sequence": sequence, "labels": [LABEL]}
            box = shared | {"type": "videorectangle", "from_name": "box", "value": value}
            scores = [one.score for one, _ in part if not math.isnan(one.score)]
            result.append(box | ({"score": round(sum(scores) / len(scores), 6)} if scores else {}))
            choices = {"choices": list(part[0][0].actions)}
            result.append(shared | {"type": "choices", "from_name": "action", "value": choices})
            if track >= 0:
                result.append(shared | {"type": "number", "from_name": "person", "value": {"number": track}})
    return {
        "data": {"video": film.file or film.name, "actions": list(annotations.labels.names)},
        "predictions": [{"model_version": "slowfast-det", "result": result}],
    }


def _parts(shown: Sequence[_Seen], following: Mapping[int, int]) -> Iterator[list[tuple[_Seen, bool]]]:
    """Stretches of one person's sightings with the same actions, and whether each is seen until the next."""
    part: list[tuple[_Seen, bool]] = []
    for one, after in zip(shown, [*shown[1:], None], strict=True):
        stays = after is not None and following.get(one.frame) == after.frame
        same = after is not None and after.actions == one.actions
        alone = after is None or after.frame == one.frame + 1
        part.append((one, stays and (same or not alone)))
        if after is not None and stays and not same and not alone:
            part.append((_before(one, after), False))
        if not same:
            yield part
            part = []


def _before(one: _Seen, after: _Seen) -> _Seen:
    """The frame before a sighting, on the straight way to it."""
    share = (after.frame - 1 - one.frame) / (after.frame - one.frame)
    x1, y1, x2, y2 = (a + share * (b - a) for a, b in zip(one.box, after.box, strict=True))
    return one._replace(frame=after.frame - 1, box=(x1, y1, x2, y2))


def _key_frame(one: _Seen, enabled: bool, rate: float) -> dict[str, Any]:
    x1, y1, x2, y2 = (value * 100 for value in one.box)
    place = {"x": x1, "y": y1, "width": x2 - x1, "height": y2 - y1}
    frame = one.frame + 1
    return {
        "frame": frame,
        "enabled": enabled,
        "rotation": 0,
        **{key: round(value, 5) for key, value in place.items()},
        "time": frame / rate,
    }


def _seen(annotations: Annotations, film: AnnotatedFilm, films: Films) -> list[_Seen]:
    own = annotations.persons[annotations.persons[KEY[0]] == film.name]
    names = {action.id: action.name for action in annotations.labels}
    done = annotations.actions[annotations.actions["box"].isin(own.index)]
    of_box = done["action_id"].map(names).groupby(done["box"]).agg(list).to_dict()
    frames = films.frames(film, own[KEY[1]].to_numpy(float)).tolist()
    tracks = own["person"].where(own["person"] != NOBODY, -1 - own.index.to_numpy()).tolist()
    boxes = own[COORDINATES].itertuples(index=False, name=None)
    return [
        _Seen(track, frame, box, tuple(sorted(of_box.get(place, ()))), score)
        for place, track, frame, box, score in zip(own.index, tracks, frames, boxes, own["score"], strict=True)
    ]
