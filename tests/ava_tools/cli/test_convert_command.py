"""``ava-tools convert`` as a user runs it."""

from __future__ import annotations

import json
import re

import pytest
import yaml

from ava_tools.cli.main import app
from ava_tools.cli.run import run
from ava_tools.convert.formats import FORMATS
from ava_tools.label_files import read_labels
from ava_tools.tables import read_truth


@pytest.fixture
def coco(tmp_path, make_film):
    """Two films of 4 s, 10 frames a second, in a folder of their own, and the COCO file of every frame of them."""
    (tmp_path / "films").mkdir()
    images, boxes = [], []
    for film in ("one", "two"):
        make_film(f"films/{film}.mp4", count=40, rate=10, size=(200, 100))
        for frame in range(40):
            size = {"width": 200, "height": 100}
            images.append({"id": len(images), "file_name": f"{film}/{frame:06d}.jpg", **size})
            attributes = {"walk": frame < 20, "mood": "glad", "age": 3}
            box = {"image_id": len(images) - 1, "category_id": 1, "bbox": [20, 10, 40, 40], "track_id": 1}
            boxes.append({"id": len(images), **box, "attributes": attributes})
    content = {"images": images, "annotations": boxes, "categories": [{"id": 1, "name": "person"}]}
    (tmp_path / "coco.json").write_text(json.dumps(content))
    return tmp_path / "coco.json"


def convert(*tokens):
    return run(app, ["convert", *map(str, tokens)])


def test_to_a_folder_and_back(coco, tmp_path, capsys):
    out = tmp_path / "set"
    assert convert(coco, "--from", "coco", "--videos", tmp_path / "films", "--out", out) == 0
    shown = capsys.readouterr()
    assert shown.out.splitlines() == [
        str(out / name) for name in ("labels.csv", "train.csv", "val.csv", "dataset.yaml")
    ]
    assert shown.err.splitlines() == [
        "note: actions are the attributes walk, mood",
        "80 boxes of persons with 120 actions of 2 kinds on 80 frames of 2 films",
        "lost: attribute 'age', 80 times",
        "note: 18 of 80 annotated frames are key frames, one every 0.5 s (--every 0 keeps all)",
        "train: 1 of 2 films, 9 persons",
        "val: 1 of 2 films, 9 persons",
    ]
    assert yaml.safe_load((out / "dataset.yaml").read_text())["films"] == "../films"
    assert read_truth(out / "train.csv")["timestamp"].unique().tolist() == [*(number / 2 for number in range(8)), 3.9]
    assert convert(out, "--to", "label_studio", "--out", tmp_path / "back") == 0
    shown = capsys.readouterr()
    assert shown.out.splitlines() == [str(tmp_path / "back" / name) for name in ("tasks.json", "labeling_config.xml")]
    assert shown.err.startswith("18 boxes of persons with 26 actions of 2 kinds on 18 frames of 2 films")


def test_attributes_that_name_actions(coco, tmp_path, capsys):
    options = ["--from", "coco", "--videos", tmp_path / "films", "--out", tmp_path / "set"]
    assert convert(coco, *options, "--attributes", "mood, age") == 0
    assert (tmp_path / "set" / "labels.csv").read_text() == "1,glad\n2,3\n"
    assert convert(coco, *options, "--attributes", "mood,gait") == 1
    assert "coco.json: has no attribute 'gait'; it has age, mood, walk" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "count"), [(["--every", "0"], 40), (["--every", "1"], 5), ([], 9)], ids=["all", "second", "default"]
)
def test_spacing(coco, tmp_path, options, count):
    folders = ["--videos", tmp_path / "films", "--out", tmp_path / "set"]
    assert convert(coco, "--from", "coco", *folders, *options) == 0
    assert read_truth(tmp_path / "set" / "train.csv")["timestamp"].nunique() == count


@pytest.mark.parametrize(
    ("options", "count"),
    [(["--held-back", "0"], 0), (["--held-back", "0.5"], 5), ([], 2)],
    ids=["none", "half", "default"],
)
def test_films_that_are_held_back(tmp_path, options, count):
    (tmp_path / "truth.csv").write_text("".join(f"film {number},1,0.1,0.2,0.3,0.4,1\n" for number in range(10)))
    assert convert(tmp_path / "truth.csv", "--from", "ava", "--out", tmp_path / "set", *options) == 0
    held_back = tmp_path / "set" / "val.csv"
    assert (len(read_truth(held_back)) if held_back.exists() else 0) == count
    assert len(read_truth(tmp_path / "set" / "train.csv")) == 10 - count


def test_the_folder_where_one_is(coco, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert convert(coco, "--from", "coco", "--videos", tmp_path / "films", "--out", ".") == 0
    assert (tmp_path / "here-2" / "dataset.yaml").is_file()


def test_names_with_quotation_marks_come_back(tmp_path):
    (tmp_path / "labels.csv").write_text('1,"say ""it\'s"" \\ it"\n2,run\n')
    (tmp_path / "truth.csv").write_text("film,1,0.1,0.2,0.3,0.4,1\n")
    options = ["--from", "ava", "--labels", tmp_path / "labels.csv", "--out", tmp_path / "set"]
    assert convert(tmp_path / "truth.csv", *options) == 0
    assert convert(tmp_path / "set", "--to", "ava", "--out", tmp_path / "back") == 0
    assert read_labels(tmp_path / "back" / "labels.pbtxt").names == ('say "it\'s" \\ it', "run")


@pytest.mark.parametrize("person", ["0.93", "1e20"])
def test_persons_that_are_no_whole_numbers_are_refused(tmp_path, capsys, person):
    (tmp_path / "truth.csv").write_text(f"film,1,0.1,0.2,0.3,0.4,1,1\nfilm,1,0.1,0.2,0.3,0.5,1,{person}\n")
    assert convert(tmp_path / "truth.csv", "--from", "ava", "--out", tmp_path / "set") == 1
    assert "truth.csv, line 2: person is " in capsys.readouterr().err


def test_nothing_is_replaced_unasked(coco, tmp_path, capsys):
    options = ["--from", "coco", "--videos", tmp_path / "films", "--out", tmp_path / "set"]
    assert convert(coco, *options, "--held-back", "0") == 0
    (tmp_path / "set" / "train.csv").write_text("mine")
    assert convert(coco, *options) == 0
    assert (tmp_path / "set" / "train.csv").read_text() == "mine"
    assert (tmp_path / "set-2" / "dataset.yaml").is_file()
    assert convert(coco, *options, "--overwrite") == 0
    assert len(read_truth(tmp_path / "set" / "train.csv")) > 0


def test_sources_are_not_replaced(coco, tmp_path, capsys):
    before = coco.read_text()
    options = ["--from", "coco", "--videos", tmp_path / "films", "--overwrite"]
    assert convert(coco, *options, "--out", tmp_path) == 1
    assert f"{tmp_path}: holds {coco}, which --overwrite might replace" in capsys.readouterr().err
    assert coco.read_text() == before
    assert not (tmp_path / "dataset.yaml").exists()


def test_films_that_are_not_there(coco, tmp_path, capsys):
    (tmp_path / "films" / "two.mp4").unlink()
    options = ["--from", "coco", "--videos", tmp_path / "films", "--out", tmp_path / "set"]
    assert convert(coco, *options) == 1
    assert "two: its frames a second are not in the annotations" in capsys.readouterr().err
    assert not (tmp_path / "set").exists()
    assert convert(coco, *options, "--frame-rate", "10") == 0
    assert f"warning: 1 films are not in {tmp_path / 'films'} or cannot be read: two" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("tokens", "code", "sentence"),
    [
        pytest.param(["--from", "coco"], 2, "misuse: a SOURCE is missing", id="no_source"),
        pytest.param(["a.json"], 2, "misuse: --from FORMAT or --to FORMAT is missing", id="no_format"),
        pytest.param(["a.json", "--from", "jpeg"], 2, "misuse: --from is 'jpeg'; any of folder", id="from"),
        pytest.param(["a.json", "--to", "via"], 2, "misuse: --to is 'via'; any of folder", id="to"),
        pytest.param(["a.json", "--from", "coco"], 1, "a.json: cannot be read (No such file", id="gone"),
        pytest.param(["a", "--to", "coco"], 1, "a: no such data set; a folder with a dataset.yaml", id="no_set"),
        pytest.param(
            ["a", "--to", "coco", "--attributes", "x"], 2, "misuse: --attributes is given, but folder", id="attributes"
        ),
        pytest.param(["a", "--from", "coco", "--held-back", "1"], 2, "misuse: ", id="share"),
        pytest.param(["a", "--from", "coco", "--every", "-1"], 2, "misuse: ", id="every"),
        pytest.param(["a", "--from", "coco", "--every", "nan"], 2, "misuse: ", id="nan"),
    ],
)  # fmt: skip
def test_misuse(tmp_path, monkeypatch, capsys, tokens, code, sentence):
    monkeypatch.chdir(tmp_path)
    assert convert(*tokens, "--out", "out") == code
    assert sentence in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_every_format_has_a_module():
    for name, form in FORMATS.items():
        assert form.reads or form.writes, name
        assert form.what, name


def test_the_help_names_every_format(capsys):
    assert run(app, ["convert", "--help"]) == 0
    words = set(re.findall(r"[\w-]+", capsys.readouterr().out))
    assert FORMATS.keys() - {"folder"} <= words
    assert {name for name, form in FORMATS.items() if form.writes} <= words
