"""``slowfast-det test`` of a classifier."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ava_tools.cli.claims import claimed_folder
from ava_tools.cli.run import console
from ava_tools.errors import InputError

if TYPE_CHECKING:
    from slowfast_det.class_recipe import ClassRecipe, ViewsConfig
    from slowfast_det.class_testing import ClassTested

_TOP = 5  # classes of each film that are written
_CROPS = {0: "the whole frame", 1: "a square", 3: "3 squares"}


def test_classes(recipe: ClassRecipe, settings: Sequence[str], model: str, overwrite: bool) -> int:
    """Classify the films of a recipe's test split, and count how often that is right.

    Args:
        recipe: where the films are, and which views of them count.
        settings: texts over the recipe; those of network and clip are laid over what the checkpoint says, too.
        model: the checkpoint.
        overwrite: whether existing results are replaced.
    """
    from slowfast_det.class_testing import load_tested_classifier, run_class_test, tested_films
    from slowfast_det.cli.progress import moment_progress
    from slowfast_det.distributed import joined

    with joined(recipe.device) as world:
        films, loaded = tested_films(recipe, load_tested_classifier(model, recipe, settings))
        loaded = loaded.to(world.device)
        with (
            claimed_folder(Path(recipe.out) / "test", overwrite, world.is_first) as folder,
            moment_progress(len(world.share(len(films))), world.is_first, "films") as advance,
        ):
            tested = run_class_test(films, loaded, world, recipe.views, recipe.precision, advance)
            if tested is not None and not len(tested.films):
                raise InputError(f"none of {len(films):,} films can be read; the first: {tested.problems[0]}")
    if tested is None or folder is None:
        return 0
    for note in films.notes:
        console.print(f"note: {note}")
    _write(folder, tested, recipe.views, model)
    for problem in tested.problems:
        console.print(f"error: {problem}")
    return 1 if tested.problems else 0


def _write(folder: Path, tested: ClassTested, views: ViewsConfig, model: str) -> None:
    """The files of a test, and its numbers."""
    from ava_tools.atomic import replacing

    labels, ranks = tested.films.labels, tested.ranks
    with replacing(folder / "scores.csv") as temporary:
        best = np.argsort(-tested.scores, axis=1, kind="stable")[:, :_TOP]
        columns = [f"top{place}" for place in range(1, best.shape[1] + 1)]
        table = pd.DataFrame(np.array(labels.names, dtype=object)[best], columns=columns)
        table.insert(0, "film", [str(path) for path in tested.films.paths])
        table.insert(1, "class_name", [labels.names[column] for column in tested.films.classes])
        table.insert(2, "rank", ranks + 1)
        table.insert(
            3, "score", np.take_along_axis(tested.scores, tested.films.classes[:, None], axis=1)[:, 0].round(6)
        )
        table.to_csv(temporary, index=False)
    with replacing(folder / "classes.csv") as temporary:
        tested.per_class().round(6).to_csv(temporary)
    figures = {
        "model": model,
        "films": len(tested.films),
        "unreadable": len(tested.problems),
        "views": views.model_dump(),
        "top1": tested.accuracy(1),
        "top5": tested.accuracy(_TOP),
    }
    with replacing(folder / "report.json") as temporary:
        temporary.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    print(
        f"{len(tested.films):,} films of {len(labels):,} classes, {views.clips} clips of {_CROPS[views.crops]} each: "
        f"top-1 {tested.accuracy(1):.2%}, top-5 {tested.accuracy(_TOP):.2%}"
    )
    for name in ("scores.csv", "classes.csv", "report.json"):
        print(folder / name)
