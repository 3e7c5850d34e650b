"""Frame mAP: against PySlowFast's numbers, against brute force from the definition, and by its properties."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ava_tools import Action, InputError, Labels, ava_labels, evaluate
from ava_tools.cli.main import app
from ava_tools.cli.run import run
from ava_tools.metrics.average_precision import LabelledBoxes
from ava_tools.metrics.person_boxes import oracle_ap

FIXTURES = Path(__file__).parent.parent / "fixtures"
SCORED = [action.id for action in ava_labels() if action.scored]
THREE = Labels((Action(1, "stand"), Action(2, "walk"), Action(3, "wave")))
TRUTH_COLUMNS = ["video", "timestamp", "x1", "y1", "x2", "y2", "action_id"]
COLUMNS = [*TRUTH_COLUMNS, "score"]
BOX = [0.1, 0.1, 0.5, 0.9]
AWAY = [0.6, 0.1, 0.9, 0.9]


@pytest.fixture(scope="module")
def golden():
    return json.loads((FIXTURES / "evaluator.json").read_text())


@pytest.fixture(scope="module")
def found(golden):
    """Each box one detection for each scored action, box by box."""
    arrays = np.load(FIXTURES / "evaluator.npz")
    rows = []
    for scores, box, (video, second) in zip(arrays["scores"], arrays["boxes"], arrays["meta"], strict=True):
        where = [golden["names"][video], float(second), *(float(side) for side in box[1:])]
        rows += [[*where, action_id, float(scores[action_id - 1])] for action_id in SCORED]
    return pd.DataFrame(rows, columns=COLUMNS)


def check(report, expected):
    by_name = report.per_action.set_index("name")["ap"]
    for name, ap in expected.items():
        if name == "mean":
            assert report.mean_ap == pytest.approx(ap, abs=1e-9)
        elif ap is None:
            assert math.isnan(by_name[name]), name
        else:
            assert by_name[name] == pytest.approx(ap, abs=1e-9), name


def test_pyslowfasts_numbers(golden, found):
    check(evaluate(FIXTURES / "evaluator_truth.csv", found, protocol="pyslowfast"), golden["all"])


def test_pyslowfasts_numbers_without_excluded_frames(golden, found, tmp_path):
    (tmp_path / "excluded.csv").write_text("\n".join(golden["excluded"]) + "\n")
    report = evaluate(
        FIXTURES / "evaluator_truth.csv", found, excluded=tmp_path / "excluded.csv", protocol="pyslowfast"
    )
    check(report, golden["excluded_result"])


def test_pyslowfast_matches_in_the_order_of_the_file(golden, found):
    backwards = found.iloc[::-1].reset_index(drop=True)
    report = evaluate(FIXTURES / "evaluator_truth.csv", backwards, protocol="pyslowfast")
    assert report.mean_ap == pytest.approx(golden["reversed"], abs=1e-9)


@pytest.mark.parametrize("name", ["mmaction2", "mmaction2_excluded"])
def test_mmaction2s_numbers(golden, found, tmp_path, name):
    (tmp_path / "excluded.csv").write_text("\n".join(golden["excluded"]) + "\n")
    excluded = tmp_path / "excluded.csv" if name.endswith("excluded") else None
    report = evaluate(FIXTURES / "evaluator_truth.csv", found, excluded=excluded, protocol="mmaction2")
    assert report.mean_ap == pytest.approx(golden[name]["overall"], abs=1e-9)
    kinds = {"pose": "person_movement", "object": "object_manipulation", "person": "person_interaction"}
    for kind, theirs in kinds.items():
        assert report.by_kind["mean_ap"][kind] == pytest.approx(golden[name][theirs], abs=1e-9)


# ---------------------------------------------------------------- brute force from the definition


def overlap(one, other):
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
    return width * height / (areas - width * height)


def ap_by_hand(hits, truth):
    """Area under the precision-recall curve, precision made monotone from the right."""
    precisions, recalls, true = [], [], 0
    for seen, hit in enumerate(hits, start=1):
        true += hit
        precisions.append(true / seen)
        recalls.append(true / truth)
    area, before = 0.0, 0.0
    for place, recall in enumerate(recalls):
        area += (recall - before) * max(precisions[place:])
        before = recall
    return area


def evaluate_by_hand(truth, found, action_ids, protocol):
    """The definition, row by row: frames as dicts, no arrays."""
    named, boxes = set(), defaultdict(list)
    for video, time, *box, action_id in truth:
        named.add((video, time))
        if action_id is not None:
            boxes[video, time].append((tuple(box), action_id))
    by_frame = defaultdict(list)
    for video, time, *box, action_id, score in found:
        if protocol == "pyslowfast" or (video, time) in named:
            by_frame[video, time].append((tuple(box), action_id, score))
    result = {}
    if protocol == "activitynet":
        for frame, rows in by_frame.items():
            by_frame[frame] = sorted(rows, key=lambda row: -row[2])[:50]
    for action_id in action_ids:
        total = sum(label == action_id for rows in boxes.values() for _, label in rows)
        ranked = []
        for frame, rows in by_frame.items():
            taken = set()
            targets = [box for box, label in boxes[frame] if label == action_id]
            for box, label, score in rows:
                if label != action_id or (box[2] - box[0]) * (box[3] - box[1]) <= 0:
                    continue
                overlaps = [overlap(box, target) for target in targets]
                best = max(range(len(targets)), key=lambda place: overlaps[place]) if targets else None
                hit = best is not None and overlaps[best] >= 0.5 and best not in taken
                if hit:
                    taken.add(best)
                ranked.append((score, hit))
        ranked.sort(key=lambda row: -row[0])
        result[action_id] = ap_by_hand([hit for _, hit in ranked], total) if total else math.nan
    return result


@st.composite
def cases(draw, ties=True):
    """A few frames with boxes on a coarse grid, so that duplicates, ties and equal overlaps are frequent."""
    side = st.integers(0, 4)
    frames = st.tuples(st.sampled_from("ab"), st.sampled_from([1.0, 2.0, 2.5]))

    def box():
        x1, y1, width, height = draw(side), draw(side), draw(side), draw(side)
        return x1 / 8, y1 / 8, (x1 + width) / 8, (y1 + height) / 8

    truth = [[*draw(frames), *box(), draw(st.integers(1, 3))] for _ in range(draw(st.integers(0, 8)))]
    truth += [[*draw(frames), *[None] * 5] for _ in range(draw(st.integers(0, 2)))]
    count = draw(st.integers(0, 14))
    scores = (
        [draw(st.integers(0, 4)) / 4 for _ in range(count)]
        if ties
        else [place / 100 for place in draw(st.permutations(range(count)))]
    )
    found = [[*draw(frames), *box(), draw(st.integers(1, 3)), score] for score in scores]
    return truth, found


def tables(truth, found):
    return (
        pd.DataFrame(truth, columns=TRUTH_COLUMNS).astype({"action_id": float}),
        pd.DataFrame(found, columns=COLUMNS).astype({"timestamp": float, "action_id": float, "score": float}),
    )


@pytest.mark.parametrize("protocol", ["activitynet", "pyslowfast"])
@given(cases())
@settings(max_examples=150, deadline=None)
def test_brute_force_agrees(protocol, case):
    truth, found = case
    expected = evaluate_by_hand(truth, found, THREE.ids, protocol)
    report = evaluate(*tables(truth, found), labels=THREE, protocol=protocol)
    assert report.per_action["ap"].to_dict() == pytest.approx(expected, nan_ok=True)


@given(cases(ties=False), st.randoms(use_true_random=False))
@settings(max_examples=100, deadline=None)
def test_the_order_of_rows_does_not_matter(case, random):
    truth, found = case
    mixed_truth, mixed_found = random.sample(truth, len(truth)), random.sample(found, len(found))
    one = evaluate(*tables(truth, found), labels=THREE)
    other = evaluate(*tables(mixed_truth, mixed_found), labels=THREE)
    assert other.per_action["ap"].to_dict() == pytest.approx(one.per_action["ap"].to_dict(), nan_ok=True)


@given(cases(ties=False), st.integers(1, 3))
@settings(max_examples=100, deadline=None)
def test_a_detection_below_all_others_never_lowers_an_ap(case, action_id):
    truth, found = case
    one = evaluate(*tables(truth, found), labels=THREE, protocol="pyslowfast")
    other = evaluate(
        *tables(truth, [*found, ["a", 1.0, 0, 0, 0.5, 0.5, action_id, -1.0]]), labels=THREE, protocol="pyslowfast"
    )
    before, after = one.per_action["ap"].fillna(0), other.per_action["ap"].fillna(0)
    assert (after >= before - 1e-12).all()


@given(cases())
@settings(max_examples=100, deadline=None)
def test_perfect_detections_give_one(case):
    truth = {tuple(row) for row in case[0] if row[6] is not None and row[4] > row[2] and row[5] > row[3]}
    found = [[*row, 0.9] for row in sorted(truth)]
    report = evaluate(*tables([list(row) for row in sorted(truth)], found), labels=THREE)
    assert report.mean_ap == pytest.approx(1.0) if truth else math.isnan(report.mean_ap)


# ---------------------------------------------------------------- the protocols' own ways


@pytest.mark.parametrize(
    ("protocol", "expected"),
    [
        pytest.param("activitynet", (1.0, 0.0, 0.5), id="official"),
        pytest.param("pyslowfast", (0.5, 0.0, 0.25), id="frames without truth count"),
        pytest.param("mmaction2", (1.0, None, 1.0), id="silent actions leave the mean"),
    ],
)
def test_frames_without_truth_and_silent_actions(protocol, expected):
    truth = [["a", 1.0, *BOX, 1], ["a", 1.0, *AWAY, 2]]
    found = [["a", 1.0, *BOX, 1, 0.5], ["a", 7.0, *BOX, 1, 0.9]]
    report = evaluate(*tables(truth, found), labels=THREE, protocol=protocol)
    stand, walk = report.per_action["ap"][[1, 2]]
    assert stand == expected[0]
    assert math.isnan(walk) if expected[1] is None else walk == expected[1]
    assert report.mean_ap == expected[2]


@pytest.mark.parametrize(("protocol", "ap"), [("activitynet", 0.5), ("mmaction2", 0.25)])
def test_truth_on_excluded_frames(protocol, ap):
    truth = [["a", 1.0, *BOX, 1], ["a", 2.0, *BOX, 1], ["a", 3.0, *BOX, 1], ["a", 4.0, *BOX, 1]]
    found = [["a", 1.0, *BOX, 1, 0.9], ["a", 3.0, *BOX, 1, 0.8], ["a", 4.0, *BOX, 1, 0.7]]
    excluded = pd.DataFrame({"video": ["a", "a"], "timestamp": [3.0, 4.0]})
    assert evaluate(*tables(truth, found), labels=THREE, excluded=excluded, protocol=protocol).mean_ap == ap


def test_the_official_code_counts_fifty_boxes_a_frame():
    truth = [["a", 1.0, *BOX, 1]]
    found = [["a", 1.0, *AWAY, 2, 0.9] for _ in range(50)] + [["a", 1.0, *BOX, 1, 0.5]]
    assert evaluate(*tables(truth, found), labels=THREE).mean_ap == 0
    assert evaluate(*tables(truth, found[1:]), labels=THREE).mean_ap == 1
    assert evaluate(*tables(truth, found), labels=THREE, protocol="pyslowfast").mean_ap == 1


def test_equal_scores_keep_the_order_of_frames_and_rows():
    truth = [["a", 1.0, *BOX, 1], ["b", 1.0, *BOX, 1]]
    right, wrong = ["b", 1.0, *BOX, 1, 0.5], ["a", 1.0, *AWAY, 1, 0.5]
    assert evaluate(*tables(truth, [right, wrong]), labels=THREE).mean_ap == 0.5
    assert evaluate(*tables(truth, [wrong, right]), labels=THREE).mean_ap == 0.25


# ---------------------------------------------------------------- what a report can tell


@pytest.mark.parametrize("protocol", ["activitynet", "pyslowfast", "mmaction2"])
@given(cases())
@settings(max_examples=100, deadline=None)
def test_errors_sum_to_the_gap(protocol, case):
    excluded = pd.DataFrame({"video": ["a"], "timestamp": [2.0]})
    report = evaluate(*tables(*case), labels=THREE, excluded=excluded, protocol=protocol)
    if math.isnan(report.mean_ap):
        assert len(report.errors) == 0
    else:
        assert report.errors["share"].sum() == pytest.approx(1 - report.mean_ap)
        assert (report.errors["share"] >= -1e-12).all()


@pytest.mark.parametrize(
    ("truth", "found", "error"),
    [
        pytest.param(
            [BOX, 1], [[BOX, 1, 0.5], [BOX, 1, 0.9]], None, id="duplicate behind the last truth costs nothing"
        ),
        pytest.param([BOX, 1], [[[0.1, 0.1, 0.5, 0.35], 1, 0.9]], "badly placed box", id="badly placed"),
        pytest.param([BOX, 1], [[AWAY, 1, 0.9], [BOX, 1, 0.5]], "false person", id="false person"),
        pytest.param([BOX, 1], [[BOX, 2, 0.9]], "missed action", id="missed action"),
        pytest.param([BOX, 1], [], "missed person", id="missed person"),
    ],
)
def test_each_error_is_told_by_its_name(truth, found, error):
    report = evaluate(
        *tables([["a", 1.0, *truth[0], truth[1]]], [["a", 1.0, *box, label, score] for box, label, score in found]),
        labels=THREE,
    )
    wrong = report.errors["share"]
    assert wrong[wrong > 1e-12].index.tolist() == ([error] if error else [])


def test_a_wrong_action_on_a_right_person():
    truth = [["a", 1.0, *BOX, 1], ["a", 1.0, *AWAY, 2]]
    found = [["a", 1.0, *AWAY, 1, 0.9], ["a", 1.0, *BOX, 1, 0.8], ["a", 1.0, *AWAY, 2, 0.7]]
    errors = evaluate(*tables(truth, found), labels=THREE).errors
    assert errors["count"]["wrong action on a right person"] == 1
    assert errors["share"]["wrong action on a right person"] == pytest.approx(0.25)


def test_sizes_ask_only_for_their_own_boxes():
    small, large = [0.1, 0.1, 0.2, 0.2], [0.1, 0.1, 0.9, 0.9]
    truth = [["a", 1.0, *small, 1], ["a", 1.0, *large, 1]]
    report = evaluate(*tables(truth, [["a", 1.0, *large, 1, 0.9]]), labels=THREE)
    assert report.by_size["mean_ap"][["small", "large"]].tolist() == [0, 1]
    assert report.by_size["truth"].tolist() == [1, 0, 1]


def test_the_spread_over_ties_holds_every_order():
    truth = [["a", 1.0, *BOX, 1], ["b", 1.0, *BOX, 1]]
    tied = [["b", 1.0, *BOX, 1, 0.5], ["a", 1.0, *AWAY, 1, 0.5]]
    spread = evaluate(*tables(truth, tied), labels=THREE).tie_spread(50)
    assert (spread.low, spread.high) == (0.25, 0.5)


def test_the_spread_over_ties_reaches_into_the_cap():
    tied = [["a", 1.0, *BOX, 1, 0.5]] + [["a", 1.0, *AWAY, 2, 0.5] for _ in range(99)]
    spread = evaluate(*tables([["a", 1.0, *BOX, 1]], tied), labels=THREE).tie_spread(50)
    assert (spread.low, spread.high) == (0.0, 1.0)


def test_bootstrap_against_films_written_out():
    """Each sample once more as a truth and a detection table in which drawn films really stand several times."""
    random = np.random.default_rng(5)
    truth, found = [], []
    for video in "abcd":
        for time in range(12):
            truth.append([video, float(time), *BOX, int(random.integers(1, 4))])
            box, label = (BOX if random.random() < 0.7 else AWAY), int(random.integers(1, 4))
            found.append([video, float(time), *box, label, float(random.random())])
    samples = 60
    interval = evaluate(*tables(truth, found), labels=THREE).confidence(samples, seed=3)
    order = list(dict.fromkeys(row[0] for row in found))
    draws = np.random.default_rng(3).multinomial(4, np.full(4, 0.25), size=samples)
    means = []
    for draw in draws:
        copies = [(video, copy) for video, times in zip(order, draw, strict=True) for copy in range(times)]
        again = [[f"{video}{copy}", *row[1:]] for video, copy in copies for row in truth if row[0] == video]
        seen = [[f"{video}{copy}", *row[1:]] for video, copy in copies for row in found if row[0] == video]
        # a film drawn twice has each score twice: both copies count together, as if they were one step
        means.append(evaluate(*tables(again, seen), labels=THREE, protocol="activitynet").mean_ap)
    low, high = np.quantile(means, [0.025, 0.975])
    assert interval.low == pytest.approx(low, abs=0.03)
    assert interval.high == pytest.approx(high, abs=0.03)
    assert interval.low < evaluate(*tables(truth, found), labels=THREE).mean_ap < interval.high


def test_one_film_has_no_interval():
    report = evaluate(*tables([["a", 1.0, *BOX, 1]], [["a", 1.0, *BOX, 1, 0.9]]), labels=THREE)
    assert math.isnan(report.confidence().low)


def test_thresholds_against_every_cut_there_is():
    random = np.random.default_rng(5)
    box = [0.1, 0.1, 0.5, 0.5]
    truth = [["a", time, *box, 1 + time % 2] for time in range(40)] + [["a", 0, *box, 3]]
    found = [["a", time, *box, 1, round(0.2 * (time % 2 == 0) + 0.7 * random.random(), 1)] for time in range(40)]
    found += [["a", 0, *box, 3, 0.9]]
    report = evaluate(pd.DataFrame(truth, columns=TRUTH_COLUMNS), pd.DataFrame(found, columns=COLUMNS), THREE)
    chosen = report.thresholds(0.25)
    assert (chosen[2], chosen[3]) == (0.25, 0.25), "never found, and a single example tells nothing"
    right = set(range(0, 40, 2))

    def balance(cut):
        taken = [row[1] for row in found[:-1] if row[-1] >= cut]
        return 2 * len(right & set(taken)) / (len(taken) + len(right))

    assert balance(chosen[1]) == pytest.approx(max(map(balance, np.linspace(0, 1, 1001))))
    assert all(abs(row[-1] - chosen[1]) > 0.01 for row in found), "it lies between two scores"
    high = report.thresholds(0.25, least=0.8)[1]
    assert balance(high) == pytest.approx(max(map(balance, np.linspace(0.8, 1, 201))))
    assert high >= 0.8


def test_the_ceiling_of_person_boxes():
    truth = LabelledBoxes(np.array([0, 0, 1]), np.array([0, 1, 0]), np.array([BOX, BOX, AWAY]), np.ones(3))
    ceiling = oracle_ap(truth, np.array([BOX]), np.array([0]), 3)
    assert ceiling[:2].tolist() == [0.5, 1.0]
    assert math.isnan(ceiling[2])


# ---------------------------------------------------------------- ids, notes, command line


def test_ids_that_are_not_scored_are_counted(tmp_path):
    (tmp_path / "truth.csv").write_text("a,0902,0.1,0.1,0.5,0.9,1,7\na,0902,0.1,0.1,0.5,0.9,2,7\na,0903\n")
    (tmp_path / "found.csv").write_text("a,902,0.1,0.1,0.5,0.9,1,0.9\na,0903.000,0.1,0.1,0.5,0.9,1,0.95\n")
    report = evaluate(tmp_path / "truth.csv", tmp_path / "found.csv")
    assert report.mean_ap == 0.5  # the empty frame's detection is a false positive
    assert report.notes == (f"{tmp_path / 'truth.csv'}: 1 rows of actions that are not scored (2) are left out",)


@pytest.mark.parametrize(
    ("truth", "found", "message"),
    [
        pytest.param("a,1,0,0,1,1,81\n", "", r"truth.csv, line 1: action_id 81 is none of the 80 known", id="truth"),
        pytest.param("a,1,0,0,1,1,1\n", "a,1,0,0,1,1,0,0.5\n", r"found.csv, line 1: action_id 0 is none", id="from 0"),
        pytest.param("a,1,0,0,1,1,1.5\n", "", r"truth.csv, line 1: action_id is 1.5; a whole number", id="fraction"),
        pytest.param("a,1,0,0,1,1,1e300\n", "", r"truth.csv, line 1: action_id is 1e\+300; a whole", id="huge"),
        pytest.param("a,1,0,0,1,1\n", "", r"truth.csv, line 1: has 6 columns", id="too few columns"),
        pytest.param("a,1,0,0,1,1,\na,1,0,0,1,1\n", "", r"truth.csv, line 2: has 6 columns", id="too few once"),
        pytest.param("a,1,0,0,1,1,1\n", "a,1,0,0,1,1,1,\n", r"found.csv, line 1: score is ''", id="no score"),
    ],
)
def test_wrong_rows_are_named(tmp_path, truth, found, message):
    (tmp_path / "truth.csv").write_text(truth)
    (tmp_path / "found.csv").write_text(found)
    with pytest.raises(InputError, match=message):
        evaluate(tmp_path / "truth.csv", tmp_path / "found.csv")


def test_the_command_prints_and_writes(found, golden, tmp_path, capsys):
    found.to_csv(tmp_path / "found.csv", header=False, index=False)
    arguments = [
        "evaluate",
        "--truth",
        str(FIXTURES / "evaluator_truth.csv"),
        "--detections",
        str(tmp_path / "found.csv"),
    ]
    assert run(app, [*arguments, "--protocol", "pyslowfast", "--json", str(tmp_path / "r.json")]) == 0
    assert capsys.readouterr().out.startswith("frame mAP 0.4111 (pyslowfast, IoU 0.5, ")
    written = json.loads((tmp_path / "r.json").read_text())
    assert written["protocol"] == "pyslowfast"
    assert written["mean_ap"] == pytest.approx(golden["all"]["mean"])
    assert len(written["per_action"]) == 60
    assert written["per_action"]["12"]["name"] == "stand"
    assert written["per_action"]["10"]["ap"] is None
    assert run(app, [*arguments, "--protocol", "coco"]) == 2
    assert run(app, [*arguments, "--csv", str(tmp_path / "r.csv")]) == 0
    assert (tmp_path / "r.csv").read_text().splitlines()[0] == "action_id,name,ap,truth,detections"
    assert len(pd.read_csv(tmp_path / "r.csv")) == 60


def test_what_does_not_count_is_told():
    empty = [0.2, 0.2, 0.2, 0.5]
    found = [["a", 1.0, *BOX, 1, 0.9], ["a", 1.0, *empty, 1, 0.8]] + [["a", 1.0, *AWAY, 2, 0.1] for _ in range(50)]
    assert evaluate(*tables([["a", 1.0, *BOX, 1]], found), labels=THREE).notes == (
        "2 detections beyond the 50 best-scored of a key frame do not count",
        "1 detections with boxes without area are left out",
    )


def test_only_included_timestamps_count(tmp_path):
    (tmp_path / "included.txt").write_text("0001\n0002\n")
    truth = [["a", 1.0, *BOX, 1], ["a", 3.0, *BOX, 1]]
    found = [["a", 1.0, *BOX, 1, 0.9], ["a", 3.0, *AWAY, 1, 0.95]]
    assert evaluate(*tables(truth, found), labels=THREE).mean_ap == 0.25
    report = evaluate(*tables(truth, found), labels=THREE, included=tmp_path / "included.txt")
    assert report.mean_ap == 1
    assert report.notes == (
        "the truth: 1 rows at timestamps that are not included are left out",
        "the detections: 1 rows at timestamps that are not included are left out",
    )


def test_the_worth_of_person_boxes_is_printed(tmp_path, capsys):
    (tmp_path / "truth.csv").write_text("a,1,0.1,0.1,0.5,0.9,12\na,1,0.1,0.1,0.5,0.9,80\na,1,0.6,0.1,0.9,0.9,12\n")
    (tmp_path / "boxes.csv").write_text("a,1,0.1,0.1,0.5,0.8,,0.9\na,7,0.1,0.1,0.5,0.9,,0.9\n")
    arguments = ["evaluate-boxes", "--truth", str(tmp_path / "truth.csv"), "--boxes", str(tmp_path / "boxes.csv")]
    assert run(app, arguments) == 0
    assert capsys.readouterr().out.splitlines() == [
        "2 persons in the truth, 1 boxes on its key frames",
        "recall at IoU 0.5 (persons whom any box fits): 0.5000",
        "recall at IoU 0.75 (persons whom any box fits): 0.5000",
        "recall at IoU 0.9 (persons whom any box fits): 0.0000",
        "frame mAP with perfect scores (IoU 0.5): 0.7500",
        "AP 0.4040, AP50 0.5050, AP75 0.5050 (COCO's, by pycocotools)",
        "large (from 20% of the frame): 2, AP 0.4040, COCO's recall (one person a box) 0.5000 at IoU 0.5, 0.4000 on "
        "average from 0.5 to 0.95",
        "",
        "score from   boxes a key frame   persons whom any box fits   boxes that fit a person",
        *[
            f"      {least:.2f}                1.00                      0.5000                    1.0000"
            for least in (0.3, 0.5, 0.7, 0.8, 0.9)
        ],
        "      0.95                0.00                      0.0000                         -",
    ]


@pytest.mark.parametrize("option", ["--json", "--csv", "--html"])
def test_an_input_is_never_an_output(tmp_path, option):
    (tmp_path / "truth.csv").write_text("a,1,0.1,0.1,0.5,0.9,12\n")
    (tmp_path / "found.csv").write_text("a,1,0.1,0.1,0.5,0.9,12,0.9\n")
    files = ["--truth", str(tmp_path / "truth.csv"), "--detections", str(tmp_path / "found.csv")]
    assert run(app, ["evaluate", *files, option, str(tmp_path / "truth.csv")]) == 2
    assert (tmp_path / "truth.csv").read_text() == "a,1,0.1,0.1,0.5,0.9,12\n"


def test_what_is_left_of_nothing_is_told(tmp_path):
    (tmp_path / "excluded.csv").write_text("a,0001\nz,0001\n")
    report = evaluate(*tables([["a", 1.0, *BOX, 1]], []), labels=THREE, excluded=tmp_path / "excluded.csv")
    assert math.isnan(report.mean_ap)
    assert report.notes == (
        "1 truth boxes on excluded key frames are left out",
        "no truth is left that could be found: there is no mean AP",
        "the detections: hold no row of a scored action",
        "1 excluded key frames are in neither file",
    )


def test_excluded_films_are_no_films_of_the_run():
    truth, found = [["a", 1.0, *BOX, 1]], [["a", 1.0, *BOX, 1, 0.9]]
    excluded = pd.DataFrame({"video": ["b", "c"], "timestamp": [1.0, 1.0]})
    report = evaluate(*tables(truth, found), labels=THREE, excluded=excluded)
    assert report.videos == ("a",)
    assert math.isnan(report.confidence().low)
    assert repr(report) == "Report(activitynet, mean_ap=1.0000, 3 actions)"
