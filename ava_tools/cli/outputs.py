"""Names for results: nothing that exists is ever replaced unasked."""

from __future__ import annotations

import filecmp
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path

from ava_tools.errors import InputError


def claim_names(
    folder: Path, name: str, suffixes: Sequence[str], overwrite: bool, taken: set[str], sources: Sequence[Path]
) -> list[Path]:
    """Create empty files ``folder/name.suffix``, one a suffix, and return their paths.

    If any of them exists, ``name-2``, ``name-3``, ... are tried until all are free. With ``overwrite``
    existing files are used, but never those of ``taken``, which this call has written itself, nor the
    films of ``sources``, which it reads. Two processes at once never get the same name.
    """
    for number in count(1):
        stem = name if number == 1 else f"{name}-{number}"
        if stem in taken:
            continue
        paths = [folder / f"{stem}.{suffix}" for suffix in suffixes]
        usable = _usable(paths, sources) if overwrite else _create_all(paths)
        if usable:
            taken.add(stem)
            return paths
    raise AssertionError("count() does not end")


def _usable(paths: Sequence[Path], sources: Sequence[Path]) -> bool:
    existing = [path for path in paths if path.exists()]
    return not any(path.samefile(source) for path in existing for source in sources if source.exists())


def _create_all(paths: Sequence[Path]) -> bool:
    created: list[Path] = []
    for path in paths:
        try:
            path.open("x").close()
        except FileExistsError:
            for other in created:
                other.unlink()
            return False
        created.append(path)
    return True


def save_under(
    path: Path,
    overwrite: bool,
    sources: Sequence[Path],
    write: Callable[[Path], None],
    *,
    keep_equal: bool = False,
) -> Path:
    """Let a file be written, and give it its name when it is complete: ``path``, or the next free one.

    Args:
        path: the wanted name.
        overwrite: whether it may replace an existing file; never one of ``sources``, which are read.
        sources: files that are read.
        write: writes the file that it is given.
        keep_equal: leave a file alone that stands under one of the names and is what would be written.

    Returns:
        The name that the file got.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        try:
            write(temporary)
        except InputError as problem:
            raise InputError(str(problem).replace(str(temporary), str(path))) from None
        for number in count(1):
            candidate = path if number == 1 else path.with_name(f"{path.stem}-{number}{path.suffix}")
            if keep_equal and candidate.is_file() and filecmp.cmp(temporary, candidate, shallow=False):
                return candidate
            if overwrite and _usable([candidate], sources):
                os.replace(temporary, candidate)
                return candidate
            with suppress(FileExistsError):
                _link(temporary, candidate)
                return candidate
    finally:
        temporary.unlink(missing_ok=True)
    raise AssertionError("count() does not end")


def _link(file: Path, name: Path) -> None:
    """Give a file a second name, which must be free."""
    try:
        os.link(file, name)
    except FileExistsError:
        raise
    except OSError:  # a file system without links
        name.open("x").close()
        os.replace(file, name)
