"""Who a person detector is to find: the annotated boxes of a data set, each with its class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches

import numpy as np
import pandas as pd

from ava_tools.errors import InputError
from ava_tools.labels import Labels
from ava_tools.manifest import DataSet, Split
from ava_tools.tables import COORDINATES, KEY, read_truth


@dataclass(frozen=True)
class Actors:
    """The annotated actors of a split.

    Attributes:
        frames: video, timestamp of every annotated key frame that counts, those with nobody too.
        boxes: video, timestamp, x1 y1 x2 y2 (0-1 of the frame), class (number of the actor, from 0); a row an actor.
        notes: one sentence for everything that a user should know.
        label_ids: which of the data set's labels each class is; None: the one class is every box, whatever its label.
    """

    frames: pd.DataFrame
    boxes: pd.DataFrame
    notes: tuple[str, ...]
    label_ids: tuple[int, ...] | None = None


def read_actors(data_set: DataSet, split: Split, actors: Sequence[str]) -> Actors:
    """The actors of a split.

    Args:
        data_set, split: whose truth is read; predicted boxes are nobody's truth.
        actors: one name that is no label of the data set: every annotated box is one, whatever it does; else names
            (or ids) of labels, by which boxes are told apart; boxes with none of them are left out.

    Raises:
        InputError: a file is wrong, or several actors are named of which one is no label.
    """
    truth = pd.concat([read_truth(path) for path in split.truth], ignore_index=True)
    truth = data_set.counted(truth, split)
    frames = truth[KEY].drop_duplicates(ignore_index=True)
    rows = truth[truth["x1"].notna()]
    boxes = rows.drop_duplicates([*KEY, *COORDINATES], ignore_index=True)[[*KEY, *COORDINATES]]
    labels = data_set.read_labels()
    ids = label_ids(labels, actors)
    if ids is None:
        near = _nearly(labels, actors[0])
        doubt = f" (a label of nearly that name is {near!r})" if near else ""
        return Actors(frames, boxes.assign(**{"class": 0}), (f"every annotated box is one {actors[0]!r}{doubt}",))
    classes = rows.assign(**{"class": rows["action_id"].map({each: number for number, each in enumerate(ids)})})
    told = classes[classes["class"].notna()].sort_values("class", kind="stable")
    own = told.drop_duplicates([*KEY, *COORDINATES])  # the first of the actors that it is
    merged = boxes.merge(own[[*KEY, *COORDINATES, "class"]], on=[*KEY, *COORDINATES], how="left")
    none = merged["class"].isna()
    several = len(told.drop_duplicates([*KEY, *COORDINATES, "class"])) - len(own)
    notes = [f"{', '.join(actors)}: told apart by the labels of these names"]
    if none.any():
        notes.append(f"{none.sum():,} of {len(merged):,} annotated boxes carry none of these labels and are left out")
    if several:
        notes.append(f"{several:,} times a box carries another one of these labels; the first that is named counts")
    kept = merged[~none].reset_index(drop=True)
    return Actors(frames, kept.assign(**{"class": kept["class"].astype(np.int64)}), tuple(notes), tuple(ids))


def label_ids(labels: Labels, actors: Sequence[str]) -> list[int] | None:
    """Ids of the labels that the actors are; None if there is one that is no label.

    Raises:
        InputError: there are several, and one is no label, or fits more than one.
    """
    ids = []
    for name in actors:
        try:
            (column,) = labels.columns([name])
        except InputError:
            if len(actors) == 1:
                return None
            near = _nearly(labels, name)
            some = ", ".join(labels.names[:10]) + ", ..." * (len(labels) > 10)
            hint = f"did you mean {near!r}?" if near else f"its labels are {some}"
            raise InputError(f"actors: {name!r} is no label of the data set; {hint}") from None
        except ValueError:
            raise InputError(f"actors: {name!r} fits several labels; name one by its id") from None
        ids.append(labels.ids[column])
    if len(set(ids)) < len(ids):
        raise InputError(f"actors: {', '.join(actors)} name one label twice")
    return ids


def _nearly(labels: Labels, name: str) -> str | None:
    """The label whose name is nearest to another one, if any is near."""
    names = {label.lower(): label for label in labels.names}
    near = get_close_matches(name.lower(), names, n=1)
    return names[near[0]] if near else None
