"""Classifiers of whole films: put to use, tested, and their commands."""

from __future__ import annotations

import csv
import json
from fractions import Fraction

import numpy as np
import pytest
import torch
from class_data import CLASSES, drawing

from ava_tools.errors import InputError
from ava_tools.media.reader import open_film
from slowfast_det import load_classifier
from slowfast_det.checkpoints.model import untrained_any_model
from slowfast_det.classification import FilmClassifier
from slowfast_det.clips.tensors import clip_tensor
from slowfast_det.clips.views import spread_starts, view_indices
from slowfast_det.span import Span

CPU = torch.device("cpu")


class TestClassifier:
    def test_a_film_is_the_mean_of_its_views(self, trained_classifier, class_films):
        weights = trained_classifier / "run" / "last.safetensors"
        classifier = FilmClassifier(weights, "cpu", "fp32", clips=3, crops=3, batch=4)
        film = class_films / "test" / "left" / "0.mp4"
        views = classifier.read(film)
        assert len(views.clips) == 9
        assert views.seconds == 1.0
        network, look = load_classifier(weights), classifier.model.clip
        with torch.inference_mode():
            one_by_one = [
                network(clip_tensor([clip], mean=look.mean, std=look.std, bgr=False, device=CPU))[0].numpy()
                for clip in views.clips
            ]
        judged = classifier(film)
        assert judged.scores == pytest.approx(np.mean(one_by_one, axis=0), abs=1e-5)
        assert judged.top(1)[0].class_name == "left"
        assert judged.scores.sum() == pytest.approx(1, abs=1e-5)

    def test_sliding_is_the_clip_around_each_moment(self, trained_classifier, films, tmp_path):
        """The bar turns round in the middle of the film."""

        def draw(number, width, height):
            return drawing("right", 0)(min(number, 60 - number), width, height)

        film = films.write(tmp_path / "turning.mp4", films.steady(60, 30), width=48, height=32, draw=draw)
        classifier = FilmClassifier(trained_classifier / "run" / "last.safetensors", "cpu", "fp32", crops=1)
        found = list(classifier.slide(film, Span(every=0.5)))
        assert [round((stretch.start + stretch.end) / 2, 3) for stretch in found[1:]] == [0.5, 1.0, 1.5]
        assert found[0].start == 0
        best = [stretch.top(1)[0].class_name for stretch in found]
        assert (best[1], best[3]) == ("right", "left")

    def test_a_detector_is_refused(self, tiny):
        with pytest.raises(InputError, match="scores persons"):
            FilmClassifier(tiny, "cpu")

    @pytest.mark.parametrize("numbers", [{"clips": 0}, {"crops": 2}, {"batch": 0}])
    def test_numbers_that_make_no_sense(self, trained_classifier, numbers):
        with pytest.raises(InputError, match="expected"):
            FilmClassifier(trained_classifier / "run" / "last.safetensors", "cpu", **numbers)


class TestCommands:
    def test_train_test_classify(self, class_films, tmp_path, command, trained_classifier):
        settings = [f"data={class_films}", f"out={tmp_path / 'run'}"]
        recipe = str(trained_classifier / "recipe.yaml")
        done = command("train", recipe, *settings, "training.epochs=1", "training.evaluate_every=1")
        assert done.code == 0
        assert "training on 18 films of 3 classes" in done.err
        weights = trained_classifier / "run" / "last.safetensors"
        done = command("test", recipe, *settings, "--model", str(weights))
        assert done.code == 0
        assert "6 films of 3 classes, 2 clips of 3 squares each: top-1 100.00%, top-5 100.00%" in done.out
        report = json.loads((tmp_path / "run" / "test" / "report.json").read_text())
        assert (report["films"], report["top1"]) == (6, 1.0)
        with (tmp_path / "run" / "test" / "scores.csv").open() as file:
            rows = list(csv.DictReader(file))
        assert [row["class_name"] for row in rows] == [row["top1"] for row in rows] == sorted(2 * CLASSES)
        assert {row["rank"] for row in rows} == {"1"}

    def test_classify(self, class_films, tmp_path, command, trained_classifier):
        film = class_films / "test" / "right" / "1.mp4"
        done = command(
            "classify", film, "--model", trained_classifier / "run" / "last.safetensors", "--out", tmp_path / "out"
        )
        assert done.code == 0
        assert "1: right" in done.err
        with (tmp_path / "out" / "1.csv").open() as file:
            rows = list(csv.DictReader(file))
        assert rows[0]["class_name"] == "right"
        assert [float(row["score"]) for row in rows] == sorted((float(row["score"]) for row in rows), reverse=True)
        (line,) = (tmp_path / "out" / "1.jsonl").read_text().splitlines()
        assert [entry["class_name"] for entry in json.loads(line)["classes"]] == [row["class_name"] for row in rows]

    def test_sliding(self, class_films, tmp_path, command, trained_classifier):
        film = class_films / "test" / "right" / "1.mp4"
        weights = trained_classifier / "run" / "last.safetensors"
        done = command("classify", film, "--model", weights, "--out", tmp_path, "--every", "0.25", "--save", "jsonl")
        assert done.code == 0
        lines = [json.loads(line) for line in (tmp_path / "1.jsonl").read_text().splitlines()]
        assert len(lines) == 4
        assert not (tmp_path / "1.csv").exists()

    def test_one_bad_film_does_not_stop_the_others(self, class_films, tmp_path, command, trained_classifier):
        bad = tmp_path / "bad.mp4"
        bad.write_bytes(b"nothing")
        good = class_films / "test" / "right" / "1.mp4"
        weights = trained_classifier / "run" / "last.safetensors"
        done = command("classify", bad, good, "--model", weights, "--out", tmp_path / "out", "--clips", "1")
        assert done.code == 1
        assert "bad.mp4" in done.err
        assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["1.csv", "1.jsonl"]

    @pytest.mark.parametrize(
        ("arguments", "sentence"),
        [
            ([], "SOURCE is missing"),
            (["film.mp4", "--start", "2"], "--every SECONDS is missing"),
            (["film.mp4", "--every", "1", "--clips", "2"], "--clips is of whole films"),
            (["film.mp4", "--save", "mp4"], "csv,jsonl"),
        ],
    )
    def test_misuse(self, command, arguments, sentence):
        done = command("classify", *arguments, "--model", "weights.pyth")
        assert done.code == 2
        assert sentence in done.err.replace("\n", " ")

    def test_no_film_that_can_be_read(self, trained_classifier, tmp_path, command):
        for name in CLASSES:
            (tmp_path / "data" / "test" / name).mkdir(parents=True)
            (tmp_path / "data" / "test" / name / "a.mp4").write_bytes(b"nothing")
        weights = trained_classifier / "run" / "last.safetensors"
        done = command(
            "test",
            trained_classifier / "recipe.yaml",
            f"data={tmp_path / 'data'}",
            f"out={tmp_path}",
            "--model",
            weights,
        )
        assert done.code == 1
        assert "none of 3 films can be read" in done.err
        assert not (tmp_path / "test").exists()

    def test_films_of_other_classes(self, class_films, tmp_path, command, trained_classifier):
        (tmp_path / "data" / "test" / "sideways").mkdir(parents=True)
        (tmp_path / "data" / "test" / "sideways" / "a.mp4").write_bytes(b"")
        weights = trained_classifier / "run" / "last.safetensors"
        done = command("test", trained_classifier / "recipe.yaml", f"data={tmp_path / 'data'}", "--model", weights)
        assert done.code == 1
        assert "sideways" in done.err

    def test_predict_refuses_a_classifier(self, class_films, command, trained_classifier):
        film = class_films / "test" / "right" / "1.mp4"
        done = command("predict", film, "--model", trained_classifier / "run" / "last.safetensors")
        assert done.code == 1
        assert "whole clips" in done.err


def test_published_classes_get_the_names_of_the_films(class_recipe_of, tmp_path, class_films, command):
    """Weights of PySlowFast or mmaction2 bring numbers only."""
    recipe = class_recipe_of("network.num_actions=3")
    untrained_any_model(recipe.of_model()).save(tmp_path / "numbered.safetensors")
    done = command(
        "test",
        tmp_path / "recipe.yaml",
        f"data={class_films}",
        f"out={tmp_path}",
        "--model",
        tmp_path / "numbered.safetensors",
    )
    assert done.code == 0
    assert (tmp_path / "test" / "classes.csv").read_text().splitlines()[1].split(",")[1] == "left"


def test_ranks_count_equal_scores_once():
    from ava_tools.class_films import ClassFilms
    from ava_tools.labels import numbered_labels
    from slowfast_det.class_testing import ClassTested

    scores = np.array([[0.2, 0.2, 0.6], [0.5, 0.5, 0.0], [0.5, 0.5, 0.0]])
    films = ClassFilms((), np.array([1, 0, 1]), numbered_labels(3))
    films = ClassFilms(("a", "b", "c"), films.classes, films.labels)
    tested = ClassTested(films, scores, ())
    assert tested.ranks.tolist() == [2, 0, 1]
    assert tested.accuracy(1) == pytest.approx(1 / 3)
    assert tested.accuracy(2) == pytest.approx(2 / 3)
    assert tested.per_class()["top1"].tolist()[:2] == [1.0, 0.0]


def test_clips_are_spread_over_what_there_is(trained_classifier, cut_film):
    classifier = FilmClassifier(trained_classifier / "run" / "last.safetensors", "cpu", "fp32", clips=3, crops=1)
    with open_film(cut_film) as film:
        frames = [frame.rgb() for frame in film.frames()]
    assert 20 < len(frames) < 80
    views = classifier.read(cut_film)
    assert views.seconds == pytest.approx(len(frames) / 30)
    starts = spread_starts(len(frames), 4, 4, 3)
    for clip, start in zip(views.clips, starts, strict=True):
        indices = view_indices(start, 4, 4, len(frames))
        assert np.array_equal(clip, [frames[index][:, 8:40] for index in indices])


def test_speed_of_a_film_does_not_matter(trained_classifier, films, tmp_path):
    """A film of 15 frames a second that shows the same."""
    slow = films.write(
        tmp_path / "slow.mp4",
        films.steady(15, 15),
        width=48,
        height=32,
        rate=Fraction(15),
        draw=lambda number, width, height: drawing("right", 3)(2 * number, width, height),
    )
    judged = FilmClassifier(trained_classifier / "run" / "last.safetensors", "cpu", "fp32", clips=2)(slow)
    assert judged.top(1)[0].class_name == "right"
    assert judged.end == 1.0
