"""The generated data set: honest, balanced, boxed tightly, decided by its seed."""

from __future__ import annotations

from collections import Counter
from dataclasses import astuple, replace
from fractions import Fraction

import numpy as np
import pytest
import yaml

from ava_tools.convert import cvat
from ava_tools.convert.annotations import joined
from ava_tools.convert.films import Films
from ava_tools.media.reader import open_film
from ava_tools.tables import read_truth
from slowfast_det.quickstart.acts import ACTIONS, MOTIONS, Act
from slowfast_det.quickstart.casting import Casting
from slowfast_det.quickstart.films import RATE, SHOT_FRAMES, SHOTS, unseen_scene, write_data_set, write_unseen_film
from slowfast_det.quickstart.scenes import HEIGHT, WIDTH, Scene

KEY_FRAME = 0.8


def scene(seed: int) -> Scene:
    random = np.random.default_rng(seed)
    return Scene(random, Casting(random).groups(KEY_FRAME))


@pytest.fixture(scope="module")
def data_set(tmp_path_factory):
    folder = tmp_path_factory.mktemp("films")
    write_data_set(folder, seed=3, train_films=8, test_films=4)
    return folder


@pytest.fixture(scope="module")
def cast():
    """Every figure of many scenes, with the group that it belongs to."""
    casting = Casting(np.random.default_rng(0))
    return [(figure, group) for _ in range(300) for group in casting.groups(KEY_FRAME) for figure in group]


def test_files(data_set, inspect):
    films = sorted((data_set / "films").iterdir())
    assert [film.name for film in films] == sorted(
        [f"train_{n:03d}.mp4" for n in range(8)] + [f"test_{n:03d}.mp4" for n in range(4)]
    )
    film = inspect(films[0])
    assert film.size == (WIDTH, HEIGHT)
    assert film.times == [Fraction(n, RATE) for n in range(SHOTS * SHOT_FRAMES)]
    assert (data_set / "labels.csv").read_text().splitlines() == [
        "id,name",
        *(f"{number},{name}" for number, name in enumerate(ACTIONS, 1)),
    ]
    assert yaml.safe_load((data_set / "dataset.yaml").read_text()) == {
        "films": "films",
        "labels": "labels.csv",
        "time_origin": 0,
        "splits": {"train": {"truth": "train.csv"}, "test": {"truth": "test.csv"}},
    }


def test_truth(data_set):
    splits = {split: read_truth(data_set / f"{split}.csv") for split in ("train", "test")}
    for split, truth in splits.items():
        assert set(truth["video"]) == {path.stem for path in (data_set / "films").glob(f"{split}_*.mp4")}
        assert set(truth["action_id"]) <= set(range(1, 10))
        assert set(truth["timestamp"].round(3)) == {0.8, 2.4, 4.0, 5.6}
        boxes = truth[["x1", "y1", "x2", "y2"]].to_numpy()
        assert boxes.min() >= 0
        assert boxes.max() <= 1
        assert (boxes[:, 2:] > boxes[:, :2]).all()
    assert not set(splits["train"]["video"]) & set(splits["test"]["video"])


def test_the_same_seed_makes_the_same(data_set, tmp_path):
    for seed, same in ((3, True), (4, False)):
        write_data_set(tmp_path / str(seed), seed, train_films=2, test_films=1)
        written = (tmp_path / str(seed) / "films" / "train_001.mp4").read_bytes()
        assert (written == (data_set / "films" / "train_001.mp4").read_bytes()) == same
        rows = (tmp_path / str(seed) / "test.csv").read_text()
        assert (data_set / "test.csv").read_text().startswith(rows) == same


@pytest.mark.parametrize("seed", range(12))
def test_boxes_are_tight(seed):
    full = scene(seed)
    for time in (0.3, KEY_FRAME, 1.3):
        boxes = full.boxes(time)
        for group in full.groups:
            for figure in group:
                random = np.random.default_rng(seed)
                Casting(random).groups(KEY_FRAME)
                alone = Scene(random, [(replace(figure, stool=None),)])
                random = np.random.default_rng(seed)
                Casting(random).groups(KEY_FRAME)
                empty = Scene(random, [])
                change = np.abs(alone.picture(time).astype(int) - empty.picture(time)).max(axis=-1) > 8
                rows, columns = np.nonzero(change)
                drawn = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
                assert np.abs(boxes[full.figures.index(figure)] - drawn).max() < 2.2


@pytest.mark.parametrize("seed", range(12))
def test_figures_are_seen(seed):
    made = scene(seed)
    image, boxes = made.frame(KEY_FRAME)
    assert image.shape == (HEIGHT, WIDTH, 3)
    assert len(boxes) == len(made.figures) == len(made.actions(KEY_FRAME)) >= 2
    assert boxes.min() >= 0
    assert (boxes <= [WIDTH, HEIGHT] * 2).all()
    other = made.picture(KEY_FRAME + 0.5)
    assert (np.abs(image.astype(int) - other).max(axis=-1) > 8).mean() > 0.02, "the background moves"


def test_every_action_is_in_both_splits(tmp_path, monkeypatch):
    monkeypatch.setattr("slowfast_det.quickstart.films.write_film", lambda *_: None)
    write_data_set(tmp_path, seed=0, train_films=30, test_films=15)
    for split in ("train", "test"):
        assert set(read_truth(tmp_path / f"{split}.csv")["action_id"]) == set(range(1, 10))


def test_every_motion_has_as_many_look_alikes(cast):
    acts = [figure.act(0) for figure, _ in cast]
    held = Counter(act.legs for act in acts if act.legs_held)
    moving = Counter(act.legs for act in acts if not act.legs_held)
    assert held["walk"] >= 0.8 * moving["walk"]
    assert held["jump"] >= moving["jump"]
    for legs in ("stand", "sit", "walk"):
        waves = Counter(act.arms_held for act in acts if act.arms == "wave" and act.legs == legs)
        assert waves[True] >= 0.7 * waves[False]
    pushes = Counter(act.arms_held for act in acts if act.arms == "push")
    assert pushes[True] >= 0.6 * pushes[False]


@pytest.mark.parametrize("legs", ["walk", "jump"])
def test_one_frame_does_not_tell_a_motion_from_its_look_alike(legs):
    for turn in np.linspace(0, 2, 9):
        moving = Act(legs, facing=-1, phase=0.25).pose(turn)
        held = Act(legs, facing=-1, phase=0.25 + turn, legs_held=True, arms_held=True).pose(0)
        assert astuple(replace(moving, lean=0)) == pytest.approx(astuple(replace(held, lean=0)))


def test_one_frame_does_not_tell_where_a_figure_walks():
    """Every pose of walking right is one of walking left, at another moment of the step."""
    step = 1 / 0.8
    for turn in np.linspace(0, step, 7):
        right = Act("walk", facing=1, phase=turn).pose(0)
        left = Act("walk", facing=-1, phase=0.5 * step - turn).pose(0)
        assert astuple(right) == pytest.approx(astuple(left), abs=1e-9)


def test_place_size_and_colour_tell_nothing(cast):
    """The mean of each action is near that of all, in deviations."""
    alone = [(figure, figure.act(0).actions) for figure, group in cast if len(group) == 1]
    traits = np.array(
        [[figure.place[0], figure.place[1], figure.body.height, *figure.body.shirt] for figure, _ in alone]
    )
    traits = (traits - traits.mean(axis=0)) / traits.std(axis=0)
    for action in ("sit", "lie", *MOTIONS):
        of_action = np.array([action in actions for _, actions in alone])
        assert of_action.sum() > 20
        assert np.abs(traits[of_action].mean(axis=0)).max() < 0.5, action


def test_the_film_for_show(tmp_path, inspect):
    write_unseen_film(tmp_path / "show.mp4", seed=1, enlargement=1)
    film = inspect(tmp_path / "show.mp4")
    assert len(film.times) == 120
    shown = unseen_scene(1)
    assert (shown.width, shown.height) == (4 * WIDTH, 4 * HEIGHT)
    acts = [set(sum(shown.actions(time), ())) for time in (1.0, 4.0, 7.0)]
    assert len(set().union(*acts)) >= 6
    assert all(len(set(times)) > 1 for times in zip(*(shown.actions(time) for time in (1.0, 4.0, 7.0)), strict=True))


def test_the_example_is_annotated_frame_by_frame(tmp_path, command):
    assert command("example", "--out", "example", "--films", "3", "--seed", "4").code == 0
    folder = tmp_path / "example"
    films = Films(folder / "films")
    found = joined([cvat.read(path, films) for path in sorted(folder.glob("annotations/*.xml"))], ["a", "b", "c"])
    assert [film.name for film in found.films] == ["film_00", "film_01", "film_02"]
    assert found.labels.names == ACTIONS
    assert len(found.key_frames) == 3 * 108
    assert (found.persons.groupby(["video", "person"]).size() > 1).all(), "everybody is a track"
    truth = found.persons[found.persons["video"] == "film_01"]
    with open_film(folder / "films" / "film_01.mp4") as film:
        frames = list(film.frames())
    assert sorted(set(truth["timestamp"])) == [round(float(frame.time), 6) for frame in frames]
    assert (folder / "new.mp4").is_file()
    again = command("example", "--out", "example")
    assert (again.code, again.err) == (1, "error: example: holds other things; a new or empty folder is expected\n")
