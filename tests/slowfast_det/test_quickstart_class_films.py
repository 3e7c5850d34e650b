"""Generated films of one class each: balanced, honest, decided by their seed, read back as Kinetics' are."""

from __future__ import annotations

import shlex
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest

from ava_tools.class_films import read_class_films
from slowfast_det.quickstart.acts import ACTIONS, MOTIONS
from slowfast_det.quickstart.casting import Casting
from slowfast_det.quickstart.class_films import CLASS_FILM_FRAMES, write_class_films
from slowfast_det.quickstart.films import RATE
from slowfast_det.quickstart.scenes import HEIGHT, WIDTH

MIDDLE = 1.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("films") / "new"
    write_class_films(folder, seed=3, train_films=20, test_films=9)
    return folder


@pytest.fixture(scope="module")
def scenes():
    """The groups of many scenes of each class."""
    casting = Casting(np.random.default_rng(0))
    return {name: [casting.groups_of_class(name, MIDDLE) for _ in range(80)] for name in ACTIONS}


def test_films_are_read_back_as_classes(folder, inspect):
    train = read_class_films(folder, "train")
    test = read_class_films(folder, "test", known=train.labels)
    assert train.labels == test.labels
    assert train.labels.names == tuple(sorted(ACTIONS))
    assert sorted(train.counts.tolist()) == [2] * 7 + [3] * 2
    assert test.counts.tolist() == [1] * 9
    assert train.notes == test.notes == ()
    names = [path.stem for path in (*train.paths, *test.paths)]
    assert len(set(names)) == 29
    for path in test.paths:
        film = inspect(path)
        assert film.size == (WIDTH, HEIGHT)
        assert film.times == [Fraction(n, RATE) for n in range(CLASS_FILM_FRAMES)]


def test_the_seed_decides_everything(folder, tmp_path):
    for seed, same in ((3, True), (4, False)):
        write_class_films(tmp_path / str(seed), seed, train_films=4, test_films=2)
        made = sorted(path.relative_to(tmp_path / str(seed)) for path in (tmp_path / str(seed)).rglob("*.mp4"))
        assert len(made) == 6
        for path in made:
            assert ((tmp_path / str(seed) / path).read_bytes() == (folder / path).read_bytes()) == same
    films = [path.read_bytes() for path in folder.rglob("*.mp4")]
    assert len(set(films)) == 29, "no film is another's"


@pytest.mark.parametrize("name", ACTIONS)
def test_one_group_does_what_the_class_says(scenes, name):
    for groups in scenes[name]:
        done = Counter(action for group in groups for figure in group for action in figure.act(MIDDLE).actions)
        done.pop("stand", None)
        assert done == ({} if name == "stand" else {name: 2 if name == "hug" else 1})
        assert all(len(figure.script) == 1 for group in groups for figure in group), "from the first frame to the last"


@pytest.mark.parametrize("name", MOTIONS)
def test_motions_move(scenes, name):
    for groups in scenes[name]:
        acts = [figure.act(MIDDLE) for group in groups for figure in group if name in figure.act(MIDDLE).actions]
        for act in acts:
            assert not (act.arms_held if name == "wave" else act.legs_held)
            assert act.pose(MIDDLE) != act.pose(MIDDLE + 0.2)


def test_somebody_stands_by_as_often_in_every_class(scenes):
    counts = {name: sum(len(groups) > 1 for groups in made) for name, made in scenes.items()}
    assert all(25 <= count <= 55 for count in counts.values()), counts
    pairs = {name for name, made in scenes.items() if any(len(group) > 1 for groups in made for group in groups)}
    assert pairs == {"stand", "push", "hug"}, "two side by side may just stand"


def test_about_half_of_those_who_stand_are_held_in_a_motion(scenes):
    acts = [[figure.act(0) for group in groups for figure in group] for groups in scenes["stand"]]
    held = sum(any(act.legs_held or act.arms_held for act in film) for film in acts)
    assert 0.35 < held / len(acts) < 0.65
    poses = {(act.legs, act.arms) for film in acts for act in film if act.legs_held or act.arms_held}
    assert {legs for legs, _ in poses} >= {"stand", "walk", "jump"}
    assert {arms for _, arms in poses} >= {"wave", "push"}


@pytest.mark.parametrize(("name", "direction"), [("walk left", -1), ("walk right", 1)])
def test_walkers_go_where_the_class_says(scenes, name, direction):
    for groups in scenes[name]:
        ways = [figure.walked(MIDDLE + 0.5) for group in groups for figure in group]
        assert ways[0] * direction > 0
        assert not any(ways[1:])


def test_the_command(tmp_path, command):
    outcome = command("example", "my films", "--classes", "--films", "9", "--seed", "2")
    assert (outcome.code, outcome.out) == (0, "my films/train\nmy films/test\n")
    train, test = (line.partition(": ")[2] for line in outcome.err.splitlines())
    assert shlex.split(train) == [
        *("slowfast-det", "train", "kinetics_tiny", "data=my films", "out=my films-trained"),
        "augmentation.flip_pairs=[[walk left, walk right]]",
    ]
    assert shlex.split(test)[:3] == ["slowfast-det", "test", "kinetics_tiny"]
    assert read_class_films(tmp_path / "my films", "train").counts.tolist() == [1] * 9
    again = command("example", "--out", "my films", "--classes", "--films", "9")
    assert (again.code, again.err) == (1, "error: my films: holds other things; a new or empty folder is expected\n")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        pytest.param(["--classes", "--films", "8"], "misuse: --films 8: there are 9 classes", id="too_few"),
        pytest.param(["--films", "1"], "misuse: ", id="one"),
    ],
)
def test_misuse(command, arguments, sentence):
    outcome = command("example", *arguments)
    assert outcome.code == 2
    assert outcome.err.startswith(sentence)
