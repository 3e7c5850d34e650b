"""MOTChallenge's and CVAT's MOT: against files written by hand, through a data set and back, and wrong ones."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest
from annotated import key_frames, merged_rows, plain, through_folder

from ava_tools.convert import mot, predictions
from ava_tools.convert.films import Films
from ava_tools.errors import InputError

NO_FILMS = Films(frame_rate=10)
SEQINFO = "[Sequence]\nname=game\nimDir=img1\nframeRate=10\nseqLength=4\nimWidth=200\nimHeight=100\nimExt=.jpg\n"


def sequence(folder, gt, labels=None, seqinfo=SEQINFO, name="game"):
    place = folder / name
    (place / "gt").mkdir(parents=True)
    (place / "gt" / "gt.txt").write_text(gt)
    if labels is not None:
        (place / "gt" / "labels.txt").write_text(labels)
    if seqinfo:
        (place / "seqinfo.ini").write_text(seqinfo)
    return place


CVAT = """\
1,1,20.000,10.000,40.000,50.000,1,2,1
2,1,30.000,10.000,40.000,50.000,1,1,1
2,7,-20.000,50.000,40.000,80.000,1,1,1
4,-1,0.000,0.000,200.000,100.000,1,-1,1
"""


def test_cvats_mot_with_labels(tmp_path):
    found = mot.read(sequence(tmp_path, CVAT, "run\njump\nhide\n"), NO_FILMS)
    assert plain(found) == [
        ("game", 0.0, (0.1, 0.1, 0.3, 0.6), 1, ("jump",)),
        ("game", 0.1, (0.0, 0.5, 0.1, 1.0), 7, ("run",)),  # what is outside of the frame is cut off
        ("game", 0.1, (0.15, 0.1, 0.35, 0.6), 1, ("run",)),
        ("game", 0.3, (0.0, 0.0, 1.0, 1.0), -1, ()),
    ]
    assert key_frames(found) == {"game": [0.0, 0.1, 0.2, 0.3]}
    assert found.labels.names == ("run", "jump", "hide")
    film = found.films[0]
    assert (film.width, film.height, film.rate, film.frames) == (200, 100, 10, 4)


@pytest.mark.parametrize("place", [0, 1], ids=["commas", "spaces around them"])
def test_motchallenge_has_classes_and_boxes_that_do_not_count(tmp_path, place):
    gt = ["1,1,0,0,20,10,1,1,1\n1,2,0,0,20,10,0,12,0.3\n2,1,0,0,20,10,1,7,0.25\n"]
    gt.append(gt[0].replace(",", " , "))
    found = mot.read(sequence(tmp_path, gt[place]), NO_FILMS)
    assert [done for *_, done in plain(found)] == [("pedestrian",), ("static person",)]
    assert found.lost == {"boxes that are to be ignored (flag 0)": 1, "visibility": 2}


def test_mot15_has_places_instead_of_classes(tmp_path):
    found = mot.read(sequence(tmp_path, "1,3,0,0,20,10,1,4.2,5.1,0\n"), NO_FILMS)
    assert plain(found) == [("game", 0.0, (0.0, 0.0, 0.1, 0.1), 3, ("pedestrian",))]


def test_a_folder_of_sequences_and_their_images(tmp_path, make_film):
    for name in ("one", "two"):
        sequence(tmp_path, CVAT, "run\njump\n", seqinfo=None, name=name)
    images = tmp_path / "two" / "img1"
    images.mkdir()
    make_film("one.mp4", size=(200, 100), rate=20)
    for number in range(4):
        make_film(f"two/img1/{number:06d}.png", codec="png", pix_fmt="rgb24", count=1, size=(200, 100), format="image2")
    found = mot.read(tmp_path, Films(tmp_path))
    assert key_frames(found) == {"one": [0.0, 0.05, 0.1, 0.15], "two/img1": [0.0, 0.0333, 0.0667, 0.1]}
    assert len(found.persons) == 8


def test_through_a_folder_and_back_no_box_track_or_label_is_lost(tmp_path):
    text = CVAT.replace("-20.000,50.000,40.000,80.000", "0.000,50.000,20.000,50.000")
    found = mot.read(sequence(tmp_path, text, "run\njump\nhide\n"), NO_FILMS)
    (tmp_path / "films").mkdir()
    again = through_folder(found, tmp_path / "set", tmp_path / "films")
    assert plain(again) == plain(found)
    assert key_frames(again) == key_frames(found)
    sized = replace(again, films=found.films)
    files = mot.write(sized, tmp_path / "back", NO_FILMS)
    assert merged_rows(tmp_path / "back" / "game" / "gt" / "gt.txt") == sorted(text.splitlines())
    assert (tmp_path / "back" / "game" / "gt" / "labels.txt").read_text() == "run\njump\nhide\n"
    assert len(files) == 3
    assert plain(mot.read(tmp_path / "back", NO_FILMS)) == plain(found)


def test_second_actions_are_counted_as_lost(tmp_path, make_film, caplog):
    make_film("a.mp4", rate=10)
    (tmp_path / "a.csv").write_text("a,0,0,0,1,1,4,0.5\na,0,0,0,1,1,2,0.5\n")
    films = Films(tmp_path)
    found = predictions.read(tmp_path / "a.csv", films)
    with caplog.at_level(logging.WARNING):
        mot.write(found, tmp_path / "out", films)
    assert "second and further actions of a box, 1 times" in caplog.text
    assert (tmp_path / "out" / "a" / "gt" / "gt.txt").read_text() == "1,-1,0.000,0.000,96.000,64.000,1,2,1\n"


@pytest.mark.parametrize(
    ("gt", "seqinfo", "sentence"),
    [
        ("0,1,0,0,20,10,1,1,1\n", SEQINFO, "line 1: frame is '0'; a whole number from 1"),
        ("1e9,1,0,0,20,10,1,1,1\n", SEQINFO, "line 1: frame is '1e9'"),
        ("1,1,0,0,20\n", SEQINFO, "has 5 columns"),
        ("1 1 0 0 20 10\n", SEQINFO, "has 1 columns"),
        ("1,1,0,0,-20,10,1,1,1\n", SEQINFO, "line 1: is 1,0,0,-20,10; a whole id"),
        ("1,1,0,0,1e300,10,1,1,1\n", SEQINFO, "line 1: is 1,0,0,1e\\+300,10"),
        ("1,1.5,0,0,20,10,1,1,1\n", SEQINFO, "a whole id"),
        ("1,1,nan,0,20,10,1,1,1\n", SEQINFO, "left is 'nan'"),
        ("1,1,0,0,20,10,1,99,1\n", SEQINFO, "the class is 99; 1 to 13 are expected, as in MOT17"),
        ("frame,id,left,top,width,height\n", SEQINFO, "id is 'id'; a number is expected"),
        ("1,1,0,0,20,10,1,1,1\n", "imWidth=3\n", "is no ini file"),
        ("1,1,0,0,20,10,1,1,1\n", SEQINFO.replace("=4", "=1e12"), "seqLength is '1e12'"),
        ("1,1,0,0,20,10,1,1,1\n", None, "game: its width and height are not in the annotations"),
    ],
)
def test_wrong_files_are_told(tmp_path, gt, seqinfo, sentence):
    with pytest.raises(InputError, match=sentence):
        mot.read(sequence(tmp_path, gt, seqinfo=seqinfo), NO_FILMS)


def test_a_film_of_two_sequences_is_told(tmp_path):
    outer = sequence(tmp_path, CVAT, "run\njump\n")
    sequence(outer, CVAT, "run\njump\n")
    with pytest.raises(InputError, match=r"game/game/gt/gt\.txt: annotates the film 'game', as another sequence does"):
        mot.read(outer, NO_FILMS)


def test_a_folder_without_sequences_is_told(tmp_path):
    with pytest.raises(InputError, match=r"holds no gt/gt\.txt"):
        mot.read(tmp_path, NO_FILMS)
