"""Key frames that are looked at: those of annotation files, or one every so many seconds."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import NamedTuple

import pandas as pd

from ava_tools.media.library import Library
from ava_tools.media.probe import FilmInfo
from ava_tools.media.reader import open_film
from ava_tools.tables import KEY
from slowfast_det.span import Span


class Moment(NamedTuple):
    """A key frame that is looked at: film, and seconds from its start."""

    video: str
    time: float


def annotated_moments(frames: pd.DataFrame, library: Library, time_origin: float) -> tuple[Moment, ...]:
    """Moments of annotated key frames, film by film as they first appear, rising within each.

    Args:
        frames: columns video, timestamp; any row may be repeated.
        library: the films; key frames of others are left out.
        time_origin: timestamp of the films' start.
    """
    kept = frames[frames["video"].isin(library.films)].drop_duplicates(KEY)
    kept = kept.assign(order=pd.factorize(kept["video"])[0]).sort_values(["order", "timestamp"], kind="stable")
    times = (kept["timestamp"] - time_origin).round(6)
    return tuple(Moment(str(video), float(time)) for video, time in zip(kept["video"], times, strict=True))


def spaced_moments(library: Library, span: Span) -> tuple[Moment, ...]:
    """Moments of a span in every film, up to its end."""
    return tuple(Moment(name, time) for name, info in library.films.items() for time in _within(info, span))


def _within(info: FilmInfo, span: Span) -> Iterator[float]:
    end = _length(info)
    for time in span.moments():
        if time >= end:
            return
        yield time


def _length(info: FilmInfo) -> float:
    """Seconds of a film; one that does not declare them is read."""
    if info.duration is not None:
        return info.duration
    last = Fraction(0)
    with open_film(info.path, float(info.rate), warn=False) as film:
        for frame in film.frames():
            last = frame.time
    return float(last + 1 / info.rate)
