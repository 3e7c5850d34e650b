"""Things that are computed together."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import TypeVar

from ava_tools.errors import InputError

T = TypeVar("T")


def usual_batch(kind: str) -> int:
    """Key frames that a device computes at once if nobody says how many; a processor gains nothing by more."""
    return 8 if kind == "cuda" else 1


def chosen_batch(batch: int | None, kind: str) -> int:
    """How many key frames or clips a device computes at once; None: `usual_batch`.

    Raises:
        InputError: it is no whole number from 1 on.
    """
    if batch is None:
        return usual_batch(kind)
    if not isinstance(batch, int) or batch < 1:
        raise InputError(f"batch is {batch!r}; a whole number from 1 on, or None, is expected")
    return batch


def in_batches(things: Iterator[T], size: int) -> Iterator[list[T]]:
    """Things, ``size`` at a time; the last ones may be fewer."""
    while batch := list(islice(things, size)):
        yield batch
