"""``slowfast-det example``."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from ava_tools.cli.run import MisuseError, console

_FILMS, _CLASS_FILMS = 40, 900
_CLASSES = 9


def example(
    out: Path = Path("example"),
    *,
    films: Annotated[int | None, Parameter(validator=Number(gte=2))] = None,
    seed: int = 0,
    classes: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Write generated films with annotations in CVAT's format, to try the way from annotations to a detector on.

    Args:
        out: New folder for films/, annotations/ (a file a film) and new.mp4, a longer film without annotations; with
            --classes for train/ and test/, in each a folder of films for each class.
        films: How many; 40 by default, with --classes 900, and a quarter as many to test on.
        seed: Decides everything.
        classes: Short films that show one class each, to train a classifier on as on Kinetics.
    """
    if classes:
        _write_classes(out, _CLASS_FILMS if films is None else films, seed)
        return
    from slowfast_det.quickstart.example import write_example

    write_example(out, seed, _FILMS if films is None else films)
    for name in ("films", "annotations", "new.mp4"):
        print(out / name)


def _write_classes(out: Path, films: int, seed: int) -> None:
    """Films of one class each, and what to type next."""
    if films < _CLASSES:
        raise MisuseError(f"--films {films}: there are {_CLASSES} classes, and each needs a film")
    from slowfast_det.quickstart.class_films import write_class_films

    write_class_films(out, seed, films, max(_CLASSES, films // 4))
    for name in ("train", "test"):
        print(out / name)
    trained = f"{out}-trained"
    mirrored = "augmentation.flip_pairs=[[walk left, walk right]]"  # else mirrored films would be of the wrong class
    for word, command in (
        ("next", ["train", "kinetics_tiny", f"data={out}", f"out={trained}", mirrored]),
        ("then", ["test", "kinetics_tiny", f"data={out}", f"out={trained}", "--model", f"{trained}/last.safetensors"]),
    ):
        console.print(f"{word}: {shlex.join(['slowfast-det', *command])}")
