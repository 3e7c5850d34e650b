"""Which films are trained on, and which are held back: whole films, dealt so that actions are shared out evenly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ava_tools.convert.annotations import Annotations
from ava_tools.tables import KEY

TRAIN, VAL = "train", "val"
_MENDED = 60  # films up to which all pairs of them are tried; more have every action many times
_GAP = 2.0  # seconds between the parts of a film that is alone: no clip looks across


def split_films(annotations: Annotations, share: float, seed: int) -> dict[str, str]:
    """Hold back whole films, stratified by action.

    The films are dealt one by one, those with the rarest action first, to the side that lacks most of it; an action's
    last film goes to the side that has none. Then films change sides as long as that brings another action to both.

    Args:
        annotations: at least two films.
        share: of the examples that are held back, above 0 and below 1.
        seed: decides between what is equal.

    Returns:
        The split of each film; films that the annotations place keep their places.
    """
    placed = {film.name: film.split for film in annotations.films if film.split is not None}
    free = [film.name for film in annotations.films if film.name not in placed]
    if not free:
        return placed
    counts = _examples(annotations, free)  # [films, actions and persons]
    order = np.random.default_rng(seed).permutation(len(free))
    left = np.ones(len(free), dtype=bool)  # in this order
    totals, holders = counts.sum(axis=0), (counts > 0).sum(axis=0)  # of the films that are left
    wanted = {VAL: totals * share, TRAIN: totals * (1 - share)}
    given = {name: np.zeros_like(totals) for name in wanted}
    for _ in free:
        rarest = int(np.argmin(np.where(totals > 0, totals, np.inf)))
        place = int(np.argmax(np.where(left, counts[order, rarest], -1)))
        film, left[place] = int(order[place]), False
        own = counts[film]
        totals, holders = totals - own, holders - (own > 0)
        lacking = [name for name in (VAL, TRAIN) if not given[name][rarest]]
        is_last = own[rarest] > 0 and holders[rarest] < len(lacking)
        split = max(lacking if is_last else (VAL, TRAIN), key=lambda name: (wanted[name][rarest], wanted[name].sum()))
        wanted[split] = wanted[split] - own
        given[split] = given[split] + own
        placed[free[film]] = split
    _mend(placed, free, counts)
    return _with_both_sides(placed, free, counts)


def _mend(placed: dict[str, str], free: Sequence[str], counts: NDArray[np.float64]) -> None:
    """Move films, or let two change places, as long as more actions are on both sides then."""
    sides = np.array([[placed[name] == side for name in free] for side in (TRAIN, VAL)])  # [2, films]
    has = counts[:, :-1] > 0  # [films, actions]

    def on_both(chosen: NDArray[np.bool_]) -> int:
        return int(np.logical_and(*((own[:, None] & has).any(axis=0) for own in chosen)).sum())

    best, wanted = on_both(sides), int((has.sum(axis=0) > 1).sum())
    changes = [(place,) for place in range(len(free))] + list(combinations(range(len(free)), 2))
    while best < wanted and len(free) <= _MENDED:
        for places in changes:
            moved = sides.copy()
            moved[:, places] = ~moved[:, places]
            if (len(places) == 1 or sides[0, places[0]] != sides[0, places[1]]) and on_both(moved) > best:
                sides, best = moved, on_both(moved)
                break
        else:
            break
    placed.update({name: TRAIN if sides[0, number] else VAL for number, name in enumerate(free)})


def _examples(annotations: Annotations, films: Sequence[str]) -> NDArray[np.float64]:
    """How often each action, and at last any person, is in each film."""
    video = annotations.persons[KEY[0]]
    actions = pd.crosstab(video.loc[annotations.actions["box"]].to_numpy(), annotations.actions["action_id"].to_numpy())
    table = actions.reindex(list(films), fill_value=0)
    persons = video.value_counts().reindex(list(films), fill_value=0)
    return np.column_stack([table.to_numpy(dtype=float), persons.to_numpy(dtype=float)])


def _with_both_sides(placed: dict[str, str], free: Sequence[str], counts: NDArray[np.float64]) -> dict[str, str]:
    """Neither side is empty: the film with the fewest persons changes sides."""
    for lacking, other in ((VAL, TRAIN), (TRAIN, VAL)):
        if lacking not in placed.values() and len(free) > 1:
            least = min(free, key=lambda name: counts[free.index(name), -1])
            placed[least] = lacking
            assert other in placed.values()
    return placed


def split_time(key_frames: pd.DataFrame, share: float) -> Mapping[str, pd.DataFrame]:
    """The last part of a film that is alone is held back; what lies between the parts is left out.

    Of a film that is too short for that nothing is held back.
    """
    times = key_frames["timestamp"]
    border = float(times.quantile(1 - share))
    parts = {TRAIN: key_frames[times < border], VAL: key_frames[times >= border + _GAP]}
    return {TRAIN: key_frames} if any(part.empty for part in parts.values()) else parts
