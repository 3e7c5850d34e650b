"""AVA's csv: against a file written by hand, through a data set folder and back, and wrong files."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from annotated import key_frames, merged_rows, plain, through_folder

from ava_tools.convert import ava, predictions
from ava_tools.convert.films import Films
from ava_tools.convert.folder import write_data_set
from ava_tools.errors import InputError
from ava_tools.labels import ava_labels

TRUTH = """\
game,0902,0.100000,0.200000,0.300000,0.400000,12,3
game,0902,0.100000,0.200000,0.300000,0.400000,79,3
game,0902,0.500000,0.200000,0.900000,0.800000,,4
game,0904
two words,0903.5,0.000000,0.000000,1.000000,1.000000,1
"""
NO_FILMS = Films(frame_rate=10)


def file_of(folder, text, name="truth.csv"):
    path = folder / name
    path.write_text(text)
    return path


def test_a_file_is_read_to_the_last_row(tmp_path):
    found = ava.read(file_of(tmp_path, TRUTH), NO_FILMS, time_origin=900)
    assert plain(found) == [
        ("game", 2.0, (0.1, 0.2, 0.3, 0.4), 3, ("stand", "talk to (e.g., self, a person, a group)")),
        ("game", 2.0, (0.5, 0.2, 0.9, 0.8), 4, ()),
        ("two words", 3.5, (0.0, 0.0, 1.0, 1.0), -1, ("bend/bow (at the waist)",)),
    ]
    assert key_frames(found) == {"game": [2.0, 4.0], "two words": [3.5]}
    assert found.labels == ava_labels()


def test_through_a_folder_and_back_not_a_row_is_lost(tmp_path):
    found = ava.read(file_of(tmp_path, TRUTH), NO_FILMS, time_origin=900)
    again = through_folder(found, tmp_path / "set", tmp_path)
    manifest = yaml.safe_load((tmp_path / "set" / "dataset.yaml").read_text())
    assert manifest["time_origin"] == 900
    assert merged_rows(tmp_path / "set" / "train.csv") == sorted(TRUTH.replace("0903.5", "903.5").splitlines())
    ava.write(again, tmp_path / "back", NO_FILMS)
    assert merged_rows(tmp_path / "back" / "train.csv") == merged_rows(tmp_path / "set" / "train.csv")
    there = ava.read(tmp_path / "back" / "train.csv", NO_FILMS, time_origin=900)
    assert plain(there) == plain(found)
    assert there.labels.names == found.labels.names


def test_names_of_files_make_splits(tmp_path):
    found = ava.read(file_of(tmp_path, TRUTH, "ava_val_v2.2.csv"), NO_FILMS)
    write_data_set(found, tmp_path / "set", tmp_path)
    assert list(yaml.safe_load((tmp_path / "set" / "dataset.yaml").read_text())["splits"]) == ["val"]
    assert ava.split_of(tmp_path / "trainer.csv") is None


def test_rows_in_any_order_are_key_frames_in_the_order_of_time(tmp_path):
    rows = ["a,3,0,0,1,1,1", "b,1,0,0,1,1,1", "a,1,0,0,1,1,2", "a,2,0,0,1,1,2"]
    assert key_frames(ava.read(file_of(tmp_path, "\n".join(rows)), NO_FILMS)) == {"a": [1, 2, 3], "b": [1]}


@pytest.mark.parametrize(
    ("row", "film", "time"),
    [
        ("abc,007.500,0,0,1,1,1,0", "abc_000005_000015", 2.5),  # an ID and seconds of the whole film
        ("abc_000005_000015,12.25,0,0,1,1,1,0", "abc_000005_000015", 7.25),
        ("abc_000005_000015,4.25,0,0,1,1,1,0", "abc_000005_000015", 4.25),  # from the start of the cut film
        ("abc,20,0,0,1,1,1,0", "abc", 19.0),  # not in the seconds that were cut
        ("abc,7.5", "abc_000005_000015", 2.5),
    ],
)
def test_kinetics_films_are_found_by_what_they_were_cut_of(tmp_path, row, film, time):
    (tmp_path / "films" / "abc_000005_000015").mkdir(parents=True)
    found = ava.read(file_of(tmp_path, row + "\n"), Films(tmp_path / "films"), time_origin=1)
    assert key_frames(found) == {film: [time]}


LABELS = 'item { name: "run" id: 1 }\nitem { name: "hop" id: 2 }\n'


def test_labels_lie_beside_or_are_named(tmp_path):
    path = file_of(tmp_path, "a,1,0,0,1,1,2\n")
    assert ava.read(path, NO_FILMS).labels == ava_labels()
    given = file_of(tmp_path, "2,fly\n", "own.csv")
    file_of(tmp_path, LABELS, "actions.pbtxt")
    assert ava.read(path, NO_FILMS).labels.names == ("run", "hop")
    assert ava.read(path, NO_FILMS, labels=given).labels.names == ("fly",)
    file_of(tmp_path, LABELS, "more.pbtxt")  # which of the two is meant?
    assert ava.read(path, NO_FILMS).labels == ava_labels()


def test_a_list_with_scored_actions_stays_one(tmp_path):
    names = [action.name for action in ava_labels()]
    some = file_of(tmp_path, "".join(f'item {{ name: "{names[number]}" id: {number + 1} }}\n' for number in (0, 5)))
    found = ava.read(file_of(tmp_path, "a,1,0,0,1,1,6\n", "a.csv"), NO_FILMS, labels=some)
    again = through_folder(found, tmp_path / "set", tmp_path)
    assert [action.id for action in again.labels if action.scored] == [1, 6]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a,1,0,0,1,1,81\n", "has the action 81, which is none of AVA's list of 80"),
        ("a,1,0,0,1,1,1e300\n", "action_id is 1e\\+300; a whole number"),
        ("a\t1\t0\t0\t1\t1\t1\n", "separated by tabs, commas are expected"),
        ("video,timestamp,x1,y1,x2,y2,action_id\na,1,0,0,1,1,1\n", "must have no header line"),
        ("a,1,10,20,300,400,1\n", "divide by the film's width and height"),
        ("a,1,0.5,0,0.1,1,1\n", "is inverted"),
        ("a,nan,0,0,1,1,1\n", "timestamp is 'nan'; a number is expected"),
        ("a,1e300,0,0,1,1,1\n", "seconds are expected"),
        ("a,1,0,0,1,1,1,john\n", "person is 'john'; a number is expected"),
        ("a,1,0,0,1,1,1.5\n", "a whole number is expected"),
    ],
)
def test_wrong_files_are_told(tmp_path, text, sentence):
    with pytest.raises(InputError, match=sentence):
        ava.read(file_of(tmp_path, text), NO_FILMS)


def test_detections_are_written_with_their_scores(tmp_path, caplog):
    text = "a,0902,0.100000,0.000000,1.000000,1.000000,1,0.900000\na,0903,0.000000,0.000000,1.000000,1.000000,2,0.2\n"
    found = predictions.read(file_of(tmp_path, text), NO_FILMS, time_origin=900, min_score=0.5)
    with caplog.at_level(logging.WARNING):
        ava.write(found, tmp_path / "out", NO_FILMS)
    assert (tmp_path / "out" / "detections.csv").read_text().splitlines() == [text.splitlines()[0], "a,0903"]
    assert not caplog.text
    known = replace(found, persons=found.persons.assign(person=7))
    with caplog.at_level(logging.WARNING):
        ava.write(known, tmp_path / "out", NO_FILMS)
    assert "lost: identities of persons, 1 times" in caplog.text


def test_a_film_too_short_to_hold_a_part_back_is_trained_on_whole(tmp_path):
    found = ava.read(file_of(tmp_path, "a,1,0,0,1,1,1\na,2,0,0,1,1,1\n"), NO_FILMS)
    write_data_set(found, tmp_path / "set", tmp_path)
    assert merged_rows(tmp_path / "set" / "train.csv") == [
        f"a,000{t},{','.join(['0.000000'] * 2 + ['1.000000'] * 2)},1" for t in (1, 2)
    ]


def test_a_folder_of_many_films_is_listed_once(tmp_path, monkeypatch):
    rows = "".join(f"within/{number},1,0,0,1,1,1\n" for number in range(50))
    (tmp_path / "within").mkdir()
    lists, iterdir = [], Path.iterdir
    monkeypatch.setattr(Path, "iterdir", lambda folder: lists.append(folder) or iterdir(folder))
    ava.read(file_of(tmp_path, rows), Films(tmp_path))
    assert lists.count(tmp_path / "within") == 1
