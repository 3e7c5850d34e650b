"""Which results are written: the option --save."""

from __future__ import annotations

from collections.abc import Collection

from ava_tools.cli.run import MisuseError


def read_formats(save: str, known: Collection[str]) -> tuple[str, ...]:
    """The kinds of files that ``--save`` names, each once.

    Raises:
        MisuseError: one is not known, or there is none.
    """
    chosen = tuple(dict.fromkeys(part.strip().lower() for part in save.split(",") if part.strip()))
    if not chosen or not set(chosen) <= set(known):
        raise MisuseError(f"--save is {save!r}; any of {','.join(known)} is expected")
    return chosen
