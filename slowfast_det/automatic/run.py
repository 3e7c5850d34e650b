"""The whole way from a data set's folder to a model that predicts: persons, actions, thresholds, a report."""

from __future__ import annotations

import filecmp
import hashlib
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from ava_tools.cli.outputs import save_under
from ava_tools.errors import InputError
from ava_tools.html_report import save_html
from ava_tools.manifest import MANIFEST, read_data_set
from ava_tools.validate import validate
from slowfast_det.automatic.estimate import seconds_of_training
from slowfast_det.automatic.facts import Facts, read_facts
from slowfast_det.automatic.persons import Settled, settle_persons
from slowfast_det.automatic.rules import Choice, choose
from slowfast_det.checkpoints.model import load_model
from slowfast_det.checkpoints.transfer import Transfer
from slowfast_det.checkpoints.zoo import located
from slowfast_det.distributed import World
from slowfast_det.recipe import Recipe, read_recipe
from slowfast_det.testing import Tested, prepare_examination, run_test
from slowfast_det.training.actions import prepare_training
from slowfast_det.training.loop import BEST, LAST, STATE
from slowfast_det.training.run import run_training
from slowfast_det.weights.files import open_weights

_LEFT_OUT = {"film-missing", "film-unreadable", "before-film", "after-film"}
_MODEL, _REPORT = "best.safetensors", "report.html"
_BEGUN = "begun"  # holds a digest of the data and of what was chosen
_MIN_SCORE = 0.3  # of actions with too few examples to choose a score by
_LEAST_SCORE = 0.1  # that is chosen for any action
_WEAK = 0.2  # AP of actions that nobody should trust


@dataclass(frozen=True)
class Talk:
    """What a caller does with what is told on the way.

    Attributes:
        tell: a sentence.
        show: what was chosen, and why.
        show_transfer: what became of the weights that it starts from.
    """

    tell: Callable[[str], None]
    show: Callable[[Facts, Choice], None]
    show_transfer: Callable[[Transfer], None]


@dataclass(frozen=True)
class Trained:
    """What came of it.

    Attributes:
        model: the file that predicts anywhere.
        report: the page of figures; None: nothing was held back to test on.
        mean_ap: on what was held back, with detected persons; None likewise.
    """

    model: Path
    report: Path | None
    mean_ap: float | None


def train_folder(data: Path, overrides: Sequence[str], world: World, talk: Talk) -> Trained | None:
    """Train on a data set; the first process gets the answer.

    Everything on the way is in ``data/run``; a call that was cut off is gone on with by the same call, any other begins
    a ``run-2``, and one that was finished before is not begun again.

    Args:
        data: the folder, with its ``dataset.yaml``.
        overrides: ``key=value`` texts that come after all that is chosen.
        world: the processes that train together.
        talk: what is told on the way.

    Returns:
        None in the other processes, and where it was done before.

    Raises:
        InputError: a file is wrong, or nothing is left to train on.
    """
    _refuse_what_is_wrong(data, world, talk)
    given = dict(text.partition("=")[::2] for text in overrides)
    if "init" in given:
        located(given["init"])  # what is to be fetched, or is not there, should not show late
    facts = read_facts(read_data_set(data), world)
    choice = choose(facts, given.get("init")).changed(overrides)
    planned = read_recipe(choice.recipe, [*choice.settings, *overrides])  # nor what is wrong with the settings
    talk.show(facts, choice)
    folder: Path | None = world.gather(_folder(data, [*choice.settings, *overrides], world.is_first, talk))[0]
    if folder is None:
        return None
    known = planned.persons.min_score if "persons.min_score" in given else None
    persons = settle_persons(data, facts, given.get("persons.source"), folder, world, talk.tell, known)
    recipe = _recipe(data, facts, choice, persons, folder, overrides)
    preparation = prepare_training(recipe, world.device)
    if preparation.transfer is not None:
        talk.show_transfer(preparation.transfer)
    steps = preparation.task.plan().steps
    seconds = seconds_of_training(preparation.task)
    talk.tell(f"{steps:,} steps, about {_duration(seconds)} on {world.size} x {world.device.type}")
    run_training(recipe, preparation.task, world, f"the same call of train {data}")
    return _finished(data, facts, recipe, persons, folder, world, talk)


def _refuse_what_is_wrong(data: Path, world: World, talk: Talk) -> None:
    """Look for mistakes in the data set; films and moments that are not there are left out by the training itself."""
    findings = validate(data) if world.is_first else ()
    errors = [each for each in findings if each.severity == "error" and each.check not in _LEFT_OUT]
    warnings = len(findings) - len(errors)
    if errors:
        first = errors[0]
        line = f", line {first.line}" if first.line else ""
        raise InputError(
            f"{first.file}{line}: {first.found} {first.mend} (1 of {len(errors):,} errors; ava-tools validate {data} "
            "tells all)"
        )
    if warnings:
        talk.tell(f"note: {warnings:,} things about the data may not be meant so; ava-tools validate {data} tells all")


def _folder(data: Path, settings: Sequence[str], is_first: bool, talk: Talk) -> Path | None:
    """Where a run goes: where one with the same data and settings was cut off, else somewhere new; None: it is done."""
    digest = hashlib.sha256("\0".join(settings).encode())
    for path in sorted([data / MANIFEST, *read_data_set(data).files]):
        digest.update(path.read_bytes())
    number = 1
    while (folder := data / ("run" if number == 1 else f"run-{number}")).exists():
        begun = folder / _BEGUN
        if begun.is_file() and begun.read_text() == digest.hexdigest():
            if (folder / _MODEL).exists():
                talk.tell(
                    f"note: {folder / _MODEL} was trained on this data with these settings; nothing is left to do "
                    "(training.seed=1 begins another one)"
                )
                return None
            talk.tell(f"note: going on with {folder}, which was cut off")
            return folder
        number += 1
    if is_first:
        folder.mkdir()
        (folder / _BEGUN).write_text(digest.hexdigest())
    return folder


def _recipe(
    data: Path, facts: Facts, choice: Choice, persons: Settled, folder: Path, overrides: Sequence[str]
) -> Recipe:
    out = folder / "actions"
    given = {text.partition("=")[0] for text in overrides}
    own = [
        f"data={json.dumps(str(data))}",
        f"out={json.dumps(str(out))}",
        # it is tested when it is done; on the way only where the user asks for that
        f"test_split={json.dumps(facts.test_split if 'training.evaluate_every' in given else None)}",
        f"device={facts.device}",
        f"resume={str((out / STATE).is_file()).lower()}",
        f"persons.source={json.dumps(persons.source)}",
        f"persons.min_score={persons.min_score}",
    ]
    return read_recipe(choice.recipe, [*own, *choice.settings, *overrides])


def _finished(
    data: Path, facts: Facts, recipe: Recipe, persons: Settled, folder: Path, world: World, talk: Talk
) -> Trained | None:
    """Test what was trained with the persons that are detected, and put together what a user takes away."""
    out = Path(recipe.out)
    model = load_model(next(path for name in (BEST, LAST) if (path := out / name).is_file())).to(world.device)
    tested: Tested | None = None
    if facts.test_split is not None:
        examination = prepare_examination(recipe, read_data_set(data), facts.test_split, world.device)
        for note in examination.notes:
            talk.tell(f"note: on what was held back: {note}")
        tested = run_test(examination, model, world, recipe, recipe.precision)
    if not world.is_first:
        return None
    companion = None if persons.file is None else open_weights(persons.file)
    thresholds = None
    report = None
    if tested is not None:
        for problem in tested.problems:
            talk.tell(f"error: {problem}")
        by_id = tested.report.thresholds(_MIN_SCORE, _LEAST_SCORE)
        _tell_weak(tested, talk)
        thresholds = tuple(by_id.get(action.id, _MIN_SCORE) for action in model.labels)
        save_html(tested.report, folder / _REPORT)
        report = _published(folder / _REPORT, data)
    if companion is None:
        talk.tell(f"note: {persons.source} cannot come along with the model: predict needs --persons {persons.source}")
    whole = replace(model, thresholds=thresholds, companion=companion)
    whole.save(folder / _MODEL)  # a run that has it is finished
    return Trained(_published(folder / _MODEL, data), report, None if tested is None else tested.report.mean_ap)


def _published(file: Path, data: Path) -> Path:
    """Copy a file of a run into the data set's folder: the newest has the plain name, others are in their runs."""
    target = data / file.name
    ours = target.is_file() and any(filecmp.cmp(target, old, shallow=False) for old in data.glob(f"run*/{file.name}"))
    return save_under(target, ours, [], partial(shutil.copyfile, file), keep_equal=True)


def _tell_weak(tested: Tested, talk: Talk) -> None:
    """Name the actions that are hardly recognised, so that nobody trusts them."""
    table = tested.report.per_action
    weak = table[table["ap"] < _WEAK]
    if len(weak):
        named = ", ".join(f"{name} (AP {ap:.2f})" for name, ap in zip(weak["name"], weak["ap"], strict=True))
        talk.tell(f"note: hardly recognised on the films that were held back: {named}; more examples help most")


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
