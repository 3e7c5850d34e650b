"""Names for results: nothing that exists is ever replaced unasked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path


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


@contextmanager
def claimed_file(path: Path, overwrite: bool, sources: Sequence[Path]) -> Iterator[Path]:
    """The name for a result that the block writes, see `claim_names`; it is free again if the block fails."""
    path.parent.mkdir(parents=True, exist_ok=True)
    (claimed,) = claim_names(path.parent, path.stem, [path.suffix.removeprefix(".")], overwrite, set(), sources)
    existed = claimed.exists() and overwrite
    try:
        yield claimed
    except BaseException:
        if not existed:
            claimed.unlink(missing_ok=True)
        raise
