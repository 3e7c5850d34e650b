"""Supervisely's video annotations: against files written by hand, through a data set folder, and wrong ones."""

from __future__ import annotations

import json
from copy import deepcopy

import pytest
from annotated import key_frames, plain, through_folder

from ava_tools.convert import supervisely
from ava_tools.convert.films import Films
from ava_tools.errors import InputError

NO_FILMS = Films(frame_rate=10)


def figure(who, corners, kind="rectangle", key="objectKey"):
    return {key: who, "geometryType": kind, "geometry": {"points": {"exterior": corners, "interior": []}}}


EXPORT = {
    "size": {"height": 100, "width": 200},
    "description": "",
    "key": "c8168b43",
    "tags": [{"name": "indoors", "value": None, "key": "t0"}],
    "objects": [
        {
            "key": "tall",
            "classTitle": "person",
            "tags": [
                {"name": "walk", "value": None, "frameRange": [0, 1]},
                {"name": "pose", "value": "bent over", "frameRange": [1, 3]},
                {"name": "age", "value": 31},
            ],
        },
        {"key": "small", "classTitle": "person", "tags": [{"name": "wave", "value": ""}]},
    ],
    "frames": [
        {"index": 0, "figures": [figure("tall", [[20, 10], [60, 50]])]},
        {
            "index": 1,
            "figures": [
                figure("tall", [[60, 50], [20, 10]]),  # corners in any order
                figure("small", [[-20, 0], [250, 60], [100, 100]], "polygon"),
                figure("small", [[5, 5]], "point"),
            ],
        },
        {"index": 3, "figures": [figure("tall", [[20, 10], [60, 50]])]},
    ],
    "framesCount": 5,
}
ROWS = [
    (0.0, (0.1, 0.1, 0.3, 0.5), 0, ("walk",)),
    (0.1, (0.0, 0.0, 1.0, 1.0), 1, ("wave",)),
    (0.1, (0.1, 0.1, 0.3, 0.5), 0, ("walk", "bent over")),
    (0.3, (0.1, 0.1, 0.3, 0.5), 0, ("bent over",)),
]


def project(folder, content=EXPORT, dataset="ds0", name="game.mp4"):
    place = folder / dataset / "ann"
    place.mkdir(parents=True, exist_ok=True)
    (folder / "meta.json").write_text(json.dumps({"classes": [], "tags": []}))
    (place / f"{name}.json").write_text(content if isinstance(content, str) else json.dumps(content))
    return folder


def test_a_project_with_tags(tmp_path):
    found = supervisely.read(project(tmp_path), NO_FILMS)
    assert plain(found) == [("game", *row) for row in ROWS]
    assert key_frames(found) == {"game": [0.0, 0.1, 0.2, 0.3]}, "as long as somebody is annotated"
    assert found.labels.names == ("walk", "bent over", "wave")
    assert {what: count for what, count in found.lost.items() if count} == {
        "tags of whole films": 1,
        "tag 'age' with a number": 1,
        "outline of a polygon (the box around it is taken)": 1,
        "figure: point": 1,
    }
    assert plain(through_folder(found, tmp_path / "set", tmp_path)) == plain(found)


def test_without_tags_the_classes_are_actions(tmp_path):
    content = deepcopy(EXPORT)
    content["videoName"] = "own name.mp4"  # as the API downloads it, with numbers
    content["objects"] = [{"id": 7, "classTitle": "look at", "tags": []}, {"id": 8, "classTitle": "show"}]
    content["frames"] = [{"index": 4, "figures": [figure(8, [[0, 0], [200, 100]], key="objectId")]}]
    file = tmp_path / "any.mp4.json"
    file.write_text(json.dumps(content))
    found = supervisely.read(file, NO_FILMS)
    assert plain(found) == [("own name", 0.4, (0.0, 0.0, 1.0, 1.0), 0, ("show",))]
    assert found.labels.names == ("look at", "show")


def test_films_are_where_a_project_has_them(tmp_path, make_film):
    for dataset in ("ds0", "ds1"):
        project(tmp_path, dataset=dataset)
        (tmp_path / dataset / "video").mkdir()
        make_film(f"{dataset}/video/game.mp4", rate=20)
    found = supervisely.read(tmp_path, Films(tmp_path))
    assert [film.name for film in found.films] == ["ds0/video/game", "ds1/video/game"]
    assert {time for _, time, *_ in plain(found)} == {0.0, 0.05, 0.15}
    one = supervisely.read(tmp_path / "ds1", Films(tmp_path / "ds1"))
    assert [film.name for film in one.films] == ["video/game"]


def test_two_films_of_one_name_are_told(tmp_path):
    for dataset in ("ds0", "ds1"):
        project(tmp_path, dataset=dataset)
    with pytest.raises(InputError, match=r"ds1.* annotates the film 'game', as another file does"):
        supervisely.read(tmp_path, NO_FILMS)


def export(*path, value):
    """The good content with one thing changed."""
    content = deepcopy(EXPORT)
    place = content
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return content


FIGURES = ("frames", 0, "figures", 0)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("[" * 100_000, "nested too deeply"),
        ("{", "is no json"),
        ('{"objects": [' + "9" * 5000 + "]}", "is no json"),
        ([], r"is \[\]; an object with keys is expected"),
        ({"objects": []}, "size of game.mp4.json is 0 x 0; the pixels of a frame are expected"),
        (export("size", "width", value=0), "is 0 x 100"),
        (export("size", "width", value="wide"), "has width 'wide'; a number is expected"),
        (export("framesCount", value=10**8), "framesCount 100000000; at most 2,000,000 is expected"),
        (export("framesCount", value=10**400), "has framesCount 1000.*; a number"),
        (export("frames", value=5), "has frames 5; a list is expected"),
        (export("frames", 0, value=[]), r"frame 1 is \[\]; an object with keys"),
        (export("frames", 0, "index", value=-1), "has index -1; a whole number"),
        (export("frames", 0, "index", value=True), "has index True; a number"),
        (export(*FIGURES, "objectKey", value="who"), "frame 0, figure 1 is of the object who, which is not listed"),
        (export(*FIGURES, "objectKey", value=None), "neither objectKey nor objectId"),
        (export(*FIGURES, "geometry", value=[]), r"geometry of frame 0, figure 1 is \[\]; an object"),
        (export(*FIGURES, "geometry", "points", "exterior", value=[[1, 2]]), "other points than"),
        (export(*FIGURES, "geometry", "points", "exterior", value=[[1, 2], ["a", 2]]), "has a point 'a'; a number"),
        (json.dumps(EXPORT).replace("[20, 10]", "[NaN, 10]"), "has a point nan; a number"),
        (json.dumps(EXPORT).replace("[20, 10]", "[1e999, 10]"), "has a point inf; a number"),
        (export("objects", 0, "classTitle", value=[5]), r"has classTitle \[5\]; a text or number"),
        (export("objects", 0, "tags", 0, "frameRange", value=[1]), r"has frameRange \[1\]; 2 numbers"),
        (export("objects", 0, "tags", 0, "frameRange", value=["a", 1]), "has in frameRange 'a'"),
        (export("objects", 0, "tags", value=["walk"]), "object 1, tag 1 is 'walk'; an object with keys"),
    ],
)
def test_wrong_files_are_told(tmp_path, content, sentence):
    with pytest.raises(InputError, match=sentence):
        supervisely.read(project(tmp_path, content), NO_FILMS)


def test_names_lead_nowhere_outside(tmp_path):
    found = supervisely.read(project(tmp_path, export("videoName", value="../../etc/passwd.mp4")), NO_FILMS)
    assert [film.name for film in found.films] == ["passwd"]


def test_a_folder_without_annotations_is_told(tmp_path):
    with pytest.raises(InputError, match="holds no annotations; a project"):
        supervisely.read(tmp_path, NO_FILMS)
