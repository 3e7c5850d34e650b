"""Whether films show anything at their annotated key frames: decoded, which takes its time."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path

import pandas as pd

from ava_tools.errors import InputError
from ava_tools.media.frame_folder import image_files, read_image
from ava_tools.media.probe import FilmInfo
from ava_tools.media.reader import open_film
from ava_tools.tables import format_timestamp
from ava_tools.validate.contents import Contents
from ava_tools.validate.finding import Place, places

_STILL = 1.0  # seconds that a frame may stand; longer ones stand where others could not be decoded


def without_frame(contents: Contents) -> Iterator[Place]:
    """Key frames within their films at which nothing can be decoded."""
    origin = contents.data_set.time_origin
    frames = contents.key_frames[contents.key_frames["timestamp"] >= origin]
    jobs = [
        (contents.library.films[str(video)], rows.sort_values("timestamp", kind="stable"))
        for video, rows in frames.groupby("video", sort=False)
        if video in contents.library.films
    ]

    def lacking(job: tuple[FilmInfo, pd.DataFrame]) -> pd.DataFrame:
        film, rows = job
        rows = rows[rows["timestamp"] - origin <= (film.duration or float("inf"))]  # others are told elsewhere
        moments = [Fraction(round((time - origin) * 1_000_000), 1_000_000) for time in rows["timestamp"]]
        shown = _images_shown(film, moments) if film.path.is_dir() else _frames_shown(film.path, moments)
        return rows[[not each for each in shown]]

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for rows in pool.map(lacking, jobs):
            yield from places(
                rows, lambda row: f"no frame of {row.video} can be decoded at {format_timestamp(row.timestamp)}"
            )


def _frames_shown(path: Path, moments: Sequence[Fraction]) -> Iterable[bool]:
    """Whether a frame is decoded that begins shortly before a moment; moments rise."""
    with open_film(path, warn=False, threads=1) as film:
        times = [frame.time for frame in film.frames(moments=moments)] if moments else []
    number = 0
    for moment in moments:
        while number < len(times) and times[number] <= moment:
            number += 1
        yield number > 0 and moment - times[number - 1] <= _STILL


def _images_shown(film: FilmInfo, moments: Sequence[Fraction]) -> Iterator[bool]:
    images = image_files(film.path)
    for moment in moments:
        try:
            read_image(images[min(int(moment * film.rate), len(images) - 1)])
            yield True
        except InputError:
            yield False
