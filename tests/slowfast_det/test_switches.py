"""Results are the same with and without every switch that makes things faster: one table."""

from __future__ import annotations

import csv
import gc
import shutil
from dataclasses import replace
from pathlib import Path
from threading import Thread
from threading import enumerate as enumerate_threads

import numpy as np
import pytest
import torch

from ava_tools.errors import InputError
from ava_tools.media.film import Film
from slowfast_det.clips import stream
from slowfast_det.clips.sample import stream_moments
from slowfast_det.pipeline import ActionDetector
from slowfast_det.precision import has_bf16
from slowfast_det.smoothing import Smoothing

FILMS = ("film", "ntsc", "sixty", "ten", "uneven", "turned")
TWO = [(0.1, 0.2, 0.45, 0.9), (0.5, 0.25, 0.9, 0.95)]

ROUNDING, HALF, COMPILED = 2e-6, 0.01, 1e-4  # of scores, from 0 to 1; files give six decimals
TABLE = {  # what is switched on: how far any score may be from those of --precision fp32
    "--precision auto": ROUNDING,
    "--precision bf16": HALF,
    "--precision fp16": HALF,
    "--batch 2": ROUNDING,
    "--smooth --batch 7": ROUNDING,
    "--workers 3": 0,
    "--workers 2 --batch 3 --precision auto": ROUNDING,
}


@pytest.fixture
def sources(gallery, tmp_path):
    return [shutil.copy(gallery / f"{name}.mp4", tmp_path / f"{name}.mp4") for name in FILMS]


@pytest.fixture
def known(monkeypatch, stub):
    """A detector that finds the same two in every key frame, so that no switch of its own changes anything."""
    monkeypatch.setattr("slowfast_det.persons.loading.load_person_detector", lambda *_, **__: stub(TWO))


def rows(folder: Path) -> dict[str, list[tuple[tuple[str, ...], float]]]:
    """Of each csv: what every row is of, and its score."""
    found = {}
    for path in sorted(folder.glob("*.csv")):
        with path.open(newline="") as file:
            found[path.stem] = sorted((tuple(row[:-1]), float(row[-1])) for row in csv.reader(file))
    return found


@pytest.mark.parametrize(("switches", "tolerance"), TABLE.items())
@pytest.mark.usefixtures("known")
def test_predictions(predict, sources, tmp_path, switches, tolerance):
    if "bf16" in switches and not has_bf16():
        pytest.skip("slow where the processor does not have it")
    usual = ["--every", "0.5", "--save", "csv", "--min-score", "0", "--persons", "known"]
    words = switches.split()
    usual += [word for word in words if word == "--smooth"]
    assert predict(*sources, *usual, "--precision", "fp32", "--out", "plain").code == 0
    words = [word for word in words if word != "--smooth"]
    words = words if "--precision" in words else [*words, "--precision", "fp32"]
    assert predict(*sources, *usual, *words, "--out", "switched").code == 0
    expected, found = rows(tmp_path / "plain"), rows(tmp_path / "switched")
    assert set(expected) == set(FILMS)
    for name in FILMS:
        assert len(expected[name]) >= 2 * 2 * 80, name
        assert [row for row, _ in found[name]] == [row for row, _ in expected[name]]
        differences = np.array([score for _, score in found[name]]) - [score for _, score in expected[name]]
        assert np.abs(differences).max() <= tolerance, name


def scores(detector, film):
    return np.concatenate([keyframe.scores for keyframe in detector(film)])


class Now:
    """In the place of a thread that works ahead: everything is done when it is asked for."""

    def __init__(self, things, depth):
        self.things = things

    def __enter__(self):
        return iter(self.things)

    def __exit__(self, *_):
        self.things.close()


def test_threads_that_work_ahead_change_nothing(tiny_model, stub, gallery, monkeypatch):
    ahead = [scores(ActionDetector(tiny_model, stub(TWO)), gallery / f"{name}.mp4") for name in FILMS]
    monkeypatch.setattr(stream, "Ahead", Now)
    for name, expected in zip(FILMS, ahead, strict=True):
        np.testing.assert_array_equal(scores(ActionDetector(tiny_model, stub(TWO)), gallery / f"{name}.mp4"), expected)


def test_overlapping_changes_nothing(tiny_model, stub, gallery, monkeypatch, tmp_path):
    """What is done on a GPU only."""
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no film")
    for smoothing in (None, Smoothing()):
        detector = ActionDetector(tiny_model, stub(TWO), smoothing=smoothing, batch=2)
        expected = scores(detector, gallery / "film.mp4")
        monkeypatch.setattr(detector, "device", torch.device("cuda"))
        np.testing.assert_array_equal(scores(detector, gallery / "film.mp4"), expected)
        with detector.stream(gallery / "film.mp4") as run:  # left in the middle
            np.testing.assert_array_equal(next(run).scores, expected[: len(TWO)])
        run = detector.stream(gallery / "film.mp4")  # forgotten in the middle
        next(run)
        del run
        gc.collect()
        assert "ahead" not in [thread.name for thread in enumerate_threads()]
        with pytest.raises(InputError, match=r"broken\.mp4: not a film"):
            detector(broken)


def test_packets_that_are_left_out_change_nothing(tiny_model, stub, gallery, monkeypatch):
    monkeypatch.setattr(stream, "_SHORT", 0)
    detector = ActionDetector(tiny_model, stub(TWO))
    chosen = [scores(detector, gallery / f"{name}.mp4") for name in FILMS]
    frames, asked = Film.frames, []

    def all_frames(film, start=0.0, moments=None):
        asked.append(moments)
        return frames(film, 0.0)

    with Film(gallery / "film.mp4") as film:
        needed = sum(1 for _ in film.frames(moments=stream_moments(range(3), 8, 8)))
        assert needed < sum(1 for _ in film.frames()), "some are left out, or nothing is tested"

    monkeypatch.setattr(Film, "frames", all_frames)
    for name, expected in zip(FILMS, chosen, strict=True):
        np.testing.assert_array_equal(scores(detector, gallery / f"{name}.mp4"), expected)
    assert len(asked) == len(FILMS)
    assert None not in asked


def test_films_that_share_a_detector(tiny_model, stub, gallery):
    detector = ActionDetector(tiny_model, stub(TWO))
    expected = [scores(detector, gallery / f"{name}.mp4") for name in FILMS]
    found = [None] * len(FILMS)

    def look(number):
        found[number] = scores(detector, gallery / f"{FILMS[number]}.mp4")

    threads = [Thread(target=look, args=(number,)) for number in range(len(FILMS))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=ROUNDING)


@pytest.mark.parametrize(("precision", "tolerance"), [("fp32", COMPILED), ("bf16", HALF)])
def test_compiled(tiny_model, stub, gallery, precision, tolerance):
    if shutil.which("g++") is None or (precision == "bf16" and not has_bf16()):
        pytest.skip("there is no compiler, or no bf16")
    detector = ActionDetector(tiny_model, stub(TWO), precision="fp32")
    expected = scores(detector, gallery / "short.mp4")
    detector.scorer = replace(tiny_model, network=tiny_model.network.optimized(precision, compile=True))
    assert np.abs(scores(detector, gallery / "short.mp4") - expected).max() <= tolerance
