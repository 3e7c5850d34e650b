"""Which films are trained on, and which are held back: whole films, dealt so that actions are shared out evenly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from ava_tools.convert.annotations import Annotations
from ava_tools.tables import KEY

TRAIN, VAL = "train", "val"
_GAP = 2.0  # seconds between the parts of a film that is alone: no clip looks across


def split_films(annotations: Annotations, share: float, seed: int) -> dict[str, str]:
    """Hold back whole films, stratified by action.

    The films are dealt one by one, those with the rarest action first, to the side that lacks most of it; an action's
    last film goes to the side that has none.

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
    return _with_both_sides(placed, free, counts)


def _examples(annotations: Annotations, films: Sequence[str]) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """How often each action, and at last any person, is in each film."""
    video = annotations.persons[KEY[0]]
    actions = pd.crosstab(video.loc[annotations.actions["box"]].to_numpy(), annotations.actions["action_id"].to_numpy())
    table = actions.reindex(list(films), fill_value=0)
    persons = video.value_counts().reindex(list(films), fill_value=0)
    return np.column_stack([table.to_numpy(dtype=float), persons.to_numpy(dtype=float)])


def _with_both_sides(
    placed: dict[str, str], free: Sequence[str], counts: np.ndarray[tuple[int, int], np.dtype[np.float64]]
) -> dict[str, str]:
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
