"""Label lists in every form that the field uses."""

from __future__ import annotations

import pytest

from ava_tools import InputError, ava_labels, read_labels

FORMS = {
    "pbtxt item": 'item {\n  name: "run"\n  id: 3\n}\nitem {\n  name: "jump, high"\n  id: 5\n}\n',
    "pbtxt label": 'label {\n name: "run"\n label_id: 3\n label_type: X\n}\nlabel { name: "jump, high" label_id: 5 }',
    "json names to ids": '{"run": 3, "jump, high": 5}',
    "json ids to names": '{"3": "run", "5": "jump, high"}',
    "json entries": '[{"id": 3, "name": "run"}, {"id": 5, "name": "jump, high"}]',
    "csv": '3,run\n5,"jump, high"\n',
    "csv with a header": 'id,name,kind,scored\n3,run,pose,1\n5,"jump, high",,1\n',
    "txt with ids": "3 run\n5: jump, high\n",
}


@pytest.mark.parametrize("text", FORMS.values(), ids=FORMS.keys())
def test_every_form(tmp_path, text):
    (tmp_path / "labels").write_text(text)
    labels = read_labels(tmp_path / "labels")
    assert [(action.id, action.name, action.scored) for action in labels] == [(3, "run", True), (5, "jump, high", True)]


@pytest.mark.parametrize("text", ["run\njump high\n", '["run", "jump high"]'], ids=["txt", "json"])
def test_names_alone_are_numbered_from_one(tmp_path, text):
    (tmp_path / "labels").write_text(text)
    assert [(action.id, action.name) for action in read_labels(tmp_path / "labels")] == [(1, "run"), (2, "jump high")]


def test_a_part_of_ava_is_ava_with_that_part_scored(tmp_path):
    (tmp_path / "labels.csv").write_text("12,stand\n14,walk\n")
    labels = read_labels(tmp_path / "labels.csv")
    assert labels.ids == ava_labels().ids
    assert [action.id for action in labels if action.scored] == [12, 14]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("", "names no action", id="empty"),
        pytest.param("1,run\n1,jump\n", "names the action id 1 twice", id="twice"),
        pytest.param("1,run\nx,jump\n", "line 2: is 'x,jump'", id="no id"),
        pytest.param("1.0,run\n2,sit\n", "line 1: is '1.0,run'; pbtxt", id="no whole id"),
        pytest.param("-1,run\n2,sit\n", "line 1: is '-1,run'", id="negative"),
        pytest.param("1;run\n2;sit\n", "line 1: is '1;run'", id="semicolons"),
        pytest.param("run\n2.5 sit\n", "line 2: is '2.5 sit'", id="a number among names"),
        pytest.param('{"run": 1', "is no json", id="broken json"),
        pytest.param('{"run": [1]}', "json of another form", id="other json"),
        pytest.param('item {\n name: "run"\n}\n', "line 1: the entry lacks a name or a whole id", id="no id in pbtxt"),
        pytest.param(b"\xff\xfe\x00", "cannot be read as text", id="no text"),
    ],
)
def test_wrong_lists_are_named(tmp_path, text, message):
    path = tmp_path / "labels"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InputError, match=f"labels.*{message}"):
        read_labels(path)
