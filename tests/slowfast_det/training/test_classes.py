"""Training of classifiers of whole films, and of a detector that begins with one."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from class_data import CLASSES, RECIPE
from torch.nn.functional import cross_entropy

from ava_tools.errors import InputError
from slowfast_det.checkpoints.model import load_any_model
from slowfast_det.class_recipe import ViewsConfig
from slowfast_det.class_testing import run_class_test, split_films
from slowfast_det.clips.tensors import clip_tensor
from slowfast_det.distributed import World
from slowfast_det.recipe import read_any_recipe, read_recipe
from slowfast_det.training.classes import prepare_class_training
from slowfast_det.training.loop import train
from slowfast_det.training.run import run_training
from slowfast_det.training.samples import Draw
from slowfast_det.training.tasks.classes import ClassTask

CPU = torch.device("cpu")


class TestTraining:
    def test_it_learns_motion(self, trained_classifier, class_films):
        """A single frame does not tell these classes apart."""
        model = load_any_model(trained_classifier / "run" / "last.safetensors")
        assert model.labels.names == CLASSES
        films = split_films(
            read_any_recipe(trained_classifier / "recipe.yaml", [f"data={class_films}"]), "test", model.labels
        )
        tested = run_class_test(films, model, World(CPU), ViewsConfig(clips=2, crops=3), "fp32")
        assert tested.accuracy(1) == 1.0

    def test_the_loss_is_the_cross_entropy(self, class_recipe_of):
        task = prepare_class_training(class_recipe_of("training.label_smoothing=0.1")).task
        batch = next(task.batches(task.plan(), World(CPU), 0))
        with torch.no_grad():
            found = task.losses(task.network.eval(), batch)
            clip = clip_tensor(
                list(batch.pixels.numpy()), mean=[0.45] * 3, std=[0.225] * 3, bgr=False, device=CPU
            )  # [B, 3, T, H, W]
            logits = task.network.logits(clip).mean(dim=(1, 2))
        expected = cross_entropy(logits, batch.columns, label_smoothing=0.1, reduction="none")
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)

    def test_each_epoch_sees_another_clip(self, class_recipe_of):
        samples = prepare_class_training(class_recipe_of("augmentation.flip=0")).task.samples
        first, again, other = (samples[Draw(epoch, 4)] for epoch in (0, 0, 1))
        assert np.array_equal(first.frames, again.frames)
        assert not np.array_equal(first.frames, other.frames)

    def test_kept_films_give_the_same_clips(self, class_recipe_of):
        kept = prepare_class_training(class_recipe_of()).task.samples
        read = prepare_class_training(class_recipe_of("training.memory=0")).task.samples
        for number in range(len(kept)):
            one, other = kept[Draw(3, number)], read[Draw(3, number)]
            assert one.column == other.column
            assert np.array_equal(one.frames, other.frames)
        assert kept._kept
        assert not read._kept

    def test_the_mirror_changes_sides(self, class_recipe_of):
        samples = prepare_class_training(class_recipe_of("augmentation.flip=1")).task.samples
        names = samples.films.labels.names
        seen = [names[samples[Draw(0, number)].column] for number in range(len(samples))]
        own = [names[column] for column in samples.films.classes]
        turned = {"left": "right", "right": "left", "still": "still"}
        assert seen == [turned[name] for name in own]

    def test_random_areas(self, class_recipe_of):
        samples = prepare_class_training(class_recipe_of("augmentation.area=[0.3,0.9]")).task.samples
        assert np.array(samples[Draw(0, 0)].frames).shape == (4, 32, 32, 3)

    def test_a_film_that_cannot_be_read_is_replaced(self, class_recipe_of, class_films, tmp_path):
        bad = tmp_path / "broken.mp4"
        bad.write_bytes(b"no film")
        good = class_films / "train" / "left" / "0.mp4"
        listing = tmp_path / "train.csv"
        listing.write_text(f"{bad} 0\n{good} 1\n")
        samples = prepare_class_training(
            class_recipe_of(f"data={tmp_path}", "test_split=null", "augmentation={}")
        ).task.samples
        sample = samples[Draw(0, 0)]
        assert sample.column == 1
        assert "broken.mp4" in sample.problems[0]

    def test_it_goes_on_where_it_stopped(self, class_recipe_of, tmp_path, steps_of):
        whole, part = tmp_path / "whole", tmp_path / "part"
        whole.mkdir()
        part.mkdir()
        settings = ("training.epochs=2", "test_split=null")
        train(self.task(class_recipe_of(*settings)), class_recipe_of(*settings).training, World(CPU), whole)
        with pytest.raises(_Stop):
            train(
                _Stopping(self.task(class_recipe_of(*settings)), 4),
                class_recipe_of(*settings).training,
                World(CPU),
                part,
            )
        train(self.task(class_recipe_of(*settings)), class_recipe_of(*settings).training, World(CPU), part, resume=True)
        assert steps_of(part)[-3:] == steps_of(whole)[-3:]

    def task(self, recipe):
        return prepare_class_training(recipe).task

    def test_the_test_split_is_looked_at(self, class_recipe_of):
        task = prepare_class_training(class_recipe_of()).task
        figures = task.evaluate(task.network, World(CPU))
        assert set(figures) == {"top1", "top5"}
        assert figures["top5"] == 1.0  # of three classes

    def test_no_test_split_is_told(self, class_recipe_of):
        preparation = prepare_class_training(class_recipe_of("test_split=other"))
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
    def test_wrong_settings(self, class_recipe_of, settings, sentence):
        with pytest.raises(InputError, match=sentence):
            prepare_class_training(class_recipe_of(*settings))

    def test_one_class_is_none(self, class_films, class_recipe_of, tmp_path):
        (tmp_path / "train.csv").write_text(f"{class_films / 'train' / 'left' / '0.mp4'} 0\n")
        with pytest.raises(InputError, match="one class"):
            prepare_class_training(class_recipe_of(f"data={tmp_path}", "augmentation={}"))

    def test_a_warm_up_that_never_ends_is_told(self, class_recipe_of, caplog):
        recipe = class_recipe_of("training.epochs=1", "test_split=null")
        run_training(recipe, prepare_class_training(recipe).task, World(CPU))
        assert "warmup_epochs is 1, with training.epochs 1" in caplog.text

    def test_no_data(self, class_recipe_of):
        with pytest.raises(InputError, match="names no data"):
            prepare_class_training(class_recipe_of("data=null"))


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


def test_a_recipe_of_a_classifier_is_none_of_a_detector(tmp_path):
    with pytest.raises(InputError, match="scores whole clips"):
        read_recipe("kinetics_slowfast_r50_4x16")
    recipe = read_any_recipe("kinetics_slowfast_r50_4x16")
    assert (recipe.views.clips, recipe.views.crops) == (10, 3)
    assert recipe.training.schedule.kind == "cosine"


def test_a_detector_begins_with_a_classifier(trained_classifier, tmp_path):
    from slowfast_det.checkpoints.model import untrained_model
    from slowfast_det.checkpoints.transfer import transfer
    from slowfast_det.config import parse_config

    network = {key: value for key, value in RECIPE["network"].items() if key not in ("head", "window")}
    config = parse_config({"clip": RECIPE["clip"], "network": network | {"num_actions": 3}}, "the test")
    model = untrained_model(config)
    done = transfer(trained_classifier / "run" / "last.safetensors", model)
    kept = {name for name in model.network.state_dict() if name.startswith("backbone.")}
    assert kept <= set(done.loaded)
    own = load_any_model(trained_classifier / "run" / "last.safetensors").network.state_dict()
    assert all(torch.equal(model.network.state_dict()[name], own[name]) for name in kept)


@pytest.mark.parametrize("memory", [0, 0.1])
def test_training_draws_from_what_there_is(class_recipe_of, cut_film, tmp_path, memory):
    (tmp_path / "train.csv").write_text(f"{cut_film} 0\n{tmp_path / 'whole.mkv'} 1\n")
    settings = (f"data={tmp_path}", "test_split=null", "augmentation={}", f"training.memory={memory}")
    samples = prepare_class_training(class_recipe_of(*settings)).task.samples
    last = [samples[Draw(epoch, 0)].frames[-1] for epoch in range(12)]
    assert len({picture.tobytes() for picture in last}) > 3  # not the last one again and again
