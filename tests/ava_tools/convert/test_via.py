"""VIA's json, of VIA 2 and VIA 3, against files written from their specifications."""

from __future__ import annotations

import json

import pytest
from converted import key_frames, rows, through_the_folder

from ava_tools.convert import via
from ava_tools.convert.films import Films
from ava_tools.errors import InputError

RECTANGLE = {"name": "rect", "x": 20, "y": 10, "width": 40, "height": 40}
UNIT = (100, 100, 300, 500)
TWO = {
    "walk": {"type": "checkbox", "description": "", "options": {"yes": "", "no": ""}, "default_options": {}},
    "pose": {"type": "checkbox", "options": {"sit": "on a chair", "stand": "", "1": "lie (down, or so)"}},
    "mood": {"type": "radio", "options": {"glad": "", "none": ""}},
    "more": {"type": "text", "default_value": ""},
    "person_id": {"type": "text"},
}


def region(shape=RECTANGLE, **attributes):
    return {"shape_attributes": shape, "region_attributes": attributes}


def images(*regions, name="film/000004.jpg"):
    return {f"{name}12345": {"filename": name, "size": 12345, "regions": list(regions), "file_attributes": {}}}


def project(*regions, attributes=TWO, **more):
    return {
        "_via_settings": {"ui": {}, "core": {"buffer_size": 18}, "project": {"name": "x"}},
        "_via_img_metadata": images(*regions) | more,
        "_via_attributes": {"region": attributes, "file": {}},
        "_via_data_format_version": "2.0.10",
        "_via_image_id_list": [],
    }


def three(metadata, attributes=None, files=None, views=None):
    """A project of VIA 3."""
    return {
        "project": {"pid": "__VIA_PROJECT_ID__", "data_format_version": "3.1.1", "vid_list": ["1"]},
        "config": {"file": {"loc_prefix": {"1": ""}}},
        "attribute": THREE if attributes is None else attributes,
        "file": files or {"1": {"fid": "1", "fname": "film.mp4", "type": 4, "loc": 1, "src": ""}},
        "view": views or {"1": {"fid_list": ["1"]}},
        "metadata": metadata,
    }


THREE = {
    "1": {"aname": "pose", "anchor_id": "FILE1_Z1_XY1", "type": 3, "options": {"0": "sit", "1": "stand (up, or bent)"}},
    "2": {"aname": "doing", "anchor_id": "FILE1_Z1_XY1", "type": 2, "options": {"0": "talk", "1": "wave", "2": "eat"}},
    "3": {"aname": "more", "anchor_id": "FILE1_Z1_XY1", "type": 1, "options": {}},
    "4": {"aname": "person_id", "anchor_id": "FILE1_Z1_XY1", "type": 1, "options": {}},
    "5": {"aname": "gait", "anchor_id": "FILE1_Z1_XY1", "type": 4, "options": {"0": "run", "_": ""}},
}


def box(time=1.25, xy=(2, 20, 10, 40, 40), vid="1", **values):
    return {"vid": vid, "flg": 0, "z": [time], "xy": list(xy), "av": values}


@pytest.fixture
def read(tmp_path, make_film):
    """Read a document (or a text) beside two films of 200 x 100 pixels, 5 frames a second."""
    for name in ("film.mp4", "other.mp4"):
        make_film(name, count=12, rate=5, size=(200, 100))

    def read(content, attributes=None):
        (tmp_path / "via.json").write_text(content if isinstance(content, str) else json.dumps(content))
        return via.read(tmp_path / "via.json", Films(tmp_path), attributes)

    return read


@pytest.mark.parametrize("bare", [False, True], ids=["project", "annotations"])
def test_two(read, bare):
    first = region(pose={"sit": True, "stand": False}, mood="glad", person_id="7")
    content = project(first, region(RECTANGLE | {"x": 100}, more="wave, eat"), **images(name="other/2.jpg"))
    shown = read(content["_via_img_metadata"] if bare else content)
    assert rows(shown) == [
        ("film", 0.8, UNIT, 0, ("glad", "sit")),
        ("film", 0.8, (500, 100, 700, 500), None, ("eat", "wave")),
    ]
    assert key_frames(shown) == {"film": [0.8], "other": [0.4]}
    described = ("walk", "sit", "stand", "lie (down, or so)", "glad")
    assert shown.labels.names[: 0 if bare else 5] == (() if bare else described)


@pytest.mark.parametrize(
    ("attributes", "actions"),
    [
        pytest.param({"walk": {"yes": True}}, ["walk"], id="yes"),
        pytest.param({"walk": "yes"}, ["walk"], id="yes_text"),
        pytest.param({"walk": {"no": True}}, [], id="no"),
        pytest.param({"pose": {"stand": True, "sit": True}}, ["sit", "stand"], id="checkbox"),
        pytest.param({"pose": {"1": True}}, ["lie (down, or so)"], id="number_of_option"),
        pytest.param({"mood": "none"}, [], id="none"),
        pytest.param({"more": " wave ,"}, ["wave"], id="text"),
        pytest.param({"age": 5}, [], id="number"),
        pytest.param({}, [], id="nothing"),
    ],
)
def test_attributes_of_two(read, attributes, actions):
    ((_, _, _, _, found),) = rows(read(project(region(**attributes))))
    assert list(found) == actions


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        pytest.param({"name": "circle", "cx": 40, "cy": 30, "r": 20}, UNIT, id="circle"),
        pytest.param({"name": "ellipse", "cx": 40, "cy": 30, "rx": 20, "ry": 20, "theta": 0}, UNIT, id="ellipse"),
        pytest.param(
            {"name": "polygon", "all_points_x": [20, 60, 40], "all_points_y": [30, 10, 50]}, UNIT, id="polygon"
        ),
        pytest.param({"name": "point", "cx": 4, "cy": 3}, None, id="point"),
        pytest.param({}, None, id="none"),
    ],
)
def test_shapes_of_two(read, shape, expected):
    shown = read(project(region(shape)))
    assert [row[2] for row in rows(shown)] == ([] if expected is None else [expected])
    assert sum(shown.lost.values()) == 1


def test_regions_of_the_first_version(read):
    """They are an object with numbers as keys."""
    content = images()
    next(iter(content.values()))["regions"] = {"0": region(pose="sit")}
    assert rows(read(content)) == [("film", 0.8, UNIT, None, ("sit",))]


def test_three(read):
    metadata = {
        "1_abcd": box(1.25, **{"1": "1", "2": "0,2", "3": "", "4": "12"}),
        "1_efgh": box(0.5, (2, 0, 0, 200, 100), **{"1": "0", "4": "12", "5": "_"}),
        "1_ijkl": {"vid": "1", "flg": 0, "z": [0.5, 2.0], "xy": [], "av": {"1": "0"}},
        "1_mnop": box(0.5, (1, 20, 10)),
        "1_qrst": box(0.5, (7, 20, 30, 60, 10, 40, 50), **{"3": "jump, wave"}),
    }
    shown = read(three(metadata))
    assert rows(shown) == [
        ("film", 0.5, (0, 0, 1000, 1000), 0, ("_", "sit")),
        ("film", 0.5, UNIT, None, ("jump", "wave")),
        ("film", 1.25, UNIT, 0, ("eat", "stand (up, or bent)", "talk")),
    ]
    assert shown.labels.names[:7] == ("sit", "stand (up, or bent)", "talk", "wave", "eat", "run", "_")
    assert {what: count for what, count in shown.lost.items() if count} == {
        "time span or note without a box": 1,
        "shape: point": 1,
        "outline of a polygon (the box around it is taken)": 1,
    }


def test_chosen_attributes(read):
    metadata = {"1_a": box(**{"1": "1", "2": "0,2"})}
    shown = read(three(metadata), ["pose"])
    assert rows(shown)[0][4] == ("stand (up, or bent)",)
    assert shown.labels.names == ("sit", "stand (up, or bent)")
    assert shown.lost["attribute 'doing'"] == 1
    with pytest.raises(InputError, match="has no attribute 'age'; it has doing, gait, more, person_id, pose"):
        read(three(metadata), ["age"])


def test_images_of_three(read):
    """Views of single images, numbers as ids."""
    files = {str(n): {"fid": n, "fname": f"film/{n}.jpg", "type": 2, "loc": 2, "src": ""} for n in (2, 3)}
    views = {str(n): {"fid_list": [n]} for n in (2, 3)}
    one = {"vid": 3, "flg": 0, "z": [], "xy": [2, 20, 10, 40, 40], "av": {"1": "0"}}
    shown = read(three({"a": one}, files=files, views=views))
    assert rows(shown) == [("film", 0.6, UNIT, None, ("sit",))]
    assert key_frames(shown) == {"film": [0.4, 0.6]}


def test_the_folder_keeps_all(read, tmp_path):
    metadata = {
        "1_a": box(1.25, **{"1": "1", "2": "0,2", "4": "12"}),
        "1_b": box(0.333333, (2, 0, 0, 200, 100), **{"4": "12"}),
    }
    shown = read(three(metadata))
    back = through_the_folder(shown, tmp_path, tmp_path / "out")
    assert rows(back) == rows(shown)
    assert back.labels.names == shown.labels.names


def without(content, key):
    return {each: value for each, value in content.items() if each != key}


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        pytest.param("nothing", "is no json (Expecting value", id="no_json"),
        pytest.param([], "the file is []; an object with keys is expected", id="list"),
        pytest.param({"images": []}, "is none of VIA: neither a project of VIA 2 or 3 nor images", id="other"),
        pytest.param(without(three({}), "view"), "is none of VIA", id="no_views"),
        pytest.param({"_via_img_metadata": 5}, "_via_img_metadata of the file is 5; an object", id="no_images"),
        pytest.param(project(5), "image film/000004.jpg, region 1 is 5; an object with keys", id="no_region"),
        pytest.param(project(region({"name": "rect", "x": 1})), "has y None; a number is expected", id="no_y"),
        pytest.param(project(region(RECTANGLE | {"x": float("nan")})), "has x nan; a number is expected", id="nan"),
        pytest.param(
            project(region(RECTANGLE | {"width": -5})), "region 1 has the box 20, 10, 15, 50; left", id="inverted"
        ),
        pytest.param(
            project(region({"name": "polygon", "all_points_x": [1], "all_points_y": []})),
            "has 1 x and 0 y;",
            id="points",
        ),
        pytest.param(project(**images(name="gone/1.jpg")), "gone: its frames a second are not in the", id="no_film"),
        pytest.param(project(**{"a": {"filename": {}}}), "image has filename {}; a text or number", id="filename"),
        pytest.param(
            three({"1_a": box(xy=(2, 1, 2, 3))}), "is a rect of 3 numbers, which is no such shape", id="three"
        ),
        pytest.param(
            three({"1_a": box(time="soon")}), "1_a of metadata of the file has in z 'soon'; a number", id="time"
        ),
        pytest.param(
            three({"1_a": box() | {"z": []}}), "has a box at no time; z with seconds is expected", id="no_time"
        ),
        pytest.param(three({"1_a": box(vid="4")}), "is of view 4, which is not among the views", id="view"),
        pytest.param(three({"1_a": box(xy=(2, 1, float("inf"), 3, 4))}), "has in xy inf; a number", id="infinite"),
        pytest.param(three({}, views={"1": {"fid_list": ["8"]}}), "shows none of the files", id="file"),
        pytest.param(three({}, {"1": {"aname": []}}), "has aname []; a text or number is expected", id="attribute"),
        pytest.param(
            three({"1_a": box()}, files={"1": {"fname": "gone.mp4", "type": 4}}),
            "gone: its width and height",
            id="size",
        ),
    ],
)
def test_wrong_files(read, content, sentence):
    with pytest.raises(InputError) as problem:
        read(content)
    assert sentence in str(problem.value)
