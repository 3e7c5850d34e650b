"""Which key frames a sheet shows."""

from __future__ import annotations

from collections import Counter
from itertools import islice
from typing import Any

import numpy as np
import pandas as pd

from ava_tools.convert.annotations import Annotations
from ava_tools.tables import KEY

_PEERS = 16  # key frames among which that of the film seen least is taken


def chosen_key_frames(annotations: Annotations, count: int, seed: int = 0) -> pd.DataFrame:
    """Some key frames, drawn so that every action is among them about equally often, and as many films as can be.

    Returns:
        video and timestamp, rising within a film; films in the order of the truth.
    """
    key_frames = annotations.key_frames.assign(film=pd.factorize(annotations.key_frames[KEY[0]])[0])
    rank = np.random.default_rng(seed).permutation(len(key_frames))
    number = pd.Series(np.arange(len(key_frames)), index=pd.MultiIndex.from_frame(key_frames[KEY]))
    frame = number.reindex(pd.MultiIndex.from_frame(annotations.persons[KEY])).to_numpy()
    pairs = pd.DataFrame({"action": annotations.actions["action_id"], "frame": frame[annotations.actions["box"]]})
    pairs = pairs.drop_duplicates().assign(rank=lambda table: rank[table["frame"]]).sort_values("rank")
    queues: dict[Any, list[int]] = pairs.groupby("action")["frame"].apply(list).to_dict()
    actions_of = pairs.groupby("frame")["action"].apply(list).to_dict()
    film = key_frames["film"].tolist()
    others = np.argsort(rank).tolist()  # once no action is left
    seen: Counter[int] = Counter()
    films: Counter[int] = Counter()
    taken: dict[int, None] = {}
    while len(taken) < min(count, len(key_frames)):
        action = min(queues, key=lambda each: (seen[each], len(queues[each])), default=None)
        queue = others if action is None else queues[action]
        peers = list(islice((place for place in queue if place not in taken), _PEERS))
        if action is not None and not peers:
            del queues[action]
            continue
        best = min(peers, key=lambda place: films[film[place]])
        taken[best] = None
        films[film[best]] += 1
        seen.update(actions_of.get(best, []))
    return key_frames.iloc[list(taken)].sort_values(["film", KEY[1]])[KEY]
