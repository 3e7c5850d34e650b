"""Files of Detectron2: what they may hold, what they must hold, and what the weights cannot say."""

from __future__ import annotations

import os
import pickle

import numpy as np
import pytest
import torch
import yaml
from detectron2_golden import tensor_of, waves

import slowfast_det
from ava_tools.errors import InputError
from slowfast_det.persons.detectron2_config import read_settings
from slowfast_det.persons.detectron2_network import Detectron2Network
from slowfast_det.persons.detectron2_proposals import cell_anchors
from slowfast_det.persons.detectron2_settings import Detectron2Settings
from slowfast_det.persons.detectron2_weights import Architecture, their_name

LITTLE = Architecture((1, 1, 1, 1), groups=1, width=64, channels=8, hidden=16, classes=3, box_classes=3)
NORM = "backbone.bottom_up.res3.0.conv2.norm"
CLASSES = "roi_heads.box_predictor.cls_score"
TAME = {  # factors that make features and scores spread around 1
    "backbone.fpn_lateral2": 0.004,
    "backbone.fpn_lateral3": 0.003,
    "backbone.fpn_lateral4": 0.002,
    "backbone.fpn_lateral5": 0.002,
    "proposal_generator.rpn_head.anchor_deltas": 0.1,
    "roi_heads.box_predictor.bbox_pred": 0.3,
    CLASSES: 0.5,
}


@pytest.fixture(scope="module")
def arrays():
    """A detector with one block a stage and three classes, as arrays; not to be changed."""
    with torch.device("meta"):
        shapes = Detectron2Network(LITTLE, stride_in_1x1=True).state_dict()
    arrays = {their_name(name): tensor_of(their_name(name), tuple(tensor.shape)) for name, tensor in shapes.items()}
    for name, scale in TAME.items():
        arrays[f"{name}.weight"] = arrays[f"{name}.weight"] * scale
    arrays[f"{CLASSES}.bias"] = np.float32([2.2, 1, 0, 0])
    return {name: np.asarray(array, np.float32) for name, array in arrays.items()}


def write(path, arrays):
    path.write_bytes(pickle.dumps({"model": arrays, "__author__": "a test"}))
    return path


def load(path, **options):
    return slowfast_det.load_person_detector(path, **({"min_score": 0.05, "min_size": 96} | options))


def persons(path, **options):
    return load(path, **options)([waves(96, 128)])[0]


@pytest.fixture(scope="module")
def little(arrays, tmp_path_factory):
    return write(tmp_path_factory.mktemp("little") / "little.pkl", arrays)


@pytest.fixture(scope="module")
def expected(little):
    found = persons(little)
    assert len(found.boxes) > 5
    return found


def same(found, expected):
    np.testing.assert_array_equal(found.boxes, expected.boxes)
    np.testing.assert_array_equal(found.scores, expected.scores)


def torch_file(path, content):
    torch.save(content, path)
    return path


def tensors(arrays):
    return {name: torch.from_numpy(array.copy()) for name, array in arrays.items()}


@pytest.mark.parametrize(
    "wrap",
    [
        pytest.param(lambda path, arrays: torch_file(path, {"model": tensors(arrays), "iteration": 9}), id="training"),
        pytest.param(lambda path, arrays: torch_file(path, tensors(arrays)), id="state dict alone"),
        pytest.param(
            lambda path, arrays: torch_file(path, {"model": {f"module.{k}": v for k, v in tensors(arrays).items()}}),
            id="distributed training",
        ),
        pytest.param(
            lambda path, arrays: write(path, {name: array.astype(np.float64) for name, array in arrays.items()}),
            id="double",
        ),
        pytest.param(
            lambda path, arrays: write(path, {name: array.astype(">f4") for name, array in arrays.items()}),
            id="the other byte order",
        ),
        pytest.param(
            lambda path, arrays: path.write_bytes(pickle.dumps({"model": arrays}, 5)) and path, id="protocol 5"
        ),
    ],
)
@pytest.mark.parametrize("name", ["weights.pth", "weights.pkl"])
def test_files_are_told_by_content(tmp_path, arrays, expected, wrap, name):
    same(persons(wrap(tmp_path / name, arrays)), expected)


def test_what_else_may_be_in_a_file(tmp_path, arrays, expected):
    beside = {
        f"{NORM}.num_batches_tracked": np.int64([7]),
        "roi_heads.mask_head.predictor.weight": np.ones((3, 8, 1, 1), np.float32),
        "sem_seg_head.predictor.bias": np.ones(54, np.float32),
        "pixel_mean": np.float32([103.53, 116.28, 123.675]).reshape(3, 1, 1),
        "pixel_std": np.ones((3, 1, 1), np.float32),
    }
    anchors = {f"proposal_generator.anchor_generator.cell_anchors.{n}": cell_anchors(n).numpy() for n in range(5)}
    same(persons(write(tmp_path / "old.pkl", arrays | beside | anchors)), expected)


def test_norms_without_statistics_are_filled_as_detectron2_fills_them(tmp_path, arrays):
    bare = {name: array for name, array in arrays.items() if not name.startswith(f"{NORM}.running_")}
    network = load(write(tmp_path / "affine.pkl", bare)).network
    norm = network.get_submodule("backbone.body.layer2.0.bn2")
    assert (norm.running_mean == 0).all()
    assert (norm.running_var == 1).all()
    np.testing.assert_array_equal(norm.weight, arrays[f"{NORM}.weight"])


def without(name):
    return lambda arrays: {key: array for key, array in arrays.items() if key != name}


def having(name, shape=(1,)):
    return lambda arrays: arrays | {name: np.zeros(shape, np.float32)}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        pytest.param(without(f"{NORM}.weight"), rf"it lacks {NORM}.weight; a Faster R-CNN", id="missing"),
        pytest.param(
            having("backbone.fpn_lateral2.norm.weight"),
            "has unknown tensors backbone.fpn_lateral2.norm.weight; a Faster",
            id="unknown",
        ),
        pytest.param(
            having("backbone.fpn_lateral4.bias", (9,)), "other shapes in backbone.fpn_lateral4.bias", id="shape"
        ),
        pytest.param(
            lambda arrays: {key: array for key, array in arrays.items() if "res4" not in key},
            "it lacks backbone.bottom_up.res4.0.conv3.weight; a Faster",
            id="a stage is missing",
        ),
        pytest.param(without("backbone.fpn_lateral2.weight"), "it lacks backbone.fpn_lateral2.weight", id="no FPN"),
        pytest.param(
            lambda arrays: {key.replace("box_head", "box_head.0"): array for key, array in arrays.items()},
            "it lacks roi_heads.box_head.fc1.weight",
            id="cascade",
        ),
        pytest.param(
            lambda arrays: {key: array for key, array in arrays.items() if "fpn_output" not in key},
            r"it lacks backbone.fpn_output2.bias, .*, .* and 5 more; a Faster",
            id="many are missing",
        ),
        pytest.param(
            having("backbone.bottom_up.res2.0.conv2.weight", (64, 0, 3, 3)), "impossible shapes", id="no channels"
        ),
        pytest.param(
            having("proposal_generator.anchor_generator.cell_anchors.0", (3, 4)), "has other anchors", id="anchors"
        ),
        pytest.param(having("pixel_std", (1,)), "its pixel_std has 1 numbers; 3 are expected", id="pixel_std"),
    ],
)
def test_tensors_that_do_not_fit(tmp_path, arrays, change, sentence):
    path = write(tmp_path / "own.pkl", change(arrays))
    with pytest.raises(InputError, match=sentence) as caught:
        load(path)
    assert str(caught.value).startswith(f"{path}: ")


@pytest.mark.parametrize("nest", [lambda blobs: {"blobs": blobs}, lambda blobs: blobs], ids=["blobs", "plain"])
def test_files_of_the_first_detectron(tmp_path, nest):
    blobs = {"conv1_w": np.zeros((64, 3, 7, 7)), "res2_0_branch2a_w": np.zeros((64, 64, 1, 1)), "lr": np.float32(0.1)}
    path = tmp_path / "model_final.pkl"
    path.write_bytes(pickle.dumps(nest(blobs), 2))
    with pytest.raises(InputError, match=r"holds blobs of Caffe2, .* not supported"):
        load(path)


class Hostile:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("save", [torch_file, lambda path, content: path.write_bytes(pickle.dumps(content))])
def test_a_hostile_file_runs_nothing(tmp_path, arrays, save):
    path = tmp_path / "model_final.pkl"
    save(path, {"model": arrays, "__author__": Hostile(tmp_path / "made")})
    with pytest.raises(InputError, match="nothing in it was run"):
        load(path)
    assert not (tmp_path / "made").exists()


BGR, RGB = (57.375, 57.12, 58.395), (58.395, 57.12, 57.375)


@pytest.mark.parametrize(
    ("held", "given", "mean", "std", "stride", "channels"),
    [
        pytest.param({}, {}, (103.53, 116.28, 123.675), (1, 1, 1), True, "bgr", id="the zoo"),
        pytest.param({}, {"channels": "rgb"}, (123.675, 116.28, 103.53), (1, 1, 1), True, "rgb", id="rgb"),
        pytest.param(
            {},
            {"channels": "rgb", "pixel_std": RGB, "stride_in_1x1": False},
            (123.675, 116.28, 103.53),
            RGB,
            False,
            "rgb",
            id="torchvision's backbone",
        ),
        pytest.param({"pixel_std": BGR}, {}, (103.53, 116.28, 123.675), BGR, True, "bgr", id="the file says it"),
        pytest.param(
            {"pixel_std": BGR}, {"pixel_std": BGR}, (103.53, 116.28, 123.675), BGR, True, "bgr", id="both agree"
        ),
        pytest.param(
            {"pixel_mean": (123.675, 116.28, 103.53)}, {}, (123.675, 116.28, 103.53), (1, 1, 1), True, "rgb", id="red"
        ),
        pytest.param({}, {"pixel_mean": (1.0, 2.0, 3.0)}, (1, 2, 3), (1, 1, 1), True, "bgr", id="own mean"),
    ],
)
def test_what_weights_do_not_say(tmp_path, arrays, held, given, mean, std, stride, channels):
    held = {name: np.float32(values).reshape(3, 1, 1) for name, values in held.items()}
    detector = load(write(tmp_path / "own.pkl", arrays | held), detectron2=Detectron2Settings(**given))
    found = detector.convention
    np.testing.assert_allclose(found.mean, mean, rtol=1e-6)
    np.testing.assert_allclose(found.std, std, rtol=1e-6)
    assert (found.stride_in_1x1, found.channels) == (stride, channels)
    block = detector.network.backbone.body.layer3[0]
    assert (block.conv1.stride[0], block.conv2.stride[0]) == ((2, 1) if stride else (1, 2))


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"pixel_std": BGR}, "its pixel_std is 1, 1, 1, not 57.375, 57.12, 58.395 as was given"),
        ({"person": 3}, "has no class 3; it has the classes 0 to 2"),
        ({"person": -1}, "has no class -1"),
        ({"channels": "rbg"}, "channels are rbg; bgr or rgb is expected"),
        ({"pixel_std": (1.0, 0.0, 1.0)}, "numbers above 0 are expected"),
        ({"min_size": 0}, "min_size is 0; at least 1"),
    ],
)
def test_settings_that_cannot_be(tmp_path, arrays, given, sentence):
    path = write(tmp_path / "own.pkl", arrays | {"pixel_std": np.ones((3, 1, 1), np.float32)})
    with pytest.raises(InputError, match=sentence):
        load(path, detectron2=Detectron2Settings(**given))


def test_channels_are_what_the_network_sees(little, arrays, expected, tmp_path):
    """Filters for red first, told so, find what filters for blue first find."""
    stem = "backbone.bottom_up.stem.conv1.weight"
    turned = write(tmp_path / "rgb.pkl", arrays | {stem: np.ascontiguousarray(arrays[stem][:, ::-1])})
    found = persons(turned, detectron2=Detectron2Settings(channels="rgb"))
    np.testing.assert_allclose(found.boxes, expected.boxes, atol=1e-2)
    assert not np.array_equal(persons(turned).scores, expected.scores)


def test_another_class(little, tmp_path, arrays, expected):
    order = [1, 0, 2, 3]
    turned = {name: arrays[f"{CLASSES}.{name}"][order] for name in ("weight", "bias")}
    boxes = {
        f"roi_heads.box_predictor.bbox_pred.{name}": arrays[f"roi_heads.box_predictor.bbox_pred.{name}"].reshape(
            3, 4, *((16,) if name == "weight" else ())
        )[order[:3]]
        for name in ("weight", "bias")
    }
    changed = arrays | {f"{CLASSES}.{name}": value for name, value in turned.items()}
    changed |= {name: value.reshape(12, *value.shape[2:]) for name, value in boxes.items()}
    found = persons(write(tmp_path / "turned.pkl", changed), detectron2=Detectron2Settings(person=1))
    np.testing.assert_allclose(found.boxes, expected.boxes, atol=1e-2)


def test_boxes_that_all_classes_share(tmp_path, arrays):
    name = "roi_heads.box_predictor.bbox_pred"
    shared = {f"{name}.{kind}": arrays[f"{name}.{kind}"][:4] for kind in ("weight", "bias")}
    repeated = {key: np.concatenate([value] * 3) for key, value in shared.items()}
    one, three = (persons(write(tmp_path / "own.pkl", arrays | part)) for part in (shared, repeated))
    assert len(one.boxes) > 5
    np.testing.assert_allclose(one.boxes, three.boxes, atol=1e-2)


CONFIG = {
    "INPUT": {"FORMAT": "RGB", "MIN_SIZE_TEST": 96, "MAX_SIZE_TEST": 200},
    "MODEL": {
        "ANCHOR_GENERATOR": {
            "SIZES": [[32], [64], [128], [256], [512]],
            "ASPECT_RATIOS": [[0.5, 1.0, 2.0]],
            "OFFSET": 0.0,
        },
        "FPN": {"FUSE_TYPE": "sum"},
        "PIXEL_MEAN": [123.675, 116.28, 103.53],
        "PIXEL_STD": [58.395, 57.12, 57.375],
        "PROPOSAL_GENERATOR": {"MIN_SIZE": 0},
        "RESNETS": {"STRIDE_IN_1X1": False, "RES5_DILATION": 1},
        "ROI_BOX_HEAD": {
            "BBOX_REG_WEIGHTS": [10.0, 10.0, 5.0, 5.0],
            "POOLER_RESOLUTION": 7,
            "POOLER_SAMPLING_RATIO": 0,
            "POOLER_TYPE": "ROIAlignV2",
        },
        "ROI_HEADS": {"NMS_THRESH_TEST": 0.4, "IN_FEATURES": ["p2", "p3", "p4", "p5"]},
        "RPN": {
            "BBOX_REG_WEIGHTS": [1.0, 1.0, 1.0, 1.0],
            "IN_FEATURES": ["p2", "p3", "p4", "p5", "p6"],
            "NMS_THRESH": 0.7,
            "POST_NMS_TOPK_TEST": 1000,
            "PRE_NMS_TOPK_TEST": 1000,
        },
    },
    "TEST": {"DETECTIONS_PER_IMAGE": 100},
}


def test_the_configuration_of_a_training(tmp_path, little):
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(CONFIG))
    settings = read_settings(tmp_path / "config.yaml", person=1)
    assert settings == Detectron2Settings(
        (123.675, 116.28, 103.53), RGB, False, "rgb", person=1, min_size=96, max_size=200, max_overlap=0.4
    )
    by_file = slowfast_det.load_person_detector(little, 0.05, detectron2=tmp_path / "config.yaml")([waves(96, 128)])
    same(by_file[0], persons(little, detectron2=Detectron2Settings(**vars(settings) | {"person": 0})))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        pytest.param("_BASE_: ../Base-RCNN-FPN.yaml", "SIZES is None, where only", id="not the whole"),
        pytest.param(
            yaml.safe_dump(CONFIG | {"TEST": {"DETECTIONS_PER_IMAGE": 300}}),
            "TEST.DETECTIONS_PER_IMAGE is 300, where only 100 is supported",
            id="another cut",
        ),
        pytest.param(
            yaml.safe_dump(CONFIG | {"INPUT": {"FORMAT": "L"}}), "its INPUT or MODEL is not as", id="grey channels"
        ),
        pytest.param("!!python/object/apply:os.mkdir [made]", "no plain yaml; nothing in it was run", id="hostile"),
        pytest.param("- 1\n- 2", "SIZES is None", id="a list"),
        pytest.param("a: [", "no plain yaml", id="broken"),
    ],
)
def test_configurations_that_do_not_fit(tmp_path, text, sentence):
    (tmp_path / "config.yaml").write_text(text)
    with pytest.raises(InputError, match=sentence):
        read_settings(tmp_path / "config.yaml")
    assert not (tmp_path / "made").exists()
    with pytest.raises(InputError, match="cannot be read"):
        read_settings(tmp_path / "missing.yaml")


def test_options(little, expected):
    few = persons(little, max_persons=3)
    np.testing.assert_array_equal(few.boxes, expected.boxes[:3])
    sides = (expected.boxes[:, 2:] - expected.boxes[:, :2]).min(axis=1)
    least = float(np.median(sides))
    large = persons(little, min_side=least)
    np.testing.assert_array_equal(large.boxes, expected.boxes[sides >= np.float32(least)])
    assert 0 < len(large.boxes) < len(expected.boxes)
    cut = float(np.median(expected.scores))
    np.testing.assert_array_equal(persons(little, min_score=cut).scores, expected.scores[expected.scores > cut])
    assert len(persons(little, max_overlap=0.05).boxes) < len(expected.boxes)
