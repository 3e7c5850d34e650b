"""Box arithmetic against numbers worked out by hand and counted pixels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from ava_tools.boxes import area, enlarged, pairwise_iou, to_pixels, to_unit

whole = arrays.arrays(np.int64, (st.integers(0, 5).map(lambda k: (k, 4))), elements=st.integers(0, 12))


def upright(boxes: np.ndarray) -> np.ndarray:
    return np.concatenate([np.minimum(boxes[:, :2], boxes[:, 2:]), np.maximum(boxes[:, :2], boxes[:, 2:])], axis=1)


def cells(box: np.ndarray) -> set[tuple[int, int]]:
    x1, y1, x2, y2 = (int(side) for side in box)
    return {(x, y) for x in range(x1, x2) for y in range(y1, y2)}


@pytest.mark.parametrize(
    ("unit", "pixels"),
    [
        pytest.param([[0, 0, 1, 1]], [[0, 0, 200, 100]], id="whole_frame"),
        pytest.param([[0.25, 0.5, 0.5, 0.75]], [[50, 50, 100, 75]], id="inside"),
        pytest.param([[-0.01, 0, 1.01, 1]], [[-2, 0, 202, 100]], id="overshoot"),
        pytest.param(np.zeros((0, 4)), np.zeros((0, 4)), id="none"),
    ],
)
def test_unit_and_pixels(unit, pixels):
    unit, pixels = np.array(unit, float).reshape(-1, 4), np.array(pixels, float).reshape(-1, 4)
    assert to_pixels(unit, 200, 100) == pytest.approx(pixels)
    assert to_unit(pixels, 200, 100) == pytest.approx(unit)


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        pytest.param([1, 2, 4, 6], 12, id="plain"),
        pytest.param([1, 2, 1, 6], 0, id="flat"),
        pytest.param([4, 2, 1, 6], 0, id="inverted"),
        pytest.param([4, 6, 1, 2], 0, id="inverted_twice"),
    ],
)
def test_area(box, expected):
    assert area(np.array([box], float)).tolist() == [expected]


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        pytest.param([0, 0, 2, 2], [0, 0, 2, 2], 1, id="same"),
        pytest.param([0, 0, 2, 2], [1, 1, 3, 3], 1 / 7, id="corner"),
        pytest.param([0, 0, 2, 2], [2, 0, 4, 2], 0, id="touching"),
        pytest.param([0, 0, 4, 4], [1, 1, 2, 2], 1 / 16, id="within"),
        pytest.param([0, 0, 1, 1], [5, 5, 6, 6], 0, id="apart"),
        pytest.param([1, 1, 1, 1], [1, 1, 1, 1], 0, id="points"),
    ],
)
def test_iou(first, second, expected):
    assert pairwise_iou(np.array([first], float), np.array([second], float)) == pytest.approx(expected)


@given(whole, whole)
def test_iou_counts_shared_cells(first, second):
    first, second = upright(first), upright(second)
    overlap = pairwise_iou(first.astype(float), second.astype(float))
    assert overlap.shape == (len(first), len(second))
    for row, one in enumerate(first):
        for column, other in enumerate(second):
            union = len(cells(one) | cells(other))
            expected = len(cells(one) & cells(other)) / union if union else 0
            assert overlap[row, column] == pytest.approx(expected)


def test_enlarged_grows_on_every_side():
    boxes = np.array([[10.0, 20, 20, 40], [0, 0, 1, 1]])
    assert enlarged(boxes, 0.1) == pytest.approx(np.array([[9, 18, 21, 42], [-0.1, -0.1, 1.1, 1.1]]))
    assert enlarged(np.zeros((0, 4)), 0.1).shape == (0, 4)
