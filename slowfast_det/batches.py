"""Things that are computed together."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import TypeVar

T = TypeVar("T")


def usual_batch(kind: str) -> int:
    """Key frames that a device computes at once if nobody says how many; a processor gains nothing by more."""
    return 8 if kind == "cuda" else 1


def in_batches(things: Iterator[T], size: int) -> Iterator[list[T]]:
    """Things, ``size`` at a time; the last ones may be fewer."""
    while batch := list(islice(things, size)):
        yield batch
