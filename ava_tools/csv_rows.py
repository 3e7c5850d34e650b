"""Headerless csv files, as AVA's all are: quickly if they are right, and to the line if they are not."""

from __future__ import annotations

import csv
import io
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ava_tools.errors import InputError

TEXT = "text"  # the column of `RowFormat.text_of`


@dataclass(frozen=True)
class RowFormat:
    """Columns of a file; the first one is text, all others numbers.

    Attributes:
        columns: their names, in order.
        optional: how many of the last ones a row may lack or leave empty.
        may_be_empty: names of other columns that may be empty, but not lacking.
        frame_rows: whether a row of the first two columns alone is allowed; the others are NaN then.
        text_of: columns that are wanted as they are written too, joined in one more column `TEXT`.
    """

    columns: Sequence[str]
    optional: int = 0
    may_be_empty: frozenset[str] = frozenset()
    frame_rows: bool = False
    text_of: Sequence[str] = ()

    @property
    def required(self) -> Sequence[str]:
        """Columns that every row must have."""
        return self.columns[: len(self.columns) - self.optional]

    @property
    def description(self) -> str:
        """The format in an error sentence."""
        return ",".join(self.required) + "".join(f"[,{name}]" for name in self.columns[len(self.required) :])


def read_rows(data: bytes, name: str, row_format: RowFormat) -> pd.DataFrame:
    """Parse a file into its columns: text and float64; the index is the line in the file.

    Raises:
        InputError: it names the file, the first wrong line, what was found and what is allowed.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{name}: is no text; a csv of {row_format.description} is expected") from None
    table = _quickly(text, row_format)
    return _line_by_line(text, name, row_format) if table is None else table


def _quickly(text: str, row_format: RowFormat) -> pd.DataFrame | None:
    """The table if every row is right; None if one may be wrong.

    Quotes make lines hard to count, and pandas takes the words true and false for numbers.
    """
    if any(mark in text for mark in ('"', "\0", "True", "true", "TRUE", "False", "false", "FALSE")) or not text.strip():
        return None
    first, *numbers = row_format.columns
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # cells beyond the last column
            table = pd.read_csv(
                io.StringIO(text),
                header=None,
                names=[first, *numbers, "one too many"],
                index_col=False,
                dtype={first: str} | dict.fromkeys(numbers, float) | {"one too many": str},
                na_values={column: [""] for column in numbers},
                keep_default_na=False,
                skip_blank_lines=False,
                skipinitialspace=True,
                float_precision="round_trip",
            )
    except (ValueError, pd.errors.ParserError, pd.errors.ParserWarning):
        return None
    table.index = pd.RangeIndex(1, len(table) + 1, name="line")
    values = table[numbers].to_numpy(dtype=float)
    blank = (table[first].str.strip() == "").to_numpy() & np.isnan(values).all(axis=1)
    table, values = table[~blank], values[~blank]
    must = [column in row_format.required and column not in row_format.may_be_empty for column in numbers]
    lacking = np.isnan(values[:, must]).any(axis=1)
    lacking &= ~_are_frames(values, row_format)
    empty = np.isnan(values[:, [column in row_format.may_be_empty for column in numbers]]).any(axis=1)
    if empty.any():  # pandas does not tell empty cells from lacking ones
        lines, commas = text.split("\n"), len(row_format.required) - 1
        short = np.array([lines[number - 1].count(",") < commas for number in table.index[empty]])
        lacking[np.flatnonzero(empty)[short & ~_are_frames(values[empty], row_format)]] = True
    right = not lacking.any() and not np.isinf(values).any() and (table["one too many"].isin(["", np.nan])).all()
    videos = table[first].str.strip()
    if not right or (videos == "").any():
        return None
    kept: pd.DataFrame = table[[first, *numbers]].assign(**{first: videos})
    return kept.assign(**{TEXT: _texts(text, row_format)[~blank]}) if row_format.text_of else kept


def _are_frames(values: NDArray[np.float64], row_format: RowFormat) -> NDArray[np.bool_]:
    """``bool[R]`` which rows name a key frame alone, where that is allowed."""
    alone = np.isfinite(values[:, 0]) & np.isnan(values[:, 1:]).all(axis=1)
    return alone & row_format.frame_rows


def _texts(text: str, row_format: RowFormat) -> NDArray[np.object_]:
    """What each line writes in the columns `RowFormat.text_of`; empty lines count."""
    places = [list(row_format.columns).index(column) for column in row_format.text_of]
    rows = (line.split(",") for line in text.splitlines())
    texts = [",".join([row[place].strip() for place in places if place < len(row)]) for row in rows]
    return np.array(texts, dtype=object)


def _line_by_line(text: str, name: str, row_format: RowFormat) -> pd.DataFrame:
    """The slow and patient way, which finds the first line that is wrong."""
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise InputError(f"{name}, line {line}: holds a zero byte; text is expected")
    columns, fewest = row_format.columns, len(row_format.required)
    rows: list[list[str]] = []
    lines: list[int] = []
    reader = csv.reader(io.StringIO(text, newline=""))
    try:
        for row in reader:
            if not row or row == [""]:
                continue
            line = reader.line_num
            if not fewest <= len(row) <= len(columns) and not (row_format.frame_rows and len(row) == 2):
                tabs = "; it is separated by tabs, commas are expected" if len(row) == 1 and "\t" in row[0] else ""
                raise InputError(
                    f"{name}, line {line}: has {len(row)} columns; {row_format.description} is expected{tabs}"
                )
            rows.append([cell.strip() for cell in row] + [""] * (len(columns) - len(row)))
            lines.append(line)
    except csv.Error as problem:
        raise InputError(f"{name}, line {reader.line_num}: is no csv ({problem})") from None
    table = pd.DataFrame(rows, columns=list(columns), index=pd.Index(lines, name="line", dtype=int), dtype=str)
    first, *numbers = columns
    written = [",".join(row) for row in table[list(row_format.text_of)].to_numpy()] if row_format.text_of else None
    if (table[first] == "").any():
        raise InputError(f"{name}, line {(table[first] == '').idxmax()}: {first} is empty; the film's name is expected")
    whole = np.asarray((table[numbers[1:]] != "").any(axis=1)) | (not row_format.frame_rows)
    for column in numbers:
        may_be_empty = column not in row_format.required or column in row_format.may_be_empty
        table[column] = _numbers(table[column], column, name, may_be_empty | ~whole & (column != numbers[0]))
    return table if written is None else table.assign(**{TEXT: written})


def _numbers(texts: pd.Series[str], column: str, name: str, may_be_empty: object) -> pd.Series[float]:
    numbers = pd.to_numeric(texts, errors="coerce").astype(float)
    allowed = np.isfinite(np.asarray(numbers, dtype=float)) | (np.asarray(texts == "") & np.asarray(may_be_empty))
    wrong = np.flatnonzero(~allowed)
    if len(wrong):
        line = texts.index[wrong[0]]
        header = (
            "; the file must have no header line"
            if line == 1 and column == "timestamp" and texts[line].isidentifier()
            else ""
        )
        raise InputError(f"{name}, line {line}: {column} is {texts[line]!r}; a number is expected{header}")
    return numbers
