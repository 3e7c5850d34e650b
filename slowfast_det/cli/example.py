"""``slowfast-det example``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number


def example(
    *, out: Path = Path("example"), films: Annotated[int, Parameter(validator=Number(gte=2))] = 40, seed: int = 0
) -> None:
    """Write generated films with annotations in CVAT's format, to try the way from annotations to a detector on.

    Args:
        out: New folder for films/, annotations/ (a file a film) and new.mp4, a longer film without annotations.
        films: How many.
        seed: Decides everything.
    """
    from slowfast_det.quickstart.example import write_example

    write_example(out, seed, films)
    for name in ("films", "annotations", "new.mp4"):
        print(out / name)
