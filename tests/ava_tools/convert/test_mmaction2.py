"""mmaction2's csv, proposals, exclusions and labels: written by hand, and through a data set folder."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import yaml
from annotated import plain, through_folder

from ava_tools.convert import mmaction2
from ava_tools.convert.films import Films
from ava_tools.convert.folder import write_data_set
from ava_tools.errors import InputError
from ava_tools.tables import read_person_boxes

NO_FILMS = Films(frame_rate=10)
LABELS = 'item { name: "run" id: 1 }\nitem { name: "hop" id: 2 }\n'
PROPOSALS = {
    "a,0902": np.array([[0, 0, 0.5, 1, 0.9], [0.5, 0, 1, 1, 0.4]]),
    "a,0904": np.array([[0.1, 0.1, 0.5, 1, 0.8]]),
    "b,0903": np.array([[0.2, 0.2, 0.4, 0.4]]),
    "elsewhere,0902": np.array([[0, 0, 1, 1, 0.9]]),
}


@pytest.fixture
def annotations(tmp_path):
    """The folder as mmaction2's documentation lays it out."""
    folder = tmp_path / "annotations"
    folder.mkdir()
    (folder / "ava_train_v2.1.csv").write_text("a,0902,0,0,0.5,1,1,0\na,0902,0,0,0.5,1,2,0\na,0903,0,0,1,1,1,0\n")
    (folder / "ava_val_v2.1.csv").write_text("b,0903,0.2,0.2,0.4,0.4,2,1\n")
    (folder / "ava_train_excluded_timestamps_v2.1.csv").write_text("a,0903\n")
    (folder / "ava_val_excluded_timestamps_v2.1.csv").write_text("a,0902\n")  # of another split
    (folder / "ava_action_list_v2.1.pbtxt").write_text(LABELS)
    for split in ("train", "val"):
        (folder / f"ava_dense_proposals_{split}.FAIR.recall_93.9.pkl").write_bytes(pickle.dumps(PROPOSALS, protocol=2))
    return folder


def test_a_folder_becomes_a_data_set_with_boxes(annotations, tmp_path):
    found = mmaction2.read(annotations, NO_FILMS, time_origin=900)
    assert plain(found) == [
        ("a", 2.0, (0.0, 0.0, 0.5, 1.0), 0, ("run", "hop")),
        ("b", 3.0, (0.2, 0.2, 0.4, 0.4), 1, ("hop",)),
    ]
    assert found.lost == {"proposals on frames that are not annotated": 1}
    assert any("1 annotated frames are left out" in note for note in found.notes)
    write_data_set(found, tmp_path / "set", tmp_path)
    manifest = yaml.safe_load((tmp_path / "set" / "dataset.yaml").read_text())
    assert manifest["time_origin"] == 900
    assert manifest["splits"]["train"] == {"truth": "train.csv", "boxes": "train_boxes.csv"}
    assert (tmp_path / "set" / "train_boxes.csv").read_text().splitlines() == [
        "a,0902,0.000000,0.000000,0.500000,1.000000,,0.900000",
        "a,0902,0.500000,0.000000,1.000000,1.000000,,0.400000",
    ]
    boxes = read_person_boxes(tmp_path / "set" / "val_boxes.csv")  # of a pickle without scores
    assert boxes[["x1", "x2"]].to_numpy().tolist() == [[0.2, 0.4]]
    assert boxes["score"].isna().all()


def test_one_csv_takes_what_is_beside_it(annotations, tmp_path):
    found = mmaction2.read(annotations / "ava_val_v2.1.csv", NO_FILMS, time_origin=900)
    assert found.proposals[["video", "timestamp"]].to_numpy().tolist() == [["b", 3.0]]
    assert plain(through_folder(found, tmp_path / "set", tmp_path)) == plain(found)


MULTISPORTS = """\
gym/v_1.mp4,1,0,0,0.5,1,0,0
gym/v_1.mp4,2,0,0,0.5,1,0,0
gym/v_1.mp4,2,0.5,0,1,1,1,0
"""


def test_multisports_has_frames_and_counts_actions_from_0(tmp_path):
    (tmp_path / "multisports_train.csv").write_text(MULTISPORTS)
    (tmp_path / "label_map.txt").write_text("aerobic push up\naerobic turn\n")
    boxes = {"gym/v_1.mp4,0002": np.array([[0, 0, 1, 1, 0.5]])}
    (tmp_path / "multisports_dense_proposals_train.recall_96.13.pkl").write_bytes(pickle.dumps(boxes, protocol=2))
    found = mmaction2.read(tmp_path, Films())
    assert plain(found) == [
        ("gym/v_1", 0.0, (0.0, 0.0, 0.5, 1.0), 0, ("aerobic push up",)),
        ("gym/v_1", 0.04, (0.0, 0.0, 0.5, 1.0), 0, ("aerobic push up",)),
        ("gym/v_1", 0.04, (0.5, 0.0, 1.0, 1.0), 1, ("aerobic turn",)),  # person 0 of another action
    ]
    assert found.proposals["timestamp"].tolist() == [0.04]
    labels = tmp_path / "labels.json"
    labels.write_text('{"0": "push", "1": "turn"}')
    assert [done for *_, done in plain(mmaction2.read(tmp_path, Films(), labels=labels))][-1] == ("turn",)
    (tmp_path / "label_map.txt").unlink()
    assert mmaction2.read(tmp_path, Films()).labels.names == ("action 1", "action 2")


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("ava_train_v2.1.csv", b"a,0902,0,0,0.5,1,99,0\n", "has the action 99, which is none of"),
        ("ava_train_excluded_timestamps_v2.1.csv", b"a\n", "has 1 columns; video,timestamp is expected"),
        ("ava_dense_proposals_train.FAIR.recall_93.9.pkl", pickle.dumps([print]), "it asks for builtins.print"),
        ("ava_dense_proposals_train.FAIR.recall_93.9.pkl", pickle.dumps({"a,0902": "x"}), "rows of 4 or 5 numbers"),
        ("ava_train_v2.1.csv", b"gym/v.mp4,0,0,0,1,1,0,0\n", "v.mp4 has the frame 0, counted from 1"),
        ("ava_train_v2.1.csv", b"gym/v.mp4,1.5,0,0,1,1,0,0\n", "v.mp4 has the frame 1.5, counted from 1"),
        ("ava_train_v2.1.csv", b"gym/v.mp4,1,0,0,1,1,1e12,0\n", r"action_id is 1e\+12; a whole number"),
        ("label_map.txt", b"one\n", None),
    ],
)
def test_wrong_files_are_told(annotations, name, content, sentence):
    (annotations / name).write_bytes(content)
    if sentence is None:
        (annotations / "ava_train_v2.1.csv").write_bytes(b"gym/v.mp4,1,0,0,1,1,7,0\n")
        sentence = "has the action 7, counted from 0, which is none of"
    with pytest.raises(InputError, match=sentence):
        mmaction2.read(annotations, Films())


def test_a_folder_without_csv_is_told(tmp_path):
    with pytest.raises(InputError, match="holds no csv of actions"):
        mmaction2.read(tmp_path, NO_FILMS)
