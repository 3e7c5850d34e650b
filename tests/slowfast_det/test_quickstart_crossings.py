"""Generated films in which figures cross: drawn in their order, boxed where they are drawn, decided by their seed."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from ava_tools import evaluate_identities
from ava_tools.boxes import pairwise_iou, to_pixels
from ava_tools.cli.main import app
from ava_tools.cli.run import run
from ava_tools.errors import InputError
from ava_tools.tables import read_truth
from slowfast_det.quickstart.acts import ACTIONS, Act
from slowfast_det.quickstart.casting import Casting
from slowfast_det.quickstart.crossings import crossing_minutes, crossing_scene, key_frames, write_crossing_films
from slowfast_det.quickstart.encounters import Encounters
from slowfast_det.quickstart.films import RATE, unseen_scene
from slowfast_det.quickstart.intervals import scene_intervals, script_intervals
from slowfast_det.quickstart.scenes import HEIGHT, STOOL, WIDTH, Figure, Scene
from slowfast_det.quickstart.story import STORY_SECONDS
from slowfast_det.quickstart.visibility import LEAST_SEEN, seen, visible_shares

SECONDS = 30.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("films") / "new"
    write_crossing_films(folder, seed=3, films=2, seconds=6.0)
    return folder


@pytest.fixture(scope="module")
def scenes():
    return [crossing_scene(1, number, SECONDS) for number in range(4)]


def backdrop(groups, seed=0):
    """A scene of these groups; all have the same backdrop."""
    return Scene(np.random.default_rng(seed), groups, SECONDS)


def stander(x, feet, height=60.0, script=((0.0, Act()),), **more):
    return Figure(Casting(np.random.default_rng(int(abs(x)))).body(height), script, (x, feet), **more)


# ---------------------------------------------------------------- files


def test_files(folder, inspect):
    assert sorted(path.name for path in folder.iterdir()) == [
        *("dataset.yaml", "films", "intervals.csv", "labels.csv", "truth.csv")
    ]
    films = sorted((folder / "films").iterdir())
    assert [film.name for film in films] == ["crossing_000.mp4", "crossing_001.mp4"]
    for path in films:
        film = inspect(path)
        assert film.size == (WIDTH, HEIGHT)
        assert film.times == [Fraction(number, RATE) for number in range(90)]
    truth = read_truth(folder / "truth.csv")
    assert set(truth["video"]) == {film.stem for film in films}
    assert sorted(set(truth["timestamp"])) == [round(number / RATE, 6) for number in range(90)]
    assert set(truth["action_id"].dropna()) <= set(range(1, len(ACTIONS) + 1))
    assert not truth.duplicated(["video", "timestamp", "person", "action_id"]).any()


def test_the_folder_is_a_data_set(folder, capsys):
    assert run(app, ["validate", str(folder)]) == 0
    assert ": 0 errors, " in capsys.readouterr().out


def test_the_truth_is_a_perfect_track(folder):
    truth = read_truth(folder / "truth.csv")
    total = evaluate_identities(truth, truth[truth["x1"].notna()]).total
    assert total.truth > 300
    assert (total.mota, total.idf1, total.switches) == (1, 1, 0)


def test_truth_at_a_given_spacing(folder, tmp_path):
    write_crossing_films(tmp_path / "new", seed=3, films=1, seconds=6.0, every=0.5)
    truth, every_frame = (read_truth(path / "truth.csv") for path in (tmp_path / "new", folder))
    assert sorted(set(truth["timestamp"])) == [number / 2 for number in range(12)]
    shown = every_frame[(every_frame["video"] == "crossing_000") & (every_frame["timestamp"] == round(7 / RATE, 6))]
    rows = truth[truth["timestamp"] == 0.5]  # the frame at 7/15 s is shown then
    assert rows.drop(columns="timestamp").to_numpy().tolist() == shown.drop(columns="timestamp").to_numpy().tolist()
    film = "films/crossing_000.mp4"
    assert (tmp_path / "new" / film).read_bytes() == (folder / film).read_bytes()


def test_the_seed_decides_everything(folder, tmp_path):
    for seed, same in ((3, True), (4, False)):
        write_crossing_films(tmp_path / str(seed), seed, films=1, seconds=6.0)
        film = "films/crossing_000.mp4"
        assert ((tmp_path / str(seed) / film).read_bytes() == (folder / film).read_bytes()) == same
        for name in ("truth.csv", "intervals.csv"):
            assert (folder / name).read_text().startswith((tmp_path / str(seed) / name).read_text()) == same


def test_nothing_is_written_into_a_folder_of_other_things(tmp_path):
    (tmp_path / "mine.txt").touch()
    with pytest.raises(InputError, match="holds other things; a new or empty folder is expected"):
        write_crossing_films(tmp_path)


def test_a_moment_with_nobody_is_a_row(tmp_path, monkeypatch):
    away = (stander(-200.0, 110.0),)
    monkeypatch.setattr("slowfast_det.quickstart.encounters.Encounters.groups", lambda *_: [away])
    write_crossing_films(tmp_path / "new", films=1, seconds=0.2)
    assert (tmp_path / "new" / "truth.csv").read_text().splitlines() == [
        *("crossing_000,0000", "crossing_000,0.066667", "crossing_000,0.133333")
    ]
    assert (tmp_path / "new" / "intervals.csv").read_text() == "video,person,action_id,start,end\n"


@pytest.mark.parametrize(
    ("seconds", "every", "expected"),
    [
        pytest.param(0.2, None, [(0.0, 0), (0.066667, 1), (0.133333, 2)], id="every frame"),
        pytest.param(1.0, 0.2, [(0.0, 0), (0.2, 3), (0.4, 6), (0.6, 9), (0.8, 12)], id="every third"),
        pytest.param(1.1, 0.5, [(0.0, 0), (0.5, 7), (1.0, 15)], id="between frames"),
        pytest.param(3.0, 1.0, [(0.0, 0), (1.0, 15), (2.0, 30)], id="up to the end"),
    ],
)
def test_key_frames(seconds, every, expected):
    assert list(key_frames(seconds, every)) == [(time, frame / RATE) for time, frame in expected]


# ---------------------------------------------------------------- what is drawn


def changed(one, other, time):
    return np.abs(one.picture(time).astype(int) - other.picture(time)).max(axis=-1) > 8


@pytest.mark.parametrize(("seed", "number"), [(0, 0), (0, 1), (5, 2)])
def test_figures_are_drawn_in_their_boxes_and_hidden_as_told(seed, number):
    """Pictures with and without a figure differ where it is seen."""
    random = np.random.default_rng([seed, 6, number])
    groups = Encounters(random).groups(SECONDS)
    groups = [tuple(replace(figure, stool=None) for figure in group) for group in groups]
    state, checked, hidden = random.bit_generator.state, 0, 0

    def scene(kept):
        random.bit_generator.state = state
        return Scene(random, kept, SECONDS)

    full, empty = scene(groups), scene([])
    for time in (5.0, 9.4, 14.2, 20.6, 26.0):
        there = seen(full, time)
        for place, box, share in zip(there.figures, to_pixels(there.boxes, WIDTH, HEIGHT), there.shares, strict=True):
            figure = full.figures[place]
            others = [tuple(other for other in group if other is not figure) for group in groups]
            visible = changed(full, scene([group for group in others if group]), time)
            alone = changed(scene([(figure,)]), empty, time)
            rows, columns = np.nonzero(visible)
            drawn = np.array([columns.min(), rows.min(), -columns.max() - 1, -rows.max() - 1])
            assert (drawn > box * [1, 1, -1, -1] - 2.2).all()
            if box[0] > 1 and box[2] < WIDTH - 1:  # what is outside the picture is not drawn alone either
                assert visible.sum() / alone.sum() == pytest.approx(share, abs=0.13)
                rows, columns = np.nonzero(alone)
                drawn = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
                assert np.abs(box - drawn).max() < 2.2
                checked, hidden = checked + 1, hidden + (share < 0.8)
    assert checked >= 8
    assert hidden >= 1


def test_who_stands_nearer_hides_the_others():
    far, near = stander(80.0, 100.0, 50.0), stander(82.0, 118.0, 70.0)
    scene = backdrop([(near,), (far,)])
    assert [figure.place for figure in scene.figures] == [far.place, near.place], "from the back to the front"
    shares = visible_shares(scene, 0.0)
    assert shares[0] < 0.5
    assert shares[1] == pytest.approx(1, abs=0.01)
    apart = backdrop([(replace(near, place=(130.0, 118.0)),), (far,)])
    assert visible_shares(apart, 0.0) == pytest.approx(1, abs=0.01)
    assert visible_shares(backdrop([]), 0.0).shape == (0,)


def test_shares_of_figures_at_the_edge():
    scene = backdrop([(stander(x, 110.0),) for x in (-60.0, 0.0, WIDTH, 90.0)])
    shares = dict(zip([figure.place[0] for figure in scene.figures], visible_shares(scene, 0.0), strict=True))
    assert shares[-60.0] == 0
    assert 0.3 < shares[0.0] < 0.7
    assert 0.3 < shares[WIDTH] < 0.7
    assert shares[90.0] == pytest.approx(1, abs=0.01)
    there = seen(scene, 0.0)
    assert len(there.figures) == 3
    assert there.boxes.min() >= 0
    assert there.boxes.max() <= 1


def test_a_stool_hides_too():
    far = stander(80.0, 100.0, 50.0)
    near = stander(100.0, 112.0, 70.0, stool=(-0.25, 0.5, (90, 90, 90)))
    with_stool, without = backdrop([(far,), (near,)]), backdrop([(far,), (replace(near, stool=None),)])
    assert visible_shares(with_stool, 0.0)[0] < visible_shares(without, 0.0)[0] - 0.05
    assert [number for number, _ in with_stool.layers(0.0)] == [STOOL, 0, 0, STOOL, 1, 1]


def test_whoever_is_hidden_is_no_truth(scenes):
    hidden = 0
    for scene in scenes[:2]:
        for time in np.arange(0, SECONDS, 0.4):
            shares, there = visible_shares(scene, time), seen(scene, time)
            assert there.figures.tolist() == np.flatnonzero(shares >= LEAST_SEEN).tolist()
            boxes = scene.boxes(time)
            inside = (boxes[:, 2] - boxes[:, 0]) > 8
            hidden += int((inside & (shares < LEAST_SEEN)).sum())
    assert hidden > 5


# ---------------------------------------------------------------- what happens


def crossings(scene):
    """Pairs of figures that change sides while both are in the picture: (front, back) numbers."""
    times = np.arange(0, SECONDS, 1 / 3)
    boxes = np.stack([scene.boxes(time) for time in times])  # [T, F, 4]
    inside = boxes[..., 2] - boxes[..., 0] > 8
    middle = boxes[..., [0, 2]].mean(axis=-1)
    for one, other in combinations(range(len(scene.figures)), 2):
        both = inside[:, one] & inside[:, other]
        sides = np.sign(middle[both, one] - middle[both, other])
        if len(set(sides)) > 1:
            yield other, one


def test_figures_cross_before_and_behind_each_other(scenes):
    for scene in scenes:
        assert len(list(crossings(scene))) >= 6
        stayers = {n for n, figure in enumerate(scene.figures) if figure.script[0][1].legs != "walk"}
        assert len(stayers) == 2
        assert any(front in stayers for front, _ in crossings(scene)), "somebody passes behind one who stays"
        assert any(back in stayers for _, back in crossings(scene)), "somebody passes in front of one who stays"


def test_everything_happens(scenes):
    for scene in scenes:
        meeting = [group for group in scene.groups if len(group) == 2]
        assert len(meeting) == 1
        assert {"hug", "push"} & {
            name for _, act in meeting[0][0].script + meeting[0][1].script for name in act.actions
        }
        boxes = np.stack([scene.boxes(time) for time in np.arange(0, SECONDS, 0.2)])
        wide = boxes[..., 2] - boxes[..., 0] > 8
        assert (wide[1:] & ~wide[:-1]).any(axis=1).sum() >= 3, "some enter"
        assert (~wide[1:] & wide[:-1]).any(axis=1).sum() >= 3, "some leave"
        assert len({round(figure.place[1]) for figure in scene.figures}) >= 4, "at several depths"
    everything = {i.action for scene in scenes for i in scene_intervals(scene, SECONDS)}
    assert everything >= {"stand", "sit", "walk left", "walk right", "jump", "wave", "push", "hug"}


def test_two_who_meet_touch_and_part(scenes):
    for scene in scenes:
        pair = next(group for group in scene.groups if len(group) == 2)
        begin, end = pair[0].script[1][0], pair[0].script[2][0]
        times = (begin - 2, begin, end, end + 2)
        places = [[figure.place[0] + figure.walked(time) for figure in pair] for time in times]
        before, met, still, after = np.abs(np.diff(places)).ravel()
        assert met == pytest.approx(still)
        assert met < min(before, after) - 20


def test_crossing_minutes():
    one, other = stander(60.0, 105.0), stander(66.0, 110.0)
    assert crossing_minutes(backdrop([(one,), (other,)]), 30.0) == pytest.approx(1.0)
    assert crossing_minutes(backdrop([(one,), (other,)]), 30.0, least_iou=0.99) == 0
    assert crossing_minutes(backdrop([(one,), (stander(140.0, 110.0),)]), 30.0) == 0
    assert crossing_minutes(backdrop([(one,)]), 30.0) == 0
    assert crossing_minutes(backdrop([(stander(-90.0, 110.0),), (stander(-95.0, 110.0),)]), 2.0) == 0, "nobody sees it"
    halves = ((0.0, Act()), (1.0, Act("walk", pace=8.0)))  # gone after a moment
    minutes = crossing_minutes(backdrop([(one,), (stander(66.0, 110.0, script=halves),)]), 2.0)
    assert 2 / 60 < minutes < 2.6 / 60


def test_films_have_much_of_it(scenes):
    minutes = [crossing_minutes(scene, SECONDS) for scene in scenes]
    assert min(minutes) > 0.4
    assert 0.8 < np.mean(minutes) < 2.5
    calm, crowded = (crossing_minutes(crossing_scene(1, 0, SECONDS, pause), SECONDS) for pause in (15.0, 3.0))
    assert calm < crowded


# ---------------------------------------------------------------- intervals


def test_acts_in_a_row_that_are_the_same_action_are_one_interval():
    script = (
        (0.0, Act()),
        (2.0, Act(arms="wave")),
        (5.0, Act("walk", facing=-1)),
        (6.0, Act("walk", facing=-1, arms="wave", pace=0.9)),
        (7.0, Act("walk", facing=-1, legs_held=True)),
        (9.0, Act("jump")),
    )
    figure = stander(60.0, 110.0, script=script)
    assert list(script_intervals(figure, 8.0)) == [
        *(("stand", 0.0, 5.0), ("stand", 7.0, 8.0), ("walk left", 5.0, 7.0)),
        *(("wave", 2.0, 5.0), ("wave", 6.0, 7.0)),
    ]


def test_the_first_act_holds_from_the_beginning():
    figure = stander(60.0, 110.0, script=((3.0, Act("jump")), (4.0, Act())))
    assert list(script_intervals(figure, 6.0)) == [("stand", 4.0, 6.0), ("jump", 0.0, 4.0)]


def test_whoever_leaves_the_picture_does_nothing_there():
    walk = Act("walk")  # 30 pixels a second
    figure = stander(WIDTH - 60.0, 110.0, script=((0.0, walk), (6.0, replace(walk, facing=-1)), (12.0, Act())))
    found = [(i.action, round(i.start, 1), round(i.end, 1)) for i in scene_intervals(backdrop([(figure,)]), 14.0)]
    (_, begin, gone), (_, back, end), last = found
    assert [name for name, *_ in found] == ["walk right", "walk left", "stand"]
    assert (begin, end) == (0.0, 12.0)
    assert gone == pytest.approx(2.3, abs=0.3)
    assert back == pytest.approx(12 - gone, abs=0.2)
    assert last == ("stand", 12.0, 14.0)


@pytest.mark.parametrize("seed", range(3))
def test_intervals_are_what_is_done_frame_by_frame(seed):
    scene = crossing_scene(2, seed, 12.0)
    intervals = scene_intervals(scene, 12.0)
    for time in np.arange(0.03, 12.0, 0.31):
        told = {(i.figure, i.action) for i in intervals if i.start <= time < i.end}
        done = {(number, name) for number, names in enumerate(scene.actions(time)) for name in names}
        assert told <= done
        there = set(seen(scene, time, 0.3).figures.tolist())
        assert {(number, name) for number, name in done if number in there} <= told
    assert all(0 <= i.start < i.end <= 12.0 for i in intervals)


def test_intervals_are_written(folder):
    written = pd.read_csv(folder / "intervals.csv")
    assert list(written.columns) == ["video", "person", "action_id", "start", "end"]
    of_first = written[written["video"] == "crossing_000"]
    expected = scene_intervals(crossing_scene(3, 0, 6.0), 6.0)
    assert [(ACTIONS[number - 1]) for number in of_first["action_id"]] == [interval.action for interval in expected]
    assert of_first["start"].to_numpy() == pytest.approx([interval.start for interval in expected], abs=1e-3)
    truth = read_truth(folder / "truth.csv")
    assert set(zip(truth["video"], truth["person"], strict=True)) <= set(
        zip(written["video"], written["person"], strict=True)
    )


def test_intervals_of_the_film_for_show():
    scene = unseen_scene(1)
    intervals = scene_intervals(scene, STORY_SECONDS)
    assert {interval.action for interval in intervals} >= {"lie", "sit", "wave", "hug", "jump", "stand"}
    by_figure = [[i for i in intervals if i.figure == number] for number in range(3)]
    assert [i.action for i in by_figure[2]] == ["lie", "sit", "wave"]
    assert [(i.start, i.end) for i in by_figure[2]] == [(0, 2.6), (2.6, 8), (5.4, 8)]


def test_boxes_of_those_seen_overlap(scenes):
    """They are around whole figures, not around what is left of them."""
    overlaps = [pairwise_iou(there.boxes, there.boxes) for there in (seen(scenes[0], t) for t in np.arange(0, 30, 0.5))]
    assert max(np.triu(overlap, 1).max(initial=0) for overlap in overlaps) > 0.4
