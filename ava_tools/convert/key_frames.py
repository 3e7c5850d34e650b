"""Which of many annotated frames become key frames."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ava_tools.convert.annotations import Annotations
from ava_tools.tables import KEY

_DENSE = 0.2  # seconds between annotated frames under which most of them say the same
_SPACING = 0.5  # seconds between key frames that are taken of dense ones


def spaced(annotations: Annotations, every: float | None) -> tuple[Annotations, str]:
    """Annotations of key frames some seconds apart.

    Of each film the annotated frame next to a multiple of the spacing is taken, for each multiple that has one.

    Args:
        annotations: of any frames.
        every: seconds; 0: all annotated frames stay. None: all, or half a second where they are denser than 0.2 s.

    Returns:
        The annotations, and a sentence that tells what was decided.
    """
    key_frames = annotations.key_frames
    usual = _usual_distance(key_frames)
    if every is None and usual is not None and usual < _DENSE:
        every = _SPACING
    if not every:
        return annotations, f"all {len(key_frames):,} annotated frames are key frames"
    place = np.round(key_frames["timestamp"] / every)
    far = (key_frames["timestamp"] - place * every).abs()
    empty = ~pd.MultiIndex.from_frame(key_frames[KEY]).isin(pd.MultiIndex.from_frame(annotations.persons[KEY]))
    far += 1e-7 * empty  # of two that are as near, the one with persons
    nearest = far.groupby([key_frames[KEY[0]], place]).idxmin()
    chosen = key_frames.loc[np.sort(nearest.to_numpy())]
    told = f"{len(chosen):,} of {len(key_frames):,} annotated frames are key frames, one every {every:g} s"
    return annotations.of_key_frames(chosen), f"{told} (--every 0 keeps all)"


def _usual_distance(key_frames: pd.DataFrame) -> float | None:
    """Median of the seconds from one annotated frame to the next of its film."""
    distances = key_frames.groupby(KEY[0], sort=False)["timestamp"].diff().dropna().round(6)
    return None if distances.empty else float(distances.median())
