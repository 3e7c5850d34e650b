"""COCO's json of films: images by their names, lists of videos, and our own way with several actions."""

from __future__ import annotations

import json

import pytest
from converted import key_frames, rows, there_and_back

from ava_tools.convert import coco
from ava_tools.convert.films import Films
from ava_tools.errors import InputError

BOX = [20, 10, 40, 40]
UNIT = (100, 100, 300, 500)


def image(number=1, name="film/000004.jpg", **more):
    return {"id": number, "file_name": name, "width": 200, "height": 100} | more


def one(number=1, image_id=1, category_id=1, bbox=BOX, **more):
    given = {"id": number, "image_id": image_id, "category_id": category_id, "bbox": bbox, "area": 1, "iscrowd": 0}
    return {key: value for key, value in (given | more).items() if value != "absent"}


def document(annotations=(), images=None, categories=("person", "walk", "sit"), **more):
    return {
        "info": {},
        "licenses": [],
        "images": [image()] if images is None else images,
        "annotations": list(annotations),
        "categories": [{"id": number, "name": name} for number, name in enumerate(categories, start=1)],
    } | more


@pytest.fixture
def read(tmp_path):
    """Read a document (or a text) beside films of 10 frames a second, if there are any."""

    def read(content, attributes=None, rate=10.0):
        text = content if isinstance(content, str | bytes) else json.dumps(content)
        (tmp_path / "coco.json").write_bytes(text.encode() if isinstance(text, str) else text)
        return coco.read(tmp_path / "coco.json", Films(tmp_path, rate), attributes)

    return read


def test_categories_are_actions(read):
    images = [image(), image(2, "film/000005.jpg"), image(3, "other_7.png"), image(4, "film/000002.jpg")]
    shown = read(document([one(1, 1, 2), one(2, 2, 3, track_id=8), one(3, 3, 1, score=0.25)], images))
    assert rows(shown) == [
        ("film", 0.4, UNIT, None, ("walk",)),
        ("film", 0.5, UNIT, 0, ("sit",)),
        ("other", 0.7, UNIT, None, ("person",)),
    ]
    assert key_frames(shown) == {"film": [0.2, 0.4, 0.5], "other": [0.7]}
    assert shown.labels.names == ("person", "walk", "sit")
    assert shown.persons["score"].tolist()[2] == 0.25
    assert [(film.name, film.width, film.height) for film in shown.films] == [("film", 200, 100), ("other", 200, 100)]


@pytest.mark.parametrize(
    ("more", "actions"),
    [
        pytest.param({"attributes": {"walk": True, "sit": False, "occluded": True}}, ["walk"], id="checkboxes"),
        pytest.param({"attributes": {"pose": "sit", "rotation": 0.0, "keyframe": True}}, ["sit"], id="select"),
        pytest.param({"attributes": {"pose": "sit, wave"}}, ["sit", "wave"], id="text"),
        pytest.param({"attributes": {"actions": ["talk (a, b)", "sit"]}}, ["sit", "talk (a, b)"], id="list_within"),
        pytest.param({"attributes": ["walk", "sit"]}, ["sit", "walk"], id="list"),
        pytest.param({"attributes": [7, 9]}, ["jump", "run"], id="ids"),
        pytest.param({"attribute_ids": [7]}, ["run"], id="attribute_ids"),
        pytest.param({"actions": ["walk"]}, ["walk"], id="actions_beside"),
        pytest.param({"action": "walk"}, ["walk"], id="action_beside"),
        pytest.param({"attributes": {"actions": []}}, [], id="none"),
        pytest.param({"attributes": {}}, ["person"], id="no_attributes"),
        pytest.param({"attributes": {"age": 12}}, ["person"], id="number"),
    ],
)
def test_attributes(read, more, actions):
    listed = [{"id": 7, "name": "run"}, {"id": 9, "name": "jump"}]
    ((_, _, _, _, found),) = rows(read(document([one(**more)], attributes=listed)))
    assert list(found) == actions


def test_chosen_attributes(read):
    boxes = [
        one(attributes={"mood": "glad", "age": 12, "track_id": 3}),
        one(2, bbox=[30, 10, 9, 9], attributes={"mood": "sad", "age": 12}),
    ]
    shown = read(document(boxes), ["age"])
    assert [row[3:] for row in rows(shown)] == [(0, ("12",)), (None, ("12",))]
    assert shown.lost["attribute 'mood'"] == 2
    with pytest.raises(InputError, match="has no attribute 'gait'; it has age, mood, track_id"):
        read(document(boxes), ["gait"])


@pytest.mark.parametrize(
    ("more", "box", "lost"),
    [
        pytest.param({"iscrowd": 1}, None, "crowd", id="crowd"),
        pytest.param(
            {"bbox": "absent", "segmentation": [[20, 30, 60, 10, 40, 50], [21, 20, 22, 21]]}, UNIT, None, id="polygons"
        ),
        pytest.param(
            {"bbox": "absent", "segmentation": {"size": [2, 2], "counts": "x"}}, None, "annotation without", id="mask"
        ),
        pytest.param({"bbox": None}, None, "annotation without", id="nothing"),
        pytest.param({"bbox": [-20, 10, 80, 400]}, (0, 100, 300, 1000), None, id="over_the_border"),
        pytest.param({"bbox": ["20", "10", "40", "40"]}, UNIT, None, id="texts"),
        pytest.param({"image_id": "1", "category_id": "1"}, UNIT, None, id="ids_of_other_kinds"),
        pytest.param({"category_id": "absent"}, UNIT, None, id="no_category"),
        pytest.param({"bbox": [0.1, 0.1, 0.2, 0.4]}, UNIT, None, id="shares"),
    ],
)
def test_boxes(read, more, box, lost):
    shown = read(document([one(**more)]))
    assert [row[2] for row in rows(shown)] == ([] if box is None else [box])
    assert [what[: len(str(lost))] for what, count in shown.lost.items() if count] == ([] if lost is None else [lost])


def test_frames_of_coco_vid(read):
    """A frame's place is frame_id, whatever its image is called; instances are persons; videos know their rate."""
    images = [image(number, f"x/{number}.jpg", video_id=3, frame_id=number + 4) for number in (0, 1)]
    videos = [{"id": 3, "name": "day/film.mp4", "width": 200, "height": 100, "fps": 5}]
    boxes = [one(1, 0, 2, instance_id=9, video_id=3), one(2, 1, 2, instance_id=9, video_id=3)]
    shown = read(document(boxes, images, videos=videos), rate=None)
    assert rows(shown) == [("day/film", 0.8, UNIT, 0, ("walk",)), ("day/film", 1.0, UNIT, 0, ("walk",))]


def test_frames_of_tao(read):
    """TAO says frame_index, and tracks that annotations name."""
    images = [image(5, "val/YFCC/v_1/frame0391.jpg", video="val/YFCC/v_1", video_id=0, frame_index=390)]
    videos = [{"id": 0, "name": "val/YFCC/v_1", "width": 200, "height": 100, "metadata": {}}]
    tracks = [{"id": 44, "category_id": 2, "video_id": 0}]
    boxes = [one(1, 5, 2, track_id=44, video_id=0, segmentation=[[0, 0, 1, 1, 2, 2]])]
    assert rows(read(document(boxes, images, videos=videos, tracks=tracks))) == [
        ("val/YFCC/v_1", 39.0, UNIT, 0, ("walk",))
    ]


def test_frames_of_youtube_vis(read):
    """One annotation is a person through a video; frames where it is not seen have no box."""
    videos = [
        {"id": 1, "width": 200, "height": 100, "length": 3, "file_names": [f"0043f/0000{n}.jpg" for n in (0, 5, 9)]}
    ]
    person = {"id": 6, "video_id": 1, "category_id": 2, "iscrowd": 0, "bboxes": [BOX, None, [0, 0, 200, 100]]}
    content = document([person], videos=videos)
    del content["images"]
    shown = read(content)
    assert rows(shown) == [("0043f", 0.0, UNIT, 0, ("walk",)), ("0043f", 0.9, (0, 0, 1000, 1000), 0, ("walk",))]
    assert key_frames(shown) == {"0043f": [0.0, 0.5, 0.9]}


def test_a_film_beside_flat_images_is_found(read, make_film):
    make_film("film.mp4", count=10, rate=5, size=(200, 100))
    shown = read(document([one()], [image(name="images/film_000004.jpg")]), rate=None)
    assert rows(shown)[0][:2] == ("film", 0.8)


def test_frames_from_one_are_noted(read):
    shown = read(document([one()], [image(name="film/1.jpg"), image(2, "film/2.jpg")]))
    assert any("the first frame of every film has number 1" in note for note in shown.notes)
    assert rows(shown)[0][1] == 0.1


def test_nothing_is_lost_on_the_way_back(read, tmp_path, make_film):
    """Several actions and none, identities and none, frames with nobody, actions that nobody does."""
    for name in ("film.mp4", "other.mp4"):
        make_film(name, count=10, rate=10, size=(200, 100))
    images = [image(number, f"film/{number}.jpg") for number in (1, 2, 3, 4)] + [image(5, "other/2.jpg")]
    boxes = [
        one(1, 1, track_id=4, attributes={"walk": True, "wave, twice": True}),
        one(2, 2, track_id=4, attributes={"walk": False}),
        one(3, 2, bbox=[0, 0, 200, 100], track_id=9, attributes={"walk": True}),
        one(4, 5, track_id=4, attributes={"walk": True}),
        one(5, 5, bbox=[0.5, 0, 100, 99.5], attributes={}),
    ]
    shown = read(document(boxes, images))
    back = there_and_back(shown, "coco", tmp_path, tmp_path)
    assert rows(back) == rows(shown)
    assert key_frames(back) == key_frames(shown)
    assert back.labels.names == shown.labels.names


def test_what_is_written(read, tmp_path, make_film):
    make_film("film.mp4", count=10, rate=10, size=(200, 100))
    shown = read(document([one(track_id=4, score=0.5, attributes={"walk": True})]))
    (path,) = coco.write(shown, tmp_path / "out", Films(tmp_path))
    content = json.loads(path.read_text())
    assert content["videos"] == [{"id": 1, "name": "film", "width": 200, "height": 100, "fps": 10.0}]
    assert content["images"] == [
        {"id": 1, "file_name": "film/000004.jpg", "video_id": 1, "frame_id": 4, "width": 200, "height": 100}
    ]
    assert content["categories"] == [{"id": 1, "name": "person"}]
    assert content["annotations"] == [
        {
            "id": 1, "image_id": 1, "video_id": 1, "category_id": 1, "bbox": [20.0, 10.0, 40.0, 40.0], "area": 1600.0,
            "iscrowd": 0, "attributes": {"actions": ["walk"]}, "track_id": 1, "score": 0.5,
        }
    ]  # fmt: skip


VIDEO = {"id": 1, "name": "film"}


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        pytest.param("{", "is no json (Expecting property name", id="no_json"),
        pytest.param(b"\xff\xfe\x00", "is no json (", id="no_text"),
        pytest.param("[" * 100_000, "is no json of annotations (nested too deeply)", id="deep"),
        pytest.param('{"images": ' + "9" * 5000 + "}", "is no json (Exceeds the limit", id="digits"),
        pytest.param("[]", "the file is []; an object with keys is expected", id="list"),
        pytest.param({"images": []}, "the file lacks annotations, images or videos; COCO's json", id="empty"),
        pytest.param(document([5]), "annotation 1 is 5; an object with keys is expected", id="no_object"),
        pytest.param(document(5 * [one()], [5]), "image 1 is 5; an object with keys is expected", id="image"),
        pytest.param(document([one()], {"a": 3}), "image 1 is 3; an object", id="image_in_object"),
        pytest.param(document([one()], "all"), "the file has images 'all'; a list is expected", id="images"),
        pytest.param(document([one(bbox=[1, 2, 3])]), "annotation 1 has bbox [1, 2, 3]; 4 numbers", id="three"),
        pytest.param(document([one(bbox=[1, 2, float("nan"), 4])]), "has in bbox nan; a number is expected", id="nan"),
        pytest.param(document([one(bbox=[1, 2, 10**400, 4])]), "has in bbox 1000", id="huge"),
        pytest.param(document([one(bbox=[1, 2, {}, 4])]), "has in bbox {}; a number is expected", id="type"),
        pytest.param(document([one(bbox=[1, 2, -3, 4])]), "annotation 1 has the box 1, 2, -2, 6; left", id="inverted"),
        pytest.param(document([one(image_id=8)]), "annotation 1 is on image 8, which is not among the images", id="on"),
        pytest.param(
            document([one(category_id=8)]), "the category 8, which is not among the categories", id="category"
        ),
        pytest.param(document([one(category_id=[1])]), "has category_id [1]; a text or number is expected", id="id"),
        pytest.param(document([one(track_id={})]), "has track_id {}; a text or number is expected", id="track"),
        pytest.param(document([one()], [image(), image()]), "image 2 has the id 1, which another one has", id="twice"),
        pytest.param(
            document([one()]) | {"categories": [{"id": 1, "name": "run"}, {"id": 1, "name": "sit"}]},
            "category 2 has the id 1, which 'run' has",
            id="category_twice",
        ),
        pytest.param(document([], [{"id": 1}]), "image 1 has file_name None; a text or number", id="no_name"),
        pytest.param(document([], [image(width=-5)]), "image 1 has width -5; a whole number is expected", id="size"),
        pytest.param(document([], [image(video_id=5)]), "image 1 is of video 5, which is not among", id="video"),
        pytest.param(
            document([], [image(video_id=1, frame_id=0.5)], videos=[VIDEO]), "has frame_id 0.5; a whole", id="frame"
        ),
        pytest.param(document([], videos=[VIDEO | {"fps": -1}]), "video 1 has -1 frames a second; at most", id="rate"),
        pytest.param(document([], videos=[{"name": "x"}]), "video 1 has id None; a text or number", id="video_id"),
    ],
)
def test_wrong_files(read, content, sentence):
    with pytest.raises(InputError) as problem:
        read(content)
    assert sentence in str(problem.value)
    assert len(str(problem.value)) < 500


def test_files_that_would_fill_the_memory_are_refused(read, monkeypatch):
    monkeypatch.setattr("ava_tools.convert.json_records._MOST_CONTAINERS", 1000)
    with pytest.raises(InputError, match="has more than 1,000 objects; fewer in a file are expected"):
        read(document([one(number) for number in range(1000)]))


def test_other_files(tmp_path):
    with pytest.raises(InputError, match=r"gone.json: cannot be read \(No such file"):
        coco.read(tmp_path / "gone.json", Films(tmp_path))
    with pytest.raises(InputError, match=r"is no regular file; a json file is expected"):
        coco.read(tmp_path, Films(tmp_path))
