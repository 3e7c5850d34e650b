"""Label Studio's json of video rectangles against files written from its specification."""

from __future__ import annotations

import json
from xml.etree import ElementTree

import pytest
from converted import key_frames, rows, there_and_back

from ava_tools.convert import label_studio
from ava_tools.convert.films import Films
from ava_tools.errors import InputError

UNIT = (100, 100, 300, 500)


def drawn(frame=1, place=(10, 10, 20, 40), enabled=True, rate=10, **more):
    place = dict(zip(("x", "y", "width", "height"), place, strict=True))
    return {"frame": frame, "enabled": enabled, "rotation": 0, **place, "time": frame / rate} | more


def rectangle(*sequence, name="a", labels=("person",), length=8, duration=0.8, **more):
    value = {"framesCount": length, "duration": duration, "sequence": list(sequence), "labels": list(labels)}
    given = {"value": value, "id": name, "from_name": "box", "to_name": "video", "type": "videorectangle"}
    return given | {"origin": "manual"} | more


def says(value, name="a", kind="choices", control="action"):
    return {"value": {kind: value}, "id": name, "from_name": control, "to_name": "video", "type": kind}


def task(*result, video="/data/upload/1/0a1b2c3d-film.mp4", **more):
    annotation = {"id": 5, "was_cancelled": False, "ground_truth": False, "result": list(result)}
    return {"id": 1, "annotations": [annotation], "predictions": [], "data": {"video": video}, "meta": {}} | more


@pytest.fixture
def read(tmp_path, make_film):
    """Read a document (or a text) beside a film of 200 x 100 pixels and 8 frames, 10 a second."""
    make_film("film.mp4", count=8, rate=10, size=(200, 100))

    def read(content, attributes=None):
        (tmp_path / "export.json").write_text(content if isinstance(content, str) else json.dumps(content))
        return label_studio.read(tmp_path / "export.json", Films(tmp_path), attributes)

    return read


def test_a_rectangle(read):
    """What is drawn, what lies between, what is hidden; frames count from 1; the last box stays to the end."""
    sequence = [drawn(1), drawn(3, (30, 10, 20, 40), enabled=False), drawn(7, (0, 0, 10, 100))]
    shown = read([task(rectangle(*sequence), says(["walk", "talk"]))])
    assert rows(shown) == [
        ("film", 0.0, (100, 100, 300, 500), 0, ("talk", "walk")),
        ("film", 0.1, (200, 100, 400, 500), 0, ("talk", "walk")),
        ("film", 0.2, (300, 100, 500, 500), 0, ("talk", "walk")),
        ("film", 0.6, (0, 0, 100, 1000), 0, ("talk", "walk")),
        ("film", 0.7, (0, 0, 100, 1000), 0, ("talk", "walk")),
    ]
    assert key_frames(shown) == {"film": [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]}
    assert not sum(shown.lost.values())


HIDDEN = drawn(enabled=False)


@pytest.mark.parametrize(
    ("said", "actions"),
    [
        pytest.param([says(["walk"])], ["walk"], id="choice"),
        pytest.param([says(["talk (e.g., to self)"])], ["talk (e.g., to self)"], id="comma"),
        pytest.param([says([])], [], id="no_choice"),
        pytest.param([says([["pose", "sit"], ["eat"]], kind="taxonomy")], ["eat", "sit"], id="taxonomy"),
        pytest.param([says(["wave"], kind="text", control="more")], ["wave"], id="text"),
        pytest.param([says(4, kind="rating", control="mood")], ["person"], id="rating"),
        pytest.param([says(["walk"]), says(["sit"], control="pose")], ["sit", "walk"], id="two_controls"),
        pytest.param([says(["fall"], kind="labels", control="label")], ["fall", "person"], id="labels"),
        pytest.param([], ["person"], id="nothing"),
        pytest.param([says(["walk"], name="b")], ["person"], id="of_another"),
    ],
)
def test_what_a_person_does(read, said, actions):
    shown = read([task(rectangle(HIDDEN), *said)])
    assert [list(row[4]) for row in rows(shown)] == [actions]
    assert sum(shown.lost.values()) == (said == [says(["walk"], name="b")])


def test_chosen_controls(read):
    shown = read([task(rectangle(HIDDEN), says(["walk"]), says(["glad"], control="mood"))], ["mood"])
    assert rows(shown)[0][4] == ("glad",)
    assert shown.lost["attribute 'action'"] == 1
    with pytest.raises(InputError, match="has no attribute 'gait'; it has action"):
        read([task(rectangle(HIDDEN), says(["walk"]))], ["gait"])


@pytest.mark.parametrize(
    "video",
    [
        "film.mp4",
        "/data/upload/7/0a1b2c3d-film.mp4",
        "/data/local-files/?d=day%201/film.mp4",
        "https://films.example/a/film.mp4?token=a.b",
        "s3://films/a/film.mp4",
        "C:\\films\\film.mp4",
        "../../film.mp4",
    ],
)
def test_names_of_films(read, video):
    shown = read([task(rectangle(HIDDEN), video=video, data={"note": "x", "video": video})])
    assert [row[0] for row in rows(shown)] == ["film"]


def test_a_film_that_is_not_there(read):
    """Its rate is that of the file."""
    shown = read([task(rectangle(drawn(6, enabled=False)), video="/data/upload/1/0a1b2c3d-gone.mp4")])
    assert rows(shown) == [("gone", 0.5, UNIT, 0, ("person",))]


def test_frames_by_another_rate_than_the_films(read):
    """A project that does not say frameRate counts 24 or 25 frames a second, whatever the film has."""
    shown = read([task(rectangle(drawn(15, rate=20, enabled=False), length=16))])
    assert [row[1] for row in rows(shown)] == [0.7]
    assert any("Label Studio counted 20 frames a second, the film has 10" in note for note in shown.notes)


def test_which_annotation_counts(read):
    def annotation(word, **more):
        return {"result": [rectangle(HIDDEN, labels=[word])], "was_cancelled": False} | more

    def done(annotations, predictions=()):
        shown = read([task(annotations=annotations, predictions=list(predictions))])
        return [row[4] for row in rows(shown)]

    assert done([annotation("first"), annotation("last")]) == [("last",)]
    assert done([annotation("approved", ground_truth=True), annotation("last")]) == [("approved",)]
    assert done([annotation("first"), annotation("skipped", was_cancelled=True)]) == [("first",)]
    assert done([annotation("drawn")], [annotation("predicted")]) == [("drawn",)]
    assert done([], [annotation("predicted")]) == [("predicted",)]
    assert done([]) == []


@pytest.mark.parametrize(
    ("sequence", "expected"),
    [
        pytest.param(drawn(place=(50, 50, 20, 20), rotation=90, enabled=False), (400, 500, 500, 900), id="turned"),
        pytest.param(drawn(place=(-10, 50, 30, 80), enabled=False), (0, 500, 200, 1000), id="over_the_border"),
    ],
)
def test_boxes(read, sequence, expected):
    """A rectangle turns about its upper left corner; a fifth of the width is two fifths of the height here."""
    assert [row[2] for row in rows(read([task(rectangle(sequence))]))] == [expected]


def test_nothing_is_lost_on_the_way_back(read, tmp_path):
    """Persons who come, go, do something else, or nothing, with and without identity."""
    shown = read(
        [
            task(
                rectangle(drawn(1), drawn(4, (30, 10, 20.5, 40)), drawn(6, enabled=False)),
                says(["walk", "talk"]),
                says(3, kind="number", control="person"),
                rectangle(drawn(7), name="b"),
                says(["sit (a, b)"], name="b"),
                says(3, kind="number", control="person", name="b"),
                rectangle(drawn(2), drawn(3, enabled=False), name="c"),
                says([], name="c"),
            )
        ]
    )
    assert {row[3] for row in rows(shown)} == {0, 1}
    back = there_and_back(shown, "label_studio", tmp_path, tmp_path)
    assert rows(back) == rows(shown)
    assert key_frames(back) == key_frames(shown)
    assert back.labels.names == shown.labels.names


def test_key_frames_far_apart_go_back(read, tmp_path):
    """Somebody is seen between key frames, and until just before something else begins."""
    shown = read([task(rectangle(drawn(1), drawn(5, (30, 10, 20, 40))), says(["walk"]))])
    apart = shown.of_key_frames(shown.key_frames.iloc[[0, 4, 7]])
    changed = apart.actions.assign(box=[0, 1, 2])[:2]  # the last of three does nothing
    apart = type(apart)(apart.films, apart.key_frames, apart.persons, changed, apart.labels)
    files = label_studio.write(apart, tmp_path / "out", Films(tmp_path))
    back = label_studio.read(files[0], Films(tmp_path))
    assert rows(back.of_key_frames(apart.key_frames)) == rows(apart)
    assert [(row[1], row[3], row[4]) for row in rows(back)] == [
        (number / 10, 0, ("walk",) if number < 7 else ()) for number in range(8)
    ]


def test_what_is_written(read, tmp_path):
    shown = read([task(rectangle(HIDDEN, score=0.5), says(["walk"]))])
    tasks, config = label_studio.write(shown, tmp_path / "out", Films(tmp_path))
    (written,) = json.loads(tasks.read_text())
    assert written["data"] == {"video": "0a1b2c3d-film.mp4", "actions": ["walk"]}
    (prediction,) = written["predictions"]
    assert [(one["id"], one["type"]) for one in prediction["result"]] == [
        ("0_0", "videorectangle"), ("0_0", "choices"), ("0_0", "number"),
    ]  # fmt: skip
    assert prediction["result"][0]["value"] == {
        "framesCount": 8,
        "duration": 0.8,
        "labels": ["person"],
        "sequence": [
            {"frame": 1, "enabled": False, "rotation": 0, "x": 10, "y": 10, "width": 20, "height": 40, "time": 0.1}
        ],
    }
    assert prediction["result"][0]["score"] == 0.5
    controls = {one.get("name") for one in ElementTree.parse(config).getroot()}
    assert {one["from_name"] for one in prediction["result"]} < controls
    assert [choice.get("value") for choice in ElementTree.parse(config).iter("Choice")] == ["walk"]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        pytest.param("nothing", "is no json (Expecting value", id="no_json"),
        pytest.param([5], "task 1 is 5; an object with keys is expected", id="no_task"),
        pytest.param(
            [{"id": 1, "video": "film.mp4", "box": []}], "task 1 lacks data with annotations or predictions; ", id="min"
        ),
        pytest.param([task(data={"image": "a.jpg"})], "task 1 names no film in its data; a file or", id="no_film"),
        pytest.param([task(data=[])], "data of task 1 is []; an object with keys is expected", id="data"),
        pytest.param([task(5)], "task 1, result 1 is 5; an object with keys is expected", id="no_result"),
        pytest.param([task(rectangle(5))], "task 1, result 1, box 1 is 5; an object", id="no_box"),
        pytest.param(
            [task(rectangle(drawn() | {"frame": "soon"}))], "box 1 has frame 'soon'; a number is expected", id="frame"
        ),
        pytest.param([task(rectangle(drawn(x=float("nan"))))], "box 1 has x nan; a number is expected", id="nan"),
        pytest.param(
            [task(rectangle(drawn(width=-3)))], "result 1, frame 1 has the box 10, 10, 7, 50; left", id="inverted"
        ),
        pytest.param([task(rectangle(drawn(), length=10**8))], "has more than 10,000,000 frames", id="length"),
        pytest.param(
            [task(rectangle(drawn(10**8)))],
            "box 1 has frame 100000000; they count from 1 to 10,000,000 at most",
            id="late",
        ),
        pytest.param(
            [task(rectangle(drawn(), length=10**7, name=name)) for name in "abc"], "3,000,000 boxes between", id="bomb"
        ),
        pytest.param([task(rectangle(drawn(0)))], "box 1 has frame 0; they count from 1", id="from_zero"),
    ],
)
def test_wrong_files(read, content, sentence):
    with pytest.raises(InputError) as problem:
        read(content)
    assert sentence in str(problem.value)
