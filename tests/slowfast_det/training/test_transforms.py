"""Training transforms, learning rates and collation, against PySlowFast's."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from slowfast_det.clips.augment import draw_recolouring, draw_view
from slowfast_det.clips.tensors import box_tensor, normalised
from slowfast_det.run_config import ScheduleConfig
from slowfast_det.training.schedule import learning_rate

GOLDEN = json.loads((Path(__file__).parents[2] / "fixtures" / "training_data.json").read_text())
SIZES = {"short_side": (256, 320), "crop": 224, "flip": 0.5}


class GlobalRandom:
    """Draws as PySlowFast does, from numpy's old global generator."""

    def __init__(self, seed):
        self._random = np.random.RandomState(seed)

    def uniform(self, low=0.0, high=1.0):
        return self._random.uniform(low, high)

    def integers(self, low, high):
        return self._random.randint(low, high)

    def normal(self, loc, scale, size):
        return self._random.normal(loc, scale, size=(1, size))

    def permutation(self, x):
        return self._random.permutation(np.arange(x))


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("case", GOLDEN["boxes"], ids=lambda case: f"{case['W']}x{case['H']}")
def test_boxes(case, seed):
    view = draw_view(GlobalRandom(seed), case["H"], case["W"], **SIZES)
    assert list(view.resized) == case[f"train_seed{seed}_scaled_hw"]
    found = view.boxes(np.array(GOLDEN["norm_boxes"]))
    np.testing.assert_allclose(found, case[f"train_seed{seed}_boxes"], atol=1e-9)


@pytest.mark.parametrize("case", GOLDEN["pipeline"], ids=lambda case: f"{case['W']}x{case['H']}-{case['kw']}")
def test_whole_pipeline(case):
    """Resized, cut, mirrored, recoloured and normalised, as PySlowFast does it with a global seed of 123."""
    height, width, options = case["H"], case["W"], case["kw"]
    shape = (3, math.ceil(height / 8), math.ceil(width / 8), 3)
    coarse = np.random.default_rng(7).integers(0, 256, shape).astype(np.uint8)
    frames = np.repeat(np.repeat(coarse, 8, 1), 8, 2)[:, :height, :width, ::-1]  # BGR -> RGB
    random = GlobalRandom(123)
    view = draw_view(random, height, width, **SIZES)
    recolouring = None
    if options.get("color"):
        recolouring = draw_recolouring(random, colour=0 if options.get("pca_only", True) else 0.4, lighting=0.1)
    pixels = torch.from_numpy(np.stack([view.image(np.ascontiguousarray(frame)) for frame in frames])[None])
    clip = normalised(pixels, mean=[0.45] * 3, std=[0.225] * 3, bgr=False, recolourings=[recolouring])[0]
    assert list(clip.shape) == case["shape_CTHW"]
    np.testing.assert_allclose(view.boxes(np.array(GOLDEN["norm_boxes"])), case["boxes"], atol=1e-9)
    places = np.trunc(np.linspace(0, clip.numel() - 1, 256)).astype(int)[::2]
    one_grey_level = 1 / 255 / 0.225  # what another OpenCV may round differently
    np.testing.assert_allclose(clip.flatten()[places], case["values"], atol=1.01 * one_grey_level)


def test_whole_frame_is_shown_without_a_crop():
    view = draw_view(np.random.default_rng(0), 90, 160, short_side=(64, 64), crop=None, flip=1)
    assert (view.shown, view.corner, view.mirrored) == ((64, 113), (0, 0), True)
    image = np.arange(90 * 160 * 3, dtype=np.uint32).astype(np.uint8).reshape(90, 160, 3)
    plain = draw_view(np.random.default_rng(0), 90, 160, short_side=(64, 64), crop=None, flip=0)
    np.testing.assert_array_equal(view.image(image), plain.image(image)[:, ::-1])


@pytest.mark.parametrize("name", GOLDEN["lr"])
def test_learning_rates(name):
    schedule, epochs = ScheduleConfig(steps=(0, 10, 15, 20), factors=(1, 0.1, 0.01, 0.001)), 20
    if "syn0" in name:
        steps = {"steps": (0, 16, 24, 28), "factors": (1, 0.1, 0.01, 0.001)}
        schedule = ScheduleConfig(lr=0.3, **steps, warmup_epochs=5.3, warmup_start=0.0005 / 0.3)
        epochs = 32
    for epoch, expected in GOLDEN["lr"][name]:
        assert learning_rate(schedule, epoch, epochs, batch=64) == pytest.approx(expected, rel=1e-9)


def test_learning_rate_follows_the_batch_and_the_cosine():
    schedule = ScheduleConfig(kind="cosine", lr=0.1, warmup_epochs=0, end=0.1)
    rates = [learning_rate(schedule, epoch, 10, batch=8) for epoch in (0, 5, 10)]
    assert rates == pytest.approx([0.1 / 8, 0.55 * 0.1 / 8, 0.01 / 8])
    fixed = ScheduleConfig(lr=0.1, lr_batch=None, warmup_epochs=0)
    assert learning_rate(fixed, 3, 10, batch=8) == 0.1


def test_boxes_of_a_batch():
    golden = np.array(GOLDEN["collate"]["boxes"])
    boxes = box_tensor([golden[:2, 1:], golden[2:, 1:]], torch.device("cpu"))
    np.testing.assert_array_equal(boxes, golden)
