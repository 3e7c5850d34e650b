"""What Detectron2's weights cannot say: told by the user, the file, a configuration or convention."""

from __future__ import annotations

import numpy as np
import pytest
import yaml
from detectron2_golden import waves
from little_detectron2 import CLASSES, load, persons, same, write

import slowfast_det
from ava_tools.errors import InputError
from slowfast_det.persons.detectron2_config import read_settings
from slowfast_det.persons.detectron2_settings import Detectron2Settings

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
        ({"max_size": 100_000}, "max_size is 100000; 1 to 8192 pixels are expected"),
        ({"max_overlap": float("nan")}, "max_overlap is nan; an IoU from 0 to 1 is expected"),
        ({"min_size": 0}, "min_size is 0; 1 to 8192 pixels are expected"),
    ],
)
def test_settings_that_cannot_be(tmp_path, arrays, given, sentence):
    path = write(tmp_path / "own.pkl", arrays | {"pixel_std": np.ones((3, 1, 1), np.float32)})
    with pytest.raises(InputError, match=sentence):
        load(path, detectron2=Detectron2Settings(**given))


def test_actors_are_numbers_where_classes_have_no_names(little, expected):
    assert load(little, actors=["person"]).classes == load(little).classes == ("person",)
    same(persons(little, actors=["person"]), expected)
    same(persons(little, actors=["0"]), expected)
    both = load(little, actors=["2", "0"])
    assert both.classes == ("2", "0")
    for names in (["bird"], ["3"], ["0", "person"]):
        with pytest.raises(InputError, match="by that name, for it does not name its classes; numbers from 0 to 2 are"):
            load(little, actors=names)


def test_settings_are_public():
    assert slowfast_det.Detectron2Settings is Detectron2Settings


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
        pytest.param(
            "!!python/object/apply:os.mkdir [made]",
            "is no yaml .*; the config.yaml that Detectron2 writes",
            id="hostile",
        ),
        pytest.param("a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]", "aliases are allowed only of", id="shared"),
        pytest.param(
            yaml.safe_dump(CONFIG | {"TEST": {"DETECTIONS_PER_IMAGE": "\x1b" * 500}}),
            r"PER_IMAGE is '\\x1b\\x1b.*, where only 100",
            id="odd text",
        ),
        pytest.param(
            yaml.safe_dump(CONFIG | {"INPUT": CONFIG["INPUT"] | {"MIN_SIZE_TEST": 10**9}}),
            "config.yaml: Detectron2's min_size is 1000000000; 1 to 8192 pixels are expected; the config.yaml that",
            id="huge frames",
        ),
        pytest.param("- 1\n- 2", "holds list at the top; .*; the config.yaml that", id="a list"),
        pytest.param("a: [", "line 1: is no yaml", id="broken"),
    ],
)
def test_configurations_that_do_not_fit(tmp_path, text, sentence):
    (tmp_path / "config.yaml").write_text(text)
    with pytest.raises(InputError, match=sentence):
        read_settings(tmp_path / "config.yaml")
    assert not (tmp_path / "made").exists()
    with pytest.raises(InputError, match="cannot be read"):
        read_settings(tmp_path / "missing.yaml")
