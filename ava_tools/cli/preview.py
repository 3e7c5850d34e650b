"""``ava-tools preview``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from ava_tools.cli.run import MisuseError, console, patience

if TYPE_CHECKING:
    from ava_tools.preview import Truth

_SUFFIXES = (".jpg", ".jpeg", ".png", ".mp4")


def preview(
    data: Path,
    /,
    *,
    split: str | None = None,
    film: str | None = None,
    out: Path = Path("preview.jpg"),
    count: Annotated[int, Parameter(validator=Number(gte=1, lte=500))] = 24,
    seed: Annotated[int, Parameter(validator=Number(gte=0))] = 0,
    overwrite: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Draw a data set's truth: a sheet of key frames that shows all actions evenly, or a whole film.

    Films that are missing or broken are named; the rest is shown.

    Args:
        data: The data set's folder with its dataset.yaml.
        split: One of its splits. Default: all.
        film: One of its films, as the annotations name it. Default: all.
        out: The file: .jpg or .png for a sheet, .mp4 for a film, on which each key frame's truth stays until the next.
        count: Key frames on a sheet.
        seed: Decides which ones.
        overwrite: Replace an existing file; else the next free name is taken.
    """
    if out.suffix.lower() not in _SUFFIXES:
        raise MisuseError(f"--out is {out}; a name that ends in {', '.join(_SUFFIXES)} is expected")

    from ava_tools.cli.outputs import save_under
    from ava_tools.manifest import read_data_set
    from ava_tools.preview import read_shown_truth

    problems: list[str] = []
    with patience("drawing"):
        data_set = read_data_set(data)
        truth = read_shown_truth(data_set, split, film)
        named = truth.annotations.key_frames["video"].unique()
        if out.suffix.lower() == ".mp4" and len(named) > 1:
            raise MisuseError(f"an mp4 shows one film; --film NAME is expected, {named[0]} for one")
        sources = [*data_set.files, *(info.path for info in truth.library.films.values())]
        saved = save_under(out, overwrite, sources, lambda path: problems.extend(_save(truth, path, count, seed)))
    for problem in (*truth.library.report, *problems):
        console.print(f"error: {problem}")
    print(saved)
    return 1 if truth.library.report or problems else 0


def _save(truth: Truth, path: Path, count: int, seed: int) -> tuple[str, ...]:
    """Write a sheet, or a film; returns what went wrong on the way."""
    from ava_tools.preview import save_film, save_sheet
    from ava_tools.preview_choice import chosen_key_frames

    if path.suffix.lower() == ".mp4":
        save_film(truth, path)
        return ()
    return save_sheet(truth, chosen_key_frames(truth.annotations, count, seed), path)
