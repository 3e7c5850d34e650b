"""What is wrong with a data set: where, what, and how to mend it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import pandas as pd

Severity = Literal["error", "warning"]


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong.

    Attributes:
        check: what looked for it; all findings of one check are of a kind.
        severity: an error keeps a data set from being read, or makes its figures wrong; a warning may be meant so.
        file: where it is.
        line: of the file, from 1; None: the file as a whole, or no text.
        found: a sentence.
        mend: a sentence on what to do.
    """

    check: str
    severity: Severity
    file: Path
    line: int | None
    found: str
    mend: str


class Place(NamedTuple):
    """What a check found and where; see `Finding`."""

    file: Path
    line: int | None
    found: str


def places(rows: pd.DataFrame, sentence: Callable[[Any], str]) -> Iterator[Place]:
    """A place for each row of a table with the columns file and line (0: no text)."""
    each: Any  # a row as `DataFrame.itertuples` makes it
    for each in rows.itertuples(index=False):
        yield Place(each.file, each.line or None, sentence(each))
