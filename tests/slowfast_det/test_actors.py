"""Who is to be found: every box, or boxes by their labels."""

from __future__ import annotations

import pytest

from ava_tools.errors import InputError
from ava_tools.manifest import read_data_set
from slowfast_det.actors import read_actors
from slowfast_det.person_recipe import read_person_recipe

TRUTH = (
    "a,1,0.1,0.1,0.5,0.5,1,7\na,1,0.1,0.1,0.5,0.5,3,7\n"  # one box that runs and waves left
    "a,1,0.5,0.1,0.9,0.5,2,8\n"  # another that sits
    "a,2\n"  # nobody
    "c,1.5,0.1,0.1,0.5,0.5,4,7\n"
)


@pytest.fixture
def read(changed_data):
    def call(*actors, **manifest):
        data_set = read_data_set(changed_data({"train.csv": TRUTH}, **manifest))
        return read_actors(data_set, data_set.split("train"), actors)

    return call


def test_every_box_whatever_it_does(read):
    found = read("bird")
    assert found.boxes[["video", "timestamp", "x1", "class"]].to_numpy().tolist() == [
        ["a", 1.0, 0.1, 0],
        ["a", 1.0, 0.5, 0],
        ["c", 1.5, 0.1, 0],
    ]
    assert found.frames.to_numpy().tolist() == [["a", 1.0], ["a", 2.0], ["c", 1.5]]
    assert found.notes == ("every annotated box is one 'bird'",)


def test_a_name_that_is_nearly_a_label(read):
    assert read("Wave_left").notes == (
        "every annotated box is one 'Wave_left' (a label of nearly that name is 'wave left')",
    )


@pytest.mark.parametrize("names", [("bend/bow (at the waist)", "CRAWL"), ("bend/bow", "crawl"), ("1", "2")], ids=str)
def test_labels_that_the_data_set_leaves_to_ava(read, names):
    """By whole names, without what stands in brackets, and by ids; one alone too."""
    assert read(*names, labels=None).boxes[["x1", "class"]].to_numpy().tolist() == [[0.1, 0], [0.5, 1]]
    assert read(names[0], labels=None).boxes["x1"].tolist() == [0.1]


@pytest.mark.parametrize("names", [("Sit", "run"), ("2", "1")], ids=["names", "ids"])
def test_boxes_by_their_labels(read, names):
    found = read(*names)
    assert found.boxes[["x1", "class"]].to_numpy().tolist() == [[0.1, 1], [0.5, 0]]
    assert len(found.frames) == 3
    assert found.notes[1] == "1 of 3 annotated boxes carry none of these labels and are left out"


def test_a_box_of_two_actors_is_the_first(read):
    one, other = read("run", "wave left"), read("wave left", "run")
    assert one.boxes["class"].tolist() == other.boxes["class"].tolist() == [0]
    assert one.notes[-1] == "1 times a box carries another one of these labels; the first that is named counts"


def test_one_name_that_is_a_label(read):
    assert read("sit").boxes["x1"].tolist() == [0.5]


def test_time_range_and_excluded_frames_count(read, changed_data):
    assert read("person", start=1.2).boxes["video"].tolist() == ["c"]
    (changed_data() / "excluded.csv").write_text("a,1\n")
    split = {"truth": "train.csv", "excluded": "excluded.csv"}
    found = read("person", splits={"train": split})
    assert found.boxes["video"].tolist() == ["c"]
    assert found.frames.to_numpy().tolist() == [["a", 2.0], ["c", 1.5]]


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        (("run", "referee"), "'referee' is no label of the data set; its labels are run, sit, wave left, wave right"),
        (("run", "Sitt"), "actors: 'Sitt' is no label of the data set; did you mean 'sit'\\?$"),
        (("run", "1"), "actors: run, 1 name one label twice"),
    ],
)
def test_names_that_cannot_be(read, names, sentence):
    with pytest.raises(InputError, match=sentence):
        read(*names)


@pytest.mark.parametrize(
    ("setting", "actors"),
    [
        ("bird,car", ("bird", "car")),
        ("[bird, car]", ("bird", "car")),
        ("talk to (e.g., self, a person), bird", ("talk to (e.g., self, a person)", "bird")),
        ("[bird, 'car, red']", ("bird", "car, red")),
        ("7", ("7",)),
        ("[7, 8]", ("7", "8")),
        ("wave left", ("wave left",)),
    ],
)
def test_actors_of_a_recipe(setting, actors):
    assert read_person_recipe("small", [f"actors={setting}"]).actors == actors
