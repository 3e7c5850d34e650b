"""Label Studio's json: rectangles through films (VideoRectangle), drawn on some frames and interpolated between them.

What a person does, the choices and taxonomies of its region say; a label whose regions have none is an action itself.
Label Studio counts frames from 1, by the rate that its project says and not by the film's own.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

from ava_tools.convert.annotations import AnnotatedFilm, Annotations, Person, collected, while_annotated
from ava_tools.convert.attributes import ActionAttributes
from ava_tools.convert.films import Films, film_name, is_film_file
from ava_tools.convert.interpolation import Interpolation
from ava_tools.convert.json_records import Record, read_json
from ava_tools.convert.label_studio_writing import write
from ava_tools.convert.pixel_boxes import turned, unit_box

__all__ = ["read", "write"]

_MOST_FRAMES = 10_000_000  # of a film: four days of it
_UPLOADED = re.compile(r"^[0-9a-f]{8}-")  # what uploads add to names
_SAID = ("choices", "taxonomy", "labels", "text", "number", "rating")  # keys of what a region's controls say
_LABELS = "labels"
_RATES_AGREE = 0.01


class _Region(NamedTuple):
    """A rectangle through a film.

    Attributes:
        film: its name.
        frames: numbers from 1 of what was drawn, rising.
        boxes: x1 y1 x2 y2, percent of the frame.
        enabled: whether each stays until the next.
        length: frames of the film.
        rate: frames a second that Label Studio counts; None: not known.
        labels: of the region.
        actions: what its controls say; None: nothing.
        person: who it is.
        score: of a model; NaN: none.
        where: for messages.
    """

    film: str
    frames: list[int]
    boxes: list[tuple[float, float, float, float]]
    enabled: list[bool]
    length: int
    rate: float | None
    labels: list[str]
    actions: list[str] | None
    person: str
    score: float
    where: str


@dataclass
class _Reading:
    """A file on its way to annotations."""

    source: Path
    films: Films
    attributes: ActionAttributes
    lost: Counter[str]
    annotated: dict[str, AnnotatedFilm] = field(default_factory=dict)
    notes: dict[str, None] = field(default_factory=dict)
    names: dict[str, None] = field(default_factory=dict)  # of actions, as tasks of ours list them


def read(source: Path, films: Films, attributes: Sequence[str] | None = None) -> Annotations:
    """Read a file.

    Args:
        source: the json export, not JSON-MIN.
        films: where the times of frames come from.
        attributes: names of the only controls that name actions; None: all that can.

    Raises:
        InputError: it is no such file, or something in it is wrong.
    """
    content = read_json(source)
    tasks = content if isinstance(content, list) else [content]
    lost: Counter[str] = Counter()
    work = _Reading(source, films, ActionAttributes(attributes, lost), lost)
    regions = [
        region
        for number, task in enumerate(tasks, start=1)
        for region in _regions(work, Record(source, f"task {number}", task))
    ]
    work.attributes.check(source)
    return _annotations(work, regions)


def _regions(work: _Reading, task: Record) -> Iterator[_Region]:
    if not task.has("data") or not (task.has("annotations") or task.has("predictions")):
        raise task.wrong(
            "lacks data with annotations or predictions; Label Studio's json export is expected, not JSON-MIN"
        )
    film = _film(work, task)
    data = task.record("data")
    work.names |= dict.fromkeys(map(str, data.items("actions") if isinstance(data.values.get("actions"), list) else []))
    chosen = _chosen(work, task)
    if chosen is None:
        return
    by_id: dict[str, dict[str, Any]] = {}
    results = list(chosen.records("result", f"{task.what}, result"))
    for result in results:
        kind = result.text("type", "")
        if kind == "videorectangle" or not result.has("id"):
            continue
        value = result.record("value")
        said = next((value.values[key] for key in _SAID if value.has(key)), None)
        key = _LABELS if kind == "labels" else result.text("from_name", kind)
        by_id.setdefault(result.text("id"), {})[key] = said
    drawn = set()
    for result in results:
        if result.text("type", "") == "videorectangle":
            drawn.add(result.text("id", ""))
            yield _region(work, result, film, by_id.get(result.text("id", ""), {}), chosen)
    work.lost["note that belongs to no rectangle"] += len(by_id.keys() - drawn)


def _chosen(work: _Reading, task: Record) -> Record | None:
    """The annotation that counts: the approved one, else the last that was not skipped, else the last prediction."""
    done = [
        one for one in task.records("annotations", f"{task.what}, annotation") if not one.values.get("was_cancelled")
    ]
    if len(done) > 1:
        work.notes["of several annotations of a film the approved one counts, else the last"] = None
    approved = [one for one in done if one.values.get("ground_truth") is True]
    predicted = list(task.records("predictions", f"{task.what}, prediction"))
    if not done and predicted:
        work.notes["films without annotations have their predictions"] = None
    return next(reversed([*predicted, *done, *approved]), None) if done or predicted else None


def _region(work: _Reading, result: Record, film: str, said: dict[str, Any], chosen: Record) -> _Region:
    value = result.record("value")
    said = dict(said)
    labels = [str(label) for label in [*value.items(_LABELS), *_texts(said.pop(_LABELS, []))]]
    found = sorted(value.records("sequence", f"{result.what}, box"), key=lambda one: one.whole("frame"))
    for one in found:
        if not 0 < one.whole("frame") <= _MOST_FRAMES:
            raise one.wrong(f"has frame {one.whole('frame')}; they count from 1 to {_MOST_FRAMES:,} at most")
    if value.whole("framesCount", 0) > _MOST_FRAMES:
        raise result.wrong(f"has more than {_MOST_FRAMES:,} frames")
    values = {name: _texts(each) for name, each in said.items()}
    free = {name for name, each in said.items() if isinstance(each, int | float)}
    actions = work.attributes.actions({name: each for name, each in values.items() if name not in free})
    who = work.attributes.identity({name: each[0] for name, each in values.items() if each})
    score = result.number("score") if result.has("score") else float("nan")
    region = _Region(
        film,
        [one.whole("frame") for one in found],
        [_percent(work, one, film) for one in found],
        [one.values.get("enabled", True) is not False for one in found],
        value.whole("framesCount", 0),
        _rate(value, found),
        labels,
        actions,
        who or f"region {result.text('id', result.what)}",
        score,
        f"{result.source}: {result.what}",
    )
    known = work.annotated[film]
    if not known.frames and region.length:
        work.annotated[film] = AnnotatedFilm(film, rate=region.rate, frames=region.length, file=known.file)
    return region


def _texts(said: Any) -> list[str]:
    """What a control says as texts; of a taxonomy's paths the last step."""
    if said is None:
        return []
    steps = said if isinstance(said, list) else [said]
    return [str(step[-1]) if isinstance(step, list) and step else str(step) for step in steps if step != []]


def _percent(work: _Reading, one: Record, film: str) -> tuple[float, float, float, float]:
    x, y, width, height = (one.number(key) for key in ("x", "y", "width", "height"))
    box = x, y, x + width, y + height
    if angle := one.number("rotation", 0) % 360:  # about the upper left corner
        work.lost["rotation of a box (the box around it is taken)"] += 1
        info = work.films.info(film)
        stretch = info.width / info.height if info is not None else 1.0
        wide = turned((x * stretch, y, (x + width) * stretch, y + height), angle, (x * stretch, y))
        box = wide[0] / stretch, wide[1], wide[2] / stretch, wide[3]
    return box


def _rate(value: Record, found: Sequence[Record]) -> float | None:
    """Frames a second as Label Studio counts them: its time of frame n is n frames long."""
    rates = [one.whole("frame") / one.number("time") for one in found if one.number("time", 0) > 0]
    if rates and min(rates) > 0 and max(rates) < min(rates) * (1 + _RATES_AGREE):
        return rates[-1]
    count, duration = value.whole("framesCount", 0), value.number("duration", 0)
    return count / duration if count and duration > 0 else None


def _film(work: _Reading, task: Record) -> str:
    """What tables call the film of a task."""
    given = [str(value) for value in task.record("data").values.values() if isinstance(value, str)]
    files = [path for url in given for path in [_path(url)] if is_film_file(path)]
    if not files:
        raise task.wrong("names no film in its data; a file or address of one is expected")
    whole = film_name(files[0])
    own = Path(whole).name
    names = [whole.lstrip("/"), own, _UPLOADED.sub("", own)]
    name = next((each for each in names if work.films.info(each) is not None), names[-1])
    work.annotated.setdefault(name, AnnotatedFilm(name, file=Path(files[0]).name))
    return name


def _path(address: str) -> str:
    """The path of a film in a file's name or address; of local storages it is the parameter d."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return address
    return parse_qs(parts.query).get("d", [unquote(parts.path)])[0]


def _annotations(work: _Reading, regions: Sequence[_Region]) -> Annotations:
    who = {label for region in regions if region.actions is not None for label in region.labels}
    between = Interpolation(work.source)
    persons: list[Person] = []
    looked_at: dict[str, list[float]] = {}
    for region in regions:
        actions = [*(region.actions or []), *(label for label in region.labels if label not in who)]
        drawn = list(zip(region.frames, region.boxes, strict=True))
        seen = list(between.boxes(drawn, region.enabled.__getitem__, range(1, region.length + 1)))
        times = _seconds(work, region, [frame for _, frame, _ in seen])
        for (_, frame, box), time in zip(seen, times, strict=True):
            unit = unit_box(box, (100, 100), f"{region.where}, frame {frame}")
            persons.append(Person(region.film, time, unit, actions, region.person, region.score))
        if region.film not in looked_at:
            looked_at[region.film] = _seconds(work, region, between.looked_at(range(1, region.length + 1)))
    doing = work.names | dict.fromkeys(label for region in regions for label in region.labels if label not in who)
    notes = [*work.notes, *work.attributes.notes]
    watched = while_annotated(looked_at, persons)
    return collected(list(work.annotated.values()), persons, doing, watched, work.lost, notes)


def _seconds(work: _Reading, region: _Region, frames: Sequence[int]) -> list[float]:
    """Times of frames that count from 1; where Label Studio's rate is not the film's, by that alone."""
    info = work.films.info(region.film)
    if info is not None and region.rate and abs(region.rate / float(info.rate) - 1) > _RATES_AGREE:
        told = f"{region.film}: Label Studio counted {region.rate:.4g} frames a second, the film has"
        work.notes[f"{told} {float(info.rate):.4g}; Label Studio's times count"] = None
        return [(frame - 1) / region.rate for frame in frames]
    times: list[float] = work.films.seconds(region.film, [max(0, frame - 1) for frame in frames], region.rate).tolist()
    return times
