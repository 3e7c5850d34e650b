"""The arithmetic of Detectron2, step by step against plain loops."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torchvision.ops import box_iou

from slowfast_det.persons.detectron2_frames import batch_of, resized_size
from slowfast_det.persons.detectron2_network import pool, region_levels
from slowfast_det.persons.detectron2_proposals import cell_anchors, grid_anchors, propose
from slowfast_det.persons.detectron2_rcnn import detections, to_frame
from slowfast_det.persons.detectron2_settings import Convention, Detectron2Settings

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("frame", "sizes", "expected"),
    [
        pytest.param((480, 640), (800, 1333), (800, 1067), id="rounded up, where torchvision has 1066"),
        pytest.param((720, 1280), (800, 1333), (750, 1333), id="the longer side wins; torchvision has 749"),
        pytest.param((1280, 720), (800, 1333), (1333, 750), id="upright"),
        pytest.param((512, 512), (800, 1333), (800, 800), id="square"),
        pytest.param((2160, 3840), (800, 1333), (750, 1333), id="4K"),
        pytest.param((20, 1500), (800, 1333), (18, 1333), id="strip"),
        pytest.param((1, 1), (800, 1333), (800, 800), id="one pixel"),
        pytest.param((1, 4000), (800, 1333), (1, 1333), id="so thin that a side would vanish"),
        pytest.param((210, 330), (210, 1333), (210, 330), id="as it is"),
    ],
)
def test_sizes(frame, sizes, expected):
    assert resized_size(*frame, *sizes) == expected


def test_frames_are_resized_over_all_their_pixels_and_padded():
    """Halved, a pixel is the mean of its 4 x 4 neighbours with weights 1 3 3 1, as Pillow documents its filter."""
    frame = np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    convention = Convention((1.0, 2.0, 3.0), (2.0, 4.0, 8.0), True, "bgr", Detectron2Settings())
    batch = batch_of([frame, frame[::-1]], (32, 48), convention, CPU)
    assert batch.shape == (2, 3, 32, 64)
    assert (batch[..., 48:] == 0).all()
    weights = np.outer([1, 3, 3, 1], [1, 3, 3, 1]) / 64
    for row, column in ((5, 7), (20, 30)):
        around = frame[2 * row - 1 : 2 * row + 3, 2 * column - 1 : 2 * column + 3].astype(float)
        mean = np.einsum("hw,hwc->c", weights, around)[::-1]  # blue first
        found = batch[0, :, row, column].numpy() * [2, 4, 8] + [1, 2, 3]
        assert np.abs(found - mean).max() <= 1  # whole numbers after each of two passes
        assert (found == found.round()).all()


def test_anchors():
    for level, (side, stride) in enumerate(zip((32, 64, 128, 256, 512), (4, 8, 16, 32, 64), strict=True)):
        found = grid_anchors(level, 3, 5, CPU).view(3, 5, 3, 4)
        for shape, ratio in enumerate((0.5, 1, 2)):
            width, height = side / math.sqrt(ratio), side * math.sqrt(ratio)
            centre = (2 * stride, 1 * stride)  # second row, third column
            expected = [centre[0] - width / 2, centre[1] - height / 2, centre[0] + width / 2, centre[1] + height / 2]
            np.testing.assert_allclose(found[1, 2, shape], expected, rtol=1e-6)
    assert (cell_anchors(0) != cell_anchors(0).round()).any()  # torchvision rounds them


@pytest.mark.parametrize(
    ("side", "level"),
    [
        (1, 2),
        (111.9, 2),
        (112, 3),
        (223.9, 3),
        (223.99997, 3),
        (224, 4),
        (447, 4),
        (448, 5),
        (900, 5),
        (2000, 5),
        (0, 2),
    ],
)
def test_levels(side, level):
    boxes = torch.tensor([[10.0, 20.0, 10.0 + side, 20.0 + side]], dtype=torch.float64)
    assert region_levels(boxes).item() == level - 2


def bilinear(feature, y, x):
    """A map's value between its cells, as RoIAlign defines it."""
    height, width = feature.shape
    if y < -1 or x < -1 or y > height or x > width:
        return 0.0
    y, x = min(max(y, 0), height - 1), min(max(x, 0), width - 1)
    top, left = int(y), int(x)
    bottom, right = min(top + 1, height - 1), min(left + 1, width - 1)
    upper = feature[top, left] * (1 - (x - left)) + feature[top, right] * (x - left)
    lower = feature[bottom, left] * (1 - (x - left)) + feature[bottom, right] * (x - left)
    return upper * (1 - (y - top)) + lower * (y - top)


def test_pooling_samples_every_cell_and_no_pixel_is_shifted():
    random = np.random.default_rng(0)
    features = [torch.from_numpy(random.random((2, 1, 96 // s, 128 // s))) for s in (1, 2, 4, 8)]  # strides 4 to 32
    boxes = [torch.tensor([[3.0, 5.0, 60.0, 90.0]]).double(), torch.tensor([[100.0, 10.0, 350.0, 380.0]]).double()]
    pooled = pool(features, boxes)
    assert pooled.shape == (2, 1, 7, 7)
    for frame, (box, level) in enumerate(zip(boxes, (0, 2), strict=True)):
        feature, stride = features[level][frame, 0].numpy(), 4 * 2**level
        left, top, right, bottom = box[0].numpy() / stride - 0.5
        high, wide = (bottom - top) / 7, (right - left) / 7
        rows, columns = math.ceil(high), math.ceil(wide)
        for y, x in ((0, 0), (3, 5), (6, 6)):
            values = [
                bilinear(feature, top + high * (y + (i + 0.5) / rows), left + wide * (x + (j + 0.5) / columns))
                for i in range(rows)
                for j in range(columns)
            ]
            assert pooled[frame, 0, y, x].item() == pytest.approx(np.mean(values), rel=1e-9)


def greedy(boxes, scores, groups, overlap):
    """Indices that survive, best first: plain non-maximum suppression within groups."""
    kept = []
    for index in np.argsort(-scores, kind="stable"):
        rivals = [other for other in kept if groups[other] == groups[index]]
        if not rivals or box_iou(boxes[index : index + 1], boxes[rivals]).max() <= overlap:
            kept.append(int(index))
    return kept


@pytest.mark.parametrize("shift", [0.0, 30.0], ids=["small logits", "logits whose sigmoids are all 1"])
def test_proposals(shift):
    generator = torch.Generator().manual_seed(0)
    shapes, size = [(8, 12), (4, 6), (2, 3), (1, 2), (1, 1)], (30, 46)
    logits = [torch.randn(1, 3, *shape, generator=generator) + shift for shape in shapes]
    deltas = [torch.randn(1, 12, *shape, generator=generator) * 0.3 for shape in shapes]
    deltas[0][0, 2, 0, 0] = math.nan
    logits[1][0, 0, 0, 0] = math.inf
    ((boxes, scores),) = propose(logits, deltas, size)
    every, ranks, levels = [], [], []
    for level, (height, width) in enumerate(shapes):
        anchors = grid_anchors(level, height, width, CPU).view(height, width, 3, 4)
        for y, x, shape in np.ndindex(height, width, 3):
            dx, dy, dw, dh = deltas[level][0, 4 * shape : 4 * shape + 4, y, x].tolist()
            left, top, right, bottom = anchors[y, x, shape].tolist()
            wide, high = right - left, bottom - top
            across, down = (left + right) / 2 + dx * wide, (top + bottom) / 2 + dy * high
            wide, high = wide * math.exp(dw), high * math.exp(dh)
            box = [across - wide / 2, down - high / 2, across + wide / 2, down + high / 2]
            rank = logits[level][0, shape, y, x].item()
            box = [min(max(value, 0), size[1 - index % 2]) for index, value in enumerate(box)]
            if not math.isnan(dw) and math.isfinite(rank) and box[2] > box[0] and box[3] > box[1]:
                every.append(box)
                ranks.append(rank)
                levels.append(level)
    kept = greedy(torch.tensor(every), np.array(ranks), levels, 0.7)
    np.testing.assert_allclose(scores, np.array(ranks)[kept], rtol=1e-6)
    np.testing.assert_allclose(boxes, np.array(every)[kept], atol=1e-4)


def test_at_most_a_thousand_proposals_of_a_map_and_of_a_frame():
    generator = torch.Generator().manual_seed(0)
    logits = [torch.randn(2, 3, 30, 40, generator=generator) for _ in range(5)]
    found = propose(logits, [torch.zeros(2, 12, 30, 40)] * 5, (2000, 2600))
    assert [len(boxes) for boxes, _ in found] == [1000, 1000]
    for frame, (_, scores) in enumerate(found):
        best = torch.cat([one[frame].flatten().topk(1000).values for one in logits])
        assert torch.isin(scores, best).all()
        assert (scores.diff() <= 0).all()


def test_detections():
    random = np.random.default_rng(0)
    regions = torch.from_numpy(random.uniform(0, 60, (40, 2, 2))).sort(dim=1).values.flatten(1)
    logits = torch.from_numpy(random.normal(0, 1.5, (40, 4)))
    deltas = torch.from_numpy(random.normal(0, 1, (40, 12)))
    deltas[3, 7] = math.nan  # spoils its whole region
    boxes, scores, classes = detections(regions, logits, deltas, (50, 56), 0.2, 0.5)
    every, ranks, labels = [], [], []
    for region, rank, codes in zip(regions.numpy(), logits.softmax(1).numpy(), deltas.numpy(), strict=True):
        for label in range(3):
            dx, dy, dw, dh = codes[4 * label : 4 * label + 4] / [10, 10, 5, 5]
            wide, high = region[2:] - region[:2]
            across, down = (region[:2] + region[2:]) / 2 + np.array([dx * wide, dy * high])
            wide, high = wide * math.exp(min(dw, math.log(62.5))), high * math.exp(min(dh, math.log(62.5)))
            box = np.array([across - wide / 2, down - high / 2, across + wide / 2, down + high / 2])
            if rank[label] > 0.2 and not np.isnan(codes).any():
                every.append(np.clip(box, 0, [56, 50, 56, 50]))
                ranks.append(rank[label])
                labels.append(label)
    kept = greedy(torch.tensor(np.array(every)), np.array(ranks), labels, 0.5)
    np.testing.assert_allclose(boxes, np.array(every)[kept], atol=1e-4)
    np.testing.assert_allclose(scores, np.array(ranks)[kept], rtol=1e-6)
    assert classes.tolist() == [labels[index] for index in kept]


@pytest.mark.parametrize("shared", [True, False], ids=["one box for all classes", "a box for each"])
def test_no_regions(shared):
    logits, deltas = torch.zeros(0, 4), torch.zeros(0, 4 if shared else 12)
    boxes, scores, classes = detections(torch.zeros(0, 4), logits, deltas, (50, 56), 0.2, 0.5)
    assert (boxes.shape, scores.shape, classes.shape) == ((0, 4), (0,), (0,))


@pytest.mark.parametrize("spoiled", ["scores", "correction of the class", "correction of another class"])
@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_regions_of_no_numbers_are_nothing(spoiled, number):
    """As Detectron2 drops them: all classes of a region whose scores or corrections are not all finite."""
    regions = torch.tensor([[0.0, 0, 8, 8], [20, 20, 28, 28]])
    logits, deltas = torch.tensor([[3.0, -3, 0], [3, -3, 0]]), torch.zeros(2, 8)
    if spoiled == "scores":
        logits[0, 1] = number
    else:
        deltas[0, 0 if spoiled == "correction of the class" else 5] = number
    boxes, _, classes = detections(regions, logits, deltas, (50, 56), 0.5, 0.5)
    assert boxes.tolist() == [[20, 20, 28, 28]]
    assert classes.tolist() == [0]


def test_a_score_at_the_cut_is_none():
    logits = torch.zeros(1, 2, dtype=torch.float64)
    box, nothing = torch.tensor([[1.0, 1.0, 5.0, 5.0]]).double(), torch.zeros(1, 4).double()
    assert len(detections(box, logits, nothing, (10, 10), 0.5, 0.5)[0]) == 0
    assert len(detections(box, logits, nothing, (10, 10), 0.49, 0.5)[0]) == 1


def test_the_hundred_best_of_all_classes_come_before_persons():
    corners = torch.arange(150.0)[:, None] * 10
    regions = torch.cat([corners, torch.zeros(150, 1), corners + 8, torch.full((150, 1), 8.0)], dim=1)
    logits = torch.zeros(150, 3)
    logits[:, 1] = 5.0
    logits[:, 0] = torch.linspace(3.0, 4.9, 150)
    boxes, scores, classes = detections(regions, logits, torch.zeros(150, 8), (10, 1600), 0.05, 0.5)
    assert len(scores) == len(classes) == len(boxes) == 100
    assert (classes == 1).all()  # the other class took all places


def test_boxes_go_back_to_the_frame():
    boxes = torch.tensor([[0.0, 0.0, 1333.0, 750.0], [100.0, 75.0, 1333.4, 760.0]])
    found = to_frame(boxes, (750, 1333), (720, 1280))
    np.testing.assert_allclose(found, [[0, 0, 1280, 720], [100 * 1280 / 1333, 72, 1280, 720]], rtol=1e-6)
