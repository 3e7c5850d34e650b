"""Whether films show anything at their annotated key frames: decoded, which takes its time."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction

import numpy as np
import pandas as pd

from ava_tools.errors import InputError
from ava_tools.media.frame_folder import image_files, read_image
from ava_tools.media.frame_times import frame_times
from ava_tools.media.probe import FilmInfo
from ava_tools.media.reader import open_film
from ava_tools.tables import format_timestamp
from ava_tools.validate.contents import Contents
from ava_tools.validate.finding import Place, places

_NEARLY = 0.5  # seconds by which a clip is still like the one that is meant
_SAME = 1e-4  # seconds by which times of one frame may differ through rounding


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
        shown = _images_shown(film, moments) if film.path.is_dir() else _frames_shown(film, moments)
        return rows[[not each for each in shown]]

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for rows in pool.map(lacking, jobs):
            yield from places(
                rows, lambda row: f"no frame of {row.video} can be decoded at {format_timestamp(row.timestamp)}"
            )


def _frames_shown(film: FilmInfo, moments: Sequence[Fraction]) -> Iterator[bool]:
    """Whether the frame of a moment, or one shortly before, can be decoded, and the film goes on so far."""
    if not moments:
        return
    with open_film(film.path, warn=False, threads=1) as source:
        decoded = np.array([float(frame.time) for frame in source.frames(moments=moments)])
    stored = frame_times(film.path)
    nearly = max(_NEARLY, 2 / float(film.rate))
    for moment in map(float, moments):
        shown, meant = (times[times <= moment + _SAME].max(initial=-np.inf) for times in (decoded, stored))
        yield meant - shown <= nearly and moment - stored[-1] <= nearly


def _images_shown(film: FilmInfo, moments: Sequence[Fraction]) -> Iterator[bool]:
    images = image_files(film.path)
    for moment in moments:
        try:
            read_image(images[min(int(moment * film.rate), len(images) - 1)])
            yield True
        except InputError:
            yield False
