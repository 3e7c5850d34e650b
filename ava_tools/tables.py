"""AVA's files as checked tables: one row a line, unit boxes, timestamps in seconds.

Every error names the file, the line, the value found and what is allowed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ava_tools import safe_pickle
from ava_tools.boxes import pairwise_iou
from ava_tools.csv_rows import TEXT, RowFormat, read_rows
from ava_tools.errors import InputError
from ava_tools.proposals import is_pickle, proposals_table
from ava_tools.regular_files import check_regular

COORDINATES = ["x1", "y1", "x2", "y2"]
KEY = ["video", "timestamp"]
TRUTH_ROWS = RowFormat(
    [*KEY, *COORDINATES, "action_id", "person"],
    optional=1,
    may_be_empty=frozenset({"action_id"}),
    frame_rows=True,
)
"""Lines of annotated actions, see `read_truth`."""
KEY_FRAME_ROWS = RowFormat(KEY)
"""Lines of key frames, see `read_key_frames`."""
_PERSON_BOXES = RowFormat([*KEY, *COORDINATES, "label", "score"], optional=2)
_LARGEST_ID = 1e9
LARGEST_PERSON = 2**53
"""Up to it all whole numbers are exact."""
_TIMESTAMP_DECIMALS = 6  # two timestamps are the same key frame when they agree in six decimals
LATEST = 1e9  # seconds
ROUNDING = 0.01  # files round their boxes, and detectors overshoot the border by less than this


def read_person_boxes(path: str | Path) -> pd.DataFrame:
    """Person boxes of any number of films, from AVA's csv or from a proposals pickle.

    The csv has no header: ``video,timestamp,x1,y1,x2,y2[,label[,score]]``; label and score may be empty.
    The pickle is mmaction2's: ``{"video,timestamp": float[K, 4 or 5]}``, the fifth column the score.
    Which of the two a file is, its content says, not its name.

    Returns:
        Columns video, timestamp (float seconds), x1 y1 x2 y2 (0-1 of the frame), score (NaN where the
        file gives none), in the file's order. A box given twice for a key frame (as in truth files, one
        row a label) stands once, as in PySlowFast.

    Raises:
        InputError: the file is missing or holds something else; it names line, value and what is allowed.
    """
    data = _read_bytes(path)
    if is_pickle(data):
        table = proposals_table(safe_pickle.loads(data, str(path)), str(path))
    else:
        table = read_rows(data, str(path), _PERSON_BOXES)
    _check_boxes(table, str(path))
    once = _with_rounded_time(table, str(path)).drop_duplicates([*KEY, *COORDINATES], ignore_index=True)
    return once[[*KEY, *COORDINATES, "score"]]


def read_truth(path: str | Path) -> pd.DataFrame:
    """Annotated actions: AVA's csv ``video,timestamp,x1,y1,x2,y2,action_id[,person]``, or PySlowFast's dump.

    A row of two columns names a key frame with nobody in it; its other columns are NaN. A row whose action is empty is
    a person who does nothing of the labels.

    Returns:
        Columns video, timestamp, x1 y1 x2 y2, action_id, person; the index is the line of the file.

    Raises:
        InputError: it names file, line, value and what is allowed.
    """
    return _labelled_boxes(path, TRUTH_ROWS)


def read_detections(path: str | Path) -> pd.DataFrame:
    """Scored actions: AVA's csv ``video,timestamp,x1,y1,x2,y2,action_id,score``.

    Returns:
        Columns video, timestamp, x1 y1 x2 y2, action_id, score; the index is the line of the file. Rows of
        two columns, which name a frame without detections, are left out.

    Raises:
        InputError: it names file, line, value and what is allowed.
    """
    table = _labelled_boxes(path, RowFormat([*KEY, *COORDINATES, "action_id", "score"], frame_rows=True))
    return table[table["action_id"].notna()]


def read_key_frames(path: str | Path) -> pd.DataFrame:
    """Key frames, such as AVA's excluded ones: ``video,timestamp``; the file may be empty.

    Raises:
        InputError: it names file, line, value and what is allowed.
    """
    table = read_rows(_read_bytes(path), str(path), KEY_FRAME_ROWS)
    return _with_rounded_time(table, str(path))


def read_timestamps(path: str | Path) -> list[float]:
    """Timestamps that count in every film, one a line: AVA's included timestamps."""
    texts = _read_bytes(path).decode("utf-8-sig", errors="replace").split("\n")
    seconds = []
    for line, text in enumerate(texts, start=1):
        if not text.strip():
            continue
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not 0 <= number <= LATEST:  # NaN neither
            raise InputError(f"{path}, line {line}: is {text.strip()!r}; a number of seconds is expected")
        seconds.append(round(number, _TIMESTAMP_DECIMALS))
    if not seconds:
        raise InputError(f"{path}: names no timestamp; one a line is expected")
    return seconds


def _labelled_boxes(path: str | Path, row_format: RowFormat) -> pd.DataFrame:
    table = read_rows(_read_bytes(path), str(path), row_format)
    _check_labelled(table[table["action_id"].notna()], str(path))
    return _with_rounded_time(table, str(path))


def _check_labelled(boxes: pd.DataFrame, name: str) -> None:
    """Every box sound, every action a whole number from 0, every person a whole number; both may be lacking."""
    _check_boxes(boxes, name)
    ids = boxes["action_id"].to_numpy(dtype=float)
    broken = np.flatnonzero((ids != np.floor(ids)) & ~np.isnan(ids) | (ids < 0) | (ids > _LARGEST_ID))
    if len(broken):
        line, found = boxes.index[broken[0]], ids[broken[0]]
        raise InputError(f"{name}, line {line}: action_id is {found:g}; a whole number is expected")
    if "person" in boxes:
        _check_persons(boxes, name)


def _check_persons(boxes: pd.DataFrame, name: str) -> None:
    persons = boxes["person"].to_numpy(dtype=float)
    broken = np.flatnonzero((persons != np.floor(persons)) & ~np.isnan(persons) | (np.abs(persons) > LARGEST_PERSON))
    if len(broken):
        line, found = boxes.index[broken[0]], persons[broken[0]]
        raise InputError(
            f"{name}, line {line}: person is {found:g}; a whole number is expected, scores are of detections"
        )


def _with_rounded_time(table: pd.DataFrame, name: str) -> pd.DataFrame:
    far = np.flatnonzero(np.abs(table["timestamp"].to_numpy(dtype=float)) > LATEST)
    if len(far):
        where = f"line {table.index[far[0]]}" if table.index.name == "line" else f"box {far[0] + 1}"
        raise InputError(f"{name}, {where}: timestamp is {table['timestamp'].iloc[far[0]]:g}; seconds are expected")
    return table.assign(timestamp=table["timestamp"].round(_TIMESTAMP_DECIMALS))


def format_timestamp(seconds: float) -> str:
    """A timestamp as AVA writes it: whole seconds in four digits (``0902``), others in decimals (``902.5``)."""
    rounded = round(seconds, _TIMESTAMP_DECIMALS)
    return f"{int(rounded):04d}" if rounded == int(rounded) else f"{rounded:.6f}".rstrip("0")


def _read_bytes(path: str | Path) -> bytes:
    check_regular(path)
    try:
        return Path(path).read_bytes()
    except OSError as problem:
        raise InputError(f"{path}: cannot be read ({problem.strerror})") from None


def _check_boxes(table: pd.DataFrame, name: str) -> None:
    """Every box inside the frame and not inverted."""
    boxes = table[COORDINATES].to_numpy(dtype=float)
    inverted = np.any(boxes[:, 2:] < boxes[:, :2], axis=1)
    inside = np.all((boxes >= -ROUNDING) & (boxes <= 1 + ROUNDING), axis=1)  # a NaN is outside
    outside = np.logical_not(inside)
    if not (inverted | outside).any():
        return
    row = int(np.flatnonzero(inverted | outside)[0])
    entry = f"entry '{table['video'].iloc[row]},{format_timestamp(table['timestamp'].iloc[row])}'"
    where = f"{name}, line {table.index[row]}" if table.index.name == "line" else f"{name}, {entry}"
    found = ",".join(f"{value:g}" for value in boxes[row])
    if outside[row]:
        pixels = "; these look like pixels: divide by the film's width and height" if boxes[row].max() > 2 else ""
        raise InputError(f"{where}: the box {found} leaves the frame; x1,y1,x2,y2 from 0 to 1 are expected{pixels}")
    raise InputError(f"{where}: the box {found} is inverted; x1 <= x2 and y1 <= y2 are expected")


@dataclass(frozen=True)
class KeyframeBoxes:
    """The persons of key frames with what they do; a person without action is an example of none.

    Attributes:
        boxes: video, timestamp, x1 y1 x2 y2, a row a person; key frames rise within a video, videos and
            persons stand in the order of their first appearance.
        labels: box (number of the row in ``boxes``), action_id; a row an action, each once.
        weak: how many rows of predicted boxes were left out because of their scores.
    """

    boxes: pd.DataFrame
    labels: pd.DataFrame
    weak: int = 0


def merge_boxes(
    truth: Sequence[str | Path],
    predicted: Sequence[str | Path] = (),
    min_score: float = 0.0,
    match_iou: float | None = None,
) -> KeyframeBoxes:
    """Join annotated and predicted boxes of key frames into one list of persons.

    As PySlowFast does: annotated boxes first, then the predicted ones from ``min_score`` on; boxes of a
    key frame whose coordinates are written with the same characters are one person, whose labels add up;
    a predicted box without a label is a person who does nothing.

    Args:
        truth: AVA's csv files of annotated actions.
        predicted: AVA's csv files ``video,timestamp,x1,y1,x2,y2[,label[,score]]`` or proposals pickles. A
            file of annotations is welcome too (PySlowFast's configurations list it twice): its person ids
            are taken for scores.
        min_score: least score of a predicted box; boxes without a score are kept.
        match_iou: least overlap at which a box without label takes those of the truth box that it covers
            best; None, as in PySlowFast: it never does.

    Raises:
        InputError: a file is wrong; it names line, value and what is allowed.
    """
    tables = [_boxes_to_merge(path, may_lack_label=False) for path in truth]
    weak = 0
    for path in predicted:
        table = _boxes_to_merge(path, may_lack_label=True)
        too_low = table["score"] < min_score
        weak += int(too_low.sum())
        tables.append(table[~too_low])
    rows = pd.concat(tables, ignore_index=True)
    identity = rows.groupby([*KEY, TEXT], sort=False).ngroup()
    first = ~identity.duplicated()
    labels = pd.DataFrame({"box": identity, "action_id": rows["action_id"]}).dropna().drop_duplicates()
    boxes = rows.loc[first, [*KEY, *COORDINATES]].reset_index(drop=True)
    video = pd.factorize(boxes["video"])[0]
    order = np.lexsort((boxes["timestamp"].to_numpy(), video))
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    boxes = boxes.iloc[order].reset_index(drop=True)
    labels = labels.assign(box=place[labels["box"]]).astype(np.int64).sort_values("box", kind="stable")
    if match_iou is not None:
        labels = _with_matched(boxes, labels, match_iou)
    return KeyframeBoxes(boxes, labels.reset_index(drop=True), weak)


def _boxes_to_merge(path: str | Path, may_lack_label: bool) -> pd.DataFrame:
    """Columns of the key, the box, action_id (NaN: none), score, and the box as it is written."""
    data = _read_bytes(path)
    if may_lack_label and is_pickle(data):
        table = proposals_table(safe_pickle.loads(data, str(path)), str(path)).assign(action_id=np.nan)
        _check_boxes(table, str(path))
        written = table[COORDINATES].astype(str).agg(",".join, axis=1) if len(table) else ""
        return _with_rounded_time(table, str(path)).assign(**{TEXT: written})
    last = "score" if may_lack_label else "person"
    optional, frame_rows = (2, False) if may_lack_label else (1, True)
    row_format = RowFormat(
        [*KEY, *COORDINATES, "action_id", last],
        optional=optional,
        may_be_empty=frozenset({"action_id"}),
        frame_rows=frame_rows,
        text_of=COORDINATES,
    )
    table = read_rows(data, str(path), row_format)
    table = table[table["x1"].notna()]
    _check_labelled(table, str(path))
    return _with_rounded_time(table, str(path))


def _with_matched(boxes: pd.DataFrame, labels: pd.DataFrame, match_iou: float) -> pd.DataFrame:
    """Labels, with those added that boxes without any take from the labelled box they cover best."""
    coordinates = boxes[COORDINATES].to_numpy(dtype=float)
    labelled = np.isin(np.arange(len(boxes)), labels["box"])
    sources: list[int] = []
    takers: list[int] = []
    frames = boxes.groupby(KEY, sort=False).ngroup().to_numpy()
    for rows in np.split(np.arange(len(boxes)), np.flatnonzero(np.diff(frames)) + 1):
        owners, empty = rows[labelled[rows]], rows[~labelled[rows]]
        if not len(owners) or not len(empty):
            continue
        overlap = pairwise_iou(coordinates[empty], coordinates[owners])
        good = overlap.max(axis=1) >= match_iou
        takers += empty[good].tolist()
        sources += owners[overlap.argmax(axis=1)[good]].tolist()
    taken = pd.DataFrame({"box": sources, "taker": takers}).merge(labels, on="box")
    added = pd.DataFrame({"box": taken["taker"], "action_id": taken["action_id"]})
    return pd.concat([labels, added]).astype(np.int64).sort_values("box", kind="stable")
