"""Person boxes for whole data sets: a detector looks at given moments of films."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from pathlib import Path

import numpy as np
import pandas as pd

from ava_tools.boxes import to_unit
from ava_tools.errors import InputError
from ava_tools.media.frames import FrameSource
from ava_tools.media.library import Library
from ava_tools.media.reader import open_film
from ava_tools.tables import COORDINATES, KEY
from slowfast_det.batches import in_batches
from slowfast_det.clips.sample import Clip, stream_clips, stream_moments
from slowfast_det.distributed import World
from slowfast_det.moments import Moment
from slowfast_det.persons.protocol import PersonDetector
from slowfast_det.smoothing import Sighting, Smoothing

_ON_GPU = 16  # key frames that are looked at together; one fills a CPU, and is safe before the next
_FAR = 10.0  # seconds between key frames over which a film is entered anew, not read on


@dataclass(frozen=True)
class Proposals:
    """Persons that were found.

    Attributes:
        sightings: key frames with their persons, film by film, rising; ``of`` is the film's name.
        problems: one sentence for each film that failed on the way.
        missed: moments at which no key frame was found: beyond a film's end, or in a film that failed.
    """

    sightings: tuple[Sighting[str], ...]
    problems: tuple[str, ...]
    missed: tuple[Moment, ...]


def find_persons(
    detector: PersonDetector,
    moments: Sequence[Moment],
    library: Library,
    world: World,
    *,
    frame_rate: float = 30.0,
    before: Mapping[Moment, Sighting[str]] = {},
    keep: Callable[[Sighting[str]], None] = lambda sighting: None,
) -> Proposals | None:
    """Look for persons at moments of films, which the processes share, none of them twice.

    Args:
        detector: finds persons in frames.
        moments: film by film, rising; each film is read from front to back.
        library: where the films are.
        world: the processes that work together; the first one gets the answer.
        frame_rate: images a second of folders of frames.
        before: what was found before and is not looked for again, the same for all processes.
        keep: called with each key frame as it is found.
    """
    left = [moment for moment in moments if moment not in before]
    own = world.share(len(left))
    found: list[Sighting[str]] = []
    problems: list[str] = []
    for video, of_film in groupby(left[own.start : own.stop], key=lambda moment: moment.video):
        clips = _readable(library.films[video].path, frame_rate, [moment.time for moment in of_film], problems)
        for batch in in_batches(clips, 1 if world.device.type == "cpu" else _ON_GPU):
            for sighting in _look(detector, batch, video):
                keep(sighting)
                found.append(sighting)
    parts = world.gather((found, problems))
    if not world.is_first:
        return None
    known = {**before, **{Moment(each.of, each.time): each for found, _ in parts for each in found}}
    return Proposals(
        sightings=tuple(known[moment] for moment in moments if moment in known),
        problems=tuple(problem for _, problems in parts for problem in problems),
        missed=tuple(moment for moment in moments if moment not in known),
    )


def _look(detector: PersonDetector, clips: Sequence[Clip], video: str) -> Iterator[Sighting[str]]:
    """The persons of a film's key frames, coordinates and scores to six decimals as files have them."""
    frames = [clip.frames[0] for clip in clips]
    for clip, frame, found in zip(clips, frames, detector(frames), strict=True):
        boxes = to_unit(found.boxes, frame.shape[1], frame.shape[0]).round(6)
        yield Sighting(clip.time, boxes, found.scores.round(6), found.kinds, video)


def _readable(path: Path, frame_rate: float, times: Sequence[float], problems: list[str]) -> Iterator[Clip]:
    """The key frames of a film, as far as it can be read; why it cannot joins the problems."""
    try:
        with open_film(path, frame_rate) as film:
            yield from _key_frames(film, times)
    except (InputError, OSError) as problem:
        problems.append(str(problem))


def _key_frames(film: FrameSource, times: Sequence[float]) -> Iterator[Clip]:
    """Clips of a single frame; nothing that they do not need is decoded."""
    breaks = [place for place, (early, late) in enumerate(pairwise(times), start=1) if late - early > _FAR]
    for begin, end in pairwise([0, *breaks, len(times)]):
        near = times[begin:end]
        yield from stream_clips(
            film.frames(moments=stream_moments(near, 1, 1)),
            near,
            num_frames=1,
            sampling_rate=1,
            frame_length=1 / film.info.rate,
            prepare=lambda image: image,
            include_end=True,
            keyframes=False,
        )


def of_moments(
    sightings: Iterable[Sighting[str]], moments: Iterable[Moment], smoothing: Smoothing | None = None
) -> list[Sighting[str]]:
    """Those of some moments, film by film; steadied, if that is wanted."""
    known = {Moment(each.of, each.time): each for each in sightings}
    chosen = [known[moment] for moment in moments if moment in known]
    if smoothing is None:
        return chosen
    return [each for _, film in groupby(chosen, key=lambda one: one.of) for each in smoothing.over(film)]


def boxes_table(sightings: Iterable[Sighting[str]], time_origin: float = 0.0) -> pd.DataFrame:
    """Sightings as a table of boxes: video, timestamp, x1 y1 x2 y2 (0-1 of the frame), score, class."""
    seen = list(sightings)
    counts = [len(sighting.boxes) for sighting in seen]
    table = pd.DataFrame(np.concatenate([np.zeros((0, 4)), *(each.boxes for each in seen)]), columns=COORDINATES)
    times = np.array([each.time + time_origin for each in seen], dtype=float).round(6)
    table.insert(0, KEY[0], np.repeat(np.array([each.of for each in seen], dtype=object), counts))
    table.insert(1, KEY[1], np.repeat(times, counts))
    scores = np.concatenate([np.zeros(0), *(each.scores for each in seen)])
    classes = np.concatenate([np.zeros(0, np.int64), *(each.classes for each in seen)])
    return table.astype({"video": str}).assign(**{"score": scores, "class": classes})
