"""Person boxes as files: AVA's csv, mmaction2's proposals."""

from __future__ import annotations

import csv
import io
import math
import pickle
import pickletools
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from ava_tools.atomic import replacing
from ava_tools.errors import InputError
from ava_tools.tables import COORDINATES, KEY, format_timestamp

_COLUMNS = [*KEY, *COORDINATES, "score"]


def save_person_boxes(boxes: pd.DataFrame, path: Path) -> None:
    """Write person boxes; the file appears under its name when it is complete.

    Args:
        boxes: columns video, timestamp, x1 y1 x2 y2 (0-1 of the frame), score; perhaps label, an action id.
        path: ``.pkl`` for mmaction2's proposals, else AVA's csv ``video,timestamp,x1,y1,x2,y2,label,score``.

    Raises:
        InputError: a film's name would not be the same when the csv is read.
    """
    if path.suffix != ".pkl":
        _refuse_names(boxes["video"].unique().tolist(), path)
    with replacing(path) as temporary:
        temporary.write_bytes(_proposals(boxes) if path.suffix == ".pkl" else _csv(boxes).encode())


def _refuse_names(films: Iterable[str], path: Path) -> None:
    for name in films:
        if name != name.strip() or set(name) & {"\r", "\0"} or name.encode(errors="ignore").decode() != name:
            raise InputError(
                f"{path}: a film is called {name!r}; a csv takes names of plain text without spaces before or behind"
            )


def _csv(boxes: pd.DataFrame) -> str:
    labels = boxes["label"].tolist() if "label" in boxes else [""] * len(boxes)
    rows = boxes[_COLUMNS].to_numpy(dtype=object).tolist()
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(
        [video, format_timestamp(time), *(f"{value:.6f}" for value in box), label, _score(score)]
        for (video, time, *box, score), label in zip(rows, labels, strict=True)
    )
    return text.getvalue()


def _score(score: float) -> str:
    return "" if math.isnan(score) else f"{score:.6f}"


def _proposals(boxes: pd.DataFrame) -> bytes:
    """A pickle of ``{"video,timestamp": float64[K, 5]}``; mmaction2 fails at key frames without boxes."""
    rounded = boxes.assign(**boxes[[*COORDINATES, "score"]].round(6))
    content = {
        f"{rows[KEY[0]].iloc[0]},{format_timestamp(rows[KEY[1]].iloc[0])}": rows[[*COORDINATES, "score"]].to_numpy(
            float
        )
        for _, rows in rounded.groupby(KEY, sort=False)
    }
    return _as_numpy_1(pickle.dumps(content, protocol=2))


def _as_numpy_1(data: bytes) -> bytes:
    """A pickle that calls the maker of arrays as numpy 1 does, which mmaction2 runs with; numpy 2 knows that name too.

    It is named by one instruction, at the first array.
    """
    for instruction, name, place in pickletools.genops(data):
        if instruction.name == "GLOBAL" and name == "numpy._core.multiarray _reconstruct":
            return data[:place] + b"cnumpy.core.multiarray" + data[data.index(b"\n", place) :]
    return data
