"""Folders for results: none that exists is written into unasked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

from ava_tools.errors import InputError


@contextmanager
def claimed_folder(folder: Path, overwrite: bool, is_first: bool = True) -> Iterator[Path | None]:
    """A folder for the results, made before the work begins; it goes again if the work fails.

    Args:
        folder: the wanted name; where it exists, the first free one with a number behind it is used.
        overwrite: use it even if it exists.
        is_first: whether this process writes at all; others get None.
    """
    claimed = _claim(folder, overwrite) if is_first else None
    try:
        yield claimed
    except BaseException:
        if claimed is not None:
            with suppress(OSError):  # it holds earlier results
                claimed.rmdir()
        raise


def _claim(folder: Path, overwrite: bool) -> Path:
    if folder.name in ("", ".."):
        folder = folder.resolve()
    if not folder.name:
        raise InputError(f"{folder}: is the root of all files; another folder is expected")
    if overwrite:
        folder.mkdir(parents=True, exist_ok=True)
        return folder
    for number in count(1):
        candidate = folder if number == 1 else folder.with_name(f"{folder.name}-{number}")
        try:
            candidate.mkdir(parents=True)
        except FileExistsError:
            continue
        return candidate
    raise AssertionError("count() does not end")
