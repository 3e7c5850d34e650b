"""What boxes are worth: against pycocotools as it is usually called, and against counting by hand."""

from __future__ import annotations

import contextlib
import io
import json
import pickle

import numpy as np
import pandas as pd
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from ava_tools import Action, Labels, evaluate_person_boxes
from ava_tools.box_evaluation import evaluate_boxes
from ava_tools.boxes import SIZES, pairwise_iou
from ava_tools.cli.main import app
from ava_tools.cli.run import run
from ava_tools.errors import InputError
from ava_tools.person_files import save_person_boxes
from ava_tools.tables import COORDINATES, KEY, read_person_boxes

CLASSES = ("player", "referee", "nobody's")


def generated(seed, frames=60):
    """Boxes of all sizes, crowded; detections jittered, missed, doubled, of a wrong class, made up."""
    random = np.random.default_rng(seed)
    truth, found = [], []
    for frame in range(frames):
        for _ in range(int(random.integers(0, 5))):
            corner, side = random.uniform(0, 0.5, 2), random.uniform(0.03, 0.5, 2)
            box = np.concatenate([corner, corner + side])
            kind = int(random.integers(0, 2))
            truth.append(["film", frame / 2, *box, kind])
            for _ in range(int(random.integers(0, 3))):
                seen = np.clip(box + random.normal(0, 0.15, 4) * np.tile(side, 2), 0, 1)
                if (seen[2:] > seen[:2]).all():
                    found.append(
                        ["film", frame / 2, *seen, kind if random.random() < 0.8 else 1 - kind, random.random()]
                    )
        if random.random() < 0.5:
            corner = random.uniform(0, 0.6, 2)
            found.append(["film", frame / 2, *corner, *(corner + 0.2), int(random.integers(0, 2)), random.random()])
    found.append(["other", 1.0, 0.1, 0.1, 0.5, 0.5, 0, 0.999])
    columns = [*KEY, *COORDINATES, "class"]
    every = pd.DataFrame([["film", frame / 2] for frame in range(frames)], columns=KEY)
    return pd.DataFrame(truth, columns=columns), pd.DataFrame(found, columns=[*columns, "score"]), every


def as_usual(truth, found, every, folder):
    """pycocotools from files of json in pixels of 1000 x 500, where its sizes are areas."""

    def pixels(table):
        boxes = table[COORDINATES].to_numpy() * [1000, 500, 1000, 500]
        return np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1)

    numbers = {time: number for number, time in enumerate(every["timestamp"], start=1)}
    rows = zip(truth["timestamp"], truth["class"], pixels(truth), strict=True)
    annotations = [
        {"id": i, "image_id": numbers[time], "category_id": kind + 1, "bbox": box.tolist(),
         "area": float(box[2] * box[3]), "iscrowd": 0}
        for i, (time, kind, box) in enumerate(rows, start=1)
    ]  # fmt: skip
    images = [{"id": number, "width": 1000, "height": 500} for number in numbers.values()]
    categories = [{"id": number + 1, "name": name} for number, name in enumerate(CLASSES)]
    own = found[found["video"] == "film"]
    rows = zip(own["timestamp"], own["class"], pixels(own), own["score"], strict=True)
    results = [
        {"image_id": numbers[time], "category_id": kind + 1, "bbox": box.tolist(), "score": score}
        for time, kind, box, score in rows
    ]
    (folder / "truth.json").write_text(
        json.dumps({"info": {}, "images": images, "annotations": annotations, "categories": categories})
    )
    (folder / "found.json").write_text(json.dumps(results))
    with contextlib.redirect_stdout(io.StringIO()):
        data = COCO(str(folder / "truth.json"))
        work = COCOeval(data, data.loadRes(str(folder / "found.json")), "bbox")
        work.params.areaRng = [[0, 1e10], *[[least * 5e5, min(most, 1e3) * 5e5] for _, least, most in SIZES]]
        work.evaluate()
        work.accumulate()
        work.summarize()
    return work


@pytest.mark.parametrize("seed", range(3))
def test_figures_are_pycocotools(seed, tmp_path):
    truth, found, every = generated(seed)
    ours = evaluate_boxes(truth, found, every, CLASSES)
    theirs = as_usual(truth, found, every, tmp_path)
    ap, ap50, ap75, *sizes = theirs.stats[:6]
    assert (ours.ap, ours.ap50, ours.ap75) == pytest.approx((ap, ap50, ap75), abs=1e-12)
    assert 0.05 < ours.ap < ours.ap50 < 0.9
    np.testing.assert_allclose(ours.by_size["ap"], sizes, atol=1e-12)
    np.testing.assert_allclose(ours.by_size["average_recall"], theirs.stats[9:], atol=1e-12)
    precision = theirs.eval["precision"][:, :, :2, 0, -1]
    np.testing.assert_allclose(ours.per_class["ap"].iloc[:2], precision.mean(axis=(0, 1)), atol=1e-12)
    assert np.isnan(ours.per_class.loc["nobody's", "ap"])
    assert ours.per_class["truth"].sum() == len(truth) == ours.by_size["truth"].sum()


def test_recall_by_size_is_what_counting_gives():
    truth, found, every = generated(7)
    ours = evaluate_boxes(truth, found, every, CLASSES)
    sides = truth[COORDINATES].to_numpy()
    shares = (sides[:, 2] - sides[:, 0]) * (sides[:, 3] - sides[:, 1])
    for size, least, most in SIZES:
        recalls = []
        for kind in (0, 1):
            hits = total = 0
            for time in every["timestamp"]:
                rows = (truth["timestamp"] == time) & (truth["class"] == kind)
                own = found[(found["video"] == "film") & (found["timestamp"] == time) & (found["class"] == kind)]
                own = own.sort_values("score", ascending=False)
                inside = (shares[rows] >= least) & (shares[rows] <= most)
                overlaps = pairwise_iou(own[COORDINATES].to_numpy(), truth.loc[rows, COORDINATES].to_numpy())
                hits += matched(overlaps, inside)
                total += inside.sum()
            recalls.append(hits / total if total else np.nan)
        assert ours.by_size.loc[size, "recall"] == pytest.approx(np.nanmean(recalls))


def matched(overlaps, inside):
    """COCO's greedy matching: by falling score, each to the free truth it fits best, that of the size first."""
    free = np.ones(overlaps.shape[1], dtype=bool)
    hits = 0
    for row in overlaps:
        for group in (inside, ~inside):
            fitting = np.flatnonzero(free & group & (row >= 0.5))
            if len(fitting):
                best = fitting[np.argmax(row[fitting])]
                free[best] = False
                hits += bool(inside[best])
                break
    return hits


def test_false_persons_where_nobody_is_count():
    truth = pd.DataFrame([["a", 1.0, 0.1, 0.1, 0.5, 0.5, 0]], columns=[*KEY, *COORDINATES, "class"])
    right = ["a", 1.0, 0.1, 0.1, 0.5, 0.5, 0, 0.8]
    wrong = ["a", 2.0, 0.1, 0.1, 0.5, 0.5, 0, 0.9]
    found = pd.DataFrame([right, wrong], columns=[*KEY, *COORDINATES, "class", "score"])
    frames = pd.DataFrame([["a", 1.0], ["a", 2.0]], columns=KEY)
    assert evaluate_boxes(truth, found, frames).ap50 == pytest.approx(0.5)
    assert evaluate_boxes(truth, found, frames[:1]).ap50 == pytest.approx(1.0)


def test_boxes_on_other_frames_do_not_count():
    truth, found, every = generated(3)
    own = every[:20]
    figures = evaluate_boxes(truth, found, own, CLASSES)
    shown, seen = (table[table["timestamp"].isin(own["timestamp"])] for table in (truth, found))
    alone = evaluate_boxes(shown, seen, own, CLASSES)
    pd.testing.assert_frame_equal(figures.per_class, alone.per_class)
    pd.testing.assert_frame_equal(figures.by_size, alone.by_size)
    assert figures.per_class["truth"].sum() == len(shown) < len(truth)


@pytest.mark.parametrize(("better", "ap"), [(99, 1 / 100), (100, 0)])
def test_the_hundred_best_boxes_of_a_frame_count(better, ap):
    box = [0.1, 0.1, 0.5, 0.5]
    truth = pd.DataFrame([["a", 1.0, *box, 0]], columns=[*KEY, *COORDINATES, "class"])
    wrong = [["a", 1.0, 0.6, 0.6, 0.9, 0.9, 0, 0.9] for _ in range(better)]
    found = pd.DataFrame([*wrong, ["a", 1.0, *box, 0, 0.5]], columns=[*KEY, *COORDINATES, "class", "score"])
    assert evaluate_boxes(truth, found, truth[KEY]).ap50 == pytest.approx(ap)


@pytest.mark.parametrize("empty", ["truth", "found", "both"])
def test_nothing_to_compare(empty):
    truth, found, every = generated(0, frames=4)
    truth, found = (truth[:0] if empty != "found" else truth), (found[:0] if empty != "truth" else found)
    figures = evaluate_boxes(truth, found, every, CLASSES)
    assert (figures.ap == 0) if empty == "found" else np.isnan(figures.ap)


def test_what_each_cut_keeps():
    truth = [["a", 1.0, 0.1, 0.1, 0.5, 0.5, 1], ["a", 2.0, 0.1, 0.1, 0.5, 0.5, 1], ["b", 1.0, 0.6, 0.6, 0.9, 0.9, 2]]
    found = [
        ["a", 1.0, 0.1, 0.1, 0.5, 0.5, 0.99],
        ["a", 2.0, 0.1, 0.1, 0.5, 0.45, 0.75],
        ["a", 2.0, 0.6, 0.6, 0.9, 0.9, 0.4],
        ["c", 1.0, 0.6, 0.6, 0.9, 0.9, 0.9],
    ]
    report = evaluate_person_boxes(
        pd.DataFrame(truth, columns=[*KEY, *COORDINATES, "action_id"]),
        pd.DataFrame(found, columns=[*KEY, *COORDINATES, "score"]),
        Labels((Action(1, "run"), Action(2, "sit"))),
    )
    assert (report.persons, report.boxes) == (3, 3)
    table = report.by_score
    np.testing.assert_allclose(table["boxes"], [1, 2 / 3, 2 / 3, 1 / 3, 1 / 3, 1 / 3])
    np.testing.assert_allclose(table["recall"], [2 / 3, 2 / 3, 2 / 3, 1 / 3, 1 / 3, 1 / 3])
    np.testing.assert_allclose(table["precision"], [2 / 3, 1, 1, 1, 1, 1])
    assert report.figures.ap50 == pytest.approx(67 / 101)  # recall 2/3 at full precision, at 101 points


def test_a_cut_keeps_boxes_of_its_score():
    truth = pd.DataFrame([["a", 1.0, 0.1, 0.1, 0.5, 0.5, 1]], columns=[*KEY, *COORDINATES, "action_id"])
    found = pd.DataFrame([["a", 1.0, 0.1, 0.1, 0.5, 0.5, 0.5]], columns=[*KEY, *COORDINATES, "score"])
    table = evaluate_person_boxes(truth, found).by_score
    assert table["boxes"].tolist() == [1, 1, 0, 0, 0, 0]


@pytest.fixture
def evaluate_files(tmp_path, capsys):
    """`evaluate-boxes` of two csv files: its output and what it tells beside."""

    def call(truth, boxes):
        (tmp_path / "truth.csv").write_text(truth)
        (tmp_path / "boxes.csv").write_text(boxes)
        arguments = ["evaluate-boxes", "--truth", str(tmp_path / "truth.csv"), "--boxes", str(tmp_path / "boxes.csv")]
        assert run(app, arguments) == 0
        printed = capsys.readouterr()
        return printed.out, printed.err.replace(f"{tmp_path}/", "")

    return call


def test_who_is_left_out_of_the_truth_is_told(evaluate_files):
    both = "a,1,0.1,0.1,0.5,0.9,2\na,1,0.1,0.1,0.5,0.9,12\n"  # action 2 is not scored
    out, err = evaluate_files(f"{both}a,1,0.5,0.1,0.9,0.9,2\nb,2\n", "a,1,0.1,0.1,0.5,0.8\n")
    assert out.startswith("1 persons in the truth, 1 boxes")
    assert err.splitlines() == [
        "note: truth.csv: 2 rows of actions that are not scored (2) are left out",
        "note: truth.csv: 1 persons who do nothing that is scored are left out",
    ]
    _, err = evaluate_files(both, "a,1,0.1,0.1,0.5,0.8\n")
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize(
    ("truth", "boxes", "warning"),
    [
        pytest.param(
            "film,902,0.1,0.1,0.5,0.9,12\n",
            "film.mp4,2.5,0.1,0.1,0.5,0.8\n",
            "boxes.csv: no box is on a key frame of truth.csv (the boxes have film.mp4,2.5, the truth has film,0902)",
            id="other keys",
        ),
        pytest.param("film,902,0.1,0.1,0.5,0.9,12\n", "", "boxes.csv: names no key frame", id="no boxes"),
        pytest.param("", "film,2,0.1,0.1,0.5,0.8\n", "truth.csv: names no key frame", id="no truth"),
    ],
)
def test_boxes_beside_the_truth(evaluate_files, truth, boxes, warning):
    _, err = evaluate_files(truth, boxes)
    assert err.splitlines() == [f"warning: {warning}"]


def test_the_two_recalls_are_told_apart(evaluate_files):
    """One box fits two persons; one of them is COCO's."""
    out, err = evaluate_files(
        "a,1,0.1,0.1,0.5,0.9,12\na,1,0.1,0.1,0.52,0.9,12\n", "a,1,0.1,0.1,0.51,0.9,,0.9\na,1,0,0,0.1,0.1,,0.5\n"
    )
    assert "recall at IoU 0.5 (persons whom any box fits): 1.0000" in out
    assert "large (from 20% of the frame): 2, AP 0.5050, COCO's recall (one person a box) 0.5000 at IoU 0.5" in out
    assert err == ""


def test_boxes_without_scores_have_no_ap(tmp_path, capsys):
    (tmp_path / "truth.csv").write_text("a,1,0.1,0.1,0.5,0.9,12\n")
    (tmp_path / "boxes.csv").write_text("a,1,0.1,0.1,0.5,0.8\n")
    assert (
        run(app, ["evaluate-boxes", "--truth", str(tmp_path / "truth.csv"), "--boxes", str(tmp_path / "boxes.csv")])
        == 0
    )
    assert capsys.readouterr().out.splitlines()[-1].startswith("frame mAP with perfect scores")


TABLE = pd.DataFrame(
    [
        ["film, one", 902.0, 0.1, 0.2, 0.3, 0.4, 0.9],
        ["film, one", 902.0, 0.5, 0.2, 0.7, 0.4, 0.8765432],
        ["b", 1.5, 0, 0, 1, 1, 0.5],
    ],
    columns=[*KEY, *COORDINATES, "score"],
)


@pytest.mark.parametrize("suffix", ["csv", "pkl"])
def test_files_are_read_back(tmp_path, suffix):
    save_person_boxes(TABLE, tmp_path / f"boxes.{suffix}")
    again = read_person_boxes(tmp_path / f"boxes.{suffix}")
    pd.testing.assert_frame_equal(again, TABLE.round(6).astype({"video": str}), check_dtype=False)


ODD_NAMES = ["a,b", 'a"b', "a\nb", "NaN", "902", "été \u2028 x"]
REFUSED_NAMES = [" a", "a ", "a\t", "a\rb", "a\0b", "\udce9"]


@pytest.mark.parametrize("name", ODD_NAMES, ids=ascii)
def test_odd_names_of_films(tmp_path, name):
    for suffix in ("csv", "pkl"):
        save_person_boxes(TABLE.assign(video=name), tmp_path / f"boxes.{suffix}")
        assert set(read_person_boxes(tmp_path / f"boxes.{suffix}")["video"]) == {name}


@pytest.mark.parametrize("name", REFUSED_NAMES, ids=ascii)
def test_names_that_a_csv_would_change(tmp_path, name):
    table = TABLE.assign(video=name)
    with pytest.raises(InputError, match=r"boxes.csv: a film is called .*plain text without spaces before or behind"):
        save_person_boxes(table, tmp_path / "boxes.csv")
    assert not (tmp_path / "boxes.csv").exists()
    save_person_boxes(table, tmp_path / "boxes.pkl")
    assert set(read_person_boxes(tmp_path / "boxes.pkl")["video"]) == {name}


def test_csv_is_avas(tmp_path):
    save_person_boxes(TABLE[1:].assign(label=["", "3"]), tmp_path / "boxes.csv")
    assert (tmp_path / "boxes.csv").read_text().splitlines() == [
        '"film, one",0902,0.500000,0.200000,0.700000,0.400000,,0.876543',
        "b,1.5,0.000000,0.000000,1.000000,1.000000,3,0.500000",
    ]


def test_proposals_are_mmaction2s(tmp_path):
    """As its data set reads them; numpy before 2, which it runs with, has no package numpy._core."""
    save_person_boxes(TABLE, tmp_path / "boxes.pkl")
    data = (tmp_path / "boxes.pkl").read_bytes()
    assert b"numpy._core" not in data
    assert b"numpy.core.multiarray" in data
    proposals = pickle.loads(data)
    assert list(proposals) == ["film, one,0902", "b,1.5"]
    np.testing.assert_allclose(proposals["film, one,0902"][:, 4], [0.9, 0.876543])
    assert proposals["b,1.5"].shape == (1, 5)


def test_a_film_may_be_called_as_the_maker_of_arrays(tmp_path):
    name = "cnumpy._core.multiarray\n_reconstruct\n"
    save_person_boxes(TABLE.assign(video=name), tmp_path / "boxes.pkl")
    data = (tmp_path / "boxes.pkl").read_bytes()
    assert data.count(b"numpy._core") == data.count(name.encode()) > 0
    assert b"cnumpy.core.multiarray\n" in data
    assert list(pickle.loads(data)) == [f"{name},0902", f"{name},1.5"]
    assert set(read_person_boxes(tmp_path / "boxes.pkl")["video"]) == {name}
