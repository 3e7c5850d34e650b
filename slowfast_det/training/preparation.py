"""What is known of a training before its first step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from slowfast_det.checkpoints.transfer import Transfer

T = TypeVar("T")


@dataclass(frozen=True)
class Preparation(Generic[T]):
    """A task that is ready.

    Attributes:
        task: what will be trained.
        transfer: what was taken from the checkpoint of ``init``; None: all weights are fresh.
        notes: what was left out of the data.
    """

    task: T
    transfer: Transfer | None
    notes: tuple[str, ...]
