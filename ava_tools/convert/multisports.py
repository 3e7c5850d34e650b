"""multisports_GT.pkl: tubes of persons in sports, of films of 25 frames a second."""

from __future__ import annotations

from pathlib import Path

from ava_tools.convert.act import read_act
from ava_tools.convert.annotations import Annotations
from ava_tools.convert.films import Films

_RATE = 25.0


def read(source: Path, films: Films) -> Annotations:
    """Read the pickle, or that of a folder; the test films, whose annotations are kept secret, are not in it.

    Raises:
        InputError: it is no such file.
    """
    return read_act(source, films, "multisports_GT.pkl", "val", _RATE)
