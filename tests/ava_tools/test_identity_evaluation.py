"""Identities of predictions against AVA's truth: which key frames count, what files must hold, what is printed."""

from __future__ import annotations

import json
import math

import numpy as np
import pandas as pd
import pytest

from ava_tools import IdentityReport, InputError, evaluate_identities
from ava_tools.cli.main import app
from ava_tools.cli.run import run
from ava_tools.tables import read_truth

LEFT, RIGHT = (0.1, 0.2, 0.3, 0.8), (0.6, 0.2, 0.8, 0.8)
KEY_FRAMES = (0.0, 0.2, 0.4, 0.6)


def truth_table(*rows):
    """Rows of video, timestamp, person, box."""
    table = pd.DataFrame([(video, time, *box, 1, person) for video, time, person, box in rows])
    table.columns = ["video", "timestamp", "x1", "y1", "x2", "y2", "action_id", "person"]
    return table


def track_table(*rows):
    table = pd.DataFrame([(video, time, person, *box) for video, time, person, box in rows])
    return table.set_axis(["video", "time", "person", "x1", "y1", "x2", "y2"], axis=1)


def both(video="a", times=KEY_FRAMES, names=(1, 2)):
    return [(video, time, name, box) for time in times for name, box in zip(names, (LEFT, RIGHT), strict=True)]


def lines(*rows):
    """Lines of json as predict writes them, two actions a person."""
    return "".join(
        json.dumps(
            {"video": video, "time": time, "person": person}
            | dict(zip(("x1", "y1", "x2", "y2"), box, strict=True))
            | {"action_id": action, "action": f"action {action}", "score": 0.5}
        )
        + "\n"
        for video, time, person, box in rows
        for action in (1, 2)
    )


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Truth of two films, a person with two actions and a key frame with nobody, and tracks with a swap."""
    monkeypatch.chdir(tmp_path)
    rows = [f"{video},{time:g},{','.join(map(str, box))},1,{name}" for video, time, name, box in both() + both("b")]
    rows.append("a,0.2,0.1,0.2,0.3,0.8,2,1")
    rows.append("b,0.8")
    (tmp_path / "truth.csv").write_text("\n".join(rows) + "\n")
    swapped = both(times=KEY_FRAMES[:2], names=(7, 8)) + both(times=KEY_FRAMES[2:], names=(8, 7))
    (tmp_path / "a.jsonl").write_text(lines(*swapped))
    (tmp_path / "b.jsonl").write_text(lines(*both("b", names=(7, 8)), ("b", 0.8, 9, LEFT)))
    return tmp_path


def test_files(files):
    report = evaluate_identities("truth.csv", ["a.jsonl", "b.jsonl"])
    assert isinstance(report, IdentityReport)
    assert report.notes == ()
    assert report.warning is None
    assert list(report.films) == ["a", "b"]
    swapped, clean = report.films.values()
    assert (swapped.truth, swapped.matches, swapped.switches, swapped.transfers) == (8, 8, 2, 2)
    assert (clean.truth, clean.matches, clean.switches, clean.false_positives) == (8, 8, 0, 1)
    assert (swapped.seconds, clean.matched_seconds) == pytest.approx((1.6, 1.6))
    assert report.total.mota == pytest.approx(1 - 3 / 16)
    assert report.per_film.loc["a", "switches"] == 2
    assert report.per_film.loc["b", "mota"] == pytest.approx(1 - 1 / 8)


def test_tables_and_files_are_the_same(files):
    tracks = pd.concat([pd.read_json(name, lines=True, precise_float=True) for name in ("a.jsonl", "b.jsonl")])
    report = evaluate_identities(read_truth("truth.csv"), tracks)
    assert report.films == evaluate_identities("truth.csv", ["a.jsonl", "b.jsonl"]).films


def test_overlap_can_be_asked_for():
    truth, tracks = truth_table(("a", 0, 1, LEFT)), track_table(("a", 0, 1, (0.1, 0.2, 0.3, 0.68)))  # IoU 0.8
    assert evaluate_identities(truth, tracks, 0.8 - 1e-9).total.matches == 1
    assert evaluate_identities(truth, tracks, 0.85).total.matches == 0


DENSE = tuple(np.arange(31) / 15)


@pytest.mark.parametrize(
    ("times", "seen", "every", "counted"),
    [
        pytest.param((0, 1, 2), (0, 1, 2), None, (0, 1, 2), id="the same"),
        pytest.param((0, 1, 2), (0, 0.5, 1, 1.5, 2), None, (0, 1, 2), id="tracks are denser"),
        pytest.param(DENSE, (0, 1, 2), None, (0, 1, 2), id="truth is denser"),
        pytest.param(DENSE, (0.4, 0.6, 1.2), None, tuple(n / 5 for n in range(11)), id="nobody found in between"),
        pytest.param(DENSE, (1,), None, DENSE, id="found once"),
        pytest.param(DENSE, (1,), 1.0, (0, 1, 2), id="found once, spacing told"),
        pytest.param((0, 1, 2, 3), (1, 3), None, (1, 3), id="every other one"),
        pytest.param((0, 1, 2, 3), (1, 3), 1.0, (0, 1, 2, 3), id="every other one, spacing told"),
        pytest.param((0, 0.5, 1), (0, 0.2, 0.4, 0.6, 0.8, 1), None, (0, 1), id="half of them meet"),
        pytest.param((0.3, 1.3, 2.3), (1.3, 2.3), None, (0.3, 1.3, 2.3), id="begins late"),
        pytest.param((0, 0.1, 0.25, 1.07), (0, 0.25, 1.07), None, (0, 0.25, 1.07), id="any moments"),
    ],
)
def test_key_frames_that_count(times, seen, every, counted):
    truth = truth_table(*(("a", time, 1, LEFT) for time in times))
    tracks = track_table(*(("a", round(time, 6), 7, LEFT) for time in seen))
    report = evaluate_identities(truth, tracks, every=every)
    matches = len(np.intersect1d(np.round(times, 6), np.round(seen, 6)))
    assert (report.total.truth, report.total.matches) == (len(counted), matches)
    left_out = len(times) - len(counted)
    expected = f"the truth: {left_out} key frames that lie between those of the tracks are left out"
    assert (expected in report.notes) == (left_out > 0)


def test_rounded_times_do_not_drift():
    """Ten minutes at 15 a second in six decimals, tracks at every third of them but some."""
    times = np.round(np.arange(9000) / 15, 6)
    truth = truth_table(*(("a", time, 1, LEFT) for time in times))
    seen = np.delete(times[::3], np.arange(5, 3000, 7))
    report = evaluate_identities(truth, track_table(*(("a", time, 7, LEFT) for time in seen)))
    assert (report.total.truth, report.total.matches) == (3000, len(seen))
    assert report.total.seconds == pytest.approx(600)
    assert report.total.switches == 0


def test_a_film_without_tracks_counts_as_often_as_the_others():
    truth = truth_table(*(("a", time, 1, LEFT) for time in DENSE), *(("b", time + 0.2, 1, LEFT) for time in DENSE))
    report = evaluate_identities(truth, track_table(*(("a", time, 7, LEFT) for time in (0.0, 1.0, 2.0))))
    assert {video: quality.truth for video, quality in report.films.items()} == {"a": 3, "b": 3}
    assert report.films["b"].misses == 3


def test_key_frames_with_nobody_count():
    truth = truth_table(("a", 0, 1, LEFT), ("a", 1, np.nan, (np.nan,) * 4), ("a", 2, 1, LEFT))
    tracks = track_table(("a", 0, 7, LEFT), ("a", 1, 7, LEFT), ("a", 2, 7, LEFT))
    total = evaluate_identities(truth, tracks).total
    assert (total.truth, total.false_positives, total.switches, total.fragmentations) == (2, 1, 0, 0)


def test_what_is_left_out_is_told():
    truth = truth_table(*both())
    tracks = track_table(*both(), *both("elsewhere"), ("a", 0.1, 7, LEFT))
    report = evaluate_identities(truth, tracks)
    assert report.notes == (
        "the tracks: 8 boxes in 1 films that the truth never names are left out",
        "the tracks: 1 boxes at moments that the truth does not name are left out",
    )
    assert report.total.false_positives == 0


def test_nothing_in_common_is_warned_of():
    report = evaluate_identities(truth_table(*both(times=(902, 903))), track_table(*both(times=(2, 3))))
    assert report.warning == "the tracks: no box is on a key frame of the truth"
    assert (report.total.truth, report.total.matches) == (4, 0)
    moved = evaluate_identities(truth_table(*both(times=(902, 903))), track_table(*both(times=(2, 3))), time_origin=900)
    assert moved.warning is None
    assert moved.total.mota == 1


@pytest.mark.parametrize(
    ("truth", "tracks", "sentence"),
    [
        pytest.param(
            "a,1,0.1,0.1,0.5,0.9,3\n",
            lines(("a", 1, 1, LEFT)),
            "truth.csv, line 1: person is empty; who it is is expected (film a, timestamp 0001)",
            id="persons are not told",
        ),
        pytest.param(
            "a,1,0.1,0.1,0.5,0.9,3,5\na,1,0.1,0.1,0.5,0.9,4,5\na,1,0.2,0.1,0.5,0.9,3,5\n",
            lines(("a", 1, 1, LEFT)),
            "truth.csv, line 3: a person has two boxes on a key frame; one is expected (film a, timestamp 0001)",
            id="two boxes in the truth",
        ),
        pytest.param(
            "a,1,0.1,0.1,0.5,0.9,3,5\n",
            lines(("a", 1, 1, LEFT), ("a", 1, 1, RIGHT)),
            "a.jsonl: a person has two boxes on a key frame; one is expected (film a, timestamp 0001)",
            id="two boxes in the tracks",
        ),
        pytest.param(
            "a,1,0.1,0.1,0.5,0.9,3,5\n", "video,1\n", "a.jsonl, line 1: is no json (Expecting value: ", id="no json"
        ),
        pytest.param(
            "a,1,0.1,0.1,0.5,0.9,3,5\n",
            '{"video": "a"}\n',
            "a.jsonl, line 1: an object with video, time, person, ",
            id="no prediction",
        ),
        pytest.param("a,1,2\n", "", "truth.csv, line 1: has 3 columns; video,timestamp,", id="no truth"),
        pytest.param(None, "", "truth.csv: cannot be read (No such file or directory)", id="no truth at all"),
    ],
)
def test_errors_are_one_sentence(tmp_path, monkeypatch, capsys, truth, tracks, sentence):
    monkeypatch.chdir(tmp_path)
    if truth is not None:
        (tmp_path / "truth.csv").write_text(truth)
    (tmp_path / "a.jsonl").write_text(tracks)
    assert run(app, ["evaluate-identities", "--truth", "truth.csv", "--tracks", "a.jsonl"]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(f"error: {sentence}")
    assert captured.err.count("\n") == 1


def test_a_film_in_two_files(files):
    (files / "again.jsonl").write_text((files / "a.jsonl").read_text())
    with pytest.raises(InputError, match=r"again.jsonl: tells of the film a as a.jsonl does; one file a film"):
        evaluate_identities("truth.csv", ["a.jsonl", "again.jsonl"])


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"min_iou": 0}, "min_iou is 0; more than 0 and at most 1"),
        ({"min_iou": math.nan}, "min_iou is nan"),
        ({"every": 0.0}, "every is 0; seconds, more than 0"),
    ],
)
def test_options_are_checked(options, sentence):
    with pytest.raises(InputError, match=sentence):
        evaluate_identities(truth_table(*both()), track_table(*both()), **options)


def test_lacking_columns_are_named():
    with pytest.raises(InputError, match="the truth: lacks the column person"):
        evaluate_identities(truth_table(*both()).drop(columns="person"), track_table(*both()))
    with pytest.raises(InputError, match="the tracks: lacks the column x2"):
        evaluate_identities(truth_table(*both()), track_table(*both()).drop(columns="x2"))
    with pytest.raises(InputError, match="no tracks are given"):
        evaluate_identities(truth_table(*both()), [])


def test_the_command(files, capsys):
    arguments = ["evaluate-identities", "--truth", "truth.csv", "--tracks", "a.jsonl", "b.jsonl", "--json", "f.json"]
    assert run(app, arguments) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    assert captured.out.splitlines() == [
        "identity switches 2: a person gets another identity than the last time",
        "fragmentations 0: a person is found again after being missed",
        "transfers 2: an identity goes to another person",
        "persons found 3.2 of 3.2 s",
        "MOTA 0.8125, IDF1 0.7273 (IoU 0.5)",
        "",
        "film   persons  identities    truth   missed    false  switches  fragmentations  transfers     MOTA    IDF1",
        "a            2           2        8        0        0         2               0          2   0.7500  0.5000",
        "b            2           3        8        0        1         0               0          0   0.8750  0.9412",
        "total        4           5       16        0        1         2               0          2   0.8125  0.7273",
    ]
    written = json.loads((files / "f.json").read_text())
    assert written["min_iou"] == 0.5
    assert list(written["films"]) == ["a", "b"]
    assert written["total"]["switches"] == 2
    assert written["films"]["b"]["false_positives"] == 1
    assert written["films"]["a"]["idf1"] == 0.5


def test_no_number_is_null(files, capsys):
    (files / "truth.csv").write_text("a,0\n")
    arguments = ["evaluate-identities", "--truth", "truth.csv", "--tracks", "a.jsonl", "--json", "f.json"]
    assert run(app, arguments) == 0
    assert "MOTA n/a, IDF1 0.0000" in capsys.readouterr().out
    assert json.loads((files / "f.json").read_text())["total"]["mota"] is None


@pytest.mark.parametrize(
    "extra",
    [
        pytest.param(["--min-iou", "0"], id="overlap"),
        pytest.param(["--every", "0"], id="spacing"),
        pytest.param(["--json", "a.jsonl"], id="an input is an output"),
        pytest.param(["--protocol", "x"], id="unknown"),
    ],
)
def test_misuse(files, capsys, extra):
    before = (files / "a.jsonl").read_bytes()
    assert run(app, ["evaluate-identities", "--truth", "truth.csv", "--tracks", "a.jsonl", *extra]) == 2
    assert capsys.readouterr().err.startswith("misuse: ")
    assert (files / "a.jsonl").read_bytes() == before
