"""Detectron2's detectors at home, against the numbers of Detectron2 itself."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from detectron2_golden import FRAMES, detectron2_golden, waves

import slowfast_det
from slowfast_det.persons.detectron2_frames import batch_of
from slowfast_det.persons.detectron2_network import Detectron2Network, pool
from slowfast_det.persons.detectron2_proposals import grid_anchors, propose
from slowfast_det.persons.detectron2_rcnn import Detectron2Detector, detections, to_frame
from slowfast_det.persons.detectron2_settings import Detectron2Settings, convention_of
from slowfast_det.persons.detectron2_weights import read_detectron2, their_name
from slowfast_det.persons.options import DetectorOptions

MODELS = ["R_50", "R_101", "X_101_32x8d"]
CPU = torch.device("cpu")


def samples(tensor, count=256):
    """Evenly spread values, as they were taken of Detectron2's tensors."""
    flat = tensor.flatten()
    return flat[:: max(1, flat.numel() // count)][:count].numpy()


def near(found, expected, tolerance=1e-4):
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance)


def same_set(found, expected, share=0.95, tolerance=0.05):
    """Rows, in any order. Ties and the cut at 100 may turn out otherwise on another processor."""
    assert abs(len(found) - len(expected)) <= (1 - share) * len(expected)
    if len(expected):
        distance = np.abs(found[:, None] - expected[None]).max(axis=-1)
        assert (distance.min(axis=0) < tolerance).mean() >= share
        assert (distance.min(axis=1) < tolerance).mean() >= share


@pytest.fixture(scope="module")
def golden():
    return detectron2_golden("R_50")


@pytest.fixture(scope="module")
def zoo_file(golden, tmp_path_factory):
    path = tmp_path_factory.mktemp("zoo") / "model_final_280758.pkl"
    golden.write_zoo(path)
    return path


@pytest.fixture(scope="module")
def resnet50(zoo_file):
    return slowfast_det.load_person_detector(zoo_file, min_score=0.05)


@pytest.fixture(scope="module")
def others(tmp_path_factory):
    """The two larger ones, from files of a training."""

    def load(model):
        path = tmp_path_factory.mktemp("training") / "model_final.pth"
        detectron2_golden(model).write_training(path)
        return slowfast_det.load_person_detector(path, min_score=0.05)

    return load


@pytest.mark.parametrize("model", MODELS)
def test_names_and_shapes_are_detectron2s(model):
    expected = detectron2_golden(model).tensors
    about = read_detectron2({"model": {name: torch.empty(shape) for name, shape in expected.items()}}, model)
    with torch.device("meta"):
        network = Detectron2Network(about.architecture, convention_of(about).stride_in_1x1)
    assert {their_name(name): list(tensor.shape) for name, tensor in network.state_dict().items()} == expected


def look(detector, frame, size):
    """Every step of a detector on one frame."""
    images = batch_of([frame], size, detector.convention, CPU)
    features = detector.network.features(images)
    logits, deltas = detector.network.proposals(features)
    return images, features, logits, deltas


def check_smooth(detector, golden, every):
    """All that goes through no ranking, and the ranked proposals."""
    expected, frame = golden.cases["full"], FRAMES["full"][0]()
    with torch.inference_mode():
        images, features, logits, deltas = look(detector, frame, frame.shape[:2])
        regions = torch.from_numpy(expected["fixed_boxes"])
        pooled = pool(features, [regions])
        classes, boxes = detector.network.scores(features, [regions])
        ((proposals, ranks),) = propose(logits, deltas, frame.shape[:2])
    assert images.shape == (1, 3, 224, 352)
    near(samples(images)[::every], expected["input"])
    for level, name in enumerate(("p2", "p3", "p4", "p5", "p6")):
        near(samples(features[level])[::every], expected[name])
        near(samples(logits[level])[::every], expected[f"rpn_logits_{name}"])
        near(samples(deltas[level])[::every], expected[f"rpn_deltas_{name}"])
    near(samples(pooled)[::every], expected["pooled"])
    near(samples(detector.network.box_head(pooled))[::every], expected["box_head"])
    near(classes.numpy()[expected["rows"]], expected["cls_logits"])
    near(boxes.numpy()[expected["rows"]][:, ::10], expected["box_deltas"])
    count = len(expected["proposals"])
    same_set(proposals.numpy()[:count], expected["proposals"])
    near(ranks.numpy()[:count], expected["proposal_logits"])
    return features, logits, deltas


def all_detections(detector, frame, size):
    """Boxes, scores and classes of one frame over all classes."""
    with torch.inference_mode():
        _, features, logits, deltas = look(detector, frame, size)
        ((regions, _),) = propose(logits, deltas, size)
        found = detections(regions, *detector.network.scores(features, [regions]), size, 0.05, 0.5)
        return to_frame(found[0], size, frame.shape[:2]).numpy(), found[1].numpy(), found[2].numpy()


def check_detections(detector, expected, frame, size):
    boxes, scores, classes = all_detections(detector, frame, size)
    rows = np.column_stack([boxes, scores, classes])
    same_set(rows, np.column_stack([expected["boxes"], expected["scores"], expected["classes"]]))
    near(np.sort(scores)[::-1], expected["scores"], 1e-3)


def test_resnet50_step_by_step(resnet50, golden):
    features, _, deltas = check_smooth(resnet50, golden, every=4)
    expected = golden.cases["full"]
    for level, name in enumerate(("p2", "p3", "p4", "p5", "p6")):
        anchors = grid_anchors(level, *features[level].shape[-2:], CPU)
        step = max(1, len(anchors) // 256)
        np.testing.assert_array_equal(anchors[::step][:256][::8].numpy(), expected[f"anchors_{name}"])
        ((codes),) = deltas[level].unflatten(1, (3, 4)).permute(0, 3, 4, 1, 2).flatten(1, 3)
        near(decoded(codes, anchors)[::step][:256][::8].numpy(), expected[f"decoded_{name}"], 1e-3)


def decoded(codes, anchors):
    """Boxes that corrections make of anchors (R-CNN paper, appendix C)."""
    sides = anchors[:, 2:] - anchors[:, :2]
    centres = anchors[:, :2] + 0.5 * sides + codes[:, :2] * sides
    sides = sides * codes[:, 2:].clamp(max=np.log(1000 / 16)).exp()
    return torch.cat([centres - 0.5 * sides, centres + 0.5 * sides], dim=1)


@pytest.mark.parametrize("case", FRAMES)
def test_resnet50s_boxes(resnet50, zoo_file, golden, case):
    frame, min_size = FRAMES[case][0](), FRAMES[case][1]
    expected = golden.cases[case]
    size = {"full": (210, 330), "levels_300x200": (384, 256), "pixel_1x1": (64, 64)}[case]
    check_detections(resnet50, expected, frame, size)
    (found,) = slowfast_det.load_person_detector(zoo_file, min_score=0.05, min_size=min_size)([frame])
    persons = expected["classes"] == 0
    same_set(found.boxes, expected["boxes"][persons])
    same_set(found.scores[:, None], expected["scores"][persons][:, None])


@pytest.mark.parametrize("model", MODELS[1:])
def test_larger_networks(others, model):
    detector, golden = others(model), detectron2_golden(model)
    check_smooth(detector, golden, every=8)
    check_detections(detector, golden.cases["full"], FRAMES["full"][0](), (210, 330))


def test_the_zoos_conventions_differ(others, resnet50):
    plain, grouped = resnet50.convention, others("X_101_32x8d").convention
    assert plain.std == (1, 1, 1)
    assert plain.stride_in_1x1
    assert grouped.std == (57.375, 57.12, 58.395)
    assert not grouped.stride_in_1x1
    assert plain.mean == grouped.mean == (103.53, 116.28, 123.675)


def test_frames_of_several_sizes_in_one_call(zoo_file):
    detector = slowfast_det.load_person_detector(zoo_file, min_score=0.05, min_size=96)
    random = np.random.default_rng(0)
    small = [random.integers(0, 256, (96, 128, 3), dtype=np.uint8) for _ in range(2)]
    frames = [small[0], waves(128, 96), small[1], np.asfortranarray(waves(128, 96))[:, ::-1]]
    together, alone = detector(frames), [detector([frame])[0] for frame in frames]
    assert sum(len(one.boxes) for one in together) > 0
    for one, other in zip(together, alone, strict=True):
        assert one.boxes.dtype == one.scores.dtype == np.float64
        same_set(one.boxes, other.boxes)
        assert (np.diff(one.scores) <= 0).all()
    assert detector([]) == []


def test_nobody(resnet50, zoo_file):
    assert slowfast_det.load_person_detector(zoo_file, 1.0, 64)([waves(64, 64)])[0].boxes.shape == (0, 4)
    absent = Detectron2Detector(
        resnet50.network,
        replace(resnet50.convention, settings=Detectron2Settings(person=79)),
        DetectorOptions(0.99, 64),
    )
    (found,) = absent([np.zeros((64, 64, 3), np.uint8)])
    assert found.boxes.shape == (0, 4)
    assert found.scores.shape == (0,)
