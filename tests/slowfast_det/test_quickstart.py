"""The generated film and its prediction."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import slowfast_det
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
        assert (made_film.codec, made_film.pixel_format, made_film.size) == ("h264", "yuv420p", (704, 512))
        assert made_film.times == [Fraction(n, 15) for n in range(45)]
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


def test_command(command, monkeypatch):
    monkeypatch.setattr(
        "slowfast_det.quickstart.run.run_quickstart", lambda out, seed: run_quickstart(out, seed, seconds=1)
    )
    done = command("quickstart", "--out", "here", "--seed", 5)
    assert done.code == 0
    assert done.out.splitlines() == [f"here/{name}" for name in FILES]
    assert all(Path(line).stat().st_size > 0 for line in done.out.splitlines())
    assert CAVEAT in done.err
