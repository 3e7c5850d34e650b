"""Video mAP: against brute force written from the definition, on moving boxes, and by its properties."""

from __future__ import annotations

import math
from collections import defaultdict

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ava_tools import Action, InputError, Labels, Linking, video_map
from ava_tools.metrics.average_precision import NOBODY
from ava_tools.metrics.linking import link, link_tubes
from ava_tools.metrics.tubes import FilmBoxes, Tube, gather_tubes, tube_iou

BOXES = ["video", "timestamp", "x1", "y1", "x2", "y2", "action_id"]
TWO = Labels((Action(1, "walk"), Action(2, "jump")))


# ---------------------------------------------------------------- brute force from the definition


def overlap(one, other):
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
    return width * height / (areas - width * height)


def tube_overlap(one, other):
    """Tubes as dicts from frame to box."""
    shared = one.keys() & other.keys()
    if not shared:
        return 0.0
    spatial = sum(overlap(one[frame], other[frame]) for frame in shared) / len(shared)
    return len(shared) / len(one.keys() | other.keys()) * spatial


def link_by_hand(rows, linking):
    """Tubes of one film and action from rows (frame, box, score): lists of row numbers."""
    by_frame = defaultdict(list)
    for number, (frame, _, _) in enumerate(rows):
        by_frame[frame].append(number)
    tubes = []
    for frame in sorted(by_frame):
        left = []
        for number in sorted(by_frame[frame], key=lambda number: -rows[number][2]):
            if all(overlap(rows[number][1], rows[kept][1]) <= linking.nms_iou for kept in left):
                left.append(number)
        left = left[: linking.max_boxes]
        active = [tube for tube in tubes if frame - rows[tube[-1]][0] <= linking.max_gap + 1]
        active.sort(key=lambda tube: -sum(rows[number][2] for number in tube) / len(tube))
        for tube in active:
            for number in left:
                if overlap(rows[tube[-1]][1], rows[number][1]) >= linking.min_iou:
                    tube.append(number)
                    left.remove(number)
                    break
        tubes += [[number] for number in left]
    return tubes


def ap_by_hand(found, truth, threshold):
    """found: (score, film, tube), truth: (film, tube)."""
    taken, hits = set(), []
    for _, film, tube in sorted(found, key=lambda row: -row[0]):
        overlaps = [tube_overlap(tube, target) if film == where else 0.0 for where, target in truth]
        best = max(range(len(truth)), key=lambda place: overlaps[place])
        hits.append(overlaps[best] >= threshold and best not in taken)
        if hits[-1]:
            taken.add(best)
    area = 0.0
    for place, hit in enumerate(hits):
        if hit:
            area += max(sum(hits[: end + 1]) / (end + 1) for end in range(place, len(hits))) / len(truth)
    return area


@st.composite
def rows_of(draw, films="ab", most=16):
    """Rows video, frame, box, action, score on a coarse grid, so that overlaps, duplicates and gaps are frequent."""
    side, size = st.integers(0, 4), st.integers(1, 5)

    def box():
        x1, y1, width, height = draw(side), draw(side), draw(size), draw(size)
        return x1 / 10, y1 / 10, (x1 + width) / 10, (y1 + height) / 10

    count = draw(st.integers(0, most))
    scores = draw(st.permutations(range(count)))  # as powers below: no two means are equal
    return [
        [draw(st.sampled_from(films)), draw(st.integers(0, 7)), *box(), draw(st.integers(1, 2)), 1.01**score]
        for score in scores
    ]


def once(rows, persons):
    """With a person each; a person does one thing on one frame once."""
    kept = {(row[0], row[1], row[6], person): [*row, person] for row, person in zip(rows, persons, strict=False)}
    return list(kept.values())


def truth_table(rows):
    return pd.DataFrame([[*row[:7], row[8]] for row in rows], columns=[*BOXES, "person"])


def truth_by_hand(rows):
    tubes = defaultdict(dict)
    for video, frame, *box, action_id, _, person in rows:
        tubes[video, action_id, person][frame] = box
    return tubes


def check(report, found, truth, threshold):
    for action_id in TWO.ids:
        targets = [(film, tube) for (film, action, _), tube in truth.items() if action == action_id]
        mine = [(score, film, tube) for score, film, action, tube in found if action == action_id]
        ap = report.per_action.loc[action_id, f"ap@{threshold}"]
        if targets:
            assert ap == pytest.approx(ap_by_hand(mine, targets, threshold))
        else:
            assert math.isnan(ap)
        assert report.per_action.loc[action_id, "truth"] == len(targets)


persons = st.lists(st.integers(1, 2), min_size=16, max_size=16)
THRESHOLD = 0.2137  # no ratio of small numbers: rounding decides nothing


@given(rows_of(), persons, rows_of(), persons)
@settings(max_examples=150, deadline=None)
def test_ready_tubes_score_as_by_hand(truth, of_truth, found, of_found):
    truth, found = once(truth, of_truth), once(found, of_found)
    named = {row[0] for row in truth}
    tubes, scores = truth_by_hand(row for row in found if row[0] in named), defaultdict(list)
    for row in found:
        scores[row[0], row[6], row[8]].append(row[7])
    by_hand = [(np.mean(scores[key]), key[0], key[1], tube) for key, tube in tubes.items()]
    table = pd.DataFrame(found, columns=[*BOXES, "score", "person"])
    report = video_map(truth_table(truth), table, TWO, thresholds=[THRESHOLD], step=1)
    check(report, by_hand, truth_by_hand(truth), THRESHOLD)


linkings = st.builds(
    Linking,
    min_iou=st.sampled_from([0.1037, 0.3037]),
    max_gap=st.integers(0, 3),
    nms_iou=st.sampled_from([0.3037, 0.6037]),
    max_boxes=st.integers(1, 3),
)


@given(rows_of(films="abc", most=30), linkings)
@settings(max_examples=300, deadline=None)
def test_linking_is_as_by_hand(rows, linking):
    codes = [(ord(row[0]), row[6]) for row in rows]
    found = film_boxes(rows)
    got = link(found, linking)
    tubes = {frozenset(np.flatnonzero(got == number).tolist()) for number in set(got.tolist()) - {NOBODY}}
    expected = set()
    for key in set(codes):
        own = [place for place, code in enumerate(codes) if code == key]
        for tube in link_by_hand([(rows[place][1], rows[place][2:6], rows[place][7]) for place in own], linking):
            expected.add(frozenset(own[number] for number in tube))
    assert tubes == expected


def filled_by_hand(rows, numbers):
    """A tube, frame -> box, from rows (frame, box, score), straight lines in its gaps."""
    boxes = {}
    for one, other in zip(numbers, [*numbers[1:], numbers[-1]], strict=True):
        (start, first, _), (end, last, _) = rows[one], rows[other]
        boxes[start] = first
        for frame in range(start + 1, end):
            share = (frame - start) / (end - start)
            boxes[frame] = [(1 - share) * a + share * b for a, b in zip(first, last, strict=True)]
    return boxes


@given(rows_of(), persons, rows_of(most=24), linkings)
@settings(max_examples=150, deadline=None)
def test_linked_boxes_score_as_by_hand(truth, of_truth, found, linking):
    truth = once(truth, of_truth)
    groups, by_hand = defaultdict(list), []
    for row in found:
        if row[0] in {row[0] for row in truth}:
            groups[row[0], row[6]].append((row[1], row[2:6], row[7]))
    for (film, action_id), rows in groups.items():
        for numbers in link_by_hand(rows, linking):
            score = sum(rows[number][2] for number in numbers) / len(numbers)
            by_hand.append((score, film, action_id, filled_by_hand(rows, numbers)))
    table = detections(found).assign(person=np.nan)  # an empty column is as good as none
    report = video_map(truth_table(truth), table, TWO, thresholds=[THRESHOLD], linking=linking, step=1)
    check(report, by_hand, truth_by_hand(truth), THRESHOLD)


def film_boxes(rows):
    values = np.array([[ord(row[0]) - ord("a"), *row[1:]] for row in rows], dtype=float).reshape(-1, 8)
    codes = values.astype(np.int64)
    return FilmBoxes(codes[:, 0], codes[:, 6], codes[:, 1], values[:, 2:6], values[:, 7])


# ---------------------------------------------------------------- tubes


def tube(frames, box, score=1.0):
    return Tube(0, 0, np.array(frames), np.tile(np.array(box, dtype=float), (len(frames), 1)), score)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        pytest.param(tube([1, 2], [0, 0, 2, 2]), tube([1, 2], [0, 0, 2, 2]), 1, id="same"),
        pytest.param(tube([1, 2], [0, 0, 2, 2]), tube([2, 3], [0, 0, 2, 2]), 1 / 3, id="half the time"),
        pytest.param(tube([1, 2], [0, 0, 2, 2]), tube([1, 2], [0, 0, 1, 2]), 1 / 2, id="half the box"),
        pytest.param(tube([1, 2], [0, 0, 2, 2]), tube([2, 3], [0, 0, 1, 2]), 1 / 6, id="half of both"),
        pytest.param(tube([1, 2], [0, 0, 2, 2]), tube([3, 4], [0, 0, 2, 2]), 0, id="one after the other"),
        pytest.param(tube([1, 3], [0, 0, 2, 2]), tube([2, 4], [0, 0, 2, 2]), 0, id="in turns"),
        pytest.param(tube([1, 5, 9], [0, 0, 2, 2]), tube([5, 6], [0, 0, 2, 2]), 1 / 4, id="holes"),
        pytest.param(tube([1], [0, 0, 0, 0]), tube([1], [0, 0, 0, 0]), 0, id="no area"),
    ],
)
def test_tube_iou(first, second, expected):
    assert tube_iou(first, second) == pytest.approx(expected)
    assert tube_iou(second, first) == pytest.approx(expected)


def test_gathered_tubes_are_in_order_of_time():
    rows = [["a", 5, 0, 0, 1, 1, 1, 0.2], ["a", 3, 0, 0, 2, 2, 1, 0.4], ["a", 4, 0, 0, 3, 3, 1, 0.9]]
    (one,) = gather_tubes(film_boxes(rows), np.array([7, 7, NOBODY]))
    assert one.frames.tolist() == [3, 5]
    assert one.boxes[:, 2].tolist() == [2, 1]
    assert one.score == pytest.approx(0.3)
    assert one.filled().frames.tolist() == [3, 4, 5]
    assert one.filled().boxes[1].tolist() == [0, 0, 1.5, 1.5]


# ---------------------------------------------------------------- linking of moving boxes


def walk(frames, start, speed, score, y=0.2):
    """Rows of a person 0.2 wide and 0.6 high."""
    place = [start + speed * frame for frame in frames]
    return [["a", frame, x, y, x + 0.2, y + 0.6, 1, score] for frame, x in zip(frames, place, strict=True)]


def test_two_persons_cross():
    """While they overlap the worse one is suppressed, and its tube waits for it."""
    right, left = walk(range(41), 0.0, 0.02, 0.9), walk(range(41), 0.8, -0.02, 0.8)
    tubes = link_tubes(film_boxes(right + left), Linking(max_gap=20))
    assert [len(found) for found in tubes] == [41, 41]
    assert [found.score for found in tubes] == pytest.approx([0.9, 0.8])
    for found, rows in zip(tubes, (right, left), strict=True):
        assert found.boxes == pytest.approx(np.array([row[2:6] for row in rows]))


@pytest.mark.parametrize(
    ("missing", "lengths"),
    [
        pytest.param([], [20], id="none"),
        pytest.param([8, 9], [20], id="bridged"),
        pytest.param([8, 9, 10], [20], id="just bridged"),
        pytest.param([8, 9, 10, 11], [8, 8], id="split"),
    ],
)
def test_gaps(missing, lengths):
    rows = [row for row in walk(range(20), 0.1, 0.01, 0.7) if row[1] not in missing]
    tubes = link_tubes(film_boxes(rows), Linking(max_gap=3))
    assert [len(found) for found in tubes] == lengths
    whole = np.array([row[2:6] for row in walk(range(20), 0.1, 0.01, 0.7)])
    for found in tubes:
        assert found.boxes == pytest.approx(whole[found.frames])
        assert found.score == pytest.approx(0.7)


def test_flicker_duplicates_are_removed():
    """Now and then a second, worse box of the same person."""
    flicker = [
        [*row[:2], row[2] + 0.03, *row[3:4], row[4] + 0.03, *row[5:]] for row in walk(range(0, 20, 3), 0, 0, 0.5)
    ]
    rows = walk(range(20), 0.0, 0.0, 0.9) + flicker
    assert [len(found) for found in link_tubes(film_boxes(rows), Linking())] == [20]
    assert [found.score for found in link_tubes(film_boxes(rows), Linking())] == pytest.approx([0.9])
    assert len(link_tubes(film_boxes(rows), Linking(nms_iou=1.0))) == 2


def test_short_tubes_are_dropped():
    rows = walk(range(20), 0.0, 0.0, 0.5) + walk([3, 4], 0.7, 0.0, 0.9)
    assert [len(found) for found in link_tubes(film_boxes(rows), Linking(min_length=2))] == [20, 2]
    assert [len(found) for found in link_tubes(film_boxes(rows), Linking(min_length=3))] == [20]


def test_the_best_boxes_of_a_frame_are_looked_at():
    rows = [["a", 0, x / 10, 0, x / 10 + 0.05, 1, 1, 0.1 + x / 20] for x in range(10)]
    tubes = link_tubes(film_boxes(rows), Linking(max_boxes=3))
    assert sorted(found.score for found in tubes) == pytest.approx([0.45, 0.5, 0.55])


# ---------------------------------------------------------------- the report


def detections(rows):
    return pd.DataFrame(rows, columns=[*BOXES, "score"])


def truth(*tracks):
    return truth_table([[*row, person] for person, track in enumerate(tracks) for row in track])


@pytest.mark.parametrize("second", [1.0, 0.04, 0.033367, 1 / 7])
def test_perfect_detections_give_one(second):
    """Frame numbers, and seconds that are rounded."""
    tracks = [walk(range(10, 60), 0.0, 0.01, 0.9), walk(range(40), 0.7, 0.0, 0.4, y=0.3)]
    table, found = truth(*tracks), detections(tracks[0] + tracks[1])
    for one in (table, found):
        one["timestamp"] = (100 + one["timestamp"] * second).round(3)
    for report in (video_map(table, found), video_map(table, found, step=second)):
        assert report.mean_ap == {0.2: 1.0, 0.5: 1.0}
        assert report.mean_ap_50_95 == 1.0
        assert report.per_action[["truth", "detections"]].loc[1].tolist() == [2, 2]


def test_thresholds():
    """Seven tenths of the box on nine tenths of the frames overlap by 0.63."""
    track = walk(range(10), 0.0, 0.0, 0.9)
    small = [[*row[:4], 0.2 * 0.7, *row[5:]] for row in track[:9]]
    report = video_map(truth(track), detections(small), thresholds=[0.2, 0.62, 0.64])
    assert list(report.mean_ap.values()) == [1, 1, 0]
    columns = ["name", "ap@0.2", "ap@0.62", "ap@0.64", "ap@0.5:0.95", "truth", "detections"]
    assert report.per_action.columns.tolist() == columns
    assert report.mean_ap_50_95 == pytest.approx(0.3)


def test_a_truth_tube_is_found_once():
    track = walk(range(10), 0.0, 0.0, 0.9)
    better = detections(track).assign(person=1)
    worse = detections(track).assign(person=2, score=0.95, x2=0.19)
    away = walk(range(10), 0.7, 0.0, 0.9)
    report = video_map(truth(track, away), pd.concat([better, worse]))
    assert report.mean_ap[0.5] == 0.5  # the one with the better score, though it fits less
    assert report.per_action["detections"].tolist() == [2]


def test_no_detections_give_nothing():
    report = video_map(truth(walk(range(9), 0, 0, 1)), detections([]), TWO)
    assert report.mean_ap == {0.2: 0.0, 0.5: 0.0}
    assert report.per_action["ap@0.5"].isna().tolist() == [False, True]


@pytest.mark.parametrize("labels", [None, TWO])
def test_empty_tables(labels):
    report = video_map(truth(), detections([]), labels)
    assert math.isnan(report.mean_ap[0.5])
    assert math.isnan(report.mean_ap_50_95)
    assert len(report.per_action) == (2 if labels else 0)
    report = video_map(truth(), detections(walk(range(9), 0, 0, 1)), labels)
    assert report.notes == ("9 detections in 1 films that the truth never names are left out",)


def test_films_without_tubes_can_be_named():
    track = walk(range(9), 0, 0, 0.5)
    elsewhere = [["b", *row[1:7], 0.9] for row in track]
    table = truth(track)
    assert video_map(table, detections(track + elsewhere)).mean_ap[0.5] == 1
    table = pd.concat([table, pd.DataFrame({"video": ["b"], "timestamp": [0]})])
    assert video_map(table, detections(track + elsewhere)).mean_ap[0.5] == 0.5


def test_actions_that_are_not_scored_are_counted():
    labels = Labels((Action(1, "walk"), Action(2, "jump", scored=False)))
    track = walk(range(9), 0, 0, 0.5)
    jump = [[*row[:6], 2, row[7]] for row in track]
    report = video_map(truth(track, jump), detections(track), labels)
    assert report.per_action["name"].tolist() == ["walk"]
    assert report.mean_ap[0.5] == 1
    assert report.notes == ("the truth: 9 rows of actions that are not scored are left out",)


GOOD = walk(range(3), 0, 0, 0.5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param(lambda t, d: (t.drop(columns="person"), d), "the truth: lack the column person", id="no person"),
        pytest.param(lambda t, d: (t, d.drop(columns="score")), "the detections: lack the column score", id="no score"),
        pytest.param(lambda t, d: (t, d.assign(score=np.nan)), r"detections: score is no number \(film a", id="NaN"),
        pytest.param(lambda t, d: (t, d.assign(x1="left")), "must be numbers", id="text"),
        pytest.param(lambda t, d: (t, d.assign(x2=-1)), "the box is inverted", id="inverted"),
        pytest.param(lambda t, d: (t, d.assign(timestamp=None)), "video or timestamp is empty", id="no time"),
        pytest.param(lambda t, d: (t, d.assign(video=None)), "video or timestamp is empty", id="no film"),
        pytest.param(lambda t, d: (t.assign(person=None), d), "truth: person is empty", id="empty person"),
        pytest.param(lambda t, d: (t.assign(timestamp=1), d), "two boxes with one action on one frame", id="twice"),
        pytest.param(lambda t, d: (t, d.assign(action_id=9)), "action_id 9 is none of the 2 known, 1 to 2", id="id"),
        pytest.param(lambda t, d: (t, d.assign(action_id=1.5)), "action_id is 1.5; a whole number", id="fraction"),
    ],
)
def test_wrong_tables_are_named(change, message):
    table, found = change(truth(GOOD), detections(GOOD))
    with pytest.raises(InputError, match=message):
        video_map(table, found, TWO)


def test_wrong_options_are_named():
    with pytest.raises(InputError, match=r"a threshold is 1\.5"):
        video_map(truth(GOOD), detections(GOOD), thresholds=[1.5])
    with pytest.raises(InputError, match="step is 0"):
        video_map(truth(GOOD), detections(GOOD), step=0)


@given(rows_of(most=24), persons, st.randoms(use_true_random=False))
@settings(max_examples=100, deadline=None)
def test_the_order_of_rows_does_not_matter(rows, of_rows, random):
    table, found = truth_table(once(rows, of_rows)), detections(rows)
    mixed = found.sample(frac=1, random_state=random.randrange(2**32))
    one, other = video_map(table, found, TWO), video_map(table, mixed, TWO)
    assert other.per_action["ap@0.5"].to_dict() == pytest.approx(one.per_action["ap@0.5"].to_dict(), nan_ok=True)


def test_csv_files_are_read(tmp_path):
    (tmp_path / "truth.csv").write_text("".join(f"a,{time},0.1,0.1,0.5,0.9,1,7\n" for time in range(4)))
    (tmp_path / "found.csv").write_text("".join(f"a,{time},0.1,0.1,0.5,0.9,1,0.8\n" for time in range(4)))
    report = video_map(tmp_path / "truth.csv", str(tmp_path / "found.csv"))
    assert report.mean_ap == {0.2: 1.0, 0.5: 1.0}
