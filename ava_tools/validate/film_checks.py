"""What can be wrong between annotations and films: films that are not there, times that are not in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

import numpy as np
import pandas as pd

from ava_tools.media.library import find_film
from ava_tools.media.probe import LATE
from ava_tools.tables import format_timestamp
from ava_tools.validate.contents import Contents
from ava_tools.validate.finding import Place, places

_AVA = 900  # seconds, where AVA's films are cut


def missing(contents: Contents) -> Iterator[Place]:
    """Films that annotations name and the folder does not hold; once each."""
    rows = contents.truth[contents.truth["video"].isin(contents.library.missing)]
    count = rows["video"].value_counts()
    alike = {_plain(name): name for name in contents.folder}

    def sentence(video: str) -> str:
        close = alike.get(_plain(video))
        hint = "" if close is None else f"; is {close!r} meant?"
        return f"{count[video]:,} rows name the film {video!r}, which {contents.data_set.films} does not hold{hint}"

    return places(rows.drop_duplicates("video"), lambda row: sentence(row.video))


def unreadable(contents: Contents) -> Iterator[Place]:
    """Films that are named and cannot be read."""
    films = contents.data_set.films
    for name, reason in contents.library.broken.items():
        path = find_film(films, name) or films
        yield Place(path, None, f"the film cannot be read ({reason.removeprefix(f'{path}: ')})")


def unannotated(contents: Contents) -> Iterator[Place]:
    """Films in the folder that no file names."""
    named = {name for table in (contents.rows, contents.boxes, contents.excluded) for name in table["video"].unique()}
    for name, path in contents.folder.items():
        if name not in named and f"{name}{path.suffix}" not in named:
            yield Place(path, None, f"no annotation names the film {name!r}")


def without_truth(contents: Contents) -> Iterator[Place]:
    """Films that only files of predicted boxes or of excluded key frames name; once each and file."""
    others = pd.concat([contents.boxes, contents.excluded])
    others = others[~others["video"].isin(contents.rows["video"].unique())]
    return places(
        others.drop_duplicates(["file", "video"]),
        lambda row: f"the film {row.video!r} is named here, and in no file of annotated actions",
    )


def before(contents: Contents) -> Iterator[Place]:
    """Key frames before their films begin."""
    origin = contents.data_set.time_origin
    early = contents.key_frames["timestamp"] < origin
    return places(
        contents.key_frames[early],
        lambda row: f"the timestamp {format_timestamp(row.timestamp)} is before the film's start, which is {origin:g}",
    )


def after(contents: Contents, reason: str = "") -> Iterator[Place]:
    """Key frames after their films end.

    Args:
        contents: the data set.
        reason: why they may be: ``ava``, ``from 1``, ``frames``, then the first of each film; or none of these,
            then all.
    """
    late = _late(contents)
    late = late[late["reason"] == reason]
    return places(
        late.drop_duplicates("video") if reason else late,
        lambda row: (
            f"the timestamp {format_timestamp(row.timestamp)} is after the end of {row.video}, which is {row.end:.2f}"
        ),
    )


after_as_in_ava = partial(after, reason="ava")
after_from_one = partial(after, reason="from 1")
after_in_frames = partial(after, reason="frames")


def _late(contents: Contents) -> pd.DataFrame:
    """Key frames that are too late, with the ``end`` of their films, and the ``reason`` that may be."""
    films = {name: film for name, film in contents.library.films.items() if film.duration is not None}
    frames = contents.key_frames[contents.key_frames["video"].isin(films)]
    origin = contents.data_set.time_origin
    ends = {name: origin + (film.duration or 0.0) for name, film in films.items()}
    frames = frames.assign(end=frames["video"].map(ends).astype(float))
    late = frames[frames["timestamp"] > frames["end"] + LATE]
    if origin:
        return late.assign(reason="")
    of_late = frames[frames["video"].isin(late["video"].unique())]
    whole = of_late["timestamp"] % 1 == 0
    seen = (
        of_late.assign(whole=whole)
        .groupby("video")
        .agg(first=("timestamp", "min"), last=("timestamp", "max"), whole=("whole", "all"), end=("end", "first"))
    )
    rate = seen.index.map({name: float(film.rate) for name, film in films.items()}).to_numpy(dtype=float)
    ava = (seen["first"] >= _AVA) & (seen["last"] - _AVA <= seen["end"] + LATE)
    from_one = seen["whole"] & (seen["first"] >= 1) & (seen["last"] - 1 <= seen["end"])
    in_frames = seen["whole"] & (seen["last"] <= seen["end"] * rate + 1)
    reason = np.select([ava, from_one, in_frames], ["ava", "from 1", "frames"], "")
    return late.assign(reason=late["video"].map(dict(zip(seen.index, reason, strict=True))).astype(object))


def _plain(name: str) -> str:
    """A name without what people change in names: case, spaces, dashes, the suffix."""
    stem = re.sub(r"\.\w{1,5}$", "", name)
    return re.sub(r"[\W_]+", "", stem).casefold()
