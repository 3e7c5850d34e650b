"""Person boxes for data sets and films: found once, shared out, gone on with, and not lost."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml

from ava_tools.errors import InputError
from ava_tools.media.library import library_of, open_library
from ava_tools.media.reader import open_film
from ava_tools.tables import read_person_boxes
from slowfast_det.cli.person_options import PersonOptions
from slowfast_det.distributed import World
from slowfast_det.moments import Moment, annotated_moments, spaced_moments
from slowfast_det.persons.detector_file import About, save_detector
from slowfast_det.persons.protocol import PersonBoxes
from slowfast_det.persons.torchvision_networks import build
from slowfast_det.propose import boxes_table, find_persons, of_moments
from slowfast_det.sighting_log import SightingLog
from slowfast_det.smoothing import Smoothing
from slowfast_det.span import Span
from slowfast_det.training.run import owned

ALONE = World(torch.device("cpu"))


@pytest.fixture(scope="module")
def library(data):
    return open_library(data / "films", ["a", "b", "c", "none"])


class Clock:
    """A detector that finds a box whose place tells the picture's number (see the tests' films)."""

    classes = ("person",)

    def __init__(self, fail_at=None):
        self.seen = 0
        self.fail_at = fail_at

    def __call__(self, frames):
        found = []
        for frame in frames:
            if self.seen == self.fail_at:
                raise KeyboardInterrupt
            self.seen += 1
            height = len(frame)
            bright = int(frame[height * 3 // 8, :, 0].astype(int).argmax())
            found.append(PersonBoxes(np.array([[0, 0, 1 + bright, height]]) * 1.0, np.array([0.9])))
        return found

    def to(self, device):
        return self


@dataclass(frozen=True)
class InTurn(World):
    """Two processes, of which the second one comes first and leaves what it has to say in ``said``."""

    size: int = 2
    said: list = field(default_factory=list)

    def gather(self, thing):
        if self.rank:
            self.said.append(thing)
            return [None, thing]
        return [thing, self.said.pop(0)]


# ---------------------------------------------------------------- moments


def test_annotated_moments(library):
    frames = pd.DataFrame(
        [["c", 901.5], ["a", 902.0], ["c", 900.5], ["none", 901.0], ["a", 902.0], ["a", 901.25]],
        columns=["video", "timestamp"],
    )
    assert annotated_moments(frames, library, 900) == (("c", 0.5), ("c", 1.5), ("a", 1.25), ("a", 2.0))


@pytest.mark.parametrize(
    ("span", "expected"),
    [
        pytest.param(Span(1.0), [0, 1, 2], id="seconds, none at the film's end"),
        pytest.param(Span(0.8), [0, 0.8, 1.6, 2.4], id="others"),
        pytest.param(Span(1.0, 0.5, 2.5), [0.5, 1.5, 2.5], id="range"),
        pytest.param(Span(1.0, 7.0), [], id="beyond"),
    ],
)
def test_spaced_moments(library, span, expected):
    found = spaced_moments(library, span)
    assert [time for video, time in found if video == "a"] == expected
    assert {video for video, _ in found} == ({"a", "b", "c"} if expected else set())


def test_films_that_do_not_say_how_long_they_are(films, tmp_path):
    import av

    path = films.write(tmp_path / "film.mp4", films.steady(75, 30))
    raw = tmp_path / "raw.h264"
    with av.open(str(path)) as source, av.open(str(raw), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    library = library_of([raw])
    assert library.films["raw"].duration is None
    with open_film(raw) as film:  # 25 a second, as FFmpeg guesses
        seconds = max(frame.time for frame in film.frames()) + 1 / film.info.rate
    assert [time for _, time in spaced_moments(library, Span(0.5))] == [n / 2 for n in range(10) if n / 2 < seconds]


def test_films_of_one_name_are_refused(data, tmp_path):
    (tmp_path / "a.mp4").write_bytes((data / "films" / "a.mp4").read_bytes())
    with pytest.raises(InputError, match=r"is called 'a', as .*a.mp4 is; films of one call need names of their own"):
        library_of([data / "films" / "a.mp4", tmp_path / "a.mp4"])


# ---------------------------------------------------------------- finding


def test_the_right_frames_are_looked_at(library, stub):
    moments = [Moment("a", 0.0), Moment("a", 0.5), Moment("a", 2.9), Moment("b", 1.0), Moment("c", 1.25)]
    detector = stub([])
    found = find_persons(detector, moments, library, ALONE)
    assert [(each.of, each.time) for each in found.sightings] == moments
    for moment, frame in zip(moments, detector.frames, strict=True):
        with open_film(library.films[moment.video].path) as film:
            shown = [one for one in film.frames() if float(one.time) <= moment.time + 1 / 60 + 1e-9][-1]
            np.testing.assert_array_equal(frame, shown.rgb())
    assert found.problems == found.missed == ()


def test_far_moments_and_near_ones_give_the_same(films, tmp_path):
    path = films.write(tmp_path / "long.mp4", films.steady(40 * 5, 5), rate=Fraction(5))
    library = library_of([path])
    every = [Moment("long", time / 2) for time in range(80)]
    far = [moment for moment in every if moment.time in (0.5, 12.0, 12.5, 38.0)]
    whole, parts = (find_persons(Clock(), moments, library, ALONE) for moments in (every, far))
    known = {each.time: each.boxes.tolist() for each in whole.sightings}
    assert [each.boxes.tolist() for each in parts.sightings] == [known[moment.time] for moment in far]


def test_moments_beyond_the_end_are_told(library):
    found = find_persons(Clock(), [Moment("a", 1.0), Moment("a", 99.0)], library, ALONE)
    assert [each.time for each in found.sightings] == [1.0]
    assert found.missed == (("a", 99.0),)


def test_processes_share_the_moments(library):
    """Each looks at its half, together they find what one alone finds, in the same order."""
    moments = [Moment(video, time / 4) for video in "abc" for time in range(9)]
    first, second = Clock(), Clock()
    world = InTurn(torch.device("cpu"))
    assert find_persons(second, moments, library, replace(world, rank=1)) is None
    shared = find_persons(first, moments, library, world)
    alone = find_persons(Clock(), moments, library, ALONE)
    assert (first.seen, second.seen) == (13, 14)
    assert [(each.of, each.time) for each in shared.sightings] == moments
    assert boxes_table(shared.sightings).equals(boxes_table(alone.sightings))


def test_boxes_as_a_table(library, stub):
    answers = [[(0.1, 0.1, 0.5, 0.5)], [], [(0.2, 0.2, 0.6, 0.6), (0, 0, 1, 1)]]
    moments = [Moment("a", 0.5), Moment("a", 1.25), Moment("c", 0.0)]
    found = find_persons(stub(lambda number: answers[number]), moments, library, ALONE)
    table = boxes_table(found.sightings, 900)
    assert table[["video", "timestamp"]].to_numpy().tolist() == [["a", 900.5], ["c", 900], ["c", 900]]
    assert [len(each.boxes) for each in found.sightings] == [1, 0, 2]


# ---------------------------------------------------------------- going on


def test_what_was_found_is_not_looked_for_again(library, tmp_path):
    moments = [Moment(video, time / 4) for video in "abc" for time in range(10)]
    whole = find_persons(Clock(), moments, library, ALONE)
    broken = Clock(fail_at=17)
    with pytest.raises(KeyboardInterrupt):
        logged(broken, moments, library, tmp_path)
    assert len(made(tmp_path, library).read()) == 17, "each is safe before the next is looked at"
    rest = Clock()
    again = logged(rest, moments, library, tmp_path)
    assert rest.seen == 13
    pd.testing.assert_frame_equal(boxes_table(again.sightings), boxes_table(whole.sightings))
    idle = Clock(fail_at=0)
    assert len(logged(idle, moments, library, tmp_path).sightings) == 30


def made(folder, library, **settings):
    log = SightingLog(folder, library, 1)
    log.begin({"persons": "x"} | settings, overwrite=False)
    return log


def logged(detector, moments, library, folder):
    log = made(folder, library)
    return find_persons(detector, moments, library, ALONE, before=log.read(), keep=log.write)


def line(time, *persons, **other):
    return {"video": "a", "time": time, "persons": persons} | other


@pytest.mark.parametrize(
    "added",
    [
        pytest.param(line("later"), id="no time"),
        pytest.param(line(9, film="another"), id="another film"),
        pytest.param(line(9, video="nothing"), id="no film"),
        pytest.param(line(9, video=["a"]), id="no name"),
        pytest.param(line(9, [0, 0, 1]), id="no boxes"),
        pytest.param(line(9, [0, 0, 1, 1, float("nan"), 0]), id="no number"),
        pytest.param(line(9, [0, 0, 1, 1, 10**400, 0]), id="a huge number"),
        pytest.param(line(9, [0, 0, 1, 1.5, 0.5, 0]), id="outside the frame"),
        pytest.param(line(9, [0.5, 0, 0.4, 1, 0.5, 0]), id="inverted"),
        pytest.param(line(9, [0, 0, 1, 1, 1.5, 0]), id="no score"),
        pytest.param(line(9, [0, 0, 1, 1, 0.5, 1]), id="another class"),
        pytest.param(line(9, [0, 0, 1, 1, 0.5, 0.5]), id="half a class"),
        pytest.param([], id="a list"),
        pytest.param(None, id="nothing"),
        pytest.param("[" * 100_000, id="deep"),
        pytest.param("x" * 3_000_000, id="long"),
        pytest.param("\x00\xff", id="rubbish"),
    ],
)
def test_damaged_lines_are_forgotten(library, tmp_path, added):
    moments = [Moment("a", time / 4) for time in range(6)]
    logged(Clock(), moments, library, tmp_path)
    (part,) = tmp_path.glob("part-*.jsonl")
    whole = part.read_text()
    if isinstance(added, dict):
        added = {"film": json.loads(whole.splitlines()[0])["film"]} | added
    text = added if isinstance(added, str) else json.dumps(added)
    part.write_text(f"{text}\n{whole[:-20]}", encoding="latin1")
    assert set(made(tmp_path, library).read()) == set(moments[:5]), "the last one was cut off"
    clock = Clock()
    assert len(logged(clock, moments, library, tmp_path).sightings) == 6
    assert clock.seen == 1


def test_what_is_no_file_is_not_read(library, tmp_path):
    os.mkfifo(tmp_path / "part-x.jsonl")
    with pytest.raises(InputError, match=r"part-x.jsonl: is no regular file; delete it"):
        SightingLog(tmp_path, library, 1).read()


def test_a_full_disk_stops_the_work(library, tmp_path, monkeypatch):
    log, clock = made(tmp_path, library), Clock()
    monkeypatch.setattr(log, "_own", Path("/dev/full"))
    with pytest.raises(InputError, match=r"/dev/full: cannot be written \(No space left on device\)"):
        find_persons(clock, [Moment("a", 0.5), Moment("b", 0.5)], library, ALONE, keep=log.write)
    assert clock.seen == 1


def test_a_detector_that_fails_stops_the_work(library):
    def broken(frames):
        raise InputError("weights.pth: no numbers")

    with pytest.raises(InputError, match=r"weights.pth: no numbers"):
        find_persons(broken, [Moment("a", 0.5)], library, ALONE)


def test_a_film_that_was_replaced_is_looked_at_again(films, tmp_path):
    def write(count):
        return library_of([films.write(tmp_path / "film.mp4", films.steady(count, 30))])

    moments = [Moment("film", 0.5), Moment("film", 1.0)]
    library = write(60)
    logged(Clock(), moments, library, tmp_path / "log")
    assert len(made(tmp_path / "log", library).read()) == 2
    assert made(tmp_path / "log", write(61)).read() == {}


def test_other_settings_are_refused(library, tmp_path):
    made(tmp_path, library, person_score=0.5)
    made(tmp_path, library, person_score=0.4)  # nothing was found as yet
    part = tmp_path / "part-x.jsonl"
    part.write_text("{}\n")
    made(tmp_path, library, person_score=0.4)
    with pytest.raises(InputError, match=r"person_score was 0.4 and is 0.3; --overwrite begins anew"):
        made(tmp_path, library, person_score=0.3)
    SightingLog(tmp_path, library, 1).begin({"persons": "y"}, overwrite=True)
    assert not part.exists()


@pytest.mark.parametrize("text", [None, "", "{", "[]", "[" * 100_000, '{"persons": "\\u001b[2Jx"}'])
def test_settings_that_are_lost_are_no_equal_ones(library, tmp_path, text):
    made(tmp_path, library)
    (tmp_path / "part-x.jsonl").write_text("{}\n")
    settings = tmp_path / "settings.json"
    settings.unlink() if text is None else settings.write_text(text)
    with pytest.raises(InputError, match=r"missing or not readable|persons was .x1b\[2Jx and is x") as raised:
        made(tmp_path, library)
    assert str(raised.value).isprintable()


def test_a_broken_film_does_not_stop_the_others(library, data, tmp_path, films):
    folder = tmp_path / "films"
    folder.mkdir()
    (folder / "a.mp4").write_bytes((data / "films" / "a.mp4").read_bytes())
    films.write(folder / "b.mp4", films.steady(90, 30))
    library = open_library(folder, ["a", "b"])
    (folder / "b.mp4").unlink()
    found = find_persons(Clock(), [Moment("b", 1.0), Moment("a", 1.0)], library, ALONE)
    assert [each.of for each in found.sightings] == ["a"]
    assert len(found.problems) == 1
    assert "b.mp4: no such file" in found.problems[0]
    assert found.missed == (("b", 1.0),)


def test_smoothing_is_film_by_film(library):
    moments = [Moment(video, float(time)) for video in ("a", "c") for time in range(3)]
    found = find_persons(Clock(), moments, library, ALONE)
    plain, smooth = of_moments(found.sightings, moments), of_moments(found.sightings, moments, Smoothing())
    assert [(each.of, each.time) for each in plain] == [(each.of, each.time) for each in smooth] == moments
    alone = list(Smoothing().over(plain[:3])) + list(Smoothing().over(plain[3:]))
    for one, other in zip(smooth, alone, strict=True):
        np.testing.assert_array_equal(one.boxes, other.boxes)


# ---------------------------------------------------------------- the command


@pytest.fixture(scope="module")
def detector(tmp_path_factory):
    """A small detector with drawn weights that finds much."""
    torch.manual_seed(0)
    network = build("small_faster_rcnn", 3, min_score=0.05)
    path = tmp_path_factory.mktemp("detector") / "drawn.safetensors"
    about = About(network="small_faster_rcnn", classes=("player", "referee"), min_size=64, max_size=96)
    save_detector(path, network.state_dict(), about)
    return path


@pytest.fixture
def propose(command, detector):
    def call(*arguments):
        return command("propose", *arguments, "--persons", detector, "--person-score", "0.1")

    return call


def test_a_data_set(propose, data, tmp_path):
    outcome = propose(data, "--out", "found")
    assert outcome.code == 0
    assert sorted(outcome.paths) == ["test.csv", "test.pkl", "train.csv", "train.pkl"]
    assert "looking at 20 key frames of 4 films" in outcome.err
    assert "of the 30 persons in the truth some box fits" in outcome.err
    train, test = (read_person_boxes(tmp_path / "found" / f"{name}.csv") for name in ("train", "test"))
    assert set(train["video"]) == {"a", "b", "c"}
    assert set(test["video"]) == {"d"}
    assert set(train["timestamp"]) <= {0.5, 1.0, 1.5, 2.0, 2.5}
    assert (train["score"] > 0.1).all()
    for name, table in (("train", train), ("test", test)):
        pickled = read_person_boxes(tmp_path / "found" / f"{name}.pkl")
        pd.testing.assert_frame_equal(pickled, table)
    manifest = yaml.safe_load((data / "dataset.yaml").read_text())
    split = {"truth": str(data / "test.csv"), "boxes": str(tmp_path / "found" / "test.csv")}
    manifest |= {"films": str(data / "films"), "labels": str(data / "labels.csv"), "splits": {"test": split}}
    (tmp_path / "dataset.yaml").write_text(yaml.safe_dump(manifest))
    again = propose(data, "--out", "found")
    assert (again.code, again.paths) == (0, outcome.paths)


def test_parts_of_a_data_set(propose, data, tmp_path):
    outcome = propose(data, "--split", "test", "--every", "0.25", "--start", "1", "--end", "2", "--save", "csv")
    assert outcome.paths == ["test.csv"]
    rows = [json.loads(line) for part in (tmp_path / "proposals" / "sightings").glob("part-*") for line in part.open()]
    assert [row["time"] for row in rows] == [1, 1.25, 1.5, 1.75, 2]


def test_films_with_avas_time(propose, data, detector, tmp_path):
    outcome = propose(data / "films", "--time-origin", "900", "--actors", "Player")
    assert outcome.code == 0
    assert outcome.paths == ["person_boxes.csv", "person_boxes.pkl"]
    found = read_person_boxes(tmp_path / "proposals" / "person_boxes.csv")
    assert set(found["timestamp"]) <= {900, 901, 902, 903}
    assert (tmp_path / "proposals" / "person_boxes.csv").read_text().splitlines()[0].startswith("a,0900,")
    settings = json.loads((tmp_path / "proposals" / "sightings" / "settings.json").read_text())
    assert settings["actors"] == "Player"
    assert "persons" not in settings, "its content counts, not its name"
    assert settings["files"] == [f"sha256 {hashlib.sha256(detector.read_bytes()).hexdigest()}"]


def test_what_boxes_are_is_in_the_csv(propose, data, changed_data, tmp_path):
    labels = "7,referee\n5,player\n1,run\n2,sit\n3,wave left\n4,wave right\n"
    outcomes = [
        propose(changed_data({"labels.csv": labels}), "--out", "labels", "--split", "test"),
        propose(data, "--out", "numbers", "--split", "test", "--actors", "referee,player"),
        propose(data, "--out", "one", "--split", "test", "--actors", "player"),
    ]
    assert "the label of each box is what it is: 1 referee, 2 player" in outcomes[1].err
    assert "the label of each box" not in outcomes[0].err + outcomes[2].err
    for outcome, folder, expected in zip(outcomes, ("labels", "numbers", "one"), ("5", "2", ""), strict=True):
        assert outcome.code == 0
        rows = [line.split(",") for line in (tmp_path / folder / "test.csv").read_text().splitlines()]
        assert {row[6] for row in rows} == {expected}, "the drawn weights find players only"


def test_results_are_not_replaced(propose, data, tmp_path):
    assert propose(data, "--out", "found", "--split", "test").code == 0
    first = (tmp_path / "found" / "test.csv").read_text()
    smooth = propose(data, "--out", "found", "--split", "test", "--smooth")
    assert smooth.code == 0
    assert smooth.paths == ["test-2.csv", "test-2.pkl"]
    assert (tmp_path / "found" / "test.csv").read_text() == first
    again = propose(data, "--out", "found", "--split", "test", "--smooth")
    assert again.paths == smooth.paths, "nothing is written that is there"
    assert "5 of them were found before and are not looked at again" in again.err
    other = propose(data, "--out", "found", "--split", "test", "--max-persons", "1")
    assert other.code == 1
    assert "max_persons was None and is 1; --overwrite begins anew" in other.err
    assert propose(data, "--out", "found", "--split", "test", "--max-persons", "1", "--overwrite").code == 0
    assert len(read_person_boxes(tmp_path / "found" / "test.csv")) == 5


def test_overwriting_never_takes_what_is_read(propose, changed_data, tmp_path):
    folder = changed_data()
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    outcome = propose(folder, "--out", folder, "--overwrite", "--save", "csv,pkl,csv")
    assert outcome.code == 0
    assert sorted(outcome.paths) == ["test-2.csv", "test.pkl", "train-2.csv", "train.pkl"]
    assert {path: path.read_bytes() for path in before} == before


def test_boxes_are_written_whatever_the_truth_says(propose, changed_data, tmp_path):
    text = "d,1.0,0.1,0.2,0.5,0.9,1,0\n"
    outcome = propose(changed_data({"test.csv": text, "train.csv": text.replace(",1,0", ",9,0")}))
    assert outcome.code == 1
    assert len(outcome.paths) == 4
    assert "action_id 9 is none of the 4" in outcome.err
    assert "the boxes of 'train' are written, their recall is not known" in outcome.err
    assert "test: " in outcome.err


def test_the_range_of_a_data_set(propose, changed_data, tmp_path):
    arguments = changed_data(start=0, end=1.2), "--save", "csv", "--split", "test"
    for every, expected in ((None, [0.5, 1.0]), ("0.4", [0, 0.4, 0.8, 1.2])):
        out = f"out{every}"
        assert propose(*arguments, *(["--every", every] if every else []), "--out", out).code == 0
        parts = (tmp_path / out / "sightings").glob("part-*")
        assert [json.loads(row)["time"] for part in parts for row in part.open()] == expected


def test_a_range_that_begins_before_the_films(propose, changed_data, tmp_path):
    folder = changed_data({"test.csv": "d,-8.5,0.1,0.2,0.5,0.9,1,0\n"}, time_origin=-10, start=-9)
    assert propose(folder, "--save", "csv", "--split", "test", "--every", "0.5").code == 0
    parts = (tmp_path / "proposals" / "sightings").glob("part-*")
    assert [json.loads(row)["time"] for part in parts for row in part.open()] == [1, 1.5, 2, 2.5]


@pytest.mark.parametrize(
    ("persons", "expected"),
    [
        (None, []),
        ("fasterrcnn_resnet50_fpn", []),
        ("a@b.pth", ["a@b.pth"]),
        ("detectron2:c.yaml@b.pth", ["c.yaml", "b.pth"]),
        ("detectron2:COCO-Detection/retinanet_R_50_FPN_3x.yaml", []),
    ],
)
def test_files_of_options(tmp_path, monkeypatch, persons, expected):
    monkeypatch.chdir(tmp_path)
    for name in ("a@b.pth", "b.pth", "c.yaml", "config.yaml"):
        (tmp_path / name).touch()
    assert [str(path) for path in PersonOptions(persons=persons).files] == expected
    options = PersonOptions(persons=persons, detectron2=Path("config.yaml"))
    assert [str(path) for path in options.files] == [*expected, "config.yaml"]


def test_options_reach_the_detector(propose, data, tmp_path):
    assert propose(data, "--split", "test", "--max-persons", "2", "--min-side", "20", "--max-overlap", "0.1").code == 0
    found = read_person_boxes(tmp_path / "proposals" / "test.csv")
    assert found.groupby("timestamp").size().max() <= 2
    assert ((found["x2"] - found["x1"]) * 64 >= 20 - 1e-3).all()


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        ([], 2, "a SOURCE is missing"),
        (["DATA", "DATA"], 2, "a data set is looked at alone"),
        (["DATA", "--time-origin", "900"], 2, "--time-origin and --frame-rate are in the data set's dataset.yaml"),
        (["DATA/films", "--split", "test"], 2, "--split is of a data set"),
        (["DATA", "--save", "xml"], 2, "--save is 'xml'; any of csv,pkl"),
        (["DATA", "--split", "val"], 1, "no split 'val'"),
        (["nowhere"], 1, "nowhere: no such file or folder"),
        (["DATA", "--start", "50"], 1, "there is nothing to look at: no key frame lies in the time range"),
        (["DATA", "--actors", "person"], 1, "finds no 'person'; it finds player, referee"),
        (["DATA", "--every", "0"], 2, "Must be > 0"),
        (["DATA", "--every", "1e-9"], 2, "every is 1e-09; 0.001 seconds or more are expected"),
        (["DATA", "--start", "2", "--end", "1"], 2, "end is 1, before start at 2"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_is_wrong_is_told(propose, data, tmp_path, arguments, code, sentence):
    outcome = propose(*(argument.replace("DATA", str(data)) for argument in arguments))
    assert outcome.code == code
    assert sentence in outcome.err
    assert not (tmp_path / "proposals" / "train.csv").exists()


def start(arguments, processes=0, **environment):
    launcher = ["-m", "torch.distributed.run", "--nproc-per-node", str(processes)] if processes else []
    command = [sys.executable, *launcher, "-m", "slowfast_det", "propose", *map(str, arguments)]
    return subprocess.Popen(
        command, env=os.environ | {"OMP_NUM_THREADS": "1"} | environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def test_two_processes_find_what_one_finds(data, detector, tmp_path):
    for out, processes in (("one", 0), ("two", 2)):
        process = start([data, "--persons", detector, "--person-score", "0.1", "--out", tmp_path / out], processes)
        printed, told = process.communicate(timeout=120)
        assert process.returncode == 0, told.decode()
        assert printed.count(b"train.csv") == 1
    for name in ("train.csv", "train.pkl", "test.csv", "test.pkl"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    assert len(list((tmp_path / "two" / "sightings").glob("part-*"))) == 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=["interrupted", "killed"])
def test_a_process_that_dies_loses_nothing(films, detector, tmp_path, number):
    film = films.write(tmp_path / "long.mp4", films.steady(1500, 30))
    arguments = [film, "--persons", detector, "--person-score", "0.1", "--every", "0.05", "--save", "csv"]
    first = start([*arguments, "--out", tmp_path / "cut"])
    parts = tmp_path / "cut" / "sightings"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not any(path.stat().st_size > 2000 for path in parts.glob("part-*")):
        time.sleep(0.02)
    first.send_signal(number)
    _, told = first.communicate(timeout=60)
    kept = len(SightingLog(parts, library_of([film]), 2).read())
    assert first.returncode != 0
    assert 0 < kept < 1000
    if number == signal.SIGINT:
        note, last = told.decode().splitlines()[-2:]
        assert last == "error: interrupted"
        assert note == f"note: {kept:,} of 1,000 key frames are found; the same call goes on from there"
    for out in ("cut", "whole"):
        process = start([*arguments, "--out", tmp_path / out])
        _, told = process.communicate(timeout=120)
        assert process.returncode == 0, told.decode()
    assert (tmp_path / "cut" / "person_boxes.csv").read_bytes() == (
        tmp_path / "whole" / "person_boxes.csv"
    ).read_bytes()
    assert len(list(parts.glob("part-*"))) == 2


def test_two_at_once_in_one_folder(propose, data, tmp_path):
    with owned(tmp_path / "proposals"):
        outcome = propose(data)
    assert outcome.code == 1
    assert "another process is at work there; --out names another folder" in outcome.err
    assert propose(data).code == 0
