"""The data set folder that formats become, and come from."""

from __future__ import annotations

import pandas as pd
import pytest
from converted import key_frames, rows, through_the_folder

from ava_tools.convert import folder
from ava_tools.convert.annotations import AnnotatedFilm, Person, collected, file_stems, joined
from ava_tools.convert.films import Films
from ava_tools.convert.folder import write_data_set
from ava_tools.errors import InputError
from ava_tools.label_files import read_labels
from ava_tools.labels import Action, Labels, ava_labels
from ava_tools.manifest import read_data_set
from ava_tools.tables import read_truth

BOX = (0.1, 0.2, 0.5, 0.75)
WHOLE = (0.0, 0.0, 1.0, 1.0)


def some(film="film", split=None, labels=None):
    """Two persons, one of whom does two things and one nothing; one without identity; a frame with nobody."""
    persons = [
        Person(film, 1.0, BOX, ["walk", "talk, or sing", "walk"], "tall"),
        Person(film, 1.0, WHOLE, [], "small"),
        Person(film, 2.5, BOX, ["walk"]),
    ]
    return collected(
        [AnnotatedFilm(film, split=split)], persons, ["talk, or sing", "fall"], {film: [4.0]}, labels=labels
    )


def test_the_files(tmp_path):
    (tmp_path / "films").mkdir()
    files = write_data_set(some(), tmp_path / "out", tmp_path / "films", share=0)
    assert [file.name for file in files] == ["labels.csv", "train.csv", "dataset.yaml"]
    assert (tmp_path / "out" / "labels.csv").read_text() == '1,"talk, or sing"\n2,fall\n3,walk\n'
    assert (tmp_path / "out" / "train.csv").read_text() == (
        "film,0001,0.100000,0.200000,0.500000,0.750000,3,0\n"
        "film,0001,0.100000,0.200000,0.500000,0.750000,1,0\n"
        "film,0001,0.000000,0.000000,1.000000,1.000000,,1\n"
        "film,2.5,0.100000,0.200000,0.500000,0.750000,3\n"
        "film,0004\n"
    )
    assert (tmp_path / "out" / "dataset.yaml").read_text() == (
        "films: ../films\nlabels: labels.csv\nsplits:\n  train:\n    truth: train.csv\n"
    )
    data_set = read_data_set(tmp_path / "out")
    assert read_labels(data_set.labels).names == ("talk, or sing", "fall", "walk")
    assert len(read_truth(data_set.splits["train"].truth[0])) == 5


def test_there_and_back(tmp_path, make_film):
    make_film("film.mp4", count=10, rate=10, size=(200, 100))
    back = through_the_folder(some(), tmp_path, tmp_path / "out")
    assert rows(back) == rows(some())
    assert key_frames(back) == {"film": [1.0, 2.5, 4.0]}
    assert back.labels == some().labels
    assert back.films == (AnnotatedFilm("film", 200, 100, 10.0, 10, "film.mp4", "train"),)


def test_equal_boxes_of_several_persons_stay_several(tmp_path):
    twins = collected([AnnotatedFilm("film")], [Person("film", 0, BOX, ["a"], 1), Person("film", 0, BOX, ["a"], 2)])
    assert len(through_the_folder(twins, tmp_path, tmp_path / "out").persons) == 2


def test_labels_of_ava_need_no_list(tmp_path):
    person = Person("film", 902, BOX, [ava_labels().names[11]])
    known = collected([AnnotatedFilm("film")], [person], labels=ava_labels())
    files = write_data_set(known, tmp_path / "out", tmp_path, share=0)
    assert [file.name for file in files] == ["train.csv", "dataset.yaml"]
    assert folder.read(tmp_path / "out", Films(tmp_path)).actions["action_id"].tolist() == [12]


def test_splits(tmp_path):
    parts = [some(f"film {number}") for number in range(5)]
    whole = joined(parts, list("abcde"))
    write_data_set(whole, tmp_path / "out", tmp_path, share=0.2)
    found = {name: set(pd.read_csv(tmp_path / "out" / f"{name}.csv", names=range(8))[0]) for name in ("train", "val")}
    assert found["train"] | found["val"] == {f"film {number}" for number in range(5)}
    assert len(found["val"]) == 1
    back = folder.read(tmp_path / "out", Films(tmp_path))
    assert {film.name: film.split for film in back.films} == {
        name: split for split, names in found.items() for name in names
    }
    assert rows(back) == rows(whole)


def test_splits_of_the_annotations(tmp_path):
    whole = joined([some("one", "test"), some("two", "train"), some("three", "val")], list("abc"))
    for share in (0.0, 0.2):
        files = write_data_set(whole, tmp_path / "out", tmp_path, share=share)
        assert [file.name for file in files] == ["labels.csv", "train.csv", "test.csv", "val.csv", "dataset.yaml"]
        assert set(read_truth(tmp_path / "out" / "test.csv")["video"]) == {"one"}


def test_a_film_that_is_alone_is_split_in_time(tmp_path):
    long = collected([AnnotatedFilm("film")], [Person("film", time, BOX, ["walk"]) for time in range(20)])
    write_data_set(long, tmp_path / "out", tmp_path, share=0.25)
    train, val = (read_truth(tmp_path / "out" / f"{name}.csv")["timestamp"].tolist() for name in ("train", "val"))
    assert (train, val) == (list(range(15)), [17, 18, 19])


def test_a_time_origin_goes(tmp_path):
    """AVA's own files count from 900 seconds before the film: annotations count from its start."""
    (tmp_path / "truth.csv").write_text("film,0902,0.1,0.2,0.5,0.75,12,3\nfilm,0903\n")
    (tmp_path / "dataset.yaml").write_text("films: .\ntime_origin: 900\nsplits: {val: {truth: truth.csv}}\n")
    read = folder.read(tmp_path, Films(tmp_path))
    assert key_frames(read) == {"film": [2, 3]}
    assert [film.split for film in read.films] == ["val"]


def test_what_is_cut_off_is_no_data_set(tmp_path, monkeypatch):
    write_data_set(some(), tmp_path / "out", tmp_path)
    monkeypatch.setattr(folder, "truth_csv", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_data_set(some(), tmp_path / "out", tmp_path)
    with pytest.raises(InputError, match=r"dataset\.yaml"):
        read_data_set(tmp_path / "out")


def test_boxes_outside_of_the_frame_are_lost():
    persons = [Person("film", 1.0, box, ["walk"]) for box in (BOX, (0.0, 0.2, 0.0, 0.5), (0.3, 1.0, 0.5, 1.0))]
    found = collected([AnnotatedFilm("film")], persons)
    assert [row[2] for row in rows(found)] == [(100, 200, 500, 750)], "in thousandths"
    assert found.lost["boxes outside of the frame"] == 2


def test_nothing_is_refused(tmp_path):
    with pytest.raises(InputError, match="no frame is annotated; there is nothing to make a data set of"):
        write_data_set(collected([], []), tmp_path / "out", tmp_path)


@pytest.mark.parametrize("name", ["", " ", "a\nb", "a\0", "\ud800", "x" * 300], ids=repr)
def test_names_that_no_table_can_hold(name):
    with pytest.raises(InputError, match=r"^a film is called '.*; 1 to 250 characters on one line are expected"):
        collected([AnnotatedFilm(name)], [])
    with pytest.raises(InputError, match=r"^an action is called '.*; 1 to 250 characters on one line are expected"):
        collected([AnnotatedFilm("film")], [Person("film", 0, BOX, [name])])


def test_names_of_all_languages():
    collected([AnnotatedFilm("פילם 1")], [Person("פילם 1", 0, BOX, ["می‌رود", "👨‍👩"])])


def test_a_film_in_two_files_is_refused():
    with pytest.raises(InputError, match=r"^b.xml: annotates the film 'film', as a.xml does$"):
        joined([some(), some()], ["a.xml", "b.xml"])


def test_files_with_actions_of_their_own_are_joined():
    """Names count; the first file's ids stay."""
    one = collected([AnnotatedFilm("one")], [Person("one", 0, BOX, ["walk"], "a")])
    two = collected(
        [AnnotatedFilm("two")],
        [Person("two", 0, BOX, ["sit"], "a"), Person("two", 1, BOX, ["walk", "run"], "b")],
        labels=Labels((Action(1, "sit"), Action(5, "walk"), Action(7, "run"))),
    )
    both = joined([one, two], ["a", "b"])
    assert [(action.id, action.name) for action in both.labels] == [(1, "walk"), (2, "sit"), (7, "run")]
    assert rows(both) == sorted([*rows(one), *rows(two)])


@pytest.mark.parametrize("name", ["..", ".", "a/../b", "/a", "a//b", "a/"])
def test_names_that_lead_elsewhere_are_refused(name):
    with pytest.raises(InputError, match=r"a film is called .*the name of a file, or of one in folders, is expected"):
        collected([AnnotatedFilm(name)], [])


def test_files_of_films_have_names_of_their_own():
    stems = file_stems([AnnotatedFilm("a/b"), AnnotatedFilm("a_b"), AnnotatedFilm("c")])
    assert stems == {"a/b": "a_b", "a_b": "a_b-2", "c": "c"}
