"""JHMDB-GT.pkl, and UCF101v2-GT.pkl alike: annotations as the ACT detector and its successors use them."""

from __future__ import annotations

from pathlib import Path

from ava_tools.convert.act import read_act
from ava_tools.convert.annotations import Annotations
from ava_tools.convert.films import Films


def read(source: Path, films: Films) -> Annotations:
    """Read the pickle, or that of a folder; the joints and masks of JHMDB's own .mat files are not read.

    Raises:
        InputError: it is no such file.
    """
    return read_act(source, films, "JHMDB-GT.pkl", "test")
