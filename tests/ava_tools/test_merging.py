"""Annotated and predicted boxes as one list of persons, against what PySlowFast reads from the same files."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pytest

from ava_tools.errors import InputError
from ava_tools.tables import merge_boxes

GOLDEN = json.loads((Path(__file__).parents[1] / "fixtures" / "training_data.json").read_text())


@pytest.fixture
def files(tmp_path):
    paths = {}
    for name, text in GOLDEN["files"].items():
        paths[name] = tmp_path / name
        paths[name].write_text(text)
    return paths["ava_train_v2.2.csv"], paths["train_pred.csv"], paths["val_pred.csv"]


def as_golden(merged, low=902, high=1798, every=1):
    """Video by video, key frame by key frame: boxes with the set of their labels."""
    videos = {}
    for number, row in enumerate(merged.boxes.itertuples()):
        if low <= row.timestamp <= high and row.timestamp % every == 0:
            labels = set(merged.labels.loc[merged.labels["box"] == number, "action_id"])
            frames = videos.setdefault(row.video, {})
            frames.setdefault(row.timestamp, []).append(([row.x1, row.y1, row.x2, row.y2], labels))
    return [list(frames.values()) for frames in videos.values()]


@pytest.mark.parametrize("least", [0.8, 0.9])
@pytest.mark.parametrize(
    ("name", "truth", "predicted", "every"),
    [
        ("gt_only", [0], [], 1),
        ("gt+pred", [0], [1], 1),
        ("gt+SHORTlist", [0], [0, 1], 1),
        ("val", [], [2], 4),
        ("val_full", [], [2], 1),
        ("test", [], [2], 1),
    ],
)
def test_as_pyslowfast(files, name, truth, predicted, every, least):
    merged = merge_boxes([files[n] for n in truth], [files[n] for n in predicted], least)
    expected = [
        [[(box, set(labels) - {-1}) for box, labels in frame] for frame in video]
        for video in GOLDEN["annotations"][f"{name}_thr{least}"]["boxes_labels"]
    ]
    assert as_golden(merged, every=every) == expected
    assert not merged.labels.duplicated().any()


def test_key_frames_rise_and_videos_keep_their_order(tmp_path):
    path = tmp_path / "truth.csv"
    path.write_text("b,3.5,0,0,.5,.5,1\na,2,0,0,.5,.5,1\nb,0.25,0,0,.5,.5,2\na,1,0,0,.5,.5,1\n")
    merged = merge_boxes([path])
    assert merged.boxes[["video", "timestamp"]].to_numpy().tolist() == [["b", 0.25], ["b", 3.5], ["a", 1], ["a", 2]]
    assert merged.labels.to_numpy().tolist() == [[0, 2], [1, 1], [2, 1], [3, 1]]


def test_proposals_are_predicted_boxes(tmp_path):
    truth, proposals = tmp_path / "truth.csv", tmp_path / "proposals.pkl"
    truth.write_text("a,0902,0.1,0.1,0.5,0.5,7\n")
    boxes = np.array([[0.2, 0.2, 0.6, 0.6, 0.95], [0.3, 0.3, 0.6, 0.6, 0.5]])
    proposals.write_bytes(pickle.dumps({"a,0902": boxes}))
    merged = merge_boxes([truth], [proposals], 0.9)
    assert merged.boxes["x1"].tolist() == [0.1, 0.2]
    assert merged.labels.to_numpy().tolist() == [[0, 7]]


def test_boxes_may_take_the_labels_of_the_truth_they_cover(tmp_path):
    truth, predicted = tmp_path / "truth.csv", tmp_path / "predicted.csv"
    truth.write_text("a,1,0.1,0.1,0.5,0.5,7\na,1,0.1,0.1,0.5,0.5,8\na,1,0.6,0.1,0.9,0.5,9\n")
    predicted.write_text("a,1,0.11,0.1,0.5,0.5,,0.9\na,1,0.3,0.3,0.7,0.7,,0.9\na,2,0.1,0.1,0.5,0.5,,0.9\n")
    plain, matched = (merge_boxes([truth], [predicted], 0.5, match_iou=least) for least in (None, 0.75))
    assert len(plain.boxes) == len(matched.boxes) == 5
    assert plain.labels.to_numpy().tolist() == [[0, 7], [0, 8], [1, 9]]
    assert matched.labels.to_numpy().tolist() == [[0, 7], [0, 8], [1, 9], [2, 7], [2, 8]]


def test_rows_of_key_frames_without_persons_are_no_persons(tmp_path):
    path = tmp_path / "truth.csv"
    path.write_text("a,1\na,2,0.1,0.1,0.5,0.5,7\n")
    assert merge_boxes([path]).boxes["timestamp"].tolist() == [2]


def test_quoted_and_spaced_files_are_read_too(tmp_path):
    path = tmp_path / "truth.csv"
    path.write_text('"a, b",1, 0.1,0.1 ,0.5,0.5,7\n"a, b",1,0.1,0.1,0.5,0.5,8\n')
    merged = merge_boxes([path])
    assert merged.boxes["video"].tolist() == ["a, b"]
    assert merged.labels["action_id"].tolist() == [7, 8]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,1,10,20,30,40,1,0.9\n", "line 1: the box 10,20,30,40 leaves the frame.*pixels"),
        ("a,1,0.1,0.1,0.5,0.5,1.5,0.9\n", "line 1: action_id is 1.5"),
        ("a,1,0.1,0.1,0.5,0.5,,0.9\na,1,0.1\n", "line 2: has 3 columns"),
        ("a,1,0.1,0.1,0.5,0.5,,high\n", "line 1: score is 'high'"),
    ],
)
def test_wrong_predicted_boxes(tmp_path, text, message):
    truth, predicted = tmp_path / "truth.csv", tmp_path / "predicted.csv"
    truth.write_text("a,1,0.1,0.1,0.5,0.5,7\n")
    predicted.write_text(text)
    with pytest.raises(InputError, match=message):
        merge_boxes([truth], [predicted])


def test_an_annotated_person_without_action(tmp_path):
    file = tmp_path / "truth.csv"
    file.write_text("a,1,0.1,0.1,0.5,0.5,,0\na,1,0.2,0.2,0.5,0.5,3,1\n")
    merged = merge_boxes([file])
    assert merged.boxes["x1"].tolist() == [0.1, 0.2]
    assert merged.labels.values.tolist() == [[1, 3]]
