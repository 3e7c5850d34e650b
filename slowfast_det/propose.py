"""Person boxes for whole data sets: a detector looks at given moments of films."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby, islice
from pathlib import Path

import pandas as pd

from ava_tools.atomic import replacing
from ava_tools.boxes import to_unit
from ava_tools.media.frames import FrameSource, Image
from ava_tools.media.library import Library
from ava_tools.media.reader import open_film
from ava_tools.tables import COORDINATES, KEY, format_timestamp
from slowfast_det.clips.sample import TIMELINE_RATE, Clip, clip_indices, stream_clips
from slowfast_det.persons.protocol import PersonDetector
from slowfast_det.testing import Moment

_BATCH = 8


def find_persons(
    detector: PersonDetector,
    moments: Sequence[Moment],
    library: Library,
    *,
    frame_rate: float = 30.0,
    time_origin: float = 0.0,
) -> pd.DataFrame:
    """Look for persons at moments of films.

    Args:
        detector: finds persons in frames.
        moments: film by film, rising; each film is read once, from front to back.
        library: where the films are.
        frame_rate: images a second of folders of frames.
        time_origin: timestamp of the films' start: 900 for AVA's cut films.

    Returns:
        Columns video, timestamp, x1 y1 x2 y2 (0-1 of the frame), score.
    """
    rows: list[tuple[str, float, float, float, float, float, float]] = []
    for video, of_film in groupby(moments, key=lambda moment: moment.video):
        with open_film(library.films[video].path, frame_rate) as film:
            for clips in _batches(_key_frames(film, [moment.time for moment in of_film])):
                frames = [clip.keyframe.rgb() for clip in clips]
                for clip, frame, found in zip(clips, frames, detector(frames), strict=True):
                    boxes = to_unit(found.boxes, frame.shape[1], frame.shape[0])
                    rows += [
                        (video, round(clip.time + time_origin, 6), *box.tolist(), float(score))
                        for box, score in zip(boxes, found.scores, strict=True)
                    ]
    return pd.DataFrame(rows, columns=[*KEY, *COORDINATES, "score"]).astype({"video": str})


def _key_frames(film: FrameSource, times: Sequence[float]) -> Iterator[Clip]:
    """Clips of a single frame, the key frame."""
    first = clip_indices(times[0], 1, 1).start

    def untouched(image: Image) -> Image:
        return image

    return stream_clips(
        film.frames(max(0.0, first / TIMELINE_RATE)),
        times,
        num_frames=1,
        sampling_rate=1,
        frame_length=1 / film.info.rate,
        prepare=untouched,
        include_end=True,
    )


def _batches(clips: Iterator[Clip]) -> Iterator[list[Clip]]:
    while batch := list(islice(clips, _BATCH)):
        yield batch


def save_person_boxes(boxes: pd.DataFrame, path: Path) -> None:
    """Write AVA's person csv: ``video,timestamp,x1,y1,x2,y2,,score``."""
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        for video, time, *box, score in boxes[[*KEY, *COORDINATES, "score"]].to_numpy(dtype=object).tolist():
            coordinates = ",".join(f"{value:.6f}" for value in box)
            file.write(f"{video},{format_timestamp(time)},{coordinates},,{score:.6f}\n")
