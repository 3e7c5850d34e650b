"""Files that end: a pipe or a device may never."""

from __future__ import annotations

from pathlib import Path

from ava_tools.errors import InputError


def check_regular(path: str | Path) -> None:
    """Make sure that reading a file comes to an end; that it is not there is found by whoever opens it.

    Raises:
        InputError: it is a pipe, a device or a folder.
    """
    path = Path(path)
    if path.exists() and not path.is_file():
        raise InputError(f"{path}: is no regular file")
