"""What can be wrong with rows: their boxes, their actions, their persons."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from ava_tools.tables import COORDINATES, LARGEST_PERSON, ROUNDING, format_timestamp
from ava_tools.validate.contents import Contents
from ava_tools.validate.finding import Place, places

_PIXELS = 2  # a coordinate beyond is no fraction of the frame
_BOX = ["split", "frame", *COORDINATES]


def inverted(contents: Contents) -> Iterator[Place]:
    """Boxes whose corners are the wrong way round."""
    boxes = contents.drawn
    wrong = (boxes["x2"] < boxes["x1"]) | (boxes["y2"] < boxes["y1"])
    return places(boxes[wrong], lambda row: f"{_box(row)} has x2 below x1, or y2 below y1")


def flat(contents: Contents) -> Iterator[Place]:
    """Boxes without an area."""
    boxes = contents.drawn
    wrong = (boxes["x2"] == boxes["x1"]) | (boxes["y2"] == boxes["y1"])
    return places(boxes[wrong], lambda row: f"{_box(row)} has no area")


def outside(contents: Contents) -> Iterator[Place]:
    """Boxes that leave the frame; those in pixels are not meant."""
    boxes = contents.drawn
    corners = boxes[COORDINATES].to_numpy(dtype=float)
    wrong = ((corners < -ROUNDING) | (corners > 1 + ROUNDING)).any(axis=1) & ~_in_pixels(boxes)
    return places(boxes[wrong], lambda row: f"{_box(row)} leaves the frame, which reaches from 0 to 1")


def pixels(contents: Contents) -> Iterator[Place]:
    """Boxes in pixels."""
    films = contents.library.films

    def sentence(row: Any) -> str:
        film = films.get(row.video)
        size = "" if film is None else f"; the film has {film.width} x {film.height} of them"
        return f"{_box(row)} looks like pixels{size}"

    boxes = contents.drawn
    return places(boxes[_in_pixels(boxes)], sentence)


def unknown_actions(contents: Contents) -> Iterator[Place]:
    """Actions that are not in the list of labels; those of ids from 0 are not meant."""
    if contents.labels is None or not len(contents.labels):
        return iter(())
    ids = contents.labels.ids
    rows = contents.drawn
    wrong = rows["action_id"].notna() & ~rows["action_id"].isin(ids)
    if counts_from_zero(contents):
        wrong &= rows["action_id"] != 0
    allowed = f"none of the {len(ids)} labels, whose ids run from {min(ids)} to {max(ids)}"
    return places(rows[wrong], lambda row: f"action_id is {row.action_id:g}, {allowed}")


def actions_from_zero(contents: Contents) -> Iterator[Place]:
    """The first action 0 of a file whose ids seem to count from 0, where those of the labels count from 1."""
    if not counts_from_zero(contents):
        return iter(())
    zeros = contents.truth[contents.truth["action_id"] == 0]
    count = zeros.groupby("file")["line"].size()
    return places(
        zeros.drop_duplicates("file"),
        lambda row: f"action_id is 0 ({count[row.file]:,} times in this file), where the ids of the labels begin at 1",
    )


def counts_from_zero(contents: Contents) -> bool:
    """Whether every action of the annotations would be known if it were one more, and 0 is among them."""
    if contents.labels is None:
        return False
    ids, used = set(contents.labels.ids), contents.truth["action_id"].dropna().unique()
    return 0 not in ids and 0 in used and all(each + 1 in ids for each in used)


def duplicates(contents: Contents) -> Iterator[Place]:
    """Rows of a split that say again what an earlier one says."""
    columns = [*_BOX, "action_id", "person"]
    read = contents.truth[contents.truth["sound"]]  # actions that cannot be read would all be alike
    alike = read[read.duplicated(columns, keep=False)]
    earlier = alike.groupby(columns, sort=False, dropna=False)[["file", "line"]].transform("first")
    alike = alike.assign(first_file=earlier["file"], first_line=earlier["line"])
    return places(
        alike[alike.duplicated(columns)],
        lambda row: f"the row says the same as {row.first_file.name}, line {row.first_line}",
    )


def persons_that_are_no_numbers(contents: Contents) -> Iterator[Place]:
    """Identities that are not whole numbers, or so large that neighbours are alike."""
    person = contents.truth["person"]
    wrong = person.notna() & ((person != np.floor(person)) | (person.abs() > LARGEST_PERSON))
    return places(contents.truth[wrong], lambda row: f"the person is {row.person:g}, which is no whole number")


def persons_twice(contents: Contents) -> Iterator[Place]:
    """Persons with two boxes on one key frame; once for a file that calls all persons alike."""
    named = contents.truth[contents.truth["person"].notna()].drop_duplicates([*_BOX, "person"])
    twice = named[named.duplicated(["split", "frame", "person"])]
    alike = named.groupby("file")["person"].nunique() == 1
    all_alike = twice["file"].map(alike).astype(bool)
    yield from places(
        twice[all_alike].drop_duplicates("file"),
        lambda row: f"the person {row.person:g} has a second box; every person of the file is called so",
    )
    yield from places(
        twice[~all_alike],
        lambda row: f"the person {row.person:g} has a second box on {row.video} at {format_timestamp(row.timestamp)}",
    )


def persons_without_action(contents: Contents) -> Iterator[Place]:
    """Persons of whom no row says what they do."""
    boxes = contents.truth[contents.truth["x1"].notna()]
    idle = boxes[boxes["action_id"].isna() & boxes["sound"]]
    busy = boxes.loc[boxes["action_id"].notna(), _BOX].drop_duplicates()
    idle = idle.merge(busy, on=_BOX, how="left", indicator="known")
    return places(idle[idle["known"] == "left_only"], lambda row: f"{_box(row)} is a person without an action")


def _in_pixels(boxes: pd.DataFrame) -> Any:
    return np.asarray((boxes[COORDINATES] > _PIXELS).any(axis=1))


def _box(row: Any) -> str:
    corners = f"{row.x1:g},{row.y1:g},{row.x2:g},{row.y2:g}"
    entry = "" if row.line else f" of the entry '{row.video},{format_timestamp(row.timestamp)}'"
    return f"the box {corners}{entry}"
