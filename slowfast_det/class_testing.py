"""Test a classifier on films of one class each: top-1 and top-5."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ava_tools.class_films import ClassFilms, MissingSplitError, read_class_films
from ava_tools.errors import InputError
from ava_tools.labels import PACKAGED, Labels, numbered_labels, packaged_labels
from slowfast_det.ahead import Ahead
from slowfast_det.checkpoints.model import Model, load_any_model
from slowfast_det.class_recipe import ClassRecipe, ViewsConfig
from slowfast_det.classification import FilmClassifier, FilmViews
from slowfast_det.distributed import World
from slowfast_det.precision import Precision

_AHEAD = 1  # films that are read before they are looked at


@dataclass(frozen=True, eq=False)
class ClassTested:
    """What a test found.

    Attributes:
        films: that could be read.
        scores: ``float64[F, N]`` of each.
        problems: one sentence for each film that could not.
    """

    films: ClassFilms
    scores: NDArray[np.float64]
    problems: tuple[str, ...]

    @property
    def ranks(self) -> NDArray[np.int64]:
        """``int64[F]`` classes that score higher than the film's own; among equal scores the first comes first."""
        own = self.scores[np.arange(len(self.films)), self.films.classes][:, None]
        earlier = np.arange(self.scores.shape[1]) < self.films.classes[:, None]
        return np.asarray(((self.scores > own) | ((self.scores == own) & earlier)).sum(axis=1))

    def accuracy(self, top: int) -> float:
        """Share of the films whose class is among the ``top`` best; nan without films."""
        return float((self.ranks < top).mean()) if len(self.films) else float("nan")

    def per_class(self) -> pd.DataFrame:
        """A row a class, by its id: name, films, top1, top5; nan where there are no films."""
        labels, columns = self.films.labels, self.films.classes
        table = pd.DataFrame({"top1": self.ranks < 1, "top5": self.ranks < 5}).groupby(columns).mean()
        table = table.reindex(range(len(labels)))
        table.insert(0, "films", self.films.counts)
        table.insert(0, "name", list(labels.names))
        return table.set_axis(list(labels.ids), axis=0).rename_axis("class_id")


def load_tested_classifier(weights: str | Path, recipe: ClassRecipe, overrides: Sequence[str] = ()) -> Model:
    """The classifier that is to be tested.

    Args:
        weights: a checkpoint; what it says of its network and clips comes before the recipe.
        recipe: says it where the checkpoint does not.
        overrides: ``key=value`` texts; those of network and clip are laid over what the checkpoint says.

    Raises:
        InputError: the checkpoint is not usable, or scores persons.
    """
    chosen = [text for text in overrides if text.strip().startswith(("network.", "clip."))]
    model = load_any_model(weights, fallback=recipe.of_model(), overrides=chosen)
    if model.config.network.head != "clip":
        raise InputError(f"{weights}: scores persons, not whole clips; the recipe is of a classifier")
    return model


def tested_films(recipe: ClassRecipe, model: Model) -> tuple[ClassFilms, Model]:
    """The films of the test split, and the model with their classes' names if its own have none.

    Raises:
        InputError: a file is wrong, or a film's class is not the model's.
    """
    if model.labels.names == numbered_labels(len(model.labels)).names:  # published weights bring no names
        films = held_back_films(recipe)
        if len(films.labels) == len(model.labels):
            return films, replace(model, labels=films.labels)
    return held_back_films(recipe, model.labels), model


def held_back_films(recipe: ClassRecipe, known: Labels | None = None) -> ClassFilms:
    """The films of the test split; where there is no split of the usual name, those of val.

    Raises:
        InputError: the recipe names none, or as `split_films`.
    """
    if recipe.test_split is None:
        raise InputError("the recipe names no part of the data to test on; test_split=NAME is expected")
    try:
        return split_films(recipe, recipe.test_split, known)
    except MissingSplitError:
        if recipe.test_split != "test":
            raise
        try:
            return split_films(recipe, "val", known)
        except MissingSplitError:
            pass
        raise


def split_films(recipe: ClassRecipe, split: str, known: Labels | None = None) -> ClassFilms:
    """The films of a split of a recipe's data; ``known`` are the classes that they must have.

    Raises:
        InputError: the recipe names no data, or a file of it is wrong.
    """
    if recipe.data is None:
        raise InputError("the recipe names no data; data=FOLDER is expected, with a list or a folder of films a split")
    if (Path(recipe.data) / "dataset.yaml").is_file():
        raise InputError(
            f"{recipe.data}: is a data set of persons' actions (dataset.yaml); a detector's recipe takes it"
        )
    names = recipe.class_names
    if known is None and names in PACKAGED:
        known, names = packaged_labels(names), None
    return read_class_films(recipe.data, split, recipe.films, None if known is not None else names, known)


def run_class_test(
    films: ClassFilms,
    model: Model,
    world: World,
    views: ViewsConfig,
    precision: Precision,
    advance: Callable[[object], None] = lambda film: None,
) -> ClassTested | None:
    """Classify all films, shared by the processes, none of them twice; the first process gets the answer.

    Args:
        films: with the model's classes.
        model: the classifier, on its device.
        world: the processes.
        views: what is looked at of a film.
        precision: arithmetic of the network.
        advance: called after each film.
    """
    classifier = FilmClassifier(model, str(model.device), precision, clips=views.clips, crops=views.crops)
    found: list[tuple[int, NDArray[np.float64]]] = []
    problems: list[str] = []
    with Ahead(_read(classifier, films.paths, world.share(len(films))), _AHEAD) as reading:
        for number, seen in reading:
            if isinstance(seen, FilmViews):
                found.append((number, classifier.judge(seen).scores))
            else:
                problems.append(seen)
            advance(number)
    parts = world.gather((found, problems))
    if not world.is_first:
        return None
    judged = [pair for part, _ in parts for pair in part]
    numbers = [number for number, _ in judged]
    kept = ClassFilms(tuple(films.paths[n] for n in numbers), films.classes[numbers], films.labels)
    scores = np.array([scores for _, scores in judged]).reshape(-1, len(films.labels))
    return ClassTested(kept, scores, tuple(problem for _, of_process in parts for problem in of_process))


def _read(classifier: FilmClassifier, paths: Sequence[Path], part: range) -> Generator[tuple[int, FilmViews | str]]:
    for number in part:
        try:
            yield number, classifier.read(paths[number], warn=False)
        except (InputError, OSError) as problem:
            yield number, str(problem)
