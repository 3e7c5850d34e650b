"""The files of a prediction: csv, JSON lines, the annotated film."""

from __future__ import annotations

import json
import re
import shutil
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from ava_tools.errors import InputError
from ava_tools.labels import ava_labels
from slowfast_det.keyframe import EVERYTHING, Keyframe, Selection
from slowfast_det.pipeline import ActionDetector, Span
from slowfast_det.result_files.film import AnnotatedFilm
from slowfast_det.result_files.lines import CsvFile, JsonlFile
from slowfast_det.results import FilmResult, as_table

LABELS = ava_labels()
NOTHING = Selection(min_score=2)  # boxes without text
LEFT, MIDDLE, RIGHT = (0.1, 0.3, 0.3, 0.7), (0.3, 0.3, 0.5, 0.7), (0.5, 0.3, 0.7, 0.7)


def keyframe(time, persons, scores=None, video="film"):
    """``persons``: identity -> box; ``scores``: action id -> score of every one of them."""
    boxes = np.array(list(persons.values()), dtype=float).reshape(-1, 4)
    table = np.zeros((len(persons), 80))
    for action, score in (scores or {}).items():
        table[:, action - 1] = score
    identities = np.array(list(persons), dtype=np.int64)
    return Keyframe(video, time, boxes, np.full(len(boxes), np.nan), identities, table, LABELS)


def written(path, keyframes, maker, complete=True):
    file = maker(path)
    for each in keyframes:
        file.write(each)
    file.close(complete)
    return path.read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize(
    ("video", "time", "origin", "box", "line"),
    [
        pytest.param("film", 2.0, 0, (0.1, 0.2, 0.3, 0.4), "film,0002,0.100000,0.200000,0.300000,0.400000", id="plain"),
        pytest.param("film", 2.0, 900, (0, 0, 1, 1), "film,0902,0.000000,0.000000,1.000000,1.000000", id="AVA's time"),
        pytest.param(
            "film", 2.5, 900, (0, 0, 1, 1), "film,902.5,0.000000,0.000000,1.000000,1.000000", id="half second"
        ),
        pytest.param(
            "film", 1 / 3, 0, (1 / 3, 0, 1, 1), "film,0.333333,0.333333,0.000000,1.000000,1.000000", id="third"
        ),
        pytest.param("film", 0.1 + 0.2, 0, (0, 0, 1, 1), "film,0.3,0.000000,0.000000,1.000000,1.000000", id="rounding"),
        pytest.param(
            "film", 12345.0, 0, (0, 0, 1, 1), "film,12345,0.000000,0.000000,1.000000,1.000000", id="long film"
        ),
        pytest.param('a, "b"', 0, 0, (0, 0, 1, 1), '"a, ""b""",0000,0.000000,0.000000,1.000000,1.000000', id="quotes"),
        pytest.param("Größe 人", 0, 0, (0, 0, 1, 1), "Größe 人,0000,0.000000,0.000000,1.000000,1.000000", id="letters"),
    ],
)
def test_csv_rows(tmp_path, video, time, origin, box, line):
    frames = [keyframe(time, {1: box}, {12: 0.75, 80: 2 / 3}, video)]
    lines = written(tmp_path / "x.csv", frames, lambda path: CsvFile(path, Selection(0.5), origin))
    assert lines == [f"{line},12,0.750000", f"{line},80,0.666667"]


@pytest.mark.parametrize(
    ("selection", "ids"),
    [
        pytest.param(EVERYTHING, [12, 80, 11, *[n for n in range(1, 81) if n not in (11, 12, 80)]], id="everything"),
        pytest.param(Selection(0.3), [12, 80], id="least score"),
        pytest.param(Selection(0.7), [12], id="least score is included"),
        pytest.param(Selection(top=1), [12], id="best"),
        pytest.param(Selection(0.65, top=3), [12], id="least score and best"),
        pytest.param(Selection(columns=(10, 79)), [80, 11], id="these actions"),
        pytest.param(Selection(0.3, columns=(10, 79)), [80], id="these actions, least score"),
        pytest.param(Selection(columns=()), [], id="no action"),
        pytest.param(NOTHING, [], id="more than anything has"),
    ],
)
def test_selection(tmp_path, selection, ids):
    frames = [keyframe(0, {1: LEFT}, {11: 0.2, 12: 0.7, 80: 0.6})]
    lines = written(tmp_path / "x.csv", frames, lambda path: CsvFile(path, selection))
    assert [int(line.split(",")[6]) for line in lines] == ids
    assert as_table(frames, selection)["action_id"].tolist() == ids


def test_jsonl_rows(tmp_path):
    frames = [keyframe(1 / 3, {3: LEFT}, {12: 2 / 3}, "Größe"), keyframe(2.0, {}), keyframe(3.0, {4: RIGHT}, {80: 1.0})]
    lines = written(tmp_path / "x.jsonl", frames, lambda path: JsonlFile(path, Selection(0.5)))
    assert [json.loads(line) for line in lines] == [
        dict(video="Größe", time=0.333333, person=3, x1=0.1, y1=0.3, x2=0.3, y2=0.7)
        | dict(action_id=12, action="stand", score=0.666667),
        dict(video="film", time=3.0, person=4, x1=0.5, y1=0.3, x2=0.7, y2=0.7)
        | dict(action_id=80, action="watch (a person)", score=1.0),
    ]
    order = ["video", "time", "person", "x1", "y1", "x2", "y2", "action_id", "action", "score"]
    assert list(json.loads(lines[0])) == order


@pytest.mark.parametrize("maker", [CsvFile, JsonlFile])
def test_rows_are_on_disk_before_the_end(tmp_path, maker):
    path = tmp_path / "x"
    file = maker(path, EVERYTHING)
    for number in range(1, 4):
        file.write(keyframe(number, {1: LEFT}))
        assert len(path.read_text().splitlines()) == 80 * number
    file.close(False)


@pytest.mark.parametrize("maker", [CsvFile, JsonlFile])
def test_no_persons_no_rows(tmp_path, maker):
    assert written(tmp_path / "x", [keyframe(0, {}), keyframe(1, {})], lambda path: maker(path, EVERYTHING)) == []


@pytest.fixture(scope="module")
def night(tmp_path_factory, films):
    """A black film of 3 seconds, 320 x 180, 10 frames a second: whatever is seen in it was drawn."""
    path = tmp_path_factory.mktemp("night") / "film.mp4"
    black = lambda number, width, height: np.zeros((height, width, 3), dtype=np.uint8)  # noqa: E731
    return films.write(path, films.steady(30, 10), width=320, height=180, rate=Fraction(10), draw=black)


def drawn(image):
    """Where something was drawn: unit box of all that is not black, or None."""
    rows, columns = np.nonzero(image.max(axis=-1) > 40)
    if not len(rows):
        return None
    height, width = image.shape[:2]
    return columns.min() / width, rows.min() / height, (columns.max() + 1) / width, (rows.max() + 1) / height


def annotate(source, path, keyframes, selection=NOTHING, complete=True, **span):
    film = AnnotatedFilm(path, source, selection, **span)
    for each in keyframes:
        film.write(each)
    film.close(complete)


@pytest.mark.parametrize(
    ("keyframes", "expected"),
    [
        pytest.param([(0, {1: LEFT}), (1, {1: LEFT}), (2, {1: LEFT})], {n: LEFT for n in range(25)}, id="still"),
        pytest.param(
            [(0, {1: LEFT}), (2, {1: RIGHT})],
            {0: LEFT, 5: (0.2, 0.3, 0.4, 0.7), 10: MIDDLE, 15: (0.4, 0.3, 0.6, 0.7), 20: RIGHT, 29: RIGHT},
            id="glides from key frame to key frame",
        ),
        pytest.param(
            [(0, {1: LEFT}), (1, {1: LEFT}), (2, {})],
            {10: LEFT, 14: LEFT, 16: None, 20: None, 29: None},
            id="goes half of the way on",
        ),
        pytest.param(
            [(0, {}), (1, {}), (2, {2: RIGHT})],
            {0: None, 10: None, 14: None, 16: RIGHT, 20: RIGHT, 24: RIGHT, 26: None},
            id="comes half of the way before",
        ),
        pytest.param(
            [(0, {1: LEFT}), (1, {2: RIGHT})],
            {0: LEFT, 4: LEFT, 6: RIGHT, 10: RIGHT},
            id="another person does not glide",
        ),
        pytest.param([(0, {}), (1, {}), (2, {})], {n: None for n in range(30)}, id="nobody"),
        pytest.param([], {n: None for n in range(30)}, id="no key frame"),
        pytest.param([(0, {1: (-0.005, 0.0, 1.005, 1.0)})], {0: (0, 0, 1, 1)}, id="the whole picture"),
    ],
)
def test_boxes_of_the_annotated_film(night, tmp_path, inspect, keyframes, expected):
    annotate(night, tmp_path / "x.mp4", [keyframe(float(time), persons) for time, persons in keyframes])
    images = inspect(tmp_path / "x.mp4").images
    assert len(images) == 30
    for number, box in expected.items():
        found = drawn(images[number])
        assert (found is None) == (box is None), f"frame {number}"
        if box is not None:
            np.testing.assert_allclose(found, box, atol=0.02, err_msg=f"frame {number}")


@pytest.mark.parametrize(
    "box",
    [
        pytest.param((0.0, 0.0, 0.2, 0.4), id="top left"),
        pytest.param((0.8, 0.0, 1.0, 0.4), id="top right"),
        pytest.param((0.8, 0.6, 1.0, 1.0), id="bottom right"),
        pytest.param((0.4, 0.3, 0.6, 0.7), id="middle"),
    ],
)
def test_labels_stay_inside_the_picture(night, tmp_path, inspect, box):
    scores = {12: 0.91, 79: 0.82, 80: 0.73, 74: 0.64}
    pictures = []
    for name, selection in (("bare", NOTHING), ("one", Selection(0.9)), ("three", Selection(0.7)), ("all", EVERYTHING)):
        annotate(night, tmp_path / f"{name}.mp4", [keyframe(0.0, {1: box}, scores)], selection)
        pictures.append(inspect(tmp_path / f"{name}.mp4").images[0])
    areas = [int((picture.max(axis=-1) > 40).sum()) for picture in pictures]
    assert areas[0] < areas[1] < areas[2], "each label takes room of its own, none of it beyond the border"
    assert areas[3] == pytest.approx(areas[2], rel=0.05), "three labels at most"
    white = [(picture.min(axis=-1) > 180).sum() for picture in pictures]
    assert white[0] == 0
    assert 10 < white[1] < white[2]


@pytest.mark.parametrize(
    ("start", "end", "moments", "complete", "times"),
    [
        pytest.param(0, None, [0, 1, 2], True, range(30), id="whole"),
        pytest.param(1, None, [1, 2], True, range(10, 30), id="from"),
        pytest.param(1, 2, [1, 2], True, range(10, 21), id="from and to"),
        pytest.param(0, 9, [0, 1, 2], True, range(30), id="end beyond the film"),
        pytest.param(0, None, [0, 1], False, range(10), id="stopped"),
        pytest.param(0.95, None, [1, 2], True, range(9, 30), id="from the frame that is shown"),
    ],
)
def test_span_of_the_annotated_film(night, tmp_path, inspect, start, end, moments, complete, times):
    frames = [keyframe(float(time), {1: LEFT}) for time in moments]
    annotate(night, tmp_path / "x.mp4", frames, complete=complete, start=start, end=end)
    found = inspect(tmp_path / "x.mp4")
    assert found.times == [Fraction(number - times[0], 10) for number in times]
    assert found.duration == pytest.approx(len(times) / 10, abs=0.01)


def test_annotated_film_starts_at_zero(night, tmp_path, inspect):
    annotate(night, tmp_path / "x.mp4", [keyframe(0.0, {1: LEFT})])
    assert inspect(tmp_path / "x.mp4").times == [Fraction(number, 10) for number in range(30)]


def test_annotated_film_plays_while_it_is_written(night, films, tmp_path, inspect):
    black = lambda number, width, height: np.zeros((height, width, 3), dtype=np.uint8)  # noqa: E731
    film = films.write(tmp_path / "film.mp4", films.steady(100, 10), rate=Fraction(10), draw=black)
    annotated = AnnotatedFilm(tmp_path / "x.mp4", film, NOTHING)
    annotated.write(keyframe(9.0, {}))
    shutil.copy(tmp_path / "x.mp4", tmp_path / "copy.mp4")
    annotated.close()
    times = inspect(tmp_path / "copy.mp4").times
    assert 20 <= len(times) <= 90
    assert times == [Fraction(number, 10) for number in range(len(times))]


def test_annotated_film_of_one_moment(night, tmp_path, inspect):
    annotate(night, tmp_path / "x.mp4", [keyframe(1.0, {1: LEFT})], start=1, end=1)
    assert len(inspect(tmp_path / "x.mp4").images) == 1


@pytest.fixture
def result(night):
    frames = tuple(keyframe(float(n), {1: LEFT, 2: RIGHT}, {12: 0.9, 80: 0.4, 11: 0.35}) for n in range(3))
    return FilmResult(night, frames)


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".mp4", ".CSV", ".Mp4"])
def test_save(result, tmp_path, inspect, rows_of, suffix):
    path = tmp_path / f"saved{suffix}"
    path.write_text("older")
    result.save(path, min_score=0.3, top=2)
    assert [left.name for left in tmp_path.iterdir()] == [path.name]
    if suffix.lower() == ".mp4":
        found = inspect(path)
        assert (found.codec, found.pixel_format, found.size, len(found.times)) == ("h264", "yuv420p", (320, 180), 30)
    else:
        assert len(path.read_text().splitlines()) == 3 * 2 * 2


def test_saved_csv_and_jsonl_agree_with_the_table(result, tmp_path, rows_of):
    result.save(tmp_path / "x.csv")
    result.save(str(tmp_path / "x.jsonl"))
    table = result.table()
    rows, records = rows_of(tmp_path / "x.csv"), rows_of(tmp_path / "x.jsonl")
    assert len(table) == len(rows) == len(records) == 480
    assert [int(row[6]) for row in rows] == table["action_id"].tolist() == [r["action_id"] for r in records]
    np.testing.assert_allclose([float(row[7]) for row in rows], table["score"], atol=1e-6)
    np.testing.assert_allclose([r["score"] for r in records], table["score"], atol=1e-6)
    assert [r["person"] for r in records] == table["person"].tolist()


@pytest.mark.parametrize("name", ["x.txt", "x", "x.mkv", "x.csv.gz"])
def test_an_unknown_suffix(result, tmp_path, name):
    with pytest.raises(InputError, match=r"its ending says how to save; \.csv, \.jsonl, \.mp4"):
        result.save(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there(result, tmp_path):
    with pytest.raises(InputError, match="cannot be written"):
        result.save(tmp_path / "nowhere" / "x.csv")


def test_a_save_that_fails_leaves_what_was_there(result, tmp_path):
    path = tmp_path / "x.mp4"
    path.write_text("older")
    gone = FilmResult(Path("gone.mp4"), result.keyframes)
    with pytest.raises(InputError, match=re.escape("gone.mp4: no such file")):
        gone.save(path)
    assert path.read_text() == "older"
    assert [left.name for left in tmp_path.iterdir()] == ["x.mp4"]


def test_a_saved_csv_keeps_the_time_origin(gallery, tiny_model, stub, tmp_path, rows_of):
    result = ActionDetector(tiny_model, stub([LEFT]), "cpu")(gallery / "film.mp4", Span(time_origin=900))
    result.save(tmp_path / "x.csv", top=1)
    assert [row[1] for row in rows_of(tmp_path / "x.csv")] == ["0900", "0901", "0902"]


def test_a_saved_film_keeps_the_frame_rate(tiny_model, stub, films, tmp_path, inspect):
    folder = films.write_frames(tmp_path / "frames", 20)
    ActionDetector(tiny_model, stub([LEFT]), "cpu")(folder, frame_rate=10).save(tmp_path / "x.mp4")
    assert inspect(tmp_path / "x.mp4").duration == pytest.approx(2, abs=0.01)
