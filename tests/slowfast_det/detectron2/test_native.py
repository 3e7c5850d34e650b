"""Detectron2 itself as a backend; most of it needs Detectron2, which no index of packages has."""

from __future__ import annotations

import importlib.util
import os
import pickle
import sys
from functools import partial

import numpy as np
import pytest
import torch
from detectron2_golden import FRAMES, detectron2_golden, waves
from little_detectron2 import between

import slowfast_det
from ava_tools.errors import InputError
from slowfast_det.persons.detectron2_native import RECIPE

ZOO = "COCO-Detection/faster_rcnn_R_50_FPN_3x.yaml"
needs_detectron2 = pytest.mark.skipif(
    importlib.util.find_spec("detectron2") is None, reason=f"Detectron2 is not installed: {RECIPE}"
)


def test_without_detectron2(monkeypatch):
    monkeypatch.setitem(sys.modules, "detectron2", None)
    with pytest.raises(InputError) as caught:
        slowfast_det.load_person_detector(f"detectron2:{ZOO}")
    assert str(caught.value).startswith(f"detectron2:{ZOO}: Detectron2 cannot be imported (")
    assert f"it is not on PyPI: {RECIPE}; its Faster R-CNN files" in str(caught.value)


@pytest.mark.parametrize("name", ["detectron2:", "detectron2:@weights.pkl"])
def test_no_configuration(name):
    with pytest.raises(InputError, match="detectron2:CONFIG or detectron2:CONFIG@WEIGHTS is expected"):
        slowfast_det.load_person_detector(name)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("zoo") / "model_final.pkl"
    detectron2_golden("R_50").write_zoo(path)
    return path


@needs_detectron2
def test_both_find_the_same(weights):
    frames = [FRAMES["levels_300x200"][0](), waves(240, 320)]
    options = {"min_score": 0.2, "min_size": 256, "max_size": 400, "max_overlap": 0.4, "max_persons": 12}
    theirs = slowfast_det.load_person_detector(f"detectron2:{ZOO}@{weights}", **options)
    ours = slowfast_det.load_person_detector(weights, **options)
    assert sum(len(one.boxes) for one in theirs(frames)) > 5
    for one, other in zip(ours(frames), theirs(frames), strict=True):
        np.testing.assert_allclose(one.boxes, other.boxes, atol=1e-3)
        np.testing.assert_allclose(one.scores, other.scores, atol=1e-5)


@needs_detectron2
def test_the_configuration_of_a_training(weights, tmp_path):
    from detectron2 import model_zoo

    cfg = model_zoo.get_config(ZOO)
    cfg.INPUT.FORMAT, cfg.INPUT.MIN_SIZE_TEST, cfg.MODEL.RESNETS.STRIDE_IN_1X1 = "RGB", 200, False
    cfg.MODEL.PIXEL_STD, cfg.MODEL.WEIGHTS = [58.395, 57.12, 57.375], str(weights)
    (tmp_path / "config.yaml").write_text(cfg.dump())
    theirs = slowfast_det.load_person_detector(f"detectron2:{tmp_path / 'config.yaml'}", 0.05)
    ours = slowfast_det.load_person_detector(weights, 0.05, detectron2=tmp_path / "config.yaml")
    (one,), (other,) = ours([waves(210, 330)]), theirs([waves(210, 330)])
    assert len(one.boxes) > 0
    np.testing.assert_allclose(one.boxes, other.boxes, atol=1e-3)


class Hostile:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@needs_detectron2
def test_hostile_files_run_nothing(tmp_path):
    (tmp_path / "weights.pkl").write_bytes(pickle.dumps({"model": {}, "__author__": Hostile(tmp_path / "made")}))
    with pytest.raises(InputError, match="nothing in it was run"):
        slowfast_det.load_person_detector(f"detectron2:{ZOO}@{tmp_path / 'weights.pkl'}")
    (tmp_path / "own.yaml").write_text(f"MODEL: !!python/object/apply:os.mkdir ['{tmp_path / 'made'}']")
    with pytest.raises(InputError, match="no configuration that Detectron2 reads"):
        slowfast_det.load_person_detector(f"detectron2:{tmp_path / 'own.yaml'}")
    assert not (tmp_path / "made").exists()


@needs_detectron2
@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda state: state.pop("backbone.fpn_output2.bias"), "lacks backbone.fpn_output2.bias for detectron2:"),
        (lambda state: state.update(other=np.zeros(1)), "has unknown tensors other for"),
        (lambda state: state.update({"backbone.fpn_output2.bias": np.zeros(3)}), "its tensors do not fit"),
    ],
    ids=["missing", "unknown", "shape"],
)
def test_weights_that_do_not_fit(tmp_path, change, sentence):
    state = detectron2_golden("R_50").arrays()
    change(state)
    (tmp_path / "weights.pkl").write_bytes(pickle.dumps({"model": state, "__author__": "a test"}))
    with pytest.raises(InputError, match=sentence):
        slowfast_det.load_person_detector(f"detectron2:{ZOO}@{tmp_path / 'weights.pkl'}")


@needs_detectron2
@pytest.mark.parametrize("name", ["nothing.yaml", "new_baselines/mask_rcnn_R_50_FPN_100ep_LSJ.py", "../own.yaml"])
def test_a_name_that_the_zoo_lacks(name):
    with pytest.raises(InputError, match="is no configuration that Detectron2 reads"):
        slowfast_det.load_person_detector(f"detectron2:{name}")


@needs_detectron2
def test_detectors_of_one_stage_have_scores_above_the_cut_too(tmp_path):
    """Their own least score is another setting; Detectron2's file of it has tags that only its own files may have."""
    from detectron2 import model_zoo
    from detectron2.modeling import build_model

    name = "COCO-Detection/retinanet_R_50_FPN_1x.yaml"
    torch.manual_seed(0)
    state = build_model(cpu(model_zoo.get_config(name))).state_dict()
    state["head.cls_score.bias"].view(9, 80)[:, 0] = 0.0  # every place may be a person
    torch.save({"model": state}, tmp_path / "retinanet.pth")
    load = partial(slowfast_det.load_person_detector, f"detectron2:{name}@{tmp_path / 'retinanet.pth'}", min_size=64)
    every = load(0.06)([waves(64, 64)])[0].scores
    cut = between(every)
    np.testing.assert_allclose(load(cut)([waves(64, 64)])[0].scores, every[every > cut], atol=1e-5)
    assert every.min() < cut < every.max()


def cpu(cfg):
    cfg.MODEL.DEVICE = "cpu"
    return cfg
