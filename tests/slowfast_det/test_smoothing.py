"""Persons steadied over key frames: what is bridged, what is damped, what stays as it was."""

from __future__ import annotations

from itertools import count, islice

import numpy as np
import pytest

from ava_tools.errors import InputError
from slowfast_det.smoothing import Sighting, Smoothing

WALK = np.array([0.02, 0.0, 0.02, 0.0])  # a key frame
START = np.array([0.1, 0.2, 0.3, 0.9])


def sighting(time, *boxes, scores=None, classes=None):
    boxes = np.array(boxes, dtype=float).reshape(-1, 4)
    scores = np.full(len(boxes), 0.95) if scores is None else np.array(scores)
    kinds = np.zeros(len(boxes), np.int64) if classes is None else np.array(classes)
    return Sighting(float(time), boxes, scores, kinds, f"frame {time:g}")


def walking(times, seen=lambda number: True, every=1.0):
    """Somebody who walks steadily, at those of the key frames at which he is seen."""
    return [sighting(n * every, *([START + n * WALK] if seen(n) else [])) for n in range(times)]


def test_steady_motion_stays_as_it_is():
    before = walking(8)
    after = list(Smoothing().over(before))
    assert [each.of for each in after] == [each.of for each in before]
    for one, other in zip(before, after, strict=True):
        np.testing.assert_allclose(one.boxes, other.boxes, atol=1e-12)
        np.testing.assert_array_equal(one.scores, other.scores)


@pytest.mark.parametrize(
    ("missing", "every", "bridged"),
    [
        pytest.param({3}, 1.0, True, id="one of a second"),
        pytest.param({3, 4}, 1.0, False, id="two of a second are too long"),
        pytest.param({3, 4}, 0.5, True, id="two of half a second"),
        pytest.param({3, 4, 5}, 0.5, False, id="three in a row are too many"),
        pytest.param({0}, 1.0, False, id="before the first sighting there is nothing"),
        pytest.param({7}, 1.0, False, id="behind the last one neither"),
    ],
)
def test_short_gaps_are_bridged(missing, every, bridged):
    seen = walking(8, lambda number: number not in missing, every)
    seen[2] = sighting(2 * every, START + 2 * WALK, scores=[0.91], classes=[1])
    after = list(Smoothing().over(seen))
    for number in missing:
        found = after[number]
        assert len(found.boxes) == bridged
        if bridged:
            np.testing.assert_allclose(found.boxes[0], START + number * WALK, atol=1e-12)
            assert found.scores.tolist() == [0.91]
            assert found.classes.tolist() == [1]


def test_flicker_is_damped_to_the_formula():
    random = np.random.default_rng(0)
    boxes = [START + n * WALK + random.normal(0, 0.01, 4) for n in range(40)]
    after = list(Smoothing(damping=0.5, agreement=0.5).over([sighting(n, box) for n, box in enumerate(boxes)]))
    for n in range(1, 39):
        expected = 0.5 * boxes[n] + 0.25 * (boxes[n - 1] + boxes[n + 1])
        np.testing.assert_allclose(after[n].boxes[0], expected, atol=1e-12)
    truth = [START + n * WALK for n in range(40)]
    spread = [
        np.std([one - other for one, other in zip(each, truth, strict=True)])
        for each in (boxes, [a.boxes[0] for a in after])
    ]
    assert spread[1] < 0.75 * spread[0]
    np.testing.assert_array_equal(after[0].boxes[0], boxes[0])
    np.testing.assert_array_equal(after[39].boxes[0], boxes[39])


def test_uneven_key_frames_weigh_by_time():
    boxes = [START, START + 0.4 * WALK, START + WALK]
    jump = boxes[1] + 0.01
    after = list(Smoothing(agreement=0.7).over([sighting(0, boxes[0]), sighting(0.4, jump), sighting(1, boxes[2])]))
    np.testing.assert_allclose(after[1].boxes[0], boxes[1] + 0.005, atol=1e-12)


def test_who_really_moves_is_not_drawn_back():
    away = START + np.array([0.15, 0, 0.15, 0])  # overlaps where he is expected by less than 0.9
    after = list(Smoothing().over([sighting(0, START), sighting(1, away), sighting(2, START)]))
    np.testing.assert_array_equal(after[1].boxes[0], away)


@pytest.mark.parametrize(
    ("score", "every", "number", "kept"),
    [
        pytest.param(0.6, 1.0, 3, False, id="weak"),
        pytest.param(0.95, 1.0, 3, True, id="sure"),
        pytest.param(0.6, 1.0, 0, False, id="weak at the start"),
        pytest.param(0.6, 1.0, 6, False, id="weak at the end"),
        pytest.param(0.6, 5.0, 3, True, id="key frames too far apart to tell"),
    ],
)
def test_lone_sightings(score, every, number, kept):
    frames = [sighting(n * every) for n in range(7)]
    frames[number] = sighting(number * every, START, scores=[score])
    after = list(Smoothing().over(frames))
    assert [len(each.boxes) for each in after] == [int(kept and n == number) for n in range(7)]


def test_a_bridge_is_not_laid_over_somebody_else():
    """Two stand in one another's way: whose identity is lost is still there."""
    first, second = START, START + 0.01
    frames = [sighting(0, first, second), sighting(1, first), sighting(2, first, second)]
    assert [len(each.boxes) for each in Smoothing().over(frames)] == [2, 1, 2]


def test_scores_fall():
    frames = [
        sighting(0, START, START + 0.4, scores=[0.95, 0.9]),
        sighting(1, START + 0.4, scores=[0.92]),
        sighting(2, START, START + 0.4, scores=[0.96, 0.94]),
    ]
    (_, between, _) = Smoothing().over(frames)
    assert between.scores.tolist() == [0.95, 0.92]
    np.testing.assert_array_equal(between.boxes[0], START)


def test_key_frames_come_as_soon_as_they_are_settled():
    taken = []

    def endless():
        for number in count():
            taken.append(number)
            yield sighting(number, START)

    first = next(iter(Smoothing(max_gap=3).over(endless())))
    assert first.time == 0
    assert taken == [0, 1, 2, 3]
    window = Smoothing(max_missing=10, max_gap=60).over(sighting(number, START) for number in count())
    assert sum(1 for _ in islice(window, 5000)) == 5000


def test_nobody_and_nothing():
    assert list(Smoothing().over([])) == []
    (empty,) = Smoothing().over([sighting(0)])
    assert (empty.boxes.shape, empty.scores.shape, empty.classes.shape) == ((0, 4), (0,), (0,))


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ({"max_missing": -1}, "max_missing is -1; key frames from 0"),
        ({"max_gap": 0}, "max_gap is 0; seconds above 0"),
        ({"max_gap": float("nan")}, "max_gap is nan"),
        ({"damping": 1.5}, "damping is 1.5; a number from 0 to 1"),
        ({"lone_score": -1}, "lone_score is -1"),
    ],
    ids=str,
)
def test_settings_that_cannot_be(setting, sentence):
    with pytest.raises(InputError, match=sentence):
        Smoothing(**setting)
