"""Person detectors, against torchvision's own models with drawn weights."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision.models import detection
from torchvision.models.detection.backbone_utils import resnet_fpn_backbone
from torchvision.ops import FrozenBatchNorm2d, box_iou

from ava_tools.errors import InputError
from slowfast_det.persons.detector_file import About, save_detector
from slowfast_det.persons.detectron2_settings import Detectron2Settings
from slowfast_det.persons.loading import load_person_detector
from slowfast_det.persons.options import DetectorOptions
from slowfast_det.persons.small_rcnn import small_faster_rcnn
from slowfast_det.persons.torchvision_networks import DETECTORS, SMALL
from slowfast_det.persons.torchvision_rcnn import TorchvisionDetector
from slowfast_det.precision import arithmetic
from slowfast_det.weights.hub import cached_path
from slowfast_det.weights.writing import save_weights

CPU = torch.device("cpu")
SIZES = {"min_size": 64, "max_size": 96}
URLS = {
    "fasterrcnn_resnet50_fpn_v2": "https://download.pytorch.org/models/fasterrcnn_resnet50_fpn_v2_coco-dd69338a.pth",
    "fasterrcnn_resnet50_fpn": "https://download.pytorch.org/models/fasterrcnn_resnet50_fpn_coco-258fb6c6.pth",
    "fasterrcnn_mobilenet_v3_large_320_fpn": (
        "https://download.pytorch.org/models/fasterrcnn_mobilenet_v3_large_320_fpn-907ea3f9.pth"
    ),
}
BACKBONE = {"weights": None, "weights_backbone": None}


def drawn(network, spread=2.0):
    """Weights that find persons and others, and norms that matter."""
    generator = torch.Generator().manual_seed(0)
    for name, tensor in network.state_dict().items():
        if name.endswith("running_mean"):
            tensor.normal_(0, 0.05, generator=generator)
        elif name.endswith("running_var"):
            tensor.uniform_(0.5, 1.5, generator=generator)
    classes = network.roi_heads.box_predictor.cls_score
    classes.weight.data.zero_()[1:3].normal_(0, spread, generator=generator)
    classes.bias.data.zero_()[1:3] = 4.0
    return network.eval()


@pytest.fixture(scope="module")
def small():
    """The small detector of torchvision, drawn."""
    torch.manual_seed(0)
    return drawn(detection.fasterrcnn_mobilenet_v3_large_320_fpn(**BACKBONE))


@pytest.fixture(scope="module")
def frames():
    random = np.random.default_rng(0)
    return [random.integers(0, 256, (*size, 3), dtype=np.uint8) for size in ((60, 90), (96, 64))]


def persons_of(network, frames, min_score, **sizes):
    """The plain call of torchvision, frame by frame (together they would be padded to one size), reduced to persons."""
    network.roi_heads.score_thresh = min_score
    for name, value in sizes.items():
        setattr(network.transform, name, (value,) if name == "min_size" else value)
    with torch.no_grad():
        answers = [network([torch.from_numpy(frame).permute(2, 0, 1) / 255])[0] for frame in frames]
    return [(a["boxes"][a["labels"] == 1], a["scores"][a["labels"] == 1]) for a in answers]


def same(found, expected):
    assert len(found) == len(expected)
    for one, (boxes, scores) in zip(found, expected, strict=True):
        assert one.boxes.dtype == one.scores.dtype == np.float64
        assert one.boxes.shape == (len(scores), 4)
        assert (np.diff(one.scores) <= 0).all()
        np.testing.assert_allclose(one.scores, scores.numpy(), atol=1e-5)
        # drawn weights find ties, whose order rounding decides, and at the cut which of them are left
        distance = np.abs(one.boxes[:, None] - boxes.numpy()[None]).max(axis=2)
        if len(scores):
            assert (distance.min(axis=0) < 1e-3).mean() > 0.97
            assert (distance.min(axis=1) < 1e-3).mean() > 0.97


@pytest.mark.parametrize(
    ("min_score", "sizes"),
    [
        pytest.param(0.05, SIZES, id="nearly all"),
        pytest.param(0.15, SIZES, id="some"),
        pytest.param(1.0, SIZES, id="none"),
        pytest.param(0.05, {"min_size": 96, "max_size": 100}, id="the longer side wins"),
        pytest.param(0.05, {}, id="the detector's own sizes"),
    ],
)
def test_boxes_equal_torchvisions(small, frames, tmp_path, min_score, sizes):
    torch.save(small.state_dict(), tmp_path / "small.pth")
    found = load_person_detector(tmp_path / "small.pth", min_score, **sizes)(frames)
    expected = persons_of(small, frames, min_score, **({"min_size": 320, "max_size": 640} | sizes))
    same(found, expected)
    total = sum(len(scores) for _, scores in expected)
    assert total == 0 if min_score == 1 else total > 2
    assert all((one.scores >= min_score).all() and (np.diff(one.scores) <= 0).all() for one in found)


def test_as_many_persons_as_asked_for(small, frames):
    for most in (1, 3):
        found = TorchvisionDetector(small, DetectorOptions(0.05, 64, 96, max_persons=most))(frames)
        assert [(len(one.boxes), len(one.scores), len(one.classes)) for one in found] == [(most, most, most)] * 2


def test_default_score_is_high(small, frames, tmp_path):
    state = {name: tensor.clone() for name, tensor in small.state_dict().items()}
    state["roi_heads.box_predictor.cls_score.bias"][1] = 6.0
    torch.save(state, tmp_path / "sure.pth")
    network = detection.fasterrcnn_mobilenet_v3_large_320_fpn(**BACKBONE).eval()
    network.load_state_dict(state)
    everybody, found = (load_person_detector(tmp_path / "sure.pth", *s, **SIZES)(frames) for s in ((0.1,), ()))
    assert 0 < sum(len(one.scores) for one in found) < sum(len(one.scores) for one in everybody)
    same(found, persons_of(network, frames, 0.8, **SIZES))


def test_options_of_all_detectors(small, frames, tmp_path):
    torch.save(small.state_dict(), tmp_path / "small.pth")
    load = partial(load_person_detector, tmp_path / "small.pth", 0.05, **SIZES)
    (every,) = load()(frames[:1])
    assert len(every.boxes) > 2
    np.testing.assert_allclose(load(max_persons=2)(frames[:1])[0].boxes, every.boxes[:2], atol=1e-3)
    sides = (every.boxes[:, 2:] - every.boxes[:, :2]).min(axis=1)
    least = float(np.sort(sides)[-2:].mean())
    large = load(min_side=least)(frames[:1])[0]
    np.testing.assert_allclose(large.boxes, every.boxes[sides >= least], atol=1e-3)
    assert 0 < len(large.boxes) < len(every.boxes)
    (apart,) = load(max_overlap=0.1)(frames[:1])
    overlaps = box_iou(*[torch.from_numpy(apart.boxes)] * 2).fill_diagonal_(0)
    assert overlaps.max() <= 0.1
    assert len(apart.boxes) < len(every.boxes)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"min_size": 0}, "min_size is 0; at least 1 is expected"),
        ({"max_persons": 0}, "max_persons is 0; at least 1 is expected"),
        ({"max_overlap": 1.5}, "max_overlap is 1.5; an IoU from 0 to 1 is expected"),
        ({"min_side": -1.0}, "min_side is -1; at least 0 pixels"),
        ({"min_score": float("nan")}, "min_score is nan; a score from 0 to 1"),
        ({"actors": []}, "actors name nothing; names of classes are expected"),
        ({"detectron2": Detectron2Settings()}, "is no detector of Detectron2, whose settings were given"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_options_that_cannot_be(small, tmp_path, options, sentence):
    torch.save(small.state_dict(), tmp_path / "small.pth")
    with pytest.raises(InputError, match=sentence):
        load_person_detector(tmp_path / "small.pth", **options)


def test_each_frame_is_looked_at_alone(small, frames, tmp_path):
    torch.save(small.state_dict(), tmp_path / "small.pth")
    detector = load_person_detector(tmp_path / "small.pth", 0.05, **SIZES)
    for frame in frames:
        same(detector([frame]), persons_of(small, [frame], 0.05, **SIZES))


def found_together(detector, frames):
    return [(one.boxes.tolist(), one.scores.tolist()) for one in detector(frames)]


def test_no_frame_depends_on_the_others(small, frames, tmp_path):
    torch.save(small.state_dict(), tmp_path / "small.pth")
    detector = load_person_detector(tmp_path / "small.pth", 0.05, min_size=32, max_size=64)
    many = [frames[0], frames[1], frames[0][::-1], frames[1], *[frames[0]] * 200]
    together = detector(many)
    assert len(together) == len(many)
    for frame, one in zip(many[:5], [*together[:4], together[-1]], strict=True):
        (alone,) = detector([frame])
        assert len(alone.boxes) > 0
        same([one], [(torch.from_numpy(alone.boxes), torch.from_numpy(alone.scores))])
    assert detector([]) == []


@pytest.mark.parametrize(
    ("frame", "seen_as"),
    [
        pytest.param(np.full((1, 1, 3), 200, np.uint8), None, id="1x1"),
        pytest.param(np.full((1, 700, 3), 200, np.uint8), None, id="one line"),
        pytest.param(np.full((900, 2, 3), 90, np.uint8), None, id="two columns"),
        pytest.param(np.full((96, 64, 3), 128, np.uint8), None, id="one grey"),
        pytest.param(np.arange(6144, dtype=np.uint8).reshape(96, 64), 3, id="grey without channels"),
        pytest.param(np.arange(6144, dtype=np.uint8).reshape(96, 64, 1), 3, id="grey in one channel"),
        pytest.param(np.tile(np.arange(240, dtype=np.uint8), (2160, 16)).reshape(2160, 3840), 3, id="4K, grey"),
    ],
)
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_odd_frames(small, tmp_path, frame, seen_as, precision):
    torch.save(small.state_dict(), tmp_path / "small.pth")
    detector = load_person_detector(tmp_path / "small.pth", 0.05, precision=precision)
    (found,) = detector([frame])
    assert found.boxes.shape == (len(found.scores), 4)
    height, width = frame.shape[:2]
    assert (found.boxes >= -0.01).all()
    assert (found.boxes <= np.array([width, height, width, height]) + 0.01).all()
    if seen_as:
        colour = np.repeat(frame.reshape(height, width, 1), seen_as, axis=2)
        assert found_together(detector, [frame]) == found_together(detector, [colour])


def test_an_odd_first_frame_does_not_spoil_the_others(small, frames, tmp_path):
    """torchvision infers the strides of its maps from the first frame that it sees."""
    torch.save(small.state_dict(), tmp_path / "small.pth")
    load = partial(load_person_detector, tmp_path / "small.pth", 0.05, **SIZES)
    expected, spoiled = load(), load()
    spoiled([np.zeros((1, 900, 3), np.uint8)])
    assert found_together(spoiled, frames) == found_together(expected, frames)


@pytest.mark.parametrize(
    ("frame", "found"),
    [
        (np.zeros((8, 8, 3), np.float32), r"float32 of shape \[8, 8, 3\]"),
        (np.zeros((8, 8, 4), np.uint8), r"uint8 of shape \[8, 8, 4\]"),
        (np.zeros((3, 8, 8), np.uint8), r"uint8 of shape \[3, 8, 8\]"),
        (np.zeros((0, 8, 3), np.uint8), r"uint8 of shape \[0, 8, 3\]"),
    ],
    ids=["numbers from 0 to 1", "transparent", "channels first", "empty"],
)
def test_what_is_no_frame(small, tmp_path, frame, found):
    torch.save(small.state_dict(), tmp_path / "small.pth")
    with pytest.raises(InputError, match=f"a frame is {found}; RGB of whole numbers is expected"):
        load_person_detector(tmp_path / "small.pth")([frame])


@pytest.mark.parametrize("use", [lambda: DetectorOptions(precision="fp8"), lambda: arithmetic("fp8", CPU)])
def test_a_precision_that_is_none(use):
    with pytest.raises(InputError, match="precision is 'fp8'; auto, fp32, bf16, fp16 are known"):
        use()


def test_a_frame_by_itself(small, frames):
    detector = TorchvisionDetector(small, classes=("person",))
    for one in (frames[0], torch.from_numpy(frames[0])):
        with pytest.raises(InputError, match="a frame is given by itself; a list of frames is expected"):
            detector(one)
    assert len(detector(np.stack([frames[0], frames[0]]))) == 2


@pytest.mark.filterwarnings("error")
def test_frames_that_cannot_be_written(small, frames, tmp_path):
    torch.save(small.state_dict(), tmp_path / "small.pth")
    fixed = frames[0].copy()
    fixed.flags.writeable = False
    detector = load_person_detector(tmp_path / "small.pth", 0.05, **SIZES)
    assert found_together(detector, [fixed]) == found_together(detector, frames[:1])


@pytest.mark.parametrize(
    ("part", "precision", "sentence"),
    [
        ("rpn.head.cls_logits.bias", "fp16", "no finite numbers in fp16; precision fp32 or bf16 is expected"),
        ("rpn.head.bbox_pred.bias", "fp16", "no finite numbers in fp16; precision fp32 or bf16 is expected"),
        ("roi_heads.box_predictor.cls_score.bias", "fp16", "no finite numbers in fp16; precision fp32 or bf16 is"),
        ("backbone.fpn.layer_blocks.0.0.weight", "fp16", "no finite numbers in fp16; precision fp32 or bf16 is"),
        ("backbone.fpn.layer_blocks.0.0.weight", "fp32", "no finite numbers; its weights are damaged"),
    ],
)
def test_answers_that_are_no_numbers(small, frames, tmp_path, part, precision, sentence):
    """fp16 ends at 65504, where a detector that answers with infinities would find nobody."""
    state = {name: tensor.clone() for name, tensor in small.state_dict().items()}
    state[part] += 3e38 if precision == "fp32" else 7e4
    torch.save(state, tmp_path / "large.pth")
    with pytest.raises(InputError, match=f"large.pth: its answers are {sentence}"):
        load_person_detector(tmp_path / "large.pth", precision=precision, **SIZES)(frames)
    if precision == "fp16":
        load_person_detector(tmp_path / "large.pth", precision="bf16", **SIZES)(frames)


def test_a_device_by_name(small, frames):
    detector = TorchvisionDetector(small, DetectorOptions(0.05, 64, 96))
    assert found_together(detector.to("cpu"), frames) == found_together(detector, frames)


@pytest.mark.parametrize("precision", ["auto", "bf16", "fp16"])
def test_precisions(small, frames, tmp_path, precision):
    """Sure persons are the same; those that drawn weights half see may differ."""
    state = {name: tensor.clone() for name, tensor in small.state_dict().items()}
    state["roi_heads.box_predictor.cls_score.weight"] *= 0.1
    state["rpn.head.cls_logits.weight"] *= 20
    torch.save(state, tmp_path / "small.pth")
    load = partial(load_person_detector, tmp_path / "small.pth", 0.05, **SIZES)
    for exact, fast in zip(load()(frames), load(precision=precision)(frames), strict=True):
        assert fast.boxes.dtype == np.float64
        near = box_iou(torch.from_numpy(exact.boxes[:8]), torch.from_numpy(fast.boxes)).amax(dim=1)
        assert (near > 0.5).all()
        assert (near > 0.95).float().mean() >= 0.5
        np.testing.assert_allclose(fast.scores[:8], exact.scores[:8], atol=1e-4 if precision == "auto" else 0.02)


def test_full_precision_is_torchvisions_to_the_bit(small, frames, tmp_path):
    torch.save(small.state_dict(), tmp_path / "small.pth")
    found = load_person_detector(tmp_path / "small.pth", 0.05, **SIZES)(frames)
    for one, (boxes, scores) in zip(found, persons_of(small, frames, 0.05, **SIZES), strict=True):
        np.testing.assert_array_equal(one.boxes, boxes.double().numpy())
        np.testing.assert_array_equal(one.scores, scores.double().numpy())


def test_actors(small, frames, tmp_path):
    torch.save(small.state_dict(), tmp_path / "small.pth")
    load = partial(load_person_detector, tmp_path / "small.pth", 0.05, **SIZES)
    bicycles = load(actors=["bicycle"])
    both = load(actors=["Bicycle", "person"])
    assert (load().classes, bicycles.classes, both.classes) == (("person",), ("bicycle",), ("bicycle", "person"))
    persons, others, everybody = (detector(frames[:1])[0] for detector in (load(), bicycles, both))
    assert len(persons.boxes) > 0
    assert len(others.boxes) > 0
    assert set(persons.classes) == {0}
    np.testing.assert_array_equal(everybody.boxes[everybody.classes == 0], others.boxes)
    np.testing.assert_array_equal(everybody.boxes[everybody.classes == 1], persons.boxes)
    assert (np.diff(everybody.scores) <= 0).all()
    with pytest.raises(InputError, match=r"finds no 'zebu'; did you mean 'zebra'\?"):
        load(actors=["zebu"])
    with pytest.raises(InputError, match=r"finds no 'q\\x1b'; it finds person, bicycle, .*, traffic light, ...$"):
        load(actors=["q\x1b"])
    assert load(actors="bird").classes == ("bird",)


@pytest.mark.parametrize(
    "turn",
    [
        pytest.param(lambda frame: frame[:, ::-1], id="mirrored view"),
        pytest.param(lambda frame: np.asfortranarray(frame), id="column order"),
    ],
)
def test_frames_in_any_memory_order(small, frames, tmp_path, turn):
    torch.save(small.state_dict(), tmp_path / "small.pth")
    frame = turn(frames[0])
    found = load_person_detector(tmp_path / "small.pth", 0.05, **SIZES)([frame])
    same(found, persons_of(small, [np.ascontiguousarray(frame)], 0.05, **SIZES))


@pytest.mark.parametrize(
    "wrap",
    [
        pytest.param(lambda state: dict(state), id="state dict"),
        pytest.param(lambda state: {"model": dict(state), "epoch": 3}, id="torchvision's training script"),
    ],
)
@pytest.mark.parametrize("classes", [2, 91])
def test_own_files(frames, tmp_path, wrap, classes):
    torch.manual_seed(1)
    network = drawn(detection.fasterrcnn_mobilenet_v3_large_320_fpn(**BACKBONE, num_classes=classes))
    torch.save(wrap(network.state_dict()), tmp_path / "own.pth")
    found = load_person_detector(str(tmp_path / "own.pth"), 0.05, **SIZES)(frames[:1])
    same(found, persons_of(network, frames[:1], 0.05, **SIZES))


def frozen_resnet50(eps):
    """torchvision's detector as it was trained for publication, put together by hand."""
    norm = partial(FrozenBatchNorm2d, eps=eps)
    backbone = resnet_fpn_backbone(backbone_name="resnet50", weights=None, norm_layer=norm)
    return detection.FasterRCNN(backbone, 91)


def quiet_norms(network):
    """Variances so small that epsilon shows, and features that do not grow from block to block."""
    for name, tensor in network.state_dict().items():
        if name.endswith(("bn1.running_var", "bn2.running_var")) and name.startswith("backbone.body.layer"):
            tensor.fill_(2e-5)
        if name.endswith(("bn1.weight", "bn2.weight")) and name.startswith("backbone.body.layer"):
            tensor.fill_(5e-3)
        if name.endswith("bn3.weight"):
            tensor.fill_(0.3)
    return network


@pytest.mark.parametrize(
    "build",
    [
        pytest.param(lambda: detection.fasterrcnn_resnet50_fpn_v2(**BACKBONE), id="v2"),
        pytest.param(lambda: detection.fasterrcnn_resnet50_fpn(**BACKBONE), id="norms that were trained"),
        pytest.param(lambda: frozen_resnet50(0.0), id="norms that were frozen have no epsilon"),
    ],
)
def test_large_detectors(frames, tmp_path, build):
    torch.manual_seed(2)
    network = quiet_norms(drawn(build(), spread=0.5))
    torch.save(network.state_dict(), tmp_path / "large.pth")
    found = load_person_detector(tmp_path / "large.pth", 0.05, **SIZES)(frames[:1])
    expected = persons_of(network, frames[:1], 0.05, **SIZES)
    assert len(expected[0][1]) > 2
    same(found, expected)


def test_the_epsilon_of_frozen_norms_shows(frames):
    torch.manual_seed(2)
    none = quiet_norms(drawn(frozen_resnet50(0.0), spread=0.5))
    some = frozen_resnet50(1e-5).eval()
    some.load_state_dict(none.state_dict())
    ours, other = (persons_of(network, frames[:1], 0.05, **SIZES)[0][1] for network in (none, some))
    assert len(ours) != len(other) or not torch.allclose(ours, other, atol=1e-3)


def test_names():
    assert set(DETECTORS) == set(URLS)


@pytest.mark.parametrize("name", URLS)
def test_published_weights_without_a_network(tmp_path, monkeypatch, name):
    def refuse(request, *_, **__):
        raise urllib.error.URLError("Temporary failure in name resolution")

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(urllib.request.OpenerDirector, "open", refuse)
    url = URLS[name]
    file = url.rpartition("/")[2]
    with pytest.raises(InputError) as caught:
        load_person_detector(name)
    assert str(caught.value) == (
        f"the weights {file} are not here and cannot be fetched (Temporary failure in name resolution); "
        f"download {url} and put it at {tmp_path / 'checkpoints' / file}"
    )
    assert [path for path in tmp_path.rglob("*") if path.is_file() and path.suffix != ".lock"] == []


def test_published_weights_that_are_there(small, frames, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    name = "fasterrcnn_mobilenet_v3_large_320_fpn"
    path = cached_path(URLS[name])
    path.parent.mkdir()
    torch.save(small.state_dict(), path)
    same(load_person_detector(name, 0.05, **SIZES)(frames), persons_of(small, frames, 0.05, **SIZES))


def test_a_foreign_file_in_the_place_of_published_weights(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    name = "fasterrcnn_mobilenet_v3_large_320_fpn"
    path = cached_path(URLS[name])
    path.parent.mkdir()
    torch.save({"layer.weight": torch.ones(1)}, path)
    with pytest.raises(InputError):
        load_person_detector(name)


def cut(path):
    path.write_bytes(path.read_bytes()[:-100_000])


def spoil(path):
    state = torch.load(path)
    torch.save({name: tensor for name, tensor in state.items() if "rpn.head" not in name}, path)


def save_small(path, classes=("person",), **about):
    torch.manual_seed(0)
    network = drawn(small_faster_rcnn(len(classes) + 1), spread=1.0)
    save_detector(path, network.state_dict(), About(network=SMALL, classes=classes, **about))
    return network


def test_a_file_keeps_the_largest_overlap(frames, tmp_path):
    counts = []
    for overlap in (0.05, 0.95):
        save_small(tmp_path / "own.safetensors", max_overlap=overlap)
        (found,) = load_person_detector(tmp_path / "own.safetensors", 0.05)(frames[:1])
        overlaps = box_iou(*[torch.from_numpy(found.boxes)] * 2).fill_diagonal_(0)
        counts.append(len(found.boxes))
        assert (overlaps.max() <= 0.05) == (overlap == 0.05)
    assert counts[0] < counts[1]


def test_names_in_files_have_no_power_over_a_terminal(tmp_path):
    save_small(tmp_path / "own.safetensors", ("a\x1b[31m", "b" * 500))
    with pytest.raises(InputError) as caught:
        load_person_detector(tmp_path / "own.safetensors", actors=["zebu"])
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 500 + len(str(tmp_path))


def test_a_file_that_names_no_class(tmp_path):
    save_small(tmp_path / "own.safetensors", ("N/A",))
    with pytest.raises(InputError, match="names none of its classes"):
        load_person_detector(tmp_path / "own.safetensors")


@pytest.mark.parametrize(
    ("about", "sentence"),
    [
        ({"min_size": 1_000_000}, "min_size: Input should be less than or equal to 4096"),
        ({"max_size": 1_000_000}, "max_size: Input should be less than or equal to 8192"),
        ({"min_size": 1}, "min_size: Input should be greater than or equal to 16"),
        ({"classes": ["x"] * 10_001}, "classes: Tuple should have at most 10000 items"),
    ],
)
def test_what_a_file_may_say(tmp_path, about, sentence):
    told = {"network": SMALL, "classes": ["person"]} | about
    tensors = small_faster_rcnn().state_dict()
    save_weights(tmp_path / "own.safetensors", tensors, {"slowfast_det_persons": "1", "detector": json.dumps(told)})
    with pytest.raises(InputError, match=sentence):
        load_person_detector(tmp_path / "own.safetensors")


SCORES = "roi_heads.box_predictor.cls_score.weight"


@pytest.mark.parametrize(
    ("name", "tensor", "sentence"),
    [
        pytest.param(SCORES, torch.zeros(60_000_000, 0), r"has the shape \[60000000, 0\] with fewer", id="nothing"),
        pytest.param(SCORES, torch.zeros(1, 1).expand(60_000_000, 1024), "with fewer numbers", id="one for all"),
        pytest.param(SCORES, torch.zeros(20_000, 1), r"has the shape \[20000, 1\]; a row for the", id="classes"),
        pytest.param(SCORES, torch.zeros(1, 96), r"has the shape \[1, 96\]; a row for the", id="no class"),
        pytest.param(SCORES, torch.tensor(1.0), r"has the shape \[\]; a row for the", id="one number"),
        pytest.param(SCORES, torch.zeros(2, 96, dtype=torch.bool), "weight holds bool; plain floating", id="bool"),
        pytest.param(SCORES, torch.zeros(2, 96, dtype=torch.cfloat), "holds complex64; plain floating", id="complex"),
        pytest.param(SCORES, torch.zeros(2, 96).to_sparse(), "holds no plain array; plain floating", id="sparse"),
        pytest.param(SCORES, torch.empty(2, 96, device="meta"), "holds no plain array; plain floating", id="meta"),
        pytest.param("x\x1b", torch.tensor(float("nan")), r"x\\x1b holds numbers that are not", id="odd name"),
    ],
)
def test_tensors_that_are_not_what_they_seem(tmp_path, name, tensor, sentence):
    torch.save(small_faster_rcnn().state_dict() | {name: tensor}, tmp_path / "own.pth")
    with pytest.raises(InputError, match=sentence):
        load_person_detector(tmp_path / "own.pth")


def break_one(path):
    state = torch.load(path)
    state["backbone.fpn.inner_blocks.0.0.weight"][3] = float("nan")
    torch.save(state, path)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        pytest.param(break_one, r"inner_blocks.0.0.weight holds numbers that are not finite", id="no numbers"),
        pytest.param(
            lambda path: torch.save({"fc.weight": torch.ones(2)}, path), "no person detector", id="other network"
        ),
        pytest.param(lambda path: torch.save([1, 2, 3], path), "holds no state dict", id="no state dict"),
        pytest.param(lambda path: path.write_text("no weights"), "is damaged, cut off", id="text"),
        pytest.param(lambda path: path.write_bytes(b""), "the file is empty", id="empty"),
        pytest.param(cut, "is damaged, cut off", id="cut off"),
        pytest.param(spoil, "do not fit torchvision's fasterrcnn_mobilenet", id="layers are missing"),
        pytest.param(Path.unlink, "no such person detector; a file or one of fasterrcnn_resnet50_fpn_v2", id="missing"),
    ],
)
def test_foreign_files(small, tmp_path, change, sentence):
    path = tmp_path / "own.pth"
    torch.save(small.state_dict(), path)
    change(path)
    with pytest.raises(InputError, match=sentence) as caught:
        load_person_detector(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("name", ["yolo", "fasterrcnn", "fasterrcnn_resnet50", ""])
def test_an_unknown_name(name):
    with pytest.raises(InputError, match="no such person detector; a file or one of fasterrcnn_resnet50_fpn_v2"):
        load_person_detector(name)
