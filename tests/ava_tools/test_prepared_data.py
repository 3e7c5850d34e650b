"""`ava-tools prepare` on a data set: which part of its films is kept, and the manifest that follows from it."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest
import yaml

from ava_tools.cli.main import app
from ava_tools.cli.run import run
from ava_tools.manifest import read_data_set


@pytest.fixture
def data(tmp_path):
    """A film of 12 s whose annotations say 102 to 104, with 95 for its start."""
    folder = tmp_path / "data"
    (folder / "raw").mkdir(parents=True)
    with av.open(str(folder / "raw" / "a.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=10, options={"crf": "10"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(120):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 2 * number, np.uint8), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 10)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    (folder / "train.csv").write_text("a,102,0,0,1,1,1\na,104,0,0,1,1,2\ngone,103,0,0,1,1,1\n")
    (folder / "labels.txt").write_text("run\nsit\n")
    manifest = {
        "films": "raw",
        "labels": "labels.txt",
        "time_origin": 95,
        "start": 102,
        "end": 104,
        "splits": {"train": {"truth": ["train.csv"]}, "again": {"truth": "train.csv", "every": 2}},
    }
    (folder / "dataset.yaml").write_text(yaml.safe_dump(manifest))
    return folder


def prepare(*arguments):
    return run(app, ["prepare", *map(str, arguments)])


def test_what_the_annotations_need_is_kept(data, capsys):
    assert prepare(data) == 0
    told = capsys.readouterr()
    assert "1 of 2 films are missing: gone" in told.err
    assert told.out.splitlines()[-1] == str(data / "prepared" / "dataset.yaml")
    prepared = read_data_set(data / "prepared")
    assert prepared.time_origin == 100  # two seconds before the first timestamp
    assert (prepared.start, prepared.end, prepared.split("again").every) == (102, 104, 2)
    assert prepared.read_labels().names == ("run", "sit")
    assert prepared.split("train").truth == prepared.split("again").truth == (data / "prepared" / "train.csv",)
    with av.open(str(data / "prepared" / "films" / "a.mp4")) as film:
        levels = [frame.to_ndarray(format="gray").mean() for frame in film.decode(video=0)]
    assert len(levels) == 70  # seconds 5 to 12 of the film
    assert levels[0] == pytest.approx(2 * 50, abs=4)
    assert levels[20] == pytest.approx(2 * 70, abs=4)  # timestamp 102


def test_a_span_that_is_given(data):
    assert prepare(data, "--start", "6", "--end", "11", "--out", data / "other") == 0
    assert read_data_set(data / "other").time_origin == 101


def test_it_never_prepares_into_itself(data, capsys):
    assert prepare(data, "--out", data) == 2
    assert "holds the data set itself" in capsys.readouterr().err


def test_other_files_are_left_alone(data, capsys):
    (data / "other").mkdir()
    (data / "other" / "train.csv").write_text("mine")
    assert prepare(data, "--out", data / "other") == 1
    assert "train.csv: exists and is not" in capsys.readouterr().err
    assert (data / "other" / "train.csv").read_text() == "mine"
    assert not (data / "other" / "films").exists()
    assert prepare(data, "--out", data / "other", "--overwrite") == 0


def test_nothing_there(data, capsys):
    (data / "raw" / "a.mp4").unlink()
    assert prepare(data) == 1
    assert "2 of 2 films are missing" in capsys.readouterr().err
