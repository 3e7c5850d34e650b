"""Persons keep their identity from key frame to key frame."""

from __future__ import annotations

import numpy as np
import pytest

from slowfast_det.appearance import looks_of
from slowfast_det.association import Association

LEFT, RIGHT, FAR = (0.1, 0.2, 0.3, 0.8), (0.6, 0.2, 0.8, 0.8), (0.85, 0.1, 0.95, 0.3)


def moved(box, across, down=0.0):
    return (box[0] + across, box[1] + down, box[2] + across, box[3] + down)


def identities(keyframes, every=1.0):
    association = Association()
    found = []
    for number, boxes in enumerate(keyframes):
        persons = association.identify(np.array(boxes, dtype=float).reshape(-1, 4), number * every)
        assert persons.shape == (len(boxes),)
        assert persons.dtype == np.int64
        found.append(persons.tolist())
    return found


@pytest.mark.parametrize(
    ("keyframes", "persons"),
    [
        pytest.param([[LEFT, RIGHT]] * 3, [[1, 2]] * 3, id="still"),
        pytest.param([[LEFT, RIGHT], [RIGHT, LEFT]], [[1, 2], [2, 1]], id="listed in another order"),
        pytest.param([[moved(LEFT, 0.05 * n)] for n in range(8)], [[1]] * 8, id="walks"),
        pytest.param(
            [[moved(LEFT, 0.08 * n), moved(RIGHT, -0.08 * n)] for n in range(4)], [[1, 2]] * 4, id="walk together"
        ),
        pytest.param(
            [[moved(LEFT, 0.05 * n), moved(LEFT, 0.5 - 0.05 * n, 0.1)] for n in range(11)],
            [[1, 2]] * 5 + [None] + [[1, 2]] * 5,
            id="cross at different heights",
        ),
        pytest.param([[LEFT], [LEFT, RIGHT], [LEFT, RIGHT, FAR]], [[1], [1, 2], [1, 2, 3]], id="newcomers"),
        pytest.param([[LEFT], [RIGHT]], [[1], [2]], id="somebody else"),
        pytest.param([[LEFT], [], [LEFT]], [[1], [], [1]], id="out of sight for a moment"),
        pytest.param([[LEFT]] + [[]] * 9 + [[LEFT]], [[1]] + [[]] * 9 + [[2]], id="forgotten"),
        pytest.param(
            [[LEFT, RIGHT]] + [[RIGHT]] * 9 + [[LEFT, RIGHT]], [[1, 2]] + [[2]] * 9 + [[3, 2]], id="one of two"
        ),
        pytest.param([[], [], [LEFT]], [[], [], [1]], id="empty at first"),
        pytest.param([[]] * 3, [[]] * 3, id="nobody ever"),
        pytest.param([[LEFT, LEFT]], [[1, 2]], id="the same box twice"),
        pytest.param([[(0.5, 0.5, 0.5, 0.5)]] * 2, [[1], [1]], id="a box without area"),
        pytest.param(
            [[moved(LEFT, 0.06 * n), moved(LEFT, 0.48 - 0.06 * n)] for n in range(9)],
            [[1, 2]] * 4 + [None] + [[1, 2]] * 4,
            id="walk through each other: the way tells who is who",
        ),
        pytest.param(
            [[moved(LEFT, 0.1 * n)] for n in range(3)] + [[]] + [[moved(LEFT, 0.4)]],
            [[1]] * 3 + [[]] + [[1]],
            id="walks on out of sight",
        ),
        pytest.param(
            [[moved(LEFT, 0.1 * n)] for n in range(3)] + [[moved(LEFT, 0.2)]] * 3, [[1]] * 6, id="walks and stops"
        ),
        pytest.param(
            [[LEFT, (0.12, 0.5, 0.28, 0.8)]] * 2 + [[(0.12, 0.5, 0.28, 0.8), LEFT]],
            [[1, 2]] * 2 + [[2, 1]],
            id="a child",
        ),
    ],
)
def test_identities(keyframes, persons):
    for found, expected in zip(identities(keyframes), persons, strict=True):
        assert expected is None or found == expected


def test_classes_do_not_mix():
    association = Association()
    first = association.identify(np.array([LEFT, RIGHT]), 0.0, np.array([0, 1]))
    assert first.tolist() == [1, 2]
    again = association.identify(np.array([LEFT, LEFT, RIGHT]), 1.0, np.array([1, 0, 0]))
    assert again.tolist() == [3, 1, 4]
    assert association.identify(np.array([RIGHT]), 2.0, np.array([1])).tolist() == [2]


@pytest.mark.parametrize("seed", range(5))
def test_nobody_is_two_persons_at_once(seed):
    random = np.random.default_rng(seed)
    counts = random.integers(0, 7, 30)
    corners = [random.uniform(0, 0.7, (count, 2)) for count in counts]
    keyframes = [
        np.concatenate([corner, corner + random.uniform(0.05, 0.3, corner.shape)], axis=1) for corner in corners
    ]
    found = identities(keyframes)
    assert all(len(set(persons)) == len(persons) for persons in found)
    first_seen = list(dict.fromkeys(person for persons in found for person in persons))
    assert first_seen == sorted(first_seen) or set(first_seen) == set(range(1, max(first_seen) + 1))


def test_a_new_film_starts_at_one():
    assert identities([[LEFT]]) == identities([[RIGHT]]) == [[1]]


def test_a_long_pause_without_key_frames_forgets():
    assert identities([[LEFT], [LEFT]], every=600) == [[1], [2]]


def test_a_good_match_is_not_given_up_for_two_bad_ones():
    before = [(0.0, 0.2, 0.1, 0.8), (0.40, 0.2, 0.50, 0.8)]
    after = [(0.41, 0.2, 0.51, 0.8), (0.88, 0.2, 0.98, 0.8)]  # the first is near the second of before, no others are
    assert identities([before, after])[1] == [2, 3]


def test_somebody_seen_just_now_comes_before_one_who_is_gone():
    """Who is out of sight could be anywhere; a jumper close by is still the jumper."""
    gone, jumper = moved(LEFT, 0.02), [moved(LEFT, 0.0, down) for down in (0, -0.08, 0, -0.09, 0)]
    frames = [[jumper[0], gone], *([place] for place in jumper)]
    assert identities(frames, every=0.2)[1:] == [[1]] * 5


def test_who_was_hardly_seen_is_forgotten_sooner():
    assert identities([[LEFT], *[[]] * 12, [LEFT]], every=0.2)[-1] == [2]
    assert identities([[LEFT]] * 4 + [[]] * 12 + [[LEFT]], every=0.2)[-1] == [1]


def test_the_frames_shape_counts():
    """Half of the width of a wide frame is farther than of a narrow one."""
    found = []
    for aspect in (3.0, 0.5):
        association = Association(aspect=aspect)
        association.identify(np.array([LEFT]), 0.0)
        found.append(association.identify(np.array([moved(LEFT, 0.35)]), 1.0).tolist())
    assert found == [[2], [1]]


def test_a_person_who_moved_a_little_more_than_the_own_width_keeps_the_identity():
    """Boxes that touch but do not overlap are compared enlarged."""
    before, after = (0.30, 0.2, 0.40, 0.8), (0.40, 0.2, 0.50, 0.8)
    assert identities([[before], [after]]) == [[1], [1]]


def dressed(boxes, colours, size=(120, 160)):
    """A picture of persons in one colour each; the last ones are in front."""
    picture = np.full((*size, 3), 128, dtype=np.uint8)
    for box, colour in zip(boxes, colours, strict=True):
        left, top, right, bottom = (np.array(box) * np.tile(size[::-1], 2)).astype(int)
        picture[top:bottom, left:right] = colour
    return picture


RED, BLUE = (220, 30, 30), (30, 30, 220)


def seen(keyframes, every=0.2):
    """Identities of persons with their colours: ``keyframes`` are lists of (box, colour), the last ones in front."""
    association, found = Association(), []
    for number, persons in enumerate(keyframes):
        boxes = np.array([box for box, _ in persons], dtype=float).reshape(-1, 4)
        looks = looks_of(dressed([box for box, _ in persons], [colour for _, colour in persons]), boxes)
        found.append(association.identify(boxes, number * every, looks=looks).tolist())
    return found


class TestColours:
    def test_who_turns_back_is_told_by_them(self):
        """Two meet, stand behind each other and go back: their ways alone say that they pass."""
        way = [0.3, 0.2, 0.1, 0.0, 0.0, 0.1, 0.2, 0.3]
        frames = [[(moved(LEFT, 0.3 - off), RED), (moved(LEFT, 0.3 + off), BLUE)] for off in way]
        found = seen(frames, every=0.5)
        assert found[0] == found[-1] == [1, 2]
        plain = identities([[box for box, _ in persons] for persons in frames], every=0.5)
        assert plain[-1] == [2, 1]

    def test_who_comes_where_another_left_is_new(self):
        frames = [[(LEFT, RED)]] * 5 + [[]] * 2 + [[(moved(LEFT, 0.25), BLUE)]]
        assert seen(frames)[-1] == [2]
        assert identities([[box for box, _ in persons] for persons in frames], every=0.2)[-1] == [1]

    def test_who_stands_still_stays_the_same_whatever_the_light(self):
        frames = [[(LEFT, RED)]] * 3 + [[(LEFT, BLUE)]] * 2
        assert seen(frames, every=1.0) == [[1]] * 5

    def test_hidden_persons_lend_no_colours(self):
        """Somebody behind another shows the other's colours; they are not remembered as his."""
        behind, front = LEFT, moved(LEFT, 0.03, 0.05)
        frames = [[(behind, RED)]] * 3 + [[(behind, RED), (front, BLUE)]] * 8 + [[(behind, RED)]]
        assert seen(frames)[-1] == [1]

    def test_they_are_shares_of_the_box(self):
        boxes = np.array([LEFT, RIGHT, FAR])
        looks = looks_of(dressed([LEFT, RIGHT, FAR], [RED, BLUE, RED]), boxes)
        products = looks @ looks.T
        assert np.diag(products) == pytest.approx(1)
        assert products[0, 2] == pytest.approx(1)
        assert products[0, 1] == pytest.approx(0)

    def test_boxes_at_the_edge_and_without_area(self):
        boxes = np.array([[-0.1, -0.1, 0.0, 0.0], [1, 1, 1, 1], [0.5, 0.5, 0.5, 0.5], [0, 0, 1, 1]], dtype=float)
        looks = looks_of(dressed([LEFT], [RED]), boxes)
        assert np.linalg.norm(looks, axis=1) == pytest.approx(1)
        assert looks_of(dressed([], []), np.zeros((0, 4))).shape == (0, looks.shape[1])
