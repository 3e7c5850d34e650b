"""Files of Detectron2: what they may hold, and what they must hold."""

from __future__ import annotations

import os
import pickle

import numpy as np
import pytest
import torch
from little_detectron2 import between, load, persons, same, write

from ava_tools.errors import InputError
from slowfast_det.persons.detectron2_proposals import cell_anchors
from slowfast_det.persons.protocol import PersonBoxes

CLASSES, BOXES = (f"roi_heads.box_predictor.{name}.weight" for name in ("cls_score", "bbox_pred"))
FIRST = "roi_heads.box_head.fc1.weight"
NORM = "backbone.bottom_up.res3.0.conv2.norm"


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


def test_tensors_that_claim_more_than_the_file_holds(tmp_path, arrays):
    state = tensors(arrays)
    state[FIRST] = torch.zeros(1, 1).expand(state[FIRST].shape)
    with pytest.raises(InputError, match=r"fc1.weight has the shape .* with fewer numbers, or none"):
        load(torch_file(tmp_path / "own.pth", {"model": state}))
    state = tensors(arrays) | {"pixel_mean": torch.zeros(1).expand(10**12)}
    with pytest.raises(InputError, match=r"pixel_mean has the shape \[1000000000000\]; a few numbers"):
        load(torch_file(tmp_path / "own.pth", {"model": state}))


def test_nobody_stands_for_nothing_proposed(tmp_path, arrays):
    """Regions that lie beside the frame are none."""
    name = "proposal_generator.rpn_head.anchor_deltas.bias"
    beside = arrays | {name: np.float32([1e3, 1e3, 0, 0] * 3)}
    found = persons(write(tmp_path / "beside.pkl", beside))
    assert (found.boxes.shape, found.scores.shape) == ((0, 4), (0,))


@pytest.mark.parametrize(
    "name", ["proposal_generator.rpn_head.objectness_logits.bias", CLASSES.replace("weight", "bias"), FIRST]
)
def test_answers_that_are_no_numbers(tmp_path, arrays, name):
    """fp16 ends at 65504, where a detector that answers with infinities would find nobody."""
    large = write(tmp_path / "large.pkl", arrays | {name: arrays[name] + np.float32(7e4)})
    with pytest.raises(InputError, match=r"large.pkl: its answers are no finite numbers in fp16; precision fp32 or bf"):
        persons(large, precision="fp16")
    persons(large, precision="bf16")


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
        pytest.param(
            lambda arrays: arrays | {f"{NORM}.bias": np.full_like(arrays[f"{NORM}.bias"], np.inf)},
            rf"{NORM}.bias holds numbers that are not finite",
            id="no numbers",
        ),
        pytest.param(having("pixel_std", (10**6,)), r"pixel_std has the shape \[1000000\]; a few", id="long pixel_std"),
        pytest.param(having(CLASSES, (60_000_000, 0)), "impossible shapes", id="many classes"),
        pytest.param(
            lambda arrays: having(CLASSES, (10_002, 1))(having(BOXES, (4, 16))(arrays)),
            "impossible shapes",
            id="too many classes",
        ),
        pytest.param(having(CLASSES, ()), "impossible shapes", id="no classes"),
        pytest.param(having(FIRST, (60_000_000, 0)), "impossible shapes", id="hidden"),
        pytest.param(having("backbone.fpn_lateral2.weight", (10**9, 0)), "impossible shapes", id="wide maps"),
        pytest.param(having(BOXES, (4 * 10**9, 0)), "impossible shapes", id="boxes of classes"),
        pytest.param(
            lambda arrays: arrays | {f"backbone.bottom_up.res4.{n}.conv3.weight": np.float32([0]) for n in range(200)},
            "impossible shapes",
            id="many blocks",
        ),
        pytest.param(
            lambda arrays: arrays | {f"{NORM}.bias": arrays[f"{NORM}.bias"] > 0},
            rf"{NORM}.bias holds bool; plain floating",
            id="bool",
        ),
        pytest.param(
            lambda arrays: arrays | {f"{NORM}.bias": arrays[f"{NORM}.bias"].astype(np.complex64)},
            rf"{NORM}.bias holds complex64; plain floating",
            id="complex",
        ),
        pytest.param(having("x\x1b[31m"), r"has unknown tensors x\\x1b\[31m; a Faster", id="odd name"),
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


def test_options(little, expected):
    def kept(which):
        return PersonBoxes(expected.boxes[which], expected.scores[which])

    same(persons(little, max_persons=3), kept(slice(3)))
    sides = (expected.boxes[:, 2:] - expected.boxes[:, :2]).min(axis=1)
    least, cut = between(sides), between(expected.scores)
    same(persons(little, min_side=least), kept(sides >= least))
    same(persons(little, min_score=cut), kept(expected.scores > cut))
    assert sides.min() < least < sides.max()
    assert len(persons(little, max_overlap=0.05).boxes) < len(expected.boxes)


def test_boxes_that_lie_beside_the_frame_are_dropped(tmp_path, arrays):
    name = "roi_heads.box_predictor.bbox_pred.bias"
    pushed = arrays[name].copy()
    pushed[0] = 1e4  # the persons' boxes go far to the right, where the frame's border cuts all of them off
    assert len(persons(write(tmp_path / "pushed.pkl", arrays | {name: pushed})).boxes) == 0
