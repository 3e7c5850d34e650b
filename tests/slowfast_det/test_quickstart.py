"""The generated film and its prediction."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import slowfast_det
from slowfast_det.quickstart.films import Scene, write_film
from slowfast_det.quickstart.run import CAVEAT, run_quickstart

FILES = ["walkers.mp4", "boxes.csv", "model.safetensors", "prediction.csv", "prediction.jsonl", "prediction.mp4"]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    out = tmp_path_factory.mktemp("quickstart") / "new" / "folder"
    return out, run_quickstart(out, seed=1, seconds=3)


def test_files(made):
    out, paths = made
    assert paths == [out / name for name in FILES]
    assert sorted(path.name for path in out.iterdir()) == sorted(FILES)


def test_films(made, inspect):
    out, _ = made
    film, prediction = inspect(out / "walkers.mp4"), inspect(out / "prediction.mp4")
    for made_film in (film, prediction):
        assert (made_film.codec, made_film.pixel_format, made_film.size) == ("h264", "yuv420p", (640, 360))
        assert made_film.times == [Fraction(n, 30) for n in range(90)]
    change = [np.abs(one.astype(int) - two).mean() for one, two in zip(film.images, prediction.images, strict=True)]
    assert min(change) > 1, "boxes are drawn in every frame"


def test_prediction(made, rows_of):
    out, _ = made
    boxes, rows, records = (rows_of(out / name) for name in ("boxes.csv", "prediction.csv", "prediction.jsonl"))
    given = {(row[1], *(f"{float(value):.6f}" for value in row[2:6])) for row in boxes}
    assert {row[1] for row in boxes} == {"0000", "0001", "0002"}
    assert {row[0] for row in boxes + rows} == {"walkers"}
    assert given == {tuple(row[1:6]) for row in rows}
    assert len(rows) == len(records) == 3 * len(given)
    assert all(float(row[7]) >= 0.3 for row in rows)


def test_the_model_is_one_of_ours(made):
    out, _ = made
    model = slowfast_det.load_model(out / "model.safetensors")
    assert len(model.labels) == 80
    assert model.clip.num_frames == 16


def test_the_same_seed_makes_the_same(made, tmp_path):
    out, _ = made
    again = run_quickstart(tmp_path, seed=1, seconds=3)
    for path in again:
        if path.suffix in (".csv", ".jsonl"):
            assert path.read_bytes() == (out / path.name).read_bytes()


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("time", [0.0, 0.6, 1.3])
def test_boxes_frame_the_figures(seed, time):
    scene, empty = Scene(seed, 320, 180), Scene(seed, 320, 180, figures=0)
    image, boxes = scene.frame(time)
    figures = np.abs(image.astype(int) - empty.frame(time)[0]).max(axis=-1) > 12
    outside = figures.copy()
    for left, top, right, bottom in boxes:
        inside = np.s_[int(top) - 1 : int(np.ceil(bottom)) + 2, max(0, int(left) - 1) : int(np.ceil(right)) + 2]
        outside[inside] = False
        rows, columns = np.nonzero(figures[inside])
        assert np.ptp(rows) > 0.9 * (bottom - top) - 4
        assert np.ptp(columns) > 0.9 * (right - left) - 4
    assert outside.sum() == 0
    assert len(boxes) >= 1
    assert (boxes >= 0).all()
    assert (boxes <= [320, 180, 320, 180]).all()


def test_figures_and_background_move():
    scene = Scene(3)
    (early, first), (late, second) = scene.frame(0.0), scene.frame(1.0)
    assert np.abs(first - second).max() > 5
    assert (early != late).mean() > 0.3


def test_a_film_of_another_size_and_rate(tmp_path, inspect):
    write_film(Scene(0, 161, 91, 1), tmp_path / "odd.mp4", tmp_path / "odd.csv", seconds=2, rate=12)
    film = inspect(tmp_path / "odd.mp4")
    assert film.size == (162, 92), "4:2:0 has no odd sides"
    assert len(film.times) == 24
    assert film.duration == pytest.approx(2, abs=0.01)
    assert [line.split(",")[:2] for line in (tmp_path / "odd.csv").read_text().splitlines()] == [
        ["odd", "0000"],
        ["odd", "0001"],
    ]


def test_command(command, monkeypatch):
    monkeypatch.setattr(
        "slowfast_det.quickstart.run.run_quickstart", lambda out, seed: run_quickstart(out, seed, seconds=1)
    )
    done = command("quickstart", "--out", "here", "--seed", 5)
    assert done.code == 0
    assert done.out.splitlines() == [f"here/{name}" for name in FILES]
    assert all(Path(line).stat().st_size > 0 for line in done.out.splitlines())
    assert CAVEAT in done.err
