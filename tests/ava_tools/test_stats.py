"""`ava-tools stats`: every number counted by hand, a picture for one action and for eighty."""

from __future__ import annotations

import json
import re
from types import SimpleNamespace

import numpy as np
import pytest
import yaml
from matplotlib.figure import Figure

from ava_tools.cli.main import app
from ava_tools.cli.run import run
from ava_tools.errors import InputError
from ava_tools.manifest import read_data_set
from ava_tools.stats import data_set_stats
from ava_tools.stats_figures import _Counts

TRAIN = """\
a,0.2,0.0,0.0,0.5,1.0,1,7
a,0.2,0.0,0.0,0.5,1.0,2,7
a,0.2,0.5,0.5,0.6,0.6,,8
a,0.4
b,0.2,0.1,0.1,0.4,0.5,1,1
b,0.6,0.1,0.1,0.4,0.5,9,1
"""
TEST = """\
c,0.1,0.0,0.0,0.5,1.0,1,1
b,0.6,0.1,0.1,0.4,0.5,9,1
"""


@pytest.fixture
def data(tmp_path, make_film):
    """Two splits that share a key frame; films of 0.48 s, 96 x 64; an action 9 that the labels lack."""
    for name in "abc":
        make_film(f"{name}.mp4")
    (tmp_path / "train.csv").write_text(TRAIN)
    (tmp_path / "test.csv").write_text(TEST)
    (tmp_path / "labels.txt").write_text("run\nsit (down)\nlie\n")
    splits = {name: {"truth": f"{name}.csv"} for name in ("train", "test")}
    (tmp_path / "dataset.yaml").write_text(
        yaml.safe_dump({"films": ".", "labels": "labels.txt", "splits": splits}, sort_keys=False)
    )
    return tmp_path


def stats(*arguments):
    return run(app, ["stats", *map(str, arguments)])


def test_every_number(data):
    found = data_set_stats(read_data_set(data))
    train, test = found.splits
    whole = found.whole
    assert [part.name for part in (train, test, whole)] == ["train", "test", "all"]
    assert sorted(train.persons_a_frame) == [0, 1, 1, 2]
    assert train.frames_a_film.tolist() == [2, 2]
    assert sorted(train.spacing) == [0.2, 0.4]
    assert train.actions_a_person.tolist() == [2, 0, 1, 1]
    assert (train.idle, train.empty, train.examples) == (1, 1, 4)
    assert train.area.tolist() == pytest.approx([0.5, 0.01, 0.12, 0.12])
    assert train.aspect.tolist() == pytest.approx([0.75, 1.5, 1.125, 1.125])  # as displayed, 96 x 64
    assert train.sizes == {"small": 1, "medium": 2, "large": 1}
    assert train.hours == pytest.approx(2 * 0.48 / 3600)
    assert whole.persons_a_frame.sum() == 5, "the key frame of both splits counts once"
    assert whole.frames_a_film.tolist() == [2, 2, 1]
    table = whole.per_action
    assert table.index.tolist() == [1, 2, 3, 9]
    assert table["name"].tolist() == ["run", "sit (down)", "lie", "9 (not in the labels)"]
    assert table["examples"].tolist() == [3, 1, 0, 1]
    assert table["films"].tolist() == [3, 1, 0, 1]
    assert table["share"].tolist() == pytest.approx([0.6, 0.2, 0, 0.2])
    assert whole.together.to_dict("records") == [{"first": 1, "second": 2, "persons": 1, "share": 1.0}]
    assert found.problems == ()


def test_pixels_that_are_not_square_count_in_the_shapes_of_boxes_alone(data, make_film):
    make_film("c.mp4", options={"aspect": "2/1"})
    test = data_set_stats(read_data_set(data)).splits[1]
    assert test.aspect.tolist() == pytest.approx([1.5, 1.125])
    assert test.area.tolist() == pytest.approx([0.5, 0.12])


def test_pairs_are_those_of_the_hundred_most_frequent_actions(data):
    both = [f"a,0.2,0,0,1,1,{action}" for action in range(1, 102)]
    (data / "train.csv").write_text("\n".join([*both, *(f"a,0.4,0,0,1,1,{action}" for action in range(2, 102))]))
    together = data_set_stats(read_data_set(data)).splits[0].together
    assert len(together) == 100 * 99 / 2
    assert set(together["first"]) | set(together["second"]) == set(range(2, 102))


def test_what_does_not_count_is_not_counted(data):
    (data / "excluded.csv").write_text("a,0.2\n")
    manifest = yaml.safe_load((data / "dataset.yaml").read_text())
    manifest["splits"]["train"]["excluded"] = "excluded.csv"
    (data / "dataset.yaml").write_text(yaml.safe_dump(manifest | {"end": 0.5}, sort_keys=False))
    train = data_set_stats(read_data_set(data)).splits[0]
    assert train.persons_a_frame.tolist() == [0, 1]
    assert train.together.empty


def test_printed_and_written(data, capsys):
    assert stats(data, "--json", data / "numbers.json") == 0
    told = capsys.readouterr().out
    lines = [re.split(r" {2,}", line.strip()) for line in told.splitlines()]
    assert ["key frames", "4", "2", "5"] in lines
    assert ["on a key frame", "0 / 1 / 2", "1 / 1 / 1", "0 / 1 / 2"] in lines
    assert ["boxes small (under 5% of the frame)", "1 (25%)", "0 (0%)", "1 (20%)"] in lines
    assert ["1", "run", "2", "1", "3", "60.0%", "3"] in lines
    assert ["run", "sit", "1", "100%"] in lines
    assert told.splitlines()[-1] == str(data / "numbers.json")
    numbers = json.loads((data / "numbers.json").read_text())
    assert numbers["splits"]["train"]["persons_without_action"] == 1
    assert numbers["splits"]["test"]["seconds_between_key_frames"] is None
    assert numbers["all"]["actions"]["1"] == {"name": "run", "examples": 3, "films": 3, "share": 0.6}
    assert numbers["all"]["together"] == [{"first": 1, "second": 2, "persons": 1, "share": 1.0}]


def test_films_that_are_missing_or_broken_are_named_and_the_rest_is_counted(data, capsys):
    (data / "a.mp4").unlink()
    (data / "b.mp4").write_text("no film")
    assert stats(data, "--json", data / "numbers.json") == 1
    told = capsys.readouterr().err
    assert "1 of 3 films are missing: a" in told
    assert "1 of 3 films cannot be read" in told
    whole = json.loads((data / "numbers.json").read_text())["all"]
    assert (whole["films"], whole["persons"]) == (3, 5)
    assert whole["hours"] == pytest.approx(0.48 / 3600)


def test_nothing_is_replaced_unasked(data, capsys):
    (data / "numbers.json").write_text("mine")
    assert stats(data, "--json", data / "numbers.json") == 0
    assert (data / "numbers.json").read_text() == "mine"
    assert capsys.readouterr().out.splitlines()[-1] == str(data / "numbers-2.json")
    assert stats(data, "--json", data / "numbers.json", "--overwrite") == 0
    assert json.loads((data / "numbers.json").read_text())
    before = (data / "train.csv").read_bytes()
    assert stats(data, "--json", data / "train.csv", "--overwrite") == 0
    assert (data / "train.csv").read_bytes() == before, "what is read is never replaced"


def test_a_picture_for_one_action(data):
    for name in ("train", "test"):
        (data / f"{name}.csv").write_text("a,0.2,0,0,0.5,1,1\n")
    (data / "labels.txt").write_text("wave $x$ & <b>\n")
    assert stats(data, "--picture", data / "one.svg") == 0
    text = (data / "one.svg").read_text()
    assert "wave $x$ &amp; &lt;b&gt;" in text
    assert "seconds between key frames" not in text, "there is nothing to draw"
    assert "who also do" not in text


def test_a_picture_for_eighty_actions(data):
    rows = [f"a,0.{row % 4},0.{row % 8},0,0.9,1,{action}" for action in range(1, 81) for row in range(81 - action)]
    (data / "train.csv").write_text("\n".join(rows) + "\n")
    manifest = yaml.safe_load((data / "dataset.yaml").read_text())
    del manifest["labels"]
    (data / "dataset.yaml").write_text(yaml.safe_dump(manifest, sort_keys=False))
    assert stats(data, "--picture", data / "many.svg") == 0
    text = (data / "many.svg").read_text()
    names = read_data_set(data).read_labels().display_names
    assert all(f">{name}<" in text for name in names)
    assert stats(data, "--picture", data / "many.png") == 0
    assert (data / "many.png").read_bytes().startswith(b"\x89PNG")


def test_actions_without_examples_do_not_fill_the_picture(data):
    (data / "labels.txt").write_text("\n".join(f"action {number:02d}" for number in range(1, 41)))
    assert stats(data, "--picture", data / "some.svg") == 0
    text = (data / "some.svg").read_text()
    assert "37 more actions have none" in text
    assert ">action 01<" in text
    assert ">action 40<" not in text


@pytest.mark.parametrize(
    "spacing",
    [pytest.param([3 * n for n in range(40)], id="whole"), pytest.param([0.1 * 1.1**n for n in range(40)], id="any")],
)
def test_many_different_values_are_put_in_bins(spacing):
    part = SimpleNamespace(spacing=np.array(spacing))
    axes = Figure().add_subplot()
    _Counts("", "spacing").draw(axes, [part, part])
    assert 10 <= len(axes.patches) / 2 <= 26
    assert sum(bar.get_height() for bar in axes.patches) == 80, "none falls beside the bins"


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        pytest.param(["--picture", "x.gif"], 2, "ends in .png or .svg", id="kind of picture"),
        pytest.param(["--picture", "x.svg", "--json", "x.svg"], 2, "named twice", id="one name for two"),
    ],
)
def test_misuse(data, capsys, arguments, code, told):
    assert stats(data, *arguments) == code
    assert told in capsys.readouterr().err


def test_a_truth_without_persons(data):
    for name in ("train", "test"):
        (data / f"{name}.csv").write_text("a,0.2\n")
    assert stats(data, "--picture", data / "none.png", "--json", data / "none.json") == 0
    assert json.loads((data / "none.json").read_text())["all"]["box_width_over_height"] is None


def test_no_data_set(tmp_path):
    with pytest.raises(InputError, match="no such data set"):
        data_set_stats(read_data_set(tmp_path))
