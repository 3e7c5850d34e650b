"""`ava-tools preview`: which key frames a sheet shows, whose pictures those are, and what stands on a film."""

from __future__ import annotations

from collections import Counter

import av
import numpy as np
import pytest
import yaml
from PIL import Image

from ava_tools.cli.main import app
from ava_tools.cli.run import run
from ava_tools.convert.folder import annotations_of
from ava_tools.labels import Action, Labels
from ava_tools.manifest import read_data_set
from ava_tools.preview import read_shown_truth
from ava_tools.preview_choice import chosen_key_frames
from ava_tools.tables import read_truth

GAP, CAPTION = 10, 30  # pixels around the pictures of a sheet, and below each


@pytest.fixture
def data(tmp_path):
    """A function that makes a data set of rows; timestamps count from 100; two labels."""

    def make(**splits: str):
        for name, rows in splits.items():
            (tmp_path / f"{name}.csv").write_text(rows)
        (tmp_path / "labels.txt").write_text("run\nидёт\n", encoding="utf-8")
        manifest = {"films": ".", "labels": "labels.txt", "time_origin": 100}
        manifest["splits"] = {name: {"truth": f"{name}.csv"} for name in splits}
        (tmp_path / "dataset.yaml").write_text(yaml.safe_dump(manifest))
        return tmp_path

    return make


def preview(*arguments):
    return run(app, ["preview", *map(str, arguments)])


def grey(number, size):
    return np.full((size[1], size[0], 3), 128, np.uint8)


def only_picture(path):
    """The one picture of a sheet."""
    sheet = np.array(Image.open(path))
    return sheet[GAP : sheet.shape[0] - GAP - CAPTION, GAP:-GAP]


def coloured(picture):
    """How many pixels are far from grey: boxes and labels."""
    return int((np.ptp(picture.astype(int), axis=2) > 60).sum())


@pytest.mark.parametrize(
    ("timestamp", "number"),
    [("100", 0), ("100.04", 1), ("100.0399", 1), ("100.06", 1), ("100.28", 7), ("100.44", 11), ("100.48", 11)],
)
def test_the_picture_of_a_key_frame(data, make_film, number_of, timestamp, number):
    make_film("a.mp4")  # 12 pictures, 25 a second
    folder = data(train=f"a,{timestamp}\n")
    assert preview(folder, "--out", folder / "sheet.png") == 0
    assert number_of(only_picture(folder / "sheet.png")) == number


def test_truth_is_drawn_in_its_place(data, make_film):
    make_film("a.mp4", picture=grey)
    folder = data(train="a,100.2,0.5,0.5,0.9,0.9,2,4\n")
    assert preview(folder, "--out", folder / "sheet.png") == 0
    picture = only_picture(folder / "sheet.png")
    height, width = picture.shape[:2]
    edges = [(0.7, 0.5), (0.9, 0.7), (0.7, 0.9), (0.5, 0.7)]  # middles of the box's sides
    for x, y in edges:
        around = picture[round(y * height) - 3 : round(y * height) + 4, round(x * width) - 3 : round(x * width) + 4]
        assert coloured(around) >= 7
    assert coloured(picture[: height // 3]) == 0


def test_a_sheet_has_a_picture_for_each_key_frame(data, make_film):
    make_film("a.mp4", picture=grey)
    make_film("tall.mp4", picture=grey, size=(64, 96))
    rows = [f"{film},100.{place},0.2,0.2,0.6,0.9,{1 + place % 2}" for film in ("a", "tall") for place in range(4)]
    folder = data(train="\n".join(rows[:4]), test="\n".join(rows[4:]))
    assert preview(folder, "--out", folder / "six.jpg", "--count", 6) == 0
    assert preview(folder, "--out", folder / "test.png", "--split", "test", "--film", "tall") == 0
    assert Image.open(folder / "six.jpg").width <= 1920
    sheet = Image.open(folder / "test.png")
    assert sheet.height > sheet.width / 4 * 1.5, "cells have the shape of the film"


def table(tmp_path, rows):
    (tmp_path / "truth.csv").write_text("\n".join(rows) + "\n")
    return annotations_of(read_truth(tmp_path / "truth.csv"), (), Labels(tuple(Action(n, f"{n}") for n in range(1, 5))))


@pytest.mark.parametrize("seed", range(3))
def test_rare_actions_and_all_films_are_shown(tmp_path, seed):
    """300 key frames of action 1 in ten films, three of action 2, one of action 3, one with nobody."""
    rows = [f"f{film},{time},0,0,1,1,1" for film in range(10) for time in range(30)]
    rows += ["f0,40,0,0,1,1,2", "f0,41,0,0,1,1,2", "f1,40,0,0,1,1,2", "f1,41,0,0,1,1,3", "f2,50"]
    annotations = table(tmp_path, rows)
    chosen = chosen_key_frames(annotations, 14, seed)
    assert len(chosen) == len(chosen.drop_duplicates()) == 14
    part = annotations.of_key_frames(chosen)
    assert part.actions["action_id"].value_counts().to_dict() == {1: 10, 2: 3, 3: 1}
    ones = chosen[chosen["timestamp"] < 30]
    assert max(Counter(ones["video"]).values()) <= 2
    assert chosen["video"].nunique() >= 9
    assert chosen.equals(chosen_key_frames(annotations, 14, seed))
    assert not chosen.equals(chosen_key_frames(annotations, 14, seed + 1))
    assert len(chosen_key_frames(annotations, 1000, seed)) == 305, "those with nobody too, if all are wanted"


def test_actions_are_shown_equally_often(tmp_path):
    """Twelve key frames of action 1, four of actions 2 and 3 at once."""
    rows = [f"f,{time},0,0,1,1,1" for time in range(12)]
    rows += [f"f,{time},0,0,1,1,{action}" for time in range(20, 24) for action in (2, 3)]
    annotations = table(tmp_path, rows)
    shown = annotations.of_key_frames(chosen_key_frames(annotations, 6)).actions["action_id"]
    assert shown.value_counts().to_dict() == {1: 3, 2: 3, 3: 3}


def test_texts(data, make_film):
    make_film("a.mp4")
    rows = "a,100.2,0,0,1,1,1,5\na,100.2,0,0,1,1,2,5\na,100.2,0,0,0.5,0.5,,6\na,100.2,0.5,0,1,0.5,8,7\na,100.3\n"
    truth = read_shown_truth(read_data_set(data(train=rows)))
    first, second = truth.key_frames(truth.annotations.key_frames)
    assert first.texts == ("run\nидёт", "no action", "action 8")
    assert first.time == pytest.approx(0.2)
    assert first.persons.tolist() == [5, 6, 7]
    assert second.texts == ()


def test_a_film_shows_the_truth_until_the_next_key_frame(data, make_film):
    make_film("a.mp4", picture=grey, count=20)
    folder = data(train="a,100.2,0.2,0.2,0.8,0.8,1\na,100.4\na,100.52,0.2,0.2,0.8,0.8,2\n")
    assert preview(folder, "--film", "a", "--out", folder / "shown.mp4") == 0
    with av.open(str(folder / "shown.mp4")) as film:
        pictures = list(film.decode(video=0))
    drawn = [coloured(picture.to_ndarray(format="rgb24")) > 1000 for picture in pictures]
    assert drawn == [5 <= number < 10 or 13 <= number < 16 for number in range(20)]
    assert [float(picture.time) for picture in pictures] == pytest.approx([number / 25 for number in range(20)])
    assert min(pictures[0].width, pictures[0].height) >= 480, "small films are enlarged"


def test_films_that_cannot_be_shown_are_named_and_the_rest_is(data, make_film, capsys):
    make_film("a.mp4")
    (data(train="") / "broken.mp4").write_text("no film")
    rows = "a,100.2\na,99\na,200\na,300\ngone,100\nbroken,100\n"
    folder = data(train=rows)
    assert preview(folder, "--out", folder / "sheet.png") == 1
    told = capsys.readouterr()
    assert "1 of 3 films are missing: gone" in told.err
    assert "1 of 3 films cannot be read" in told.err
    assert "a.mp4: 3 key frames, the first at 100 s, outside of the film" in told.err
    assert told.out.splitlines() == [str(folder / "sheet.png")]
    assert only_picture(folder / "sheet.png").size


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        pytest.param(["--out", "x.gif"], 2, "ends in .jpg, .jpeg, .png, .mp4", id="kind of file"),
        pytest.param(["--out", "x.mp4"], 2, "--film NAME is expected, a for one", id="mp4 of many films"),
        pytest.param(["--film", "c"], 1, "names no film 'c'; it names a, b", id="no such film"),
        pytest.param(["--split", "val"], 1, "has no split 'val'; it has train", id="no such split"),
    ],
)
def test_wrong_wishes(data, make_film, capsys, monkeypatch, arguments, code, told):
    make_film("a.mp4")
    make_film("b.mp4")
    folder = data(train="a,100\nb,100\n")
    monkeypatch.chdir(folder)
    assert preview(folder, *arguments) == code
    assert told in capsys.readouterr().err
    assert not list(folder.glob("x*"))


def test_not_one_film(data, capsys):
    folder = data(train="gone,100\n")
    assert preview(folder, "--out", folder / "sheet.png") == 1
    assert "1 of 1 films are missing: gone" in capsys.readouterr().err
    assert not list(folder.glob("*sheet*"))


def test_nothing_is_replaced_unasked(data, make_film, capsys):
    film = make_film("a.mp4")
    before = film.read_bytes()
    folder = data(train="a,100\n")
    (folder / "preview.png").write_text("mine")
    assert preview(folder, "--out", folder / "preview.png") == 0
    assert capsys.readouterr().out.splitlines() == [str(folder / "preview-2.png")]
    assert (folder / "preview.png").read_text() == "mine"
    assert preview(folder, "--out", folder / "preview.png", "--overwrite") == 0
    assert Image.open(folder / "preview.png").size
    assert preview(folder, "--film", "a", "--out", film, "--overwrite") == 0
    assert film.read_bytes() == before, "the film that is read is never replaced"
    assert (folder / "a-2.mp4").exists()
