"""Annotation files read leniently: a wrong line is told, and the next one is read."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ava_tools import safe_pickle
from ava_tools.csv_rows import RowFormat
from ava_tools.errors import InputError
from ava_tools.proposals import is_pickle, proposals_table
from ava_tools.tables import COORDINATES, KEY, KEY_FRAME_ROWS, LATEST, TRUTH_ROWS, format_timestamp
from ava_tools.validate.finding import Place

Role = Literal["truth", "boxes", "excluded"]
FORMATS: Mapping[Role, RowFormat] = {
    "truth": TRUTH_ROWS,
    "boxes": RowFormat([*KEY, *COORDINATES, "action_id", "score"], optional=2),
    "excluded": KEY_FRAME_ROWS,
}
_NUMBERS = ["timestamp", *COORDINATES, "action_id", "person"]
_PLACED = ["timestamp", *COORDINATES]
_KINDS = {"file": object, "line": int, "video": str} | dict.fromkeys(_NUMBERS, float) | {"placed": bool, "sound": bool}
NO_ROWS = pd.DataFrame({column: pd.Series(dtype=kind) for column, kind in _KINDS.items()})
_CELLS = "\x1f"  # between the cells of a line, whatever the file has there


class RowReader:
    """Reads files one after the other.

    Attributes:
        faults: what is wrong with their form, by the name of the check.
    """

    def __init__(self, action_ids: Mapping[str, int]) -> None:
        """``action_ids``: by the names of the actions, for files that have names in place of ids."""
        self.faults: defaultdict[str, list[Place]] = defaultdict(list)
        self._action_ids = action_ids

    def read(self, path: Path, role: Role) -> pd.DataFrame:
        """The rows of a file.

        Returns:
            Columns file, line (0: no text), video, timestamp (6 decimals), x1 y1 x2 y2, action_id, person; what a row
            lacks is NaN. ``placed``: film, time and box can be read, or the row names a key frame with nobody in it;
            ``sound``: all else too. Of a line with too few or too many columns the film alone counts.
        """
        try:
            if not path.is_file():  # a pipe or device may never end
                raise InputError(f"{path}: is no regular file")
            data = path.read_bytes()
            if role == "boxes" and is_pickle(data):
                table = self._proposals(path, data)
            else:
                table = self._csv(path, self._text(path, data), FORMATS[role])
        except (InputError, OSError) as problem:
            reason = problem.strerror if isinstance(problem, OSError) else str(problem).removeprefix(f"{path}: ")
            self._tell("unreadable-file", path, None, f"the file cannot be read ({reason})")
            return NO_ROWS
        if table.empty:
            return NO_ROWS
        far = table["placed"] & (table["timestamp"].abs() > LATEST)
        for line, seconds in zip(table["line"][far], table["timestamp"][far], strict=True):
            self._tell("not-a-number", path, line or None, f"timestamp is {seconds:g}; seconds are expected")
        files = pd.Series([path] * len(table), index=table.index, dtype=object)
        table = table.assign(file=files, timestamp=table["timestamp"].mask(far).round(6))
        return table.assign(placed=table["placed"] & ~far, sound=table["sound"] & ~far).reindex(columns=NO_ROWS.columns)

    def _tell(self, check: str, path: Path, line: int | None, found: str) -> None:
        self.faults[check].append(Place(path, line, found))

    def _text(self, path: Path, data: bytes) -> str:
        utf16 = data[:2] in (b"\xff\xfe", b"\xfe\xff")
        try:
            text = data.decode("utf-16" if utf16 else "utf-8-sig")
        except UnicodeDecodeError as problem:
            line = data.count(b"\n", 0, problem.start) + 1
            self._tell("encoding", path, line, f"the byte {data[problem.start]:#04x} is no part of UTF-8 text")
            text = data.decode("utf-8-sig", errors="replace")
        else:
            if utf16:
                self._tell("encoding", path, 1, "the file is UTF-16 text")
        if "\0" in text:
            line = text.count("\n", 0, text.index("\0")) + 1
            self._tell("encoding", path, line, "the line holds a zero byte")
            text = text.replace("\0", "\ufffd")
        return text.replace("\r\n", "\n").replace("\r", "\n")

    def _proposals(self, path: Path, data: bytes) -> pd.DataFrame:
        table = proposals_table(safe_pickle.loads(data, str(path)), str(path))
        right = np.isfinite(table[COORDINATES].to_numpy(dtype=float)).all(axis=1)
        for video, seconds in table.loc[~right, KEY].drop_duplicates().itertuples(index=False, name=None):
            entry = f"{video},{format_timestamp(seconds)}"
            self._tell("not-a-number", path, None, f"the entry {entry!r} has a box with NaN or infinity in it")
        return table.assign(line=0, placed=right, sound=right)

    def _csv(self, path: Path, text: str, form: RowFormat) -> pd.DataFrame:
        numbers, rows = self._rows(path, text)
        fewest, most = len(form.required), len(form.columns)
        counts = np.array([row.count(_CELLS) + 1 for row in rows], dtype=np.int64)
        right = (counts >= fewest) & (counts <= most) | (form.frame_rows & (counts == 2))
        right |= (counts == most + 1) & np.array([row.endswith(_CELLS) for row in rows], dtype=bool)
        for place in np.flatnonzero(~right).tolist():
            found = f"the line has {counts[place]} columns; {form.description} is expected"
            self._tell("column-count", path, numbers[place], found)
        kept, others = np.flatnonzero(right).tolist(), np.flatnonzero(~right).tolist()
        named = [(numbers[place], rows[place].split(_CELLS, 1)[0].strip(), False, False) for place in others]
        misfits = pd.DataFrame(named, columns=["line", "video", "placed", "sound"])
        if not kept:
            return misfits.reindex(columns=NO_ROWS.columns)
        cells = pd.read_csv(
            io.StringIO("\n".join([rows[place] for place in kept])),
            sep=_CELLS,
            header=None,
            names=[*form.columns, "one too many"],
            index_col=False,
            dtype=str,
            keep_default_na=False,
            skip_blank_lines=False,
            quoting=csv.QUOTE_NONE,
        ).fillna("")
        cells.index = pd.Index([numbers[place] for place in kept], name="line")
        table = self._table(path, self._without_header(path, cells), form).reset_index()
        return pd.concat([table, misfits]) if others else table

    def _rows(self, path: Path, text: str) -> tuple[Sequence[int], Sequence[str]]:
        """Numbers of the lines that are not blank, and the lines with `_CELLS` between their cells."""
        numbers, rows = [], []
        others = []
        for number, line in enumerate(text.split("\n"), start=1):
            if not line or line.isspace():
                continue
            if '"' in line:
                row = _CELLS.join(next(csv.reader([line], skipinitialspace=True), [line]))
            elif "," in line:
                row = line.replace(",", _CELLS)
            else:
                row = line.replace("\t", _CELLS).replace(";", _CELLS)
                if row != line:
                    others.append(number)
            numbers.append(number)
            rows.append(row)
        if others:
            found = f"{len(others):,} lines are separated by {'tabs' if chr(9) in text else 'semicolons'}"
            self._tell("separator", path, others[0], found)
        return numbers, rows

    def _without_header(self, path: Path, cells: pd.DataFrame) -> pd.DataFrame:
        first = cells.iloc[0].drop(["one too many", KEY[0]])
        written = [cell for cell in first if cell.strip()]
        if written and pd.to_numeric(pd.Series(written), errors="coerce").isna().all() and _is_word(first["timestamp"]):
            self._tell("header-line", path, int(cells.index[0]), "the first line names the columns")
            return cells.iloc[1:]
        return cells

    def _table(self, path: Path, cells: pd.DataFrame, form: RowFormat) -> pd.DataFrame:
        video = cells[KEY[0]].str.strip()
        for line, name in cells[KEY[0]][(video != cells[KEY[0]]) & (video != "")].items():
            self._tell("spaces-in-name", path, int(str(line)), f"the film's name {name!r} has spaces around it")
        unnamed = (video == "").to_numpy()
        for line in cells.index[unnamed]:
            self._tell("unnamed-film", path, int(line), "the film's name is empty")
        table = pd.DataFrame({KEY[0]: video}, index=cells.index)
        for column in form.columns[1:]:
            values = pd.to_numeric(cells[column], errors="coerce").to_numpy(dtype=float)
            table[column] = np.where(np.isfinite(values), values, np.nan)
        nobody = _without(table, cells, form.columns[2:]) if form.frame_rows else np.zeros(len(cells), dtype=bool)
        placed, sound = ~unnamed, ~unnamed
        for column in form.columns[1:]:
            may_be_empty = column not in form.required or column in form.may_be_empty
            wrong = table[column].isna().to_numpy() & ~(nobody & (column != KEY[1]))
            if may_be_empty:
                wrong &= ~_without(table, cells, [column])
            for line, cell in cells.loc[wrong, column].items():
                self._tell(*self._no_number(column, cell.strip(), path, int(str(line))))
            sound &= ~wrong
            if column in _PLACED:
                placed &= ~wrong
        return table.assign(placed=placed, sound=sound)

    def _no_number(self, column: str, cell: str, path: Path, line: int) -> tuple[str, Path, int, str]:
        shown = repr(cell[:60]) if cell else "empty"
        if column != "action_id":
            return "not-a-number", path, line, f"{column} is {shown}; a number is expected"
        known = self._action_ids.get(cell)
        hint = f", which has the id {known}" if known is not None else "; a number is expected"
        return "action-in-words", path, line, f"action_id is {shown}{hint}"


def _is_word(cell: str) -> bool:
    return cell.strip().strip("#").isidentifier()


def _without(table: pd.DataFrame, cells: pd.DataFrame, columns: Sequence[str]) -> NDArray[np.bool_]:
    """Which rows leave some columns empty; texts are looked at only where no number is."""
    empty = np.asarray(table[list(columns)].isna().to_numpy().all(axis=1))
    written = [(cells[column][empty].str.strip() != "").to_numpy() for column in columns]
    empty[np.flatnonzero(empty)[np.any(written, axis=0)]] = False
    return empty
