"""Persons steadied over key frames: what is bridged, what is damped, what stays as it was."""

from __future__ import annotations

from dataclasses import replace
from itertools import count, islice, pairwise

import numpy as np
import pytest

from ava_tools.boxes import pairwise_iou
from ava_tools.errors import InputError
from slowfast_det.association import Association
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
    seen[2] = sighting(2 * every, START + 2 * WALK, scores=[0.91])
    after = list(Smoothing().over(seen))
    for number in missing:
        found = after[number]
        assert len(found.boxes) == bridged
        if bridged:
            np.testing.assert_allclose(found.boxes[0], START + number * WALK, atol=1e-12)
            assert found.scores.tolist() == [0.91]


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
    ("score", "times", "number", "kept"),
    [
        pytest.param(0.6, [0, 0.5, 1, 1.5], 1, False, id="weak"),
        pytest.param(0.95, [0, 0.5, 1, 1.5], 1, True, id="sure"),
        pytest.param(0.6, [0, 0.5, 1, 1.5], 0, True, id="weak at the start, with nothing before"),
        pytest.param(0.6, [0, 0.5, 1, 1.5], 3, True, id="weak at the end, with nothing behind"),
        pytest.param(0.6, [0, 1, 2, 3], 1, True, id="key frames of a second"),
        pytest.param(0.6, [0, 0.6, 1, 1.5], 1, True, id="the one before is too far"),
        pytest.param(0.6, [0, 0.5, 1.1, 1.5], 1, True, id="the one behind is too far"),
    ],
)
def test_lone_sightings(score, times, number, kept):
    frames = [sighting(time) for time in times]
    frames[number] = sighting(times[number], START, scores=[score])
    after = list(Smoothing().over(frames))
    assert [len(each.boxes) for each in after] == [int(kept and n == number) for n in range(len(times))]


def test_a_neighbour_that_is_not_looked_at_tells_nothing():
    frames = [sighting(0, START, scores=[0.6]), sighting(0.4, START, scores=[0.6]), sighting(0.8, START, scores=[0.6])]
    assert [len(each.boxes) for each in Smoothing(max_gap=0.1).over(frames)] == [1, 1, 1]


@pytest.mark.parametrize(("first", "second"), [(0.95, 0.8), (0.8, 0.95)])
def test_a_bridge_has_the_lower_score(first, second):
    frames = [sighting(0, START, scores=[first]), sighting(1), sighting(2, START, scores=[second])]
    assert list(Smoothing().over(frames))[1].scores.tolist() == [0.8]


def test_classes_are_steadied_each_for_itself():
    """A car where a bird was is no bird, and a bird may be missed where a car stands."""
    frames = [
        sighting(0, START, classes=[0]),
        sighting(0.5, START + 0.01, scores=[0.6], classes=[1]),
        sighting(1, START, classes=[0]),
    ]
    after = list(Smoothing().over(frames))[1]
    assert after.classes.tolist() == [0]
    frames[1] = replace(frames[1], scores=np.array([0.92]))
    after = list(Smoothing().over(frames))[1]
    assert (after.classes.tolist(), after.scores.tolist()) == ([0, 1], [0.95, 0.92])
    np.testing.assert_array_equal(after.boxes, [START, START + 0.01])


def scene(seed):
    """Two classes that wander, blink and jump over key frames of uneven times."""
    random = np.random.default_rng(seed)
    times = np.cumsum(random.choice([0.2, 0.4, 0.5, 0.6, 1.0, 2.5], 60)).round(3)
    places = random.uniform(0, 0.5, (5, 2))
    frames = []
    for time in times:
        places = np.clip(places + random.normal(0, 0.02, places.shape), 0, 0.6)
        seen = np.flatnonzero(random.random(5) < 0.6)
        boxes = np.concatenate([places, places + 0.25], axis=1)[seen]
        frames.append(sighting(time, *boxes, scores=random.uniform(0.5, 1, len(seen)).round(3), classes=seen % 2))
    return frames


def by_definition(frames, smoothing):
    """What the docstring says, of all key frames at once and of each class alone: class, score and box of everybody."""
    after = [[] for _ in frames]
    for kind in (0, 1):
        association = Association(memory=smoothing.max_gap)
        people = []  # of each key frame: identity -> box and score
        for each in frames:
            own = each.classes == kind
            names = association.identify(each.boxes[own], each.time).tolist()
            people.append(dict(zip(names, zip(each.boxes[own], each.scores[own], strict=True), strict=True)))
        for number, frame in enumerate(frames):
            for row in of_key_frame(number, frame.time, [each.time for each in frames], people, smoothing):
                after[number].append((kind, *row))
    return after


def of_key_frame(number, time, times, people, smoothing):
    def near(one, other):
        few = abs(one - other) - 1 <= smoothing.max_missing
        return few and abs(times[one] - times[other]) <= smoothing.max_gap + 1e-6

    def nearest(name, numbers):
        return next((n for n in numbers if near(n, number) and name in people[n]), None)

    gap = min(smoothing.lone_gap, smoothing.max_gap) + 1e-6
    amid = 0 < number < len(times) - 1 and max(b - a for a, b in pairwise(times[number - 1 : number + 2])) <= gap
    seen, bridges = [], []
    for name in sorted({name for each in people for name in each}):
        before, after = nearest(name, range(number - 1, -1, -1)), nearest(name, range(number + 1, len(times)))
        expected = None
        if before is not None and after is not None:
            share = (time - times[before]) / (times[after] - times[before])
            expected = (1 - share) * people[before][name][0] + share * people[after][name][0]
        if name in people[number]:
            box, score = people[number][name]
            if amid and score < smoothing.lone_score and before is None and after is None:
                continue
            if expected is not None and pairwise_iou(box[None], expected[None])[0, 0] >= smoothing.agreement:
                box = (1 - smoothing.damping) * box + smoothing.damping * expected
            seen.append((score, box))
        elif expected is not None and near(before, after):
            bridges.append((min(people[before][name][1], people[after][name][1]), expected))
    for score, box in bridges:
        if not any(pairwise_iou(box[None], other[None])[0, 0] >= 0.5 for _, other in seen):
            seen.append((score, box))
    return seen


SETTINGS = (
    Smoothing(),
    Smoothing(max_missing=0),
    Smoothing(max_missing=5, max_gap=4, agreement=0.5, lone_gap=1),
    Smoothing(max_gap=0.4),
    Smoothing(max_missing=1, lone_gap=0),
)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("smoothing", SETTINGS, ids=range(len(SETTINGS)))
def test_it_does_what_it_says(smoothing, seed):
    frames = scene(seed)
    for found, expected in zip(smoothing.over(frames), by_definition(frames, smoothing), strict=True):
        ours = sorted(zip(found.classes.tolist(), found.scores.tolist(), found.boxes.tolist(), strict=True))
        theirs = sorted((kind, score, box.tolist()) for kind, score, box in expected)
        assert [row[:2] for row in ours] == [row[:2] for row in theirs]
        np.testing.assert_allclose([row[2] for row in ours], [row[2] for row in theirs], atol=1e-9)


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
        ({"lone_gap": -1}, "lone_gap is -1; seconds from 0"),
    ],
    ids=str,
)
def test_settings_that_cannot_be(setting, sentence):
    with pytest.raises(InputError, match=sentence):
        Smoothing(**setting)
