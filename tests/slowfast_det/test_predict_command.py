"""``slowfast-det predict`` from end to end: files, exit codes, sentences."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pandas as pd
import pytest

from ava_tools.labels import ava_labels
from slowfast_det import load_model

TWO = [(0.1, 0.2, 0.45, 0.9), (0.5, 0.25, 0.912345, 0.95)]
FIELDS = ["video", "time", "person", "x1", "y1", "x2", "y2", "action_id", "action", "score"]
CSV_ROW = re.compile(r"film,000[0-2](,[01]\.\d{6}){4},\d{1,2},[01]\.\d{6}")
COMMAND = [sys.executable, "-c", "from slowfast_det.cli.main import main; main()", "predict"]


@pytest.fixture
def film(gallery):
    return gallery / "film.mp4"


@pytest.fixture
def given(write_boxes):
    return write_boxes()


@pytest.fixture
def detecting(monkeypatch, stub):
    """Let ``--persons known`` find these unit boxes."""

    def use(answers):
        persons = stub(answers)
        monkeypatch.setattr("slowfast_det.persons.loading.load_person_detector", lambda *_, **__: persons)
        return persons

    return use


def test_options_of_the_person_detector(predict, film, stub, monkeypatch):
    asked = {}

    def load(*arguments, **options):
        asked.update(options, arguments=arguments)
        return stub(TWO)

    monkeypatch.setattr("slowfast_det.persons.loading.load_person_detector", load)
    options = ["--persons", "x.pkl", "--person-score", "0.6", "--actors", "bird,car", "--max-persons", "7"]
    options += ["--min-side", "12", "--max-overlap", "0.4", "--min-size", "320", "--max-size", "640"]
    done = predict(film, *options, "--detectron2", "config.yaml", "--precision", "fp32", "--smooth")
    assert done.code == 0
    assert asked == {
        "arguments": ("x.pkl", 0.6, 320, 640),
        "max_overlap": 0.4,
        "max_persons": 7,
        "min_side": 12,
        "actors": ["bird", "car"],
        "precision": "fp32",
        "detectron2": Path("config.yaml"),
    }


@pytest.mark.parametrize("names", [",", "", " , "])
def test_actors_that_name_nobody(predict, gallery, names):
    done = predict(gallery / "film.mp4", "--actors", names)
    assert done.code == 2
    assert f"--actors {names!r} names nobody; names separated by commas are expected" in done.err


def times_of(rows):
    return list(dict.fromkeys(row[1] for row in rows))


# What is written


def test_every_action_of_every_box(predict, film, given, rows_of):
    done = predict(film, "--boxes", given, "--min-score", 0, "--save", "csv,jsonl")
    assert done.code == 0
    lines = Path("predictions/film.csv").read_text().splitlines()
    assert len(lines) == 3 * 2 * 80
    assert all(CSV_ROW.fullmatch(line) for line in lines)
    rows = [line.split(",") for line in lines]
    as_given = {tuple(f"{value:.6f}" for value in box) for box in TWO}
    for second in ("0000", "0001", "0002"):
        for box in as_given:
            own = [row for row in rows if row[1] == second and tuple(row[2:6]) == box]
            assert sorted(int(row[6]) for row in own) == list(range(1, 81))
    records = rows_of(Path("predictions/film.jsonl"))
    assert all(list(record) == FIELDS for record in records)
    assert [(r["video"], r["action_id"], f"{r['score']:.6f}") for r in records] == [
        (r[0], int(r[6]), r[7]) for r in rows
    ]
    assert [f"{r['x2']:.6f}" for r in records] == [row[4] for row in rows]
    assert {r["person"] for r in records} == {1, 2}
    assert {(r["action_id"], r["action"]) for r in records} >= {(12, "stand"), (80, "watch (a person)")}


def test_who_did_what_when(predict, film, given):
    """The scores of the jsonl, cut at a threshold by hand; the untrained network gives all about 0.5."""
    options = ("--boxes", given, "--min-score", 0, "--thresholds", 0.5, "--average", 0, "--gap", 0)
    done = predict(film, *options, "--save", "jsonl,persons,intervals,tubes,srt")
    assert done.code == 0
    assert done.out.split() == [
        f"predictions/film.{ending}" for ending in ("jsonl", "persons.csv", "intervals.csv", "tubes.jsonl", "srt")
    ]
    records = pd.read_json("predictions/film.jsonl", lines=True)
    found = pd.read_csv("predictions/film.intervals.csv")
    exclusive = {action.id for action in ava_labels() if action.kind == "pose"}
    free = records[~records["action_id"].isin(exclusive)]
    begun = {(r.person, r.action_id) for r in free[free["score"] >= 0.5].itertuples()}
    assert begun
    assert {(r.person, r.action_id) for r in found.itertuples() if r.action_id not in exclusive} == begun
    assert (found["peak_score"] >= 0.5).all()
    assert (found["end"] > found["start"]).all()
    persons = pd.read_csv("predictions/film.persons.csv")
    assert persons.groupby("person")["time"].apply(list).to_dict() == {1: [0, 1, 2], 2: [0, 1, 2]}
    tubes = pd.read_json("predictions/film.tubes.jsonl", lines=True)
    assert sum(map(len, tubes["actions"])) == len(found)
    assert Path("predictions/film.srt").read_text().startswith("1\n00:00:00,000 --> ")


def test_options_of_intervals_alone_are_told(predict, film, given):
    done = predict(film, "--boxes", given, "--gap", 2, "--save", "csv")
    assert "--gap has no effect without --save intervals, tubes or srt" in done.err.replace("\n", " ")


@pytest.mark.parametrize(
    ("options", "kept"),
    [
        pytest.param([], lambda rows: [r for r in rows if float(r[7]) >= 0.3], id="default score"),
        pytest.param(["--min-score", 0.7], lambda rows: [r for r in rows if float(r[7]) >= 0.7], id="score"),
        pytest.param(["--min-score", 1], lambda rows: [], id="no score is so high"),
        pytest.param(["--min-score", 0, "--top", 3], lambda rows: _best(rows, 3), id="top"),
        pytest.param(["--top", 100, "--min-score", 0], lambda rows: rows, id="top of all"),
        pytest.param(["--min-score", 0, "--actions", "stand"], lambda rows: _of(rows, 12), id="name"),
        pytest.param(["--min-score", 0, "--actions", "Stand, SIT"], lambda rows: _of(rows, 11, 12), id="any case"),
        pytest.param(["--min-score", 0, "--actions", "12,80"], lambda rows: _of(rows, 12, 80), id="ids"),
        pytest.param(["--min-score", 0, "--actions", "talk to"], lambda rows: _of(rows, 79), id="short name"),
        pytest.param(
            ["--min-score", 0, "--actions", "talk to (e.g., self, a person, a group),watch (a person)"],
            lambda rows: _of(rows, 79, 80),
            id="full names with commas",
        ),
        pytest.param(
            ["--min-score", 0, "--actions", "11,12,80", "--top", 1],
            lambda rows: _best(_of(rows, 11, 12, 80), 1),
            id="both",
        ),
    ],
)
def test_selection_of_rows(predict, film, given, rows_of, options, kept):
    assert predict(film, "--boxes", given, "--min-score", 0, "--save", "csv", "--out", "all").code == 0
    assert predict(film, "--boxes", given, "--save", "csv", "--out", "some", *options).code == 0
    rows = rows_of(Path("all/film.csv"))
    assert rows_of(Path("some/film.csv")) == kept(rows)


def test_thresholds_of_the_model(command, tiny, film, given, rows_of):
    thresholds = tuple(0.2 + 0.008 * number for number in range(80))
    replace(load_model(tiny), thresholds=thresholds).save("own.safetensors")
    for out, options in (("all", ["--min-score", 0]), ("own", []), ("same", ["--min-score", 0.4])):
        done = command(
            "predict", film, "--model", "own.safetensors", "--boxes", given, "--save", "csv", "--out", out, *options
        )
        assert done.code == 0
    rows = rows_of(Path("all/film.csv"))
    own = [row for row in rows if float(row[7]) >= thresholds[int(row[6]) - 1]]
    assert 0 < len(own) < len(rows)
    assert rows_of(Path("own/film.csv")) == own
    assert rows_of(Path("same/film.csv")) == [row for row in rows if float(row[7]) >= 0.4]


def _of(rows, *ids):
    return [row for row in rows if int(row[6]) in ids]


def _best(rows, count):
    """Best rows of each box; what counts is sorted here, the rows' order stays."""
    kept = []
    for key in dict.fromkeys(tuple(row[:6]) for row in rows):
        own = [row for row in rows if tuple(row[:6]) == key]
        kept += sorted(own, key=lambda row: -float(row[7]))[:count]
    return kept


@pytest.mark.parametrize(
    ("wanted", "sentence"),
    [
        pytest.param("stnad", "'stnad' is none of the model's 80 actions; did you mean 'stand'", id="spelling"),
        pytest.param("stand,talk too", "'talk too' is none of .* did you mean 'talk to'", id="second one"),
        pytest.param("81", "'81' is none of the model's 80 actions", id="number"),
    ],
)
def test_unknown_action(predict, film, given, wanted, sentence):
    done = predict(film, "--boxes", given, "--actions", wanted)
    assert (done.code, done.out) == (1, "")
    assert re.search(sentence, done.err)
    assert not Path("predictions").exists()


def test_no_action_at_all_is_misuse(predict, film, given):
    assert predict(film, "--boxes", given, "--actions", ",").code == 2


# Annotated films


@pytest.mark.parametrize(
    ("name", "size"),
    [
        pytest.param("film.mp4", (128, 72), id="30 a second"),
        pytest.param("ten.mp4", (128, 72), id="10 a second"),
        pytest.param("ntsc.mp4", (128, 72), id="29.97 a second"),
        pytest.param("sixty.mp4", (128, 72), id="60 a second"),
        pytest.param("uneven.mp4", (128, 72), id="variable rate"),
        pytest.param("uneven.mkv", (128, 72), id="variable rate in matroska"),
        pytest.param("turned.mp4", (72, 128), id="rotated"),
        pytest.param("short.mp4", (128, 72), id="shorter than a clip"),
        pytest.param("single.mp4", (128, 72), id="one frame"),
    ],
)
def test_annotated_film_is_the_film(predict, gallery, detecting, inspect, name, size):
    detecting(TWO)
    assert predict(gallery / name, "--persons", "known", "--save", "mp4").code == 0
    made, source = inspect(Path("predictions", name).with_suffix(".mp4")), inspect(gallery / name)
    assert (made.codec, made.pixel_format, made.size) == ("h264", "yuv420p", size)
    times = [float(time) for time in made.times]
    np.testing.assert_allclose(times, [float(time - source.times[0]) for time in source.times], atol=0.0006)
    if not name.startswith("uneven"):
        assert made.rate == source.rate
    # how long the last frame of a variable rate is shown, nobody knows
    assert made.duration == pytest.approx(source.duration, abs=0.1 if name.startswith("uneven") else 0.002)


def test_annotated_film_shows_the_film_upright(predict, films, given, inspect, tmp_path):
    def corner(number, width, height):
        image = np.full((height, width, 3), 90, dtype=np.uint8)
        image[: height // 4, : width // 4] = (230, 30, 30)
        return image

    path = films.turn_clockwise(films.write(tmp_path / "film.mp4", films.steady(10, 30), draw=corner))
    assert predict(path, "--boxes", given, "--actions", "12", "--min-score", 1, "--save", "mp4").code == 0
    image = inspect(Path("predictions/film.mp4")).images[0]
    assert image[2, -3, 0] > 180, "what was top left is top right now"
    assert image[2, 2, 0] < 140


def test_a_key_frame_without_persons_has_no_boxes(predict, film, detecting, inspect, rows_of):
    detecting(lambda number: TWO if number == 1 else [])
    assert predict(film, "--persons", "known", "--min-score", 0).code == 0
    assert times_of(rows_of(Path("predictions/film.csv"))) == ["0001"]
    made, source = inspect(Path("predictions/film.mp4")).images, inspect(film).images
    change = [np.abs(one.astype(int) - other).mean() for one, other in zip(made, source, strict=True)]
    assert min(change[20:40]) > 2 * max(change[:10] + change[50:])


# Times


@pytest.mark.parametrize(
    ("options", "times"),
    [
        pytest.param([], ["0000", "0001", "0002"], id="seconds"),
        pytest.param(["--every", 0.5], ["0000", "0.5", "0001", "1.5", "0002", "2.5"], id="half seconds"),
        pytest.param(["--every", 0.1, "--end", 0.4], ["0000", "0.1", "0.2", "0.3", "0.4"], id="tenths"),
        pytest.param(["--every", 0.04, "--end", 0.1], ["0000", "0.04", "0.08"], id="hundredths"),
        pytest.param(["--start", 1], ["0001", "0002"], id="start"),
        pytest.param(["--start", 0.5, "--end", 2], ["0.5", "1.5"], id="start and end"),
        pytest.param(["--end", 1], ["0000", "0001"], id="end"),
        pytest.param(["--start", 1.5, "--end", 1.5], ["1.5"], id="one moment"),
        pytest.param(["--start", 8], [], id="start beyond the film"),
        pytest.param(["--time-origin", 900], ["0900", "0901", "0902"], id="AVA's time"),
        pytest.param(
            ["--time-origin", 900, "--start", 1, "--every", 0.5], ["0901", "901.5", "0902", "902.5"], id="all"
        ),
    ],
)
def test_key_frames(predict, film, detecting, rows_of, options, times):
    detecting([TWO[0]])
    done = predict(film, "--persons", "known", "--min-score", 0, "--top", 1, "--save", "csv,jsonl", *options)
    assert done.code == 0
    rows, records = rows_of(Path("predictions/film.csv")), rows_of(Path("predictions/film.jsonl"))
    assert [row[1] for row in rows] == times
    origin = 900 if "--time-origin" in options else 0
    assert [r["time"] for r in records] == pytest.approx([float(each) - origin for each in times], abs=1e-6)
    assert f"{len(times)} key frames, {len(times)} persons" in done.err


@pytest.mark.parametrize(
    ("given", "options", "times", "report"),
    [
        pytest.param([900, 902], ["--time-origin", 900], ["0900", "0902"], None, id="AVA's time"),
        pytest.param([0, 1, 2], ["--start", 1], ["0001", "0002"], None, id="start"),
        pytest.param([0, 1, 2], ["--end", 1], ["0000", "0001"], None, id="end"),
        pytest.param([0.25, 1.75], [], ["0.25", "1.75"], None, id="fractions"),
        pytest.param([1, 7, 8], [], ["0001"], "skipped 2 timestamps beyond", id="beyond the film"),
        pytest.param([899, 901], ["--time-origin", 900], ["0901"], "skipped 1 timestamps before", id="before the film"),
        pytest.param([902], [], [], "AVA's timestamps need a time origin of 900", id="origin forgotten"),
    ],
)
def test_given_times(predict, film, write_boxes, rows_of, given, options, times, report):
    boxes = write_boxes([("film", each, TWO[0]) for each in given])
    done = predict(film, "--boxes", boxes, "--save", "csv", "--min-score", 0, *options)
    assert done.code == 0
    assert times_of(rows_of(Path("predictions/film.csv"))) == times
    assert (report is None) == ("warning" not in done.err)
    assert report is None or report in done.err


def test_boxes_of_another_film(predict, film, write_boxes, inspect):
    done = predict(film, "--boxes", write_boxes(videos=["elsewhere"]))
    assert done.code == 0
    assert "has no boxes of the film 'film'; it has elsewhere" in done.err
    assert Path("predictions/film.csv").read_text() == Path("predictions/film.jsonl").read_text() == ""
    assert len(inspect(Path("predictions/film.mp4")).times) == 90


def test_an_empty_file_of_boxes(predict, film, inspect):
    Path("none.csv").touch()
    done = predict(film, "--boxes", "none.csv")
    assert done.code == 0
    assert "it is empty" in done.err
    assert Path("predictions/film.csv").read_text() == ""
    assert len(inspect(Path("predictions/film.mp4")).times) == 90


@pytest.mark.parametrize("name", ["short", "single", "ten"])
def test_small_and_slow_films(predict, gallery, write_boxes, rows_of, name):
    assert predict(gallery / f"{name}.mp4", "--boxes", write_boxes([(name, 0, TWO[0])]), "--min-score", 0).code == 0
    assert len(rows_of(Path(f"predictions/{name}.csv"))) == 80


# Sources


def test_sources_of_every_kind(predict, gallery, detecting, films, tmp_path):
    detecting([])
    (tmp_path / "films").mkdir()
    for name in ("a", "b"):
        shutil.copy(gallery / "short.mp4", tmp_path / "films" / f"{name}.mp4")
    shutil.copy(gallery / "short.mp4", tmp_path / "c1.mp4")
    shutil.copy(gallery / "short.mp4", tmp_path / "c2.mp4")
    films.write_frames(tmp_path / "frames", 5)
    done = predict("frames", "c*.mp4", "films", "--persons", "known", "--save", "csv")
    assert (done.code, done.paths) == (0, ["frames.csv", "c1.csv", "c2.csv", "a.csv", "b.csv"])


@pytest.mark.parametrize(
    ("options", "times", "rate"),
    [
        pytest.param([], ["0000"], 30, id="30 a second"),
        pytest.param(["--frame-rate", 10], ["0000", "0001", "0002"], 10, id="10 a second"),
    ],
)
def test_folder_of_frames(predict, films, detecting, rows_of, inspect, tmp_path, options, times, rate):
    detecting([TWO[0]])
    films.write_frames(tmp_path / "frames", 30)
    assert predict("frames", "--persons", "known", *options).code == 0
    assert times_of(rows_of(Path("predictions/frames.csv"))) == times
    made = inspect(Path("predictions/frames.mp4"))
    assert made.times == [Fraction(number, rate) for number in range(30)]


@pytest.mark.parametrize(
    ("bad", "sentence"),
    [
        pytest.param("missing.mp4", "missing.mp4: no such file or folder", id="missing"),
        pytest.param("broken.mp4", "broken.mp4: not a film that can be read", id="broken"),
        pytest.param("empty.mp4", "empty.mp4: the file is empty", id="empty"),
        pytest.param("*.mkv", "*.mkv: the pattern fits no film", id="pattern"),
        pytest.param("hollow", "hollow: the folder holds neither films nor images", id="folder"),
    ],
)
def test_one_bad_source_does_not_stop_the_others(predict, gallery, detecting, tmp_path, bad, sentence):
    detecting([])
    (tmp_path / "broken.mp4").write_bytes(bytes(range(256)) * 9)
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "hollow").mkdir()
    done = predict(gallery / "short.mp4", bad, gallery / "single.mp4", "--persons", "known", "--save", "csv")
    assert (done.code, done.paths) == (1, ["short.csv", "single.csv"])
    assert sorted(path.name for path in Path("predictions").iterdir()) == ["short.csv", "single.csv"]
    complaints = [line for line in done.err.splitlines() if line.startswith("error:")]
    assert len(complaints) == 1
    assert sentence in complaints[0]


def test_a_surprise_in_one_film_does_not_stop_the_others(predict, gallery, detecting):
    surprises = [RuntimeError("out of memory")]

    def answers(number):
        if surprises:
            raise surprises.pop()
        return []

    detecting(answers)
    done = predict(gallery / "short.mp4", gallery / "single.mp4", "--persons", "known", "--save", "csv")
    assert (done.code, done.paths) == (1, ["single.csv"])
    assert [path.name for path in Path("predictions").iterdir()] == ["single.csv"]


# Names of results


def test_nothing_is_overwritten(predict, film, given):
    first = predict(film, "--boxes", given, "--min-score", 0.9)
    kept = {path: path.read_bytes() for path in Path("predictions").iterdir()}
    second = predict(film, "--boxes", given, "--min-score", 0)
    third = predict(film, "--boxes", given, "--save", "mp4")
    assert first.paths == ["film.csv", "film.jsonl", "film.mp4"]
    assert second.paths == ["film-2.csv", "film-2.jsonl", "film-2.mp4"]
    assert third.paths == ["film-3.mp4"]
    assert all(path.read_bytes() == content for path, content in kept.items())


def test_overwrite_replaces(predict, film, given):
    predict(film, "--boxes", given, "--min-score", 0)
    full = Path("predictions/film.csv").stat().st_size
    done = predict(film, "--boxes", given, "--min-score", 0, "--top", 1, "--overwrite")
    assert done.paths == ["film.csv", "film.jsonl", "film.mp4"]
    assert sorted(path.name for path in Path("predictions").iterdir()) == done.paths
    assert Path("predictions/film.csv").stat().st_size < full / 50


@pytest.mark.parametrize(
    "options",
    [
        pytest.param([], id="plain"),
        pytest.param(["--overwrite"], id="overwrite"),
        pytest.param(["--workers", "3"], id="side by side"),
    ],
)
def test_films_of_one_name_do_not_collide(predict, gallery, detecting, inspect, tmp_path, options):
    detecting([TWO[0]])
    for folder, name in (("a", "short"), ("b", "single"), ("c", "ten")):
        (tmp_path / folder).mkdir()
        shutil.copy(gallery / f"{name}.mp4", tmp_path / folder / "film.mp4")
    sources = ["a/film.mp4", "b/film.mp4", "c/film.mp4"]
    done = predict(*sources, "--persons", "known", "--save", "csv,mp4", *options)
    paths = sorted(done.paths, key=lambda name: (len(name), name))  # side by side, the shortest film is done first
    assert paths == ["film.csv", "film.mp4", "film-2.csv", "film-2.mp4", "film-3.csv", "film-3.mp4"]
    counts = [len(inspect(Path("predictions") / path).times) for path in paths[1::2]]
    assert counts == [12, 1, 30]


def test_results_beside_the_film_leave_it_alone(predict, film, given, tmp_path):
    shutil.copy(film, tmp_path / "film.mp4")
    assert predict("film.mp4", "--boxes", given, "--out", ".").paths == ["film-2.csv", "film-2.jsonl", "film-2.mp4"]
    assert (tmp_path / "film.mp4").read_bytes() == film.read_bytes()


def test_overwriting_beside_the_film_leaves_it_alone(predict, film, given, tmp_path):
    shutil.copy(film, tmp_path / "film.mp4")
    predict("film.mp4", "--boxes", given, "--out", ".", "--overwrite")
    assert (tmp_path / "film.mp4").read_bytes() == film.read_bytes()


def test_overwriting_beside_the_boxes_leaves_them_alone(predict, film, given):
    given.rename("film.csv")
    kept = Path("film.csv").read_bytes()
    predict(film, "--boxes", "film.csv", "--out", ".", "--overwrite")
    assert Path("film.csv").read_bytes() == kept


@pytest.mark.parametrize(
    ("save", "names"),
    [
        pytest.param("csv", ["film.csv"], id="one"),
        pytest.param("jsonl,csv", ["film.jsonl", "film.csv"], id="two"),
        pytest.param(" CSV , mp4,csv", ["film.csv", "film.mp4"], id="spaces, capitals, twice"),
    ],
)
def test_save(predict, film, given, save, names):
    done = predict(film, "--boxes", given, "--save", save)
    assert (done.code, done.paths) == (0, names)
    assert sorted(path.name for path in Path("predictions").iterdir()) == sorted(names)


def test_stdout_holds_only_paths(predict, film, given):
    done = predict(film, film.with_name("none.mp4"), "--boxes", given, "--out", "here/and there")
    assert done.out == "".join(f"here/and there/film.{suffix}\n" for suffix in ("csv", "jsonl", "mp4"))
    assert all(Path(line).is_file() for line in done.out.splitlines())
    summary = r"film: 3 key frames, 6 persons; [\d.]+ s decoding / [\d.]+ s boxes / [\d.]+ s actions / [\d.]+ s writing"
    assert re.search(summary, done.err)


# What goes wrong


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        pytest.param(["FILM", "--modell", "x"], "--modell", id="unknown option"),
        pytest.param(["FILM", "--model"], "--model", id="value is missing"),
        pytest.param(["--model", "m"], "SOURCE is missing", id="no source"),
        pytest.param(["FILM"], "--model is missing", id="no model"),
        pytest.param(["FILM", "--model", "m", "--boxes", "b", "--persons", "p"], "both given", id="boxes and persons"),
        pytest.param(
            ["FILM", "--model", "m", "--boxes", "b", "--min-side", "9"],
            "--boxes and --min-side are both given",
            id="side",
        ),
        pytest.param(
            ["FILM", "--model", "m", "--boxes", "b", "--smooth"], "--boxes and --smooth are both given", id="smooth"
        ),
        pytest.param(["FILM", "--model", "m", "--person-score", "2"], "Must be <= 1", id="impossible score"),
        pytest.param(
            ["FILM", "--model", "m", "--start", "5", "--end", "4"], "end is 4, before start at 5", id="end before start"
        ),
        pytest.param(["FILM", "--model", "m", "--save", "xyz"], "csv,jsonl,mp4", id="save what"),
        pytest.param(["FILM", "--model", "m", "--save", ""], "csv,jsonl,mp4", id="save nothing"),
        pytest.param(["FILM", "--model", "m", "--every", "0"], "--every", id="no step"),
        pytest.param(["FILM", "--model", "m", "--every", "often"], "--every", id="step is a word"),
        pytest.param(["FILM", "--model", "m", "--every", "nan"], "--every", id="step is no number"),
        pytest.param(["FILM", "--model", "m", "--start", "-1"], "--start", id="start before the film"),
        pytest.param(["FILM", "--model", "m", "--min-score", "1.5"], "--min-score", id="score above one"),
        pytest.param(["FILM", "--model", "m", "--top", "0"], "--top", id="top none"),
        pytest.param(["FILM", "--model", "m", "--precision", "int8"], "--precision", id="precision"),
        pytest.param(["FILM", "--model", "m", "--frame-rate", "0"], "--frame-rate", id="frame rate"),
        pytest.param(["FILM", "--model", "m", "--no-overwrite"], "--no-overwrite", id="an option without opposite"),
    ],
)
def test_misuse(command, film, arguments, sentence):
    done = command("predict", *[film if each == "FILM" else each for each in arguments])
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("misuse: ")
    assert sentence in done.err
    assert len(done.err.splitlines()) == 1
    assert not Path("predictions").exists()


def test_an_unknown_command_is_misuse(command):
    assert command("predikt", "film.mp4").code == 2


@pytest.mark.parametrize("option", ["--every", "--start", "--time-origin"])
def test_an_endless_number_is_misuse(predict, film, given, option):
    assert predict(film, "--boxes", given, option, "inf").code == 2


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        pytest.param({"film": "none.mp4"}, "none.mp4: no such file", id="no film"),
        pytest.param({"model": "none.pyth"}, "none.pyth: cannot be read", id="no model"),
        pytest.param({"model": "junk"}, "junk: is damaged, cut off, or no weight file", id="foreign model"),
        pytest.param({"model": "void"}, "void: the file is empty", id="empty model"),
        pytest.param({"boxes": "none.csv"}, "none.csv: cannot be read", id="no boxes"),
        pytest.param({"boxes": "words.csv"}, "words.csv, line 1: ", id="boxes that are none"),
        pytest.param({"boxes": "pixels.csv"}, "these look like pixels", id="boxes in pixels"),
        pytest.param({"persons": "nobody"}, "nobody: no such person detector", id="unknown detector"),
        pytest.param({"persons": "junk"}, "junk: is damaged", id="foreign detector"),
        pytest.param({"config": "none"}, "none: no such config", id="no config"),
        pytest.param({"config": "list.yaml"}, "list.yaml: holds list at the top", id="foreign config"),
        pytest.param({"out": "junk"}, "junk: ", id="results into a file"),
        pytest.param({"device": "abacus"}, "device 'abacus' cannot be used", id="no such device"),
    ],
)
def test_failure(command, film, given, tiny, options, sentence):
    Path("junk").write_bytes(b"\x00\x01\x02\x03" * 100)
    Path("void").touch()
    Path("words.csv").write_text("one,two\n")
    Path("pixels.csv").write_text("film,0,10,20,200,300,,0.9\n")
    Path("list.yaml").write_text("- 1\n")
    chosen = {"model": tiny} | options
    source = chosen.pop("film", film)
    if "persons" not in chosen:
        chosen.setdefault("boxes", given)
    arguments = [part for name, value in chosen.items() for part in (f"--{name}", value)]
    done = command("predict", source, *arguments)
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("error: ")
    assert sentence in done.err
    assert len(done.err.splitlines()) == 1
    assert "Traceback" not in done.err


def test_an_untrained_network_is_told(command, film, given):
    done = command("predict", film, "--config", "tiny", "--boxes", given, "--save", "csv")
    assert done.code == 0
    assert "untrained, its scores mean nothing" in done.err


def test_debug_shows_where_the_boxes_failed(predict, film):
    Path("words.csv").write_text("one,two\n")
    done = predict(film, "--boxes", "words.csv", "--debug")
    assert done.code == 1
    assert "Traceback" in done.err
    assert "words.csv, line 1" in done.err


def test_debug_shows_where_a_film_failed(predict, given):
    Path("film.mp4").write_bytes(b"no film" * 100)
    done = predict("film.mp4", "--boxes", given, "--debug")
    assert "Traceback" in done.err


# In a process of its own


def run(*arguments, folder):
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    call = [*map(str, arguments)]
    return subprocess.run(call, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize(
    ("arguments", "code", "error"),
    [
        pytest.param(["FILM", "--model", "MODEL", "--boxes", "BOXES"], 0, "film: 3 key frames", id="done"),
        pytest.param(["FILM", "--nonsense"], 2, "misuse: ", id="misuse"),
        pytest.param(
            ["FILM", "--model", "none.pyth", "--boxes", "BOXES", "--debug"], 1, "Traceback (most recent", id="debug"
        ),
    ],
)
def test_exit_codes(film, given, tiny, tmp_path, arguments, code, error):
    values = {"FILM": film, "MODEL": tiny, "BOXES": given}
    script = Path(sys.executable).with_name("slowfast-det")
    command = [script, "predict"] if script.exists() else COMMAND
    done = run(*command, *[values.get(each, each) for each in arguments], folder=tmp_path)
    assert done.returncode == code
    assert error in done.stderr
    assert ("Traceback" in done.stderr) == ("--debug" in arguments)
    assert bool(done.stdout) == (code == 0)


def test_python_m():
    assert run(sys.executable, "-m", "slowfast_det", "--help", folder=".").returncode == 0


@pytest.fixture
def long_call(request, films, tiny, tmp_path, write_boxes):
    """A prediction that takes a while: 90 s of each film, ten key frames a second."""
    names = getattr(request, "param", ["film"])
    ten = Fraction(10)
    noise = np.random.default_rng(0)

    def draw(number, width, height):
        return noise.integers(0, 255, (height, width, 3), dtype=np.uint8)

    films.write(tmp_path / "film.mp4", films.steady(900, ten), width=96, height=64, rate=ten, draw=draw)
    for name in names[1:]:
        shutil.copy(tmp_path / "film.mp4", tmp_path / f"{name}.mp4")
    boxes = write_boxes([(name, number / 10, box) for name in names for number in range(900) for box in TWO])
    call = [*COMMAND, *(f"{name}.mp4" for name in names), "--workers", str(len(names))]
    call += ["--model", str(tiny), "--boxes", str(boxes), "--min-score", "0"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        call, cwd=tmp_path, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    yield process
    process.kill()
    process.communicate()


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        pytest.param(signal.SIGINT, 1, id="ctrl-C"),
        pytest.param(signal.SIGTERM, 1, id="terminated"),
        pytest.param(signal.SIGKILL, -signal.SIGKILL, id="killed"),
    ],
)
def test_what_was_finished_stays(long_call, tmp_path, rows_of, sent, code):
    table = tmp_path / "predictions" / "film.csv"
    rows_of_second = 10 * 2 * 80
    while long_call.poll() is None and not (table.exists() and _lines(table) > 8 * rows_of_second):
        time.sleep(0.05)
    assert long_call.poll() is None, f"ended too early: {long_call.stderr.read()}"
    long_call.send_signal(sent)
    out, error = long_call.communicate(timeout=60)
    assert "Traceback" not in error
    text = table.read_text()
    assert text.endswith("\n") or sent == signal.SIGKILL
    whole = text[: text.rindex("\n") + 1].splitlines()
    assert 8 * rows_of_second < len(whole) < 90 * rows_of_second
    assert all(re.fullmatch(r"film,[\d.]+(,[01]\.\d{6}){4},\d{1,2},[01]\.\d{6}", line) for line in whole)
    lines = (tmp_path / "predictions" / "film.jsonl").read_text().splitlines(keepends=True)
    assert lines[-1].endswith("}\n") or sent == signal.SIGKILL
    assert abs(len(lines) - len(whole)) <= 160
    last = float(whole[-1].split(",")[1])
    times = _times_of_film(tmp_path / "predictions" / "film.mp4")
    if sent != signal.SIGKILL:  # for films that were never closed see test_result_files.py
        np.testing.assert_allclose(times, np.arange(len(times)) / 10, atol=0.001)
    lost = 0.2 if sent != signal.SIGKILL else 7  # seconds that the encoder and an unfinished fragment held
    assert last - lost <= len(times) / 10 <= last + 0.2
    if sent != signal.SIGKILL:
        assert "stopped after" in error
        assert [Path(line).name for line in out.splitlines()] == ["film.csv", "film.jsonl", "film.mp4"]
    assert long_call.returncode == code
    assert ("error: interrupted" in error) == (sent != signal.SIGKILL)


@pytest.mark.parametrize("long_call", [["film", "other", "third"]], indirect=True)
def test_what_was_finished_of_several_films_stays(long_call, tmp_path, rows_of):
    tables = [tmp_path / "predictions" / f"{name}.csv" for name in ("film", "other", "third")]
    while long_call.poll() is None and not all(table.exists() and _lines(table) > 1600 for table in tables):
        time.sleep(0.05)
    assert long_call.poll() is None, f"ended too early: {long_call.stderr.read()}"
    long_call.send_signal(signal.SIGINT)
    out, error = long_call.communicate(timeout=60)
    assert "Traceback" not in error
    assert error.count("stopped after") == 3
    assert "error: interrupted" in error
    assert len(out.splitlines()) == 9
    for table in tables:
        assert table.read_text().endswith("\n")
        assert len(_times_of_film(table.with_suffix(".mp4"))) >= 10
    assert long_call.returncode == 1


def _lines(path):
    return path.read_bytes().count(b"\n")


def _times_of_film(path):
    """Times of the frames that decode."""
    times = []
    with av.open(str(path)) as container, contextlib.suppress(av.error.InvalidDataError):  # a kill tears the last one
        for frame in container.decode(video=0):
            times.append(float(frame.pts * frame.time_base))
    return times
