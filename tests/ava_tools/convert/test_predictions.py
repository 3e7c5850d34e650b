"""Results of predict: read, corrected in CVAT's form, and made into a data set, by the command line too."""

from __future__ import annotations

import json
import logging
import signal
import warnings

import pytest
from annotated import key_frames, plain

from ava_tools.cli import main
from ava_tools.cli.run import run
from ava_tools.convert import predictions
from ava_tools.convert.films import Films
from ava_tools.convert.formats import format_of
from ava_tools.errors import InputError

NO_FILMS = Films(frame_rate=10)


@pytest.fixture(autouse=True)
def _as_it_was():
    """`run` takes over logging, warnings and a signal, as the main program may."""
    root, handler = logging.getLogger(), signal.getsignal(signal.SIGTERM)
    handlers, level = list(root.handlers), root.level
    with warnings.catch_warnings():
        yield
    root.handlers[:] = handlers
    root.setLevel(level)
    signal.signal(signal.SIGTERM, handler)


def row(time=0.0, person=0, box=(0.1, 0.25, 0.5, 1.0), action=(4, "dance"), score=0.9, **changed):
    fields = {"video": "game", "time": time, "person": person}
    fields |= dict(zip(("x1", "y1", "x2", "y2"), box, strict=True))
    return fields | {"action_id": action[0], "action": action[1], "score": score} | changed


def lines(folder, *rows, name="game.jsonl"):
    path = folder / name
    path.write_text("".join(json.dumps(each) + "\n" for each in rows))
    return path


RESULT = [
    row(),
    row(action=(80, "watch"), score=0.4),
    row(person=1, box=(0, 0, 0.2, 0.2), score=0.2),
    row(time=1.0, box=(0.2, 0.25, 0.6, 1.0)),
    row(time=2.0, score=0.1),
]


def test_lines_are_read_with_names_identities_and_scores(tmp_path):
    found = predictions.read(lines(tmp_path, *RESULT), NO_FILMS)
    assert plain(found) == [
        ("game", 0.0, (0.0, 0.0, 0.2, 0.2), 1, ("dance",)),
        ("game", 0.0, (0.1, 0.25, 0.5, 1.0), 0, ("dance", "watch")),
        ("game", 1.0, (0.2, 0.25, 0.6, 1.0), 0, ("dance",)),
        ("game", 2.0, (0.1, 0.25, 0.5, 1.0), 0, ("dance",)),
    ]
    assert [(action.id, action.name) for action in found.labels] == [(4, "dance"), (80, "watch")]
    assert found.actions["score"].tolist() == [0.9, 0.4, 0.2, 0.9, 0.1]
    assert found.persons["score"].tolist() == [0.9, 0.2, 0.9, 0.1]  # the best of what each does


def test_low_scores_go_and_key_frames_stay(tmp_path):
    found = predictions.read(lines(tmp_path, *RESULT), NO_FILMS, min_score=0.4)
    assert [(time, person, done) for _, time, _, person, done in plain(found)] == [
        (0.0, 0, ("dance", "watch")),
        (1.0, 0, ("dance",)),
    ]
    assert key_frames(found) == {"game": [0.0, 1.0, 2.0]}
    assert found.notes == ("2 of 5 actions have scores below 0.4",)


def test_a_csv_takes_names_from_labels(tmp_path):
    path, labels = tmp_path / "game.csv", tmp_path / "own.csv"
    path.write_text("game,0901,0.1,0.2,0.3,0.4,2,0.8\n")
    labels.write_text("1,run\n2,jump\n")
    found = predictions.read(path, NO_FILMS, labels=labels, time_origin=900)
    assert plain(found) == [("game", 1.0, (0.1, 0.2, 0.3, 0.4), -1, ("jump",))]
    assert found.labels.names == ("run", "jump")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{}\n", "line 1: an object with video, time, .* is expected, as predict writes it"),
        ("[1]\n", "line 1: an object with video"),
        ("\n{\n", "line 2: is no json"),
        ("[" * 100_000 + "\n", "nested too deeply"),
        (json.dumps(row(score=float("nan"))) + "\n", "score is NaN"),
        (json.dumps(row()).replace("0.9", "1e999") + "\n", "score is Infinity"),
        (json.dumps(row(time="1")) + "\n", 'time is "1"'),
        (json.dumps(row(action_id=True)) + "\n", "action_id is true"),
        (json.dumps(row(action_id=10**30)) + "\n", "action_id is 1000"),
        (json.dumps(row(box=(10, 20, 30, 40))) + "\n", "x1 is 10; a number of the frame, from 0 to 1, is expected"),
        (json.dumps(row(box=(0.5, 0, 0.1, 1))) + "\n", "the box is inverted"),
        (json.dumps(row()) + "\n" + json.dumps(row(action=(4, "sit"))) + "\n", "action 4 'dance' and 'sit'"),
        (b"\xff\xfe{", "is no text"),
    ],
)
def test_wrong_files_are_told(tmp_path, text, sentence):
    path = tmp_path / "game.jsonl"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InputError, match=sentence):
        predictions.read(path, NO_FILMS)


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("a.jsonl", "", "predictions"),
        ("a.csv", "a,1,0,0,1,1,3,0.95\n", "predictions"),
        ("a.csv", "a,1,0,0,1,1,3,7\n", "ava"),
        ("a.csv", "a,1,0,0,1,1,3\n", "ava"),
        ("a.xml", "<annotations/>", "cvat"),
        ("dataset.yaml", "films: .\n", "folder"),
    ],
)
def test_what_a_source_is_its_content_tells(tmp_path, name, text, expected):
    (tmp_path / name).write_text(text)
    assert format_of(tmp_path / name) == expected


def test_predictions_are_corrected_in_cvat_and_trained_on(make_film, tmp_path, capsys):
    """Lines of json to CVAT's xml, and that, uploaded and exported again, to a data set."""
    make_film("game.mp4", count=60, rate=25, size=(96, 64))
    shown = [row(time=time, box=(0.25, 0.25, 0.5, 1.0)) for time in (0.0, 0.4, 0.8)]
    source = lines(tmp_path, *shown, row(time=0.4, person=1, action=(7, "sit")), row(time=1.2, score=0.1))
    corrections, data = tmp_path / "corrections", tmp_path / "data"
    command = ["convert", "--to", "cvat", str(source), "--out", str(corrections), "--min-score", "0.3"]
    assert run(main.app, command) == 0, capsys.readouterr().err
    assert sorted(path.name for path in corrections.iterdir()) == ["game.xml", "labels.json"]
    xml = (corrections / "game.xml").read_text().replace('name="sit">true', 'name="sit">false')  # the correction
    (corrections / "game.xml").write_text(xml)
    command = ["convert", str(corrections / "game.xml"), "--videos", str(tmp_path), "--out", str(data)]
    assert run(main.app, [*command, "--every", "0.4", "--held-back", "0", "--time-origin", "900"]) == 0, (
        capsys.readouterr().err
    )
    assert (data / "train.csv").read_text().splitlines() == [
        "game,0900,0.250000,0.250000,0.500000,1.000000,1,0",
        "game,900.4,0.250000,0.250000,0.500000,1.000000,1,0",
        "game,900.4,0.100000,0.250000,0.500000,1.000000,,1",
        "game,900.8,0.250000,0.250000,0.500000,1.000000,1,0",
    ]
    assert (data / "labels.csv").read_text() == "1,dance\n2,sit\n"


def test_options_reach_the_reader_and_the_manifest(tmp_path, capsys):
    (tmp_path / "game.csv").write_text("game,0901,0.1,0.2,0.3,0.4,2,0.8\ngame,0901,0.1,0.2,0.3,0.4,1,0.1\n")
    (tmp_path / "own.csv").write_text("1,run\n2,jump\n")
    command = ["convert", str(tmp_path / "game.csv"), "--labels", str(tmp_path / "own.csv"), "--time-origin", "900"]
    assert run(main.app, [*command, "--min-score", "0.5", "--out", str(tmp_path / "data")]) == 0, capsys.readouterr()
    assert (tmp_path / "data" / "train.csv").read_text() == "game,0901,0.100000,0.200000,0.300000,0.400000,2\n"
    assert (tmp_path / "data" / "labels.csv").read_text() == "1,run\n2,jump\n"
    assert "time_origin: 900" in (tmp_path / "data" / "dataset.yaml").read_text()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ["--from", "cvat", "a.xml", "--min-score", "0.5"],
            "--min-score is given, but cvat has no use for it; predictions have",
        ),
        (["--from", "what", "a.xml"], "--from is 'what'; any of "),
        (["--to", "ucf101_24", "a.jsonl"], "--to is 'ucf101_24'; any of "),
        (["--from", "folder", "a"], "--from FORMAT or --to FORMAT is missing"),
    ],
)
def test_options_without_sense_are_misuse(tmp_path, capsys, arguments, sentence):
    assert run(main.app, ["convert", *arguments, "--out", str(tmp_path / "out")]) == 2
    assert sentence in capsys.readouterr().err
