"""Tubes of JHMDB, UCF101-24 and MultiSports: against pickles written by hand, through a data set, and hostile ones."""

from __future__ import annotations

import os
import pickle
from copy import deepcopy

import numpy as np
import pytest
from annotated import key_frames, plain, through_folder

from ava_tools.convert import jhmdb, multisports, ucf101_24
from ava_tools.convert.films import Films
from ava_tools.errors import InputError

NO_FILMS = Films(frame_rate=10)


def pickled(folder, content, name="annotations.pkl"):
    (folder / name).write_bytes(content if isinstance(content, bytes) else pickle.dumps(content, protocol=2))
    return folder / name


ACT = {
    "labels": ["catch", "throw far"],
    "gttubes": {
        "catch/one": {
            0: [np.array([[1, 32, 24, 64, 48], [2, 64, 24, 96, 48]], dtype=np.float32)],
            1: [np.array([[2, -5, 0, 330, 240]], dtype=np.float32), np.array([[4, 0, 0, 32, 24]], dtype=np.float32)],
        },
        "throw/two": {1: [np.array([[3, 0, 0, 160, 120]], dtype=np.float32)]},
    },
    "nframes": {"catch/one": 4, "throw/two": 9},
    "resolution": {"catch/one": (240, 320), "throw/two": (240, 320)},
    "train_videos": [["catch/one"], ["throw/two"]],
    "test_videos": [["throw/two"], ["catch/one"]],
}
ACT_ROWS = [
    ("catch/one", 0.0, (0.1, 0.1, 0.2, 0.2), 0, ("catch",)),
    ("catch/one", 0.1, (0.0, 0.0, 1.0, 1.0), 1, ("throw far",)),
    ("catch/one", 0.1, (0.2, 0.1, 0.3, 0.2), 0, ("catch",)),
    ("catch/one", 0.3, (0.0, 0.0, 0.1, 0.1), 2, ("throw far",)),
    ("throw/two", 0.2, (0.0, 0.0, 0.5, 0.5), 0, ("throw far",)),
]


def test_jhmdb(tmp_path):
    found = jhmdb.read(pickled(tmp_path, ACT), NO_FILMS)
    assert plain(found) == ACT_ROWS
    assert key_frames(found) == {"catch/one": [0.0, 0.1, 0.3], "throw/two": [0.2]}
    assert [(film.name, film.split, film.frames) for film in found.films] == [
        ("catch/one", "train", 4),
        ("throw/two", "test", 9),
    ]
    again = through_folder(found, tmp_path / "set", tmp_path)
    assert plain(again) == ACT_ROWS
    assert again.labels.names == ("catch", "throw far")
    assert sorted(path.name for path in (tmp_path / "set").glob("t*.csv")) == ["test.csv", "train.csv"]


def test_multisports_has_a_rate_of_its_own_and_lists_that_are_flat(tmp_path):
    content = ACT | {"train_videos": ["catch/one"], "test_videos": []}
    pickled(tmp_path, content, "multisports_GT.pkl")
    found = multisports.read(tmp_path, Films())
    assert key_frames(found) == {"catch/one": [0.0, 0.04, 0.12], "throw/two": [0.08]}
    assert [film.split for film in found.films] == ["train", None]


def entry(**changed):
    boxes = np.array([[64, 24, 240, 120], [64, 24, 32, 24]], dtype=np.uint8)  # one sum exceeds uint8
    return {"label": 1, "sf": 3, "ef": 5, "boxes": boxes} | changed


UCF = {
    np.str_("Fencing/v_Fencing_g01_c01"): {"annotations": [entry()], "numf": np.uint8(9), "label": 1},
    "Basketball/v_Basketball_g01_c01": {"annotations": [entry(label=0), entry(label=0)], "numf": 9, "label": 0},
}
UCF_BOXES = [(0.2, 0.1, 0.95, 0.6), (0.2, 0.1, 0.3, 0.2)]


def test_ucf101_24(tmp_path):
    (tmp_path / "trainlist01.txt").write_text("Fencing/v_Fencing_g01_c01.avi 1\n")
    (tmp_path / "testlist01.txt").write_text("Basketball/v_Basketball_g01_c01\n\n")
    pickled(tmp_path, UCF, "pyannot.pkl")
    found = ucf101_24.read(tmp_path, Films())
    fencing, basketball = "Fencing/v_Fencing_g01_c01", "Basketball/v_Basketball_g01_c01"
    expected = [
        (basketball, time, box, who, ("Basketball",))
        for time, box in zip((0.12, 0.16), UCF_BOXES, strict=True)
        for who in (0, 1)
    ]
    expected += [(fencing, time, box, 0, ("Fencing",)) for time, box in zip((0.12, 0.16), UCF_BOXES, strict=True)]
    assert plain(found) == expected
    assert [(film.name, film.split) for film in found.films] == [(fencing, "train"), (basketball, "test")]
    assert plain(through_folder(found, tmp_path / "set", tmp_path)) == expected


def test_folders_of_frames_take_the_rate_of_the_annotations(tmp_path, make_film):
    for film in UCF:
        (tmp_path / film).mkdir(parents=True)
        for number in range(1, 3):
            make_film(f"{film}/{number:05d}.png", codec="png", pix_fmt="rgb24", count=1, format="image2")
    films = Films(tmp_path)
    found = ucf101_24.read(pickled(tmp_path, UCF), films)
    assert set(found.key_frames["timestamp"]) == {0.12, 0.16}
    assert films.frame_rate == 25  # and so says the data set


class Evil:
    def __reduce__(self):
        return os.mkdir, ("evil",)


def act(*path, value):
    """The good content with one thing changed."""
    content = deepcopy(ACT)
    place = content
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return content


def tube(*rows):
    return act("gttubes", "throw/two", 1, value=[np.array(rows, dtype=float)])


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"no pickle", "not a pickle of plain data"),
        (Evil(), "it asks for (posix|nt).mkdir"),
        ([1], "its content is a list; a dict is expected"),
        ({"labels": []}, "its content has no gttubes"),
        (act("labels", value=3), "labels is 3; a list is expected"),
        (act("gttubes", "throw/two", value=[]), "gttubes of throw/two is a list; a dict"),
        (act("gttubes", "throw/two", value={"1": []}), "an action of throw/two is '1'; a whole number"),
        (
            act("gttubes", "throw/two", value={2: [np.ones((1, 5))]}),
            "has the action 2; the file names 2, counted from 0",
        ),
        (act("gttubes", "throw/two", 1, value=[np.ones((2, 4))]), r"float64 of shape \[2, 4\]; .* rows of 5 numbers"),
        (act("gttubes", "throw/two", 1, value=["x" * 1000]), "a tube of throw/two is 'xxx"),
        (act("resolution", "throw/two", value=(240,)), "resolution of throw/two is a list; height, width is expected"),
        (act("resolution", "throw/two", value=("a", 1)), "resolution of throw/two is 'a'; a whole number"),
        (act("resolution", "throw/two", value=(0, 0)), "throw/two: its width and height are not in the annotations"),
        (act("nframes", "throw/two", value=10**4000), "nframes of throw/two is an int; a whole number"),
        (tube([0, 1, 1, 2, 2]), "covers the frames -1 to -1, counted from 0"),
        (tube([1e300, 1, 1, 2, 2]), "frames that are no whole numbers"),
        (tube([np.nan, 1, 1, 2, 2]), "frames that are no whole numbers"),
        (tube([2, np.nan, 1, 2, 2]), "has the box nan, 1, 2, 2 on frame 1"),
        (tube([2, 9, 1, 2, 2]), "has the box 9, 1, 2, 2 on frame 1; left before right"),
        (act("labels", value=["catch", "throw\nfar"]), "an action is called 'throw.*on one line are expected"),
        (act("labels", value=["catch", "x" * 10**6]), "an action is called 'xxx"),
        (ACT | {"gttubes": {}}, "has no tube of a person"),
    ],
)
def test_wrong_pickles_are_told(tmp_path, monkeypatch, content, sentence):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=sentence):
        jhmdb.read(pickled(tmp_path, content), NO_FILMS)
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize(
    ("tubes", "sentence"),
    [
        ([entry(ef=9)], "has 2 boxes for the frames 3 to 8"),
        ([entry(sf=-3, ef=-1)], "covers the frames -3 to -2"),
        ([entry(label=10**6)], "has the action 1000000; numbers from 0 to 999"),
        ([entry(label=-1)], "has the action -1"),
        ([{"label": 1}], "a tube of a/b has no sf"),
        ([entry(boxes=[[1, 2, 3, 4]])], "boxes of a/b is a list; an array"),
        ([entry(boxes=np.array([[1, 2, -3, 4], [1, 2, 3, 4]]))], "has the box 1, 2, -2, 6"),
        (entry(), "annotations of a/b is a dict; a list"),
    ],
)
def test_wrong_tubes_of_ucf101_24_are_told(tmp_path, tubes, sentence):
    with pytest.raises(InputError, match=sentence):
        ucf101_24.read(pickled(tmp_path, {"a/b": {"annotations": tubes}}), NO_FILMS)


def test_a_part_that_is_shared_without_end_is_refused(tmp_path):
    shared = entry(boxes=np.ones((100_000, 4), dtype=np.uint8), ef=100_003)
    content = {f"a/{film}": {"annotations": [shared]} for film in range(10)}
    with pytest.raises(InputError, match="shared beyond all use"):
        ucf101_24.read(pickled(tmp_path, content), NO_FILMS)


def test_films_are_never_looked_for_outside(tmp_path):
    content = act("gttubes", value={"../../etc/passwd": ACT["gttubes"]["throw/two"]})
    content["resolution"]["../../etc/passwd"] = (240, 320)
    assert [film.name for film in jhmdb.read(pickled(tmp_path, content), NO_FILMS).films] == ["passwd"]
