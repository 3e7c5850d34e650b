"""What can be wrong with a data set as a whole: its labels, its splits, its predicted boxes."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ava_tools.labels import Action
from ava_tools.metrics.average_precision import best_overlaps
from ava_tools.tables import COORDINATES, format_timestamp
from ava_tools.validate.contents import Contents
from ava_tools.validate.finding import Place, places
from ava_tools.validate.row_checks import counts_from_zero

_CLIP = 2.0  # seconds, at least what a clip sees around its key frame
_RECALL = {0.5: 0.8, 0.9: 0.3}  # by least overlap; below, training sees other persons than those annotated


def empty_splits(contents: Contents) -> Iterator[Place]:
    """Splits of which no person counts."""
    counted = set(contents.persons["split"].unique())
    for name, split in contents.data_set.splits.items():
        rows = contents.rows[contents.rows["split"] == name]
        if name not in counted and rows["placed"].all():
            yield Place(split.truth[0], None, f"no person of the split {name} counts, of {len(rows):,} rows")


def unused_labels(contents: Contents) -> Iterator[Place]:
    """Actions that nobody does."""
    if contents.labels is None or not _actions_are_known(contents):
        return
    used = set(contents.truth["action_id"].dropna().unique())
    file = contents.data_set.labels or contents.manifest
    lines = file.read_text(encoding="utf-8-sig", errors="replace").split("\n") if contents.data_set.labels else []
    for action in contents.labels:
        if action.scored and action.id not in used:
            yield Place(file, _line_of(action, lines), f"nobody does the action {action.id} {action.name!r}")


def single_examples(contents: Contents) -> Iterator[Place]:
    """Actions with one example."""
    examples = _examples(contents)
    rare = examples[~examples.duplicated("action_id", keep=False)]
    names = _names(contents)
    return places(rare, lambda row: f"this is the only example of the action {names[row.action_id]}")


def one_sided_actions(contents: Contents) -> Iterator[Place]:
    """Actions that some split has and another has not."""
    examples = _examples(contents)
    names, splits = _names(contents), list(contents.data_set.splits)
    counts = examples.groupby(["action_id", "split"]).size().unstack(fill_value=0).reindex(columns=splits, fill_value=0)

    def sentence(action_id: float) -> str:
        own = dict(zip(splits, counts.loc[action_id], strict=True))
        here = [f"{count:,} in {name}" for name, count in own.items() if count]
        lacking = [name for name, count in own.items() if not count]
        return f"the action {names[action_id]} has examples ({', '.join(here)}), but none in {' and '.join(lacking)}"

    lopsided = counts.index[(counts == 0).any(axis=1) & (counts.sum(axis=1) > 1)]
    first = examples[examples["action_id"].isin(lopsided)].drop_duplicates("action_id")
    return places(first, lambda row: sentence(row.action_id))


def shared_clips(contents: Contents) -> Iterator[Place]:
    """Films of which two splits have key frames so close that their clips overlap; the closest pair of each."""
    return (place for place, gap in _shared_films(contents) if gap < _CLIP)


def shared_films(contents: Contents) -> Iterator[Place]:
    """Films of which two splits have key frames, far from each other."""
    return (place for place, gap in _shared_films(contents) if gap >= _CLIP)


def _shared_films(contents: Contents) -> Iterator[tuple[Place, float]]:
    """Films in several splits, by whatever names, with the least seconds between key frames of two splits."""
    paths = {name: str(film.path) for name, film in contents.library.films.items()}
    frames = contents.key_frames
    frames = frames.assign(film=frames["video"].map(paths).fillna(frames["video"]))
    frames = frames.sort_values(["film", "timestamp"], kind="stable", ignore_index=True)
    before = frames.shift()
    crossing = (frames["film"] == before["film"]) & (frames["split"] != before["split"])
    pairs = frames.assign(other=before["split"], earlier=before["timestamp"])[crossing]
    pairs = pairs.assign(gap=pairs["timestamp"] - pairs["earlier"])
    closest = pairs.sort_values("gap", kind="stable").drop_duplicates("film").sort_index()
    found = places(
        closest,
        lambda row: (
            f"{row.video} at {format_timestamp(row.timestamp)} is in the split {row.split}, and at "
            f"{format_timestamp(row.earlier)} in {row.other}: {row.gap:g} s between them"
        ),
    )
    return zip(found, closest["gap"].tolist(), strict=True)


def missed_persons(contents: Contents) -> Iterator[Place]:
    """Files of predicted boxes of which few fit the annotated persons; once a split."""
    for name, split in contents.data_set.splits.items():
        persons = contents.persons[contents.persons["split"] == name].drop_duplicates(["frame", *COORDINATES])
        persons = persons.sort_values("video", kind="stable")
        if not split.boxes or persons.empty:
            continue
        boxes = contents.boxes[contents.boxes["split"] == name]
        of_film = dict(list(boxes.groupby("video")))
        overlap = np.concatenate(  # film by film: all pairs at once would take much memory
            [_overlaps(rows, of_film.get(film, boxes[:0])) for film, rows in persons.groupby("video", sort=False)]
        )
        recall = {least: float(np.mean(overlap >= least)) for least in _RECALL}
        if all(recall[least] >= bound for least, bound in _RECALL.items()):
            continue
        worst = persons.iloc[int(np.argmin(overlap))]
        figures = " and ".join(f"{recall[least]:.2f} at IoU {least:g} (from {_RECALL[least]:g})" for least in _RECALL)
        yield Place(
            split.boxes[0],
            None,
            f"{len(boxes):,} predicted boxes of the split {name} find {figures} of {len(persons):,} persons; "
            f"the person of {worst['file'].name}, line {worst['line']}, is missed most",
        )


def _overlaps(persons: pd.DataFrame, boxes: pd.DataFrame) -> NDArray[np.float64]:
    """Of each person the IoU with the box of the key frame that fits it best."""
    return best_overlaps(*_arrays(boxes), *_arrays(persons)).iou


def _arrays(table: pd.DataFrame) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    return table[COORDINATES].to_numpy(dtype=float), table["frame"].to_numpy(dtype=np.int64)


def _examples(contents: Contents) -> pd.DataFrame:
    """The first row of each example that counts; nothing where the actions are not all known."""
    rows = contents.persons[contents.persons["action_id"].isin(_names(contents))]
    if not _actions_are_known(contents):
        rows = rows[:0]
    return rows.drop_duplicates(["split", "frame", *COORDINATES, "action_id"])


def _actions_are_known(contents: Contents) -> bool:
    """Whether figures of actions say anything: every row is read, and its ids are those of the labels."""
    return bool(contents.rows["sound"].all()) and not counts_from_zero(contents)


def _names(contents: Contents) -> dict[float, str]:
    return {} if contents.labels is None else {action.id: f"{action.id} {action.name!r}" for action in contents.labels}


def _line_of(action: Action, lines: list[str]) -> int | None:
    """Where a list of labels has an action: by id and name, or, where they stand apart, by its name alone."""
    own, name = (re.compile(rf"(?<!\w){re.escape(text)}(?!\w)") for text in (str(action.id), action.name))
    named = [number for number, line in enumerate(lines, start=1) if name.search(line)]
    return next((number for number in named if own.search(lines[number - 1])), named[0] if named else None)
