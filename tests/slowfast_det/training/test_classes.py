"""Classifiers of whole films: trained, tested, put to use, and a detector that begins with one."""

from __future__ import annotations

import csv
import json
from fractions import Fraction

import numpy as np
import pytest
import torch
import yaml
from torch.nn.functional import cross_entropy

from ava_tools.errors import InputError
from ava_tools.media.reader import open_film
from slowfast_det import load_classifier
from slowfast_det.checkpoints.model import load_any_model, untrained_any_model
from slowfast_det.class_recipe import ClassRecipe, ViewsConfig
from slowfast_det.class_testing import run_class_test, split_films
from slowfast_det.classification import FilmClassifier
from slowfast_det.clips.tensors import clip_tensor
from slowfast_det.clips.views import spread_starts, view_indices
from slowfast_det.distributed import World
from slowfast_det.recipe import read_any_recipe, read_recipe
from slowfast_det.span import Span
from slowfast_det.training.classes import prepare_class_training
from slowfast_det.training.loop import train
from slowfast_det.training.run import run_training
from slowfast_det.training.samples import Draw
from slowfast_det.training.tasks.classes import ClassTask

CPU = torch.device("cpu")
RECIPE = {
    "activation": "softmax",
    "clip": {"num_frames": 4, "sampling_rate": 4, "short_side": 32},
    "network": {
        "architecture": "slowfast",
        "head": "clip",
        "depth": 14,
        "width": 8,
        "alpha": 2,
        "beta": 2,
        "fusion_kernel": 3,
        "window": None,
    },
    "augmentation": {"short_side": [32, 36], "crop": 32, "flip_pairs": [["left", "right"]]},
    "views": {"clips": 2, "crops": 3},
    "training": {
        "epochs": 40,
        "batch": 6,
        "optimiser": "adamw",
        "schedule": {"lr": 0.01, "lr_batch": None, "warmup_epochs": 1},
        "evaluate_every": 0,
        "workers": 0,
        "memory": 0.1,
    },
}
CLASSES = ("left", "right", "still")


def drawing(name, offset):
    """A bright bar that wanders to its class's side."""
    speed = {"left": -2, "right": 2, "still": 0}[name]

    def draw(number, width, height):
        image = np.full((height, width, 3), 60, dtype=np.uint8)
        place = (offset + speed * number) % width
        image[8:-8, place : place + 8] = (250, 230, 40)
        return image

    return draw


@pytest.fixture(scope="module")
def class_films(films, tmp_path_factory):
    folder = tmp_path_factory.mktemp("classes")
    for split, count in (("train", 6), ("test", 2)):
        for name in CLASSES:
            (folder / split / name).mkdir(parents=True)
            for number in range(count):
                draw = drawing(name, 7 * number + (3 if split == "test" else 0))
                times = films.steady(30, 30)
                films.write(folder / split / name / f"{number}.mp4", times, width=48, height=32, draw=draw)
    return folder


@pytest.fixture
def recipe_of(class_films, tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(RECIPE))

    def read(*settings) -> ClassRecipe:
        recipe = read_any_recipe(path, [f"data={class_films}", f"out={tmp_path / 'run'}", *settings])
        assert isinstance(recipe, ClassRecipe)
        return recipe

    return read


@pytest.fixture(scope="module")
def trained(class_films, tmp_path_factory):
    """A recipe's yaml and what it trained; it tells left from right."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "recipe.yaml").write_text(yaml.safe_dump(RECIPE))
    recipe = read_any_recipe(folder / "recipe.yaml", [f"data={class_films}", f"out={folder / 'run'}"])
    run_training(recipe, prepare_class_training(recipe).task, World(CPU))
    return folder


class TestTraining:
    def test_it_learns_motion(self, trained, class_films):
        """A single frame does not tell these classes apart."""
        model = load_any_model(trained / "run" / "last.safetensors")
        assert model.labels.names == CLASSES
        films = split_films(read_any_recipe(trained / "recipe.yaml", [f"data={class_films}"]), "test", model.labels)
        tested = run_class_test(films, model, World(CPU), ViewsConfig(clips=2, crops=3), "fp32")
        assert tested.accuracy(1) == 1.0

    def test_the_loss_is_the_cross_entropy(self, recipe_of):
        task = prepare_class_training(recipe_of("training.label_smoothing=0.1")).task
        batch = next(task.batches(task.plan(), World(CPU), 0))
        with torch.no_grad():
            found = task.losses(task.network.eval(), batch)
            clip = clip_tensor(
                list(batch.pixels.numpy()), mean=[0.45] * 3, std=[0.225] * 3, bgr=False, device=CPU
            )  # [B, 3, T, H, W]
            logits = task.network.logits(clip).mean(dim=(1, 2))
        expected = cross_entropy(logits, batch.columns, label_smoothing=0.1, reduction="none")
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)

    def test_each_epoch_sees_another_clip(self, recipe_of):
        samples = prepare_class_training(recipe_of("augmentation.flip=0")).task.samples
        first, again, other = (samples[Draw(epoch, 4)] for epoch in (0, 0, 1))
        assert np.array_equal(first.frames, again.frames)
        assert not np.array_equal(first.frames, other.frames)

    def test_kept_films_give_the_same_clips(self, recipe_of):
        kept = prepare_class_training(recipe_of()).task.samples
        read = prepare_class_training(recipe_of("training.memory=0")).task.samples
        for number in range(len(kept)):
            one, other = kept[Draw(3, number)], read[Draw(3, number)]
            assert one.column == other.column
            assert np.array_equal(one.frames, other.frames)
        assert kept._kept
        assert not read._kept

    def test_the_mirror_changes_sides(self, recipe_of):
        samples = prepare_class_training(recipe_of("augmentation.flip=1")).task.samples
        names = samples.films.labels.names
        seen = [names[samples[Draw(0, number)].column] for number in range(len(samples))]
        own = [names[column] for column in samples.films.classes]
        turned = {"left": "right", "right": "left", "still": "still"}
        assert seen == [turned[name] for name in own]

    def test_random_areas(self, recipe_of):
        samples = prepare_class_training(recipe_of("augmentation.area=[0.3,0.9]")).task.samples
        assert np.array(samples[Draw(0, 0)].frames).shape == (4, 32, 32, 3)

    def test_a_film_that_cannot_be_read_is_replaced(self, recipe_of, class_films, tmp_path):
        bad = tmp_path / "broken.mp4"
        bad.write_bytes(b"no film")
        good = class_films / "train" / "left" / "0.mp4"
        listing = tmp_path / "train.csv"
        listing.write_text(f"{bad} 0\n{good} 1\n")
        samples = prepare_class_training(
            recipe_of(f"data={tmp_path}", "test_split=null", "augmentation={}")
        ).task.samples
        sample = samples[Draw(0, 0)]
        assert sample.column == 1
        assert "broken.mp4" in sample.problems[0]

    def test_it_goes_on_where_it_stopped(self, recipe_of, tmp_path, steps_of):
        whole, part = tmp_path / "whole", tmp_path / "part"
        whole.mkdir()
        part.mkdir()
        settings = ("training.epochs=2", "test_split=null")
        train(self.task(recipe_of(*settings)), recipe_of(*settings).training, World(CPU), whole)
        with pytest.raises(_Stop):
            train(_Stopping(self.task(recipe_of(*settings)), 4), recipe_of(*settings).training, World(CPU), part)
        train(self.task(recipe_of(*settings)), recipe_of(*settings).training, World(CPU), part, resume=True)
        assert steps_of(part)[-3:] == steps_of(whole)[-3:]

    def task(self, recipe):
        return prepare_class_training(recipe).task

    def test_the_test_split_is_looked_at(self, recipe_of):
        task = prepare_class_training(recipe_of()).task
        figures = task.evaluate(task.network, World(CPU))
        assert set(figures) == {"top1", "top5"}
        assert figures["top5"] == 1.0  # of three classes

    def test_no_test_split_is_told(self, recipe_of):
        preparation = prepare_class_training(recipe_of("test_split=other"))
        assert any("not tested" in note for note in preparation.notes)
        assert preparation.task.evaluate(preparation.task.network, World(CPU)) == {}

    @pytest.mark.parametrize(
        ("settings", "sentence"),
        [
            (["network.window=3"], "window 3 is larger than the 2 cells of"),
            (["augmentation.crop=64"], "crop 64 is larger than the least short_side 32"),
            (["augmentation.area=[0.5,0.2]"], "two rising shares"),
            (["training.frozen_stages=2"], "frozen_stages keeps weights of init"),
            (["views.crops=2"], "views.crops"),
            (["augmentation.flip_pairs=[[left,up]]"], "up"),
        ],
    )
    def test_wrong_settings(self, recipe_of, settings, sentence):
        with pytest.raises(InputError, match=sentence):
            prepare_class_training(recipe_of(*settings))

    def test_one_class_is_none(self, class_films, recipe_of, tmp_path):
        (tmp_path / "train.csv").write_text(f"{class_films / 'train' / 'left' / '0.mp4'} 0\n")
        with pytest.raises(InputError, match="one class"):
            prepare_class_training(recipe_of(f"data={tmp_path}", "augmentation={}"))

    def test_a_warm_up_that_never_ends_is_told(self, recipe_of, caplog):
        recipe = recipe_of("training.epochs=1", "test_split=null")
        run_training(recipe, prepare_class_training(recipe).task, World(CPU))
        assert "warmup_epochs is 1, with training.epochs 1" in caplog.text

    def test_no_data(self, recipe_of):
        with pytest.raises(InputError, match="names no data"):
            prepare_class_training(recipe_of("data=null"))


class _Stop(Exception):
    pass


class _Stopping(ClassTask):
    """Fails at a step, as a machine would."""

    def __init__(self, task, step):
        super().__init__(task.model, task.samples, task.settings, task.evaluation)
        self._left = step

    def losses(self, network, batch):
        if not self._left:
            raise _Stop
        self._left -= 1
        return super().losses(network, batch)


class TestClassifier:
    def test_a_film_is_the_mean_of_its_views(self, trained, class_films):
        weights = trained / "run" / "last.safetensors"
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

    def test_sliding_is_the_clip_around_each_moment(self, trained, films, tmp_path):
        """The bar turns round in the middle of the film."""

        def draw(number, width, height):
            return drawing("right", 0)(min(number, 60 - number), width, height)

        film = films.write(tmp_path / "turning.mp4", films.steady(60, 30), width=48, height=32, draw=draw)
        classifier = FilmClassifier(trained / "run" / "last.safetensors", "cpu", "fp32", crops=1)
        found = list(classifier.slide(film, Span(every=0.5)))
        assert [round((stretch.start + stretch.end) / 2, 3) for stretch in found[1:]] == [0.5, 1.0, 1.5]
        assert found[0].start == 0
        best = [stretch.top(1)[0].class_name for stretch in found]
        assert (best[1], best[3]) == ("right", "left")

    def test_a_detector_is_refused(self, tiny):
        with pytest.raises(InputError, match="scores persons"):
            FilmClassifier(tiny, "cpu")

    @pytest.mark.parametrize("numbers", [{"clips": 0}, {"crops": 2}, {"batch": 0}])
    def test_numbers_that_make_no_sense(self, trained, numbers):
        with pytest.raises(InputError, match="expected"):
            FilmClassifier(trained / "run" / "last.safetensors", "cpu", **numbers)


class TestCommands:
    def test_train_test_classify(self, class_films, tmp_path, command, trained):
        settings = [f"data={class_films}", f"out={tmp_path / 'run'}"]
        recipe = str(trained / "recipe.yaml")
        done = command("train", recipe, *settings, "training.epochs=1", "training.evaluate_every=1")
        assert done.code == 0
        assert "training on 18 films of 3 classes" in done.err
        weights = trained / "run" / "last.safetensors"
        done = command("test", recipe, *settings, "--model", str(weights))
        assert done.code == 0
        assert "6 films of 3 classes, 2 clips of 3 squares each: top-1 100.00%, top-5 100.00%" in done.out
        report = json.loads((tmp_path / "run" / "test" / "report.json").read_text())
        assert (report["films"], report["top1"]) == (6, 1.0)
        with (tmp_path / "run" / "test" / "scores.csv").open() as file:
            rows = list(csv.DictReader(file))
        assert [row["class_name"] for row in rows] == [row["top1"] for row in rows] == sorted(2 * CLASSES)
        assert {row["rank"] for row in rows} == {"1"}

    def test_classify(self, class_films, tmp_path, command, trained):
        film = class_films / "test" / "right" / "1.mp4"
        done = command("classify", film, "--model", trained / "run" / "last.safetensors", "--out", tmp_path / "out")
        assert done.code == 0
        assert "1: right" in done.err
        with (tmp_path / "out" / "1.csv").open() as file:
            rows = list(csv.DictReader(file))
        assert rows[0]["class_name"] == "right"
        assert [float(row["score"]) for row in rows] == sorted((float(row["score"]) for row in rows), reverse=True)
        (line,) = (tmp_path / "out" / "1.jsonl").read_text().splitlines()
        assert [entry["class_name"] for entry in json.loads(line)["classes"]] == [row["class_name"] for row in rows]

    def test_sliding(self, class_films, tmp_path, command, trained):
        film = class_films / "test" / "right" / "1.mp4"
        weights = trained / "run" / "last.safetensors"
        done = command("classify", film, "--model", weights, "--out", tmp_path, "--every", "0.25", "--save", "jsonl")
        assert done.code == 0
        lines = [json.loads(line) for line in (tmp_path / "1.jsonl").read_text().splitlines()]
        assert len(lines) == 4
        assert not (tmp_path / "1.csv").exists()

    def test_one_bad_film_does_not_stop_the_others(self, class_films, tmp_path, command, trained):
        bad = tmp_path / "bad.mp4"
        bad.write_bytes(b"nothing")
        good = class_films / "test" / "right" / "1.mp4"
        weights = trained / "run" / "last.safetensors"
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

    def test_no_film_that_can_be_read(self, trained, tmp_path, command):
        for name in CLASSES:
            (tmp_path / "data" / "test" / name).mkdir(parents=True)
            (tmp_path / "data" / "test" / name / "a.mp4").write_bytes(b"nothing")
        weights = trained / "run" / "last.safetensors"
        done = command(
            "test", trained / "recipe.yaml", f"data={tmp_path / 'data'}", f"out={tmp_path}", "--model", weights
        )
        assert done.code == 1
        assert "none of 3 films can be read" in done.err
        assert not (tmp_path / "test").exists()

    def test_films_of_other_classes(self, class_films, tmp_path, command, trained):
        (tmp_path / "data" / "test" / "sideways").mkdir(parents=True)
        (tmp_path / "data" / "test" / "sideways" / "a.mp4").write_bytes(b"")
        weights = trained / "run" / "last.safetensors"
        done = command("test", trained / "recipe.yaml", f"data={tmp_path / 'data'}", "--model", weights)
        assert done.code == 1
        assert "sideways" in done.err

    def test_predict_refuses_a_classifier(self, class_films, command, trained):
        film = class_films / "test" / "right" / "1.mp4"
        done = command("predict", film, "--model", trained / "run" / "last.safetensors")
        assert done.code == 1
        assert "whole clips" in done.err


def test_published_classes_get_the_names_of_the_films(recipe_of, tmp_path, class_films, command):
    """Weights of PySlowFast or mmaction2 bring numbers only."""
    recipe = recipe_of("network.num_actions=3")
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


def test_a_recipe_of_a_classifier_is_none_of_a_detector(tmp_path):
    with pytest.raises(InputError, match="scores whole clips"):
        read_recipe("kinetics_slowfast_r50_4x16")
    recipe = read_any_recipe("kinetics_slowfast_r50_4x16")
    assert (recipe.views.clips, recipe.views.crops) == (10, 3)
    assert recipe.training.schedule.kind == "cosine"


def test_a_detector_begins_with_a_classifier(trained, tmp_path):
    from slowfast_det.checkpoints.model import untrained_model
    from slowfast_det.checkpoints.transfer import transfer
    from slowfast_det.config import parse_config

    network = {key: value for key, value in RECIPE["network"].items() if key not in ("head", "window")}
    config = parse_config({"clip": RECIPE["clip"], "network": network | {"num_actions": 3}}, "the test")
    model = untrained_model(config)
    done = transfer(trained / "run" / "last.safetensors", model)
    kept = {name for name in model.network.state_dict() if name.startswith("backbone.")}
    assert kept <= set(done.loaded)
    own = load_any_model(trained / "run" / "last.safetensors").network.state_dict()
    assert all(torch.equal(model.network.state_dict()[name], own[name]) for name in kept)


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


class TestFilmsThatEndEarly:
    """Cut in the middle: what the file says of its length is wrong."""

    @pytest.fixture
    def cut(self, films, tmp_path):
        whole = films.write(tmp_path / "whole.mkv", films.steady(90, 30), width=48, height=32, draw=drawing("right", 3))
        path = tmp_path / "cut.mkv"
        path.write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
        return path

    def test_clips_are_spread_over_what_there_is(self, trained, cut):
        classifier = FilmClassifier(trained / "run" / "last.safetensors", "cpu", "fp32", clips=3, crops=1)
        with open_film(cut) as film:
            frames = [frame.rgb() for frame in film.frames()]
        assert 20 < len(frames) < 80
        views = classifier.read(cut)
        assert views.seconds == pytest.approx(len(frames) / 30)
        starts = spread_starts(len(frames), 4, 4, 3)
        for clip, start in zip(views.clips, starts, strict=True):
            indices = view_indices(start, 4, 4, len(frames))
            assert np.array_equal(clip, [frames[index][:, 8:40] for index in indices])

    @pytest.mark.parametrize("memory", [0, 0.1])
    def test_training_draws_from_what_there_is(self, recipe_of, cut, tmp_path, memory):
        (tmp_path / "train.csv").write_text(f"{cut} 0\n{tmp_path / 'whole.mkv'} 1\n")
        settings = (f"data={tmp_path}", "test_split=null", "augmentation={}", f"training.memory={memory}")
        samples = prepare_class_training(recipe_of(*settings)).task.samples
        last = [samples[Draw(epoch, 0)].frames[-1] for epoch in range(12)]
        assert len({picture.tobytes() for picture in last}) > 3  # not the last one again and again


def test_speed_of_a_film_does_not_matter(trained, films, tmp_path):
    """A film of 15 frames a second that shows the same."""
    slow = films.write(
        tmp_path / "slow.mp4",
        films.steady(15, 15),
        width=48,
        height=32,
        rate=Fraction(15),
        draw=lambda number, width, height: drawing("right", 3)(2 * number, width, height),
    )
    judged = FilmClassifier(trained / "run" / "last.safetensors", "cpu", "fp32", clips=2)(slow)
    assert judged.top(1)[0].class_name == "right"
    assert judged.end == 1.0
