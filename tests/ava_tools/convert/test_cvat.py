"""CVAT's xml 1.1 against files written from its specification, with tables written by hand."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from converted import key_frames, rows, there_and_back

from ava_tools.convert import cvat
from ava_tools.convert.films import Films
from ava_tools.convert.folder import read as read_folder
from ava_tools.convert.folder import write_data_set
from ava_tools.errors import InputError

LABELS = """<labels><label><name>person</name><attributes>
<attribute><name>walk</name><mutable>True</mutable><input_type>checkbox</input_type><values>false</values></attribute>
<attribute><name>pose</name><mutable>True</mutable><input_type>select</input_type><values>none
sit
stand (on feet, or bent)</values></attribute>
<attribute><name>mood</name><mutable>False</mutable><input_type>radio</input_type><values>glad
sad</values></attribute>
<attribute><name>more</name><mutable>True</mutable><input_type>text</input_type><values></values></attribute>
<attribute><name>age</name><mutable>False</mutable><input_type>number</input_type><values>0
99
1</values></attribute>
</attributes></label><label><name>fall</name><attributes></attributes></label></labels>"""
TASK = """<task><id>{id}</id><name>{name}</name><size>{size}</size><mode>{mode}</mode><subset>{subset}</subset>
<start_frame>{start}</start_frame><stop_frame>{stop}</stop_frame><frame_filter>{filter}</frame_filter>{labels}
<original_size><width>200</width><height>100</height></original_size></task>"""


def task(number=1, name="job", size=8, mode="interpolation", start=0, stop=7, frames="", labels=LABELS, subset=""):
    return TASK.format(
        id=number, name=name, size=size, mode=mode, start=start, stop=stop, filter=frames, labels=labels, subset=subset
    )


def document(*content, meta="", source="film.mp4"):
    meta = meta or task()
    named = f"<source>{source}</source>" if source else ""
    text = f"<annotations><version>1.1</version><meta>{meta}<dumped>today</dumped>{named}</meta>"
    return f'<?xml version="1.0" encoding="utf-8"?>\n{text}{"".join(content)}</annotations>'


def box(corners=(20, 10, 60, 50), attributes=(), tag="box", **values):
    values = {"frame": 0, "outside": 0, "occluded": 0, "keyframe": 1} | values
    values |= dict(zip(("xtl", "ytl", "xbr", "ybr"), corners, strict=True)) if tag == "box" else {}
    inner = "".join(f'<attribute name="{name}">{value}</attribute>' for name, value in attributes)
    written = " ".join(f'{key}="{value}"' for key, value in values.items())
    return f"<{tag} {written}>{inner}</{tag}>"


def track(*boxes, label="person", number=0, more=""):
    return f'<track id="{number}" label="{label}" source="manual"{more}>{"".join(boxes)}</track>'


def image(*shapes, number=0, name="film/000000.jpg", more=""):
    return f'<image id="{number}" name="{name}" width="200" height="100"{more}>{"".join(shapes)}</image>'


@pytest.fixture
def read(tmp_path):
    """Read a document beside films of 10 frames a second, if there are any."""

    def read(text, attributes=None, rate=10.0):
        (tmp_path / "annotations.xml").write_text(text, encoding="utf-8")
        return cvat.read(tmp_path / "annotations.xml", Films(tmp_path, rate), attributes)

    return read


def frames_of(annotations):
    return [round(time * 10) for _, time, _, _, _ in rows(annotations)]


def test_a_track(read):
    """Written boxes, those between them, an outside part, and the stretch to the end of the film."""
    shown = read(
        document(
            track(
                box(attributes=[("walk", "true")]),
                box((60, 10, 100, 50), [("walk", "false"), ("pose", "sit")], frame=2),
                box((60, 10, 100, 50), frame=3, outside=1),
                box((0, 0, 20, 100), [("pose", "none")], frame=6, occluded=1),
            )
        )
    )
    assert rows(shown) == [
        ("film", 0.0, (100, 100, 300, 500), 0, ("walk",)),
        ("film", 0.1, (200, 100, 400, 500), 0, ("walk",)),
        ("film", 0.2, (300, 100, 500, 500), 0, ("sit",)),
        ("film", 0.6, (0, 0, 100, 1000), 0, ()),
        ("film", 0.7, (0, 0, 100, 1000), 0, ()),
    ]
    assert key_frames(shown) == {"film": [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]}
    assert shown.labels.names == ("walk", "sit", "stand (on feet, or bent)", "glad", "sad", "fall")
    assert {what: count for what, count in shown.lost.items() if count} == {"occluded": 1}


@pytest.mark.parametrize(
    ("attributes", "actions"),
    [
        pytest.param([("walk", "true")], ["walk"], id="checkbox"),
        pytest.param([("walk", "True")], ["walk"], id="checkbox_capital"),
        pytest.param([("walk", "false")], [], id="checkbox_unset"),
        pytest.param([("pose", "stand (on feet, or bent)")], ["stand (on feet, or bent)"], id="select_with_comma"),
        pytest.param([("pose", "none")], [], id="select_none"),
        pytest.param([("mood", "sad")], ["sad"], id="radio"),
        pytest.param([("more", "wave, jump ,none")], ["jump", "wave"], id="text"),
        pytest.param([("more", "")], [], id="text_empty"),
        pytest.param([("age", "12")], [], id="number"),
        pytest.param([("walk", "true"), ("pose", "sit"), ("mood", "glad")], ["glad", "sit", "walk"], id="several"),
    ],
)
def test_attributes(read, attributes, actions):
    ((_, _, _, _, found),) = rows(read(document(track(box(attributes=attributes), box(frame=1, outside=1)))))
    assert list(found) == actions


def test_attributes_of_a_track_hold_for_its_boxes(read):
    steady = '<attribute name="mood">sad</attribute>'
    shown = read(document(track(steady, box(attributes=[("walk", "true")]), box(frame=1, outside=1))))
    assert rows(shown)[0][4] == ("sad", "walk")


def test_attributes_hold_until_they_change_and_boxes_come_in_any_order(read):
    right = (60, 10, 100, 50)
    boxes = [box(right, [("pose", "sit")], frame=2), box(right, frame=4, outside=1), box(attributes=[("walk", "true")])]
    both = '<attribute name="walk">false</attribute>'  # a box's own word counts from then on
    assert rows(read(document(track(both, *boxes)))) == rows(read(document(track(*boxes))))
    assert rows(read(document(track(*boxes)))) == [
        ("film", 0.0, (100, 100, 300, 500), 0, ("walk",)),
        ("film", 0.1, (200, 100, 400, 500), 0, ("walk",)),
        ("film", 0.2, (300, 100, 500, 500), 0, ("sit", "walk")),
        ("film", 0.3, (300, 100, 500, 500), 0, ("sit", "walk")),
    ]


@pytest.mark.parametrize(
    ("wanted", "actions", "labels"),
    [
        (["pose"], ("sit",), ("sit", "stand (on feet, or bent)", "fall")),
        (["age"], ("12",), ("fall", "12")),
    ],
)
def test_chosen_attributes(read, wanted, actions, labels):
    values = [("walk", "true"), ("pose", "sit"), ("age", "12")]
    shown = read(document(track(box(attributes=values), box(frame=1, outside=1))), wanted)
    assert rows(shown)[0][4] == actions
    assert shown.labels.names == labels
    assert shown.lost["attribute 'walk'"] == 1


def test_a_label_without_attributes_is_an_action(read):
    assert rows(read(document(track(box(), box(frame=1, outside=1), label="fall"))))[0][4] == ("fall",)


@pytest.mark.parametrize(
    ("shape", "expected", "lost"),
    [
        pytest.param(box(rotation=90), (100, 100, 300, 500), "rotation", id="square_turned"),
        pytest.param(box((20, 40, 60, 60), rotation=90), (150, 300, 250, 700), "rotation", id="turned"),
        pytest.param(box((20, 40, 60, 60), rotation=180), (100, 400, 300, 600), None, id="turned_round"),
        pytest.param(box((-20, 40, 60, 160)), (0, 400, 300, 1000), None, id="over_the_border"),
        pytest.param(
            box(tag="polygon", points="20,30;60,10;40,50"), (100, 100, 300, 500), "outline of a polygon", id="polygon"
        ),
        pytest.param(
            box(tag="mask", rle="1, 2", left=20, top=10, width=40, height=40),
            (100, 100, 300, 500), "outline of a mask", id="mask",
        ),
        pytest.param(
            box(tag="ellipse", cx=40, cy=30, rx=20, ry=20),
            (100, 100, 300, 500), "outline of a ellipse", id="ellipse",
        ),
        pytest.param(box(tag="points", points="20,30;60,10"), None, "shape: points", id="points"),
        pytest.param('<tag label="person" source="manual"/>', None, "shape: tag", id="tag"),
    ],
)  # fmt: skip
def test_shapes(read, shape, expected, lost):
    shape = shape if "label=" in shape else shape.replace(" ", ' label="person" ', 1)
    shown = read(document(image(shape), meta=task(mode="annotation"), source=""))
    assert [row[2] for row in rows(shown)] == ([] if expected is None else [expected])
    counted = [what for what, count in shown.lost.items() if count]
    assert len(counted) == (lost is not None)
    assert all(what.startswith(str(lost)) for what in counted)


def test_a_tilted_box_is_surrounded(read):
    shown = read(document(track(box((80, 40, 120, 60), rotation=45), box(frame=1, outside=1))))
    half = 30 / math.sqrt(2)
    expected = [(100 - half) / 200, (50 - half) / 100, (100 + half) / 200, (50 + half) / 100]
    assert shown.persons[["x1", "y1", "x2", "y2"]].to_numpy().ravel() == pytest.approx(expected)


def test_a_step_between_frames(read):
    """Numbers are those of the film; only every third frame belongs to the task."""
    meta = task(size=4, start=3, stop=13, frames="step=3")
    shown = read(document(track(box(frame=3), box((80, 10, 120, 50), frame=9)), meta=meta))
    assert frames_of(shown) == [3, 6, 9, 12]
    assert [row[2][0] for row in rows(shown)] == [100, 250, 400, 400]
    assert key_frames(shown) == {"film": [0.3, 0.6, 0.9, 1.2]}


def test_a_job(read):
    meta = task(start=4, stop=5).replace("<task>", "<job>").replace("</task>", "</job>")
    assert frames_of(read(document(track(box(frame=4)), meta=meta))) == [4, 5]


def test_a_project_of_films(read):
    """Tasks have names but no files; tracks say their task; subsets are splits."""
    tasks = task(7, "one.mp4", labels="", subset="Train") + task(
        9, "two", size=2, stop=1, labels="", subset="Validation"
    )
    meta = f"<project><id>1</id><name>all</name><tasks>{tasks}</tasks>{LABELS}</project>"
    shown = read(
        document(
            track(box(), box(frame=1, outside=1), more=' task_id="7" subset="Train"'),
            track(box(frame=1), more=' task_id="9"', number=1),
            meta=meta,
            source="",
        )
    )
    assert [(row[0], row[1]) for row in rows(shown)] == [("one", 0.0), ("two", 0.1)]
    assert [(film.name, film.split) for film in shown.films] == [("one", "train"), ("two", "val")]
    assert {video: len(times) for video, times in key_frames(shown).items()} == {"one": 1, "two": 1}
    assert any("films are called as their tasks" in note for note in shown.notes)


def test_images_of_a_project_of_films(read):
    meta = f"<project><tasks>{task(7, 'one', labels='')}{task(9, 'two', labels='')}</tasks>{LABELS}</project>"
    shape = box().replace(" ", ' label="fall" ', 1)
    frames = [image(shape, number=4, name="frame_000004", more=f' task_id="{number}"') for number in (7, 9)]
    shown = read(document(*frames, meta=meta, source=""))
    assert [row[:2] for row in rows(shown)] == [("one", 0.4), ("two", 0.4)]


@pytest.mark.parametrize(
    ("name", "film", "frame"),
    [
        pytest.param("film/000004.jpg", "film", 4, id="folder"),
        pytest.param("day 1/film/img_00004.png", "day 1/film", 4, id="folders"),
        pytest.param("film_000004.jpg", "film", 4, id="prefix"),
        pytest.param("film-frame_4.jpg", "film", 4, id="frame_word"),
        pytest.param("000004.jpg", "job", 4, id="number_only"),
        pytest.param("film/still.jpg", "film", 2, id="no_number"),
        pytest.param("../../etc/film/000004.jpg", "film", 4, id="outside"),
        pytest.param("C:\\frames\\film\\000004.jpg", "film", 4, id="windows"),
        pytest.param("/frames/film/000004.jpg", "film", 4, id="absolute"),
    ],
)
def test_names_of_images(read, name, film, frame):
    shape = box().replace(" ", ' label="fall" ', 1)
    shown = read(document(image(shape, number=2, name=name), meta=task(mode="annotation"), source=""))
    assert [(row[0], round(row[1] * 10)) for row in rows(shown)] == [(film, frame)]


def test_images_of_a_folder_of_frames_count_as_they_lie(read, tmp_path, make_picture):
    """ffmpeg numbers from 1, cut folders from anywhere: the first image of a folder is its frame 0."""
    for number in (11, 12, 13):
        make_picture(tmp_path / "film" / f"img_{number}.png")
    shape = box().replace(" ", ' label="fall" ', 1)
    shown = read(document(image(shape, name="all/film/img_12.png"), meta=task(mode="annotation"), source=""))
    assert [row[:2] for row in rows(shown)] == [("film", 0.1)]
    with pytest.raises(InputError, match=r"film: holds no image img_99.png, which is annotated"):
        read(document(image(shape, name="film/img_99.png"), meta=task(mode="annotation"), source=""))


def test_identities_of_images(read):
    labels = (
        "<labels><label><name>walk</name><attributes><attribute><name>track_id</name><input_type>number</input_type>"
    )
    labels += "<values></values></attribute></attributes></label></labels>"
    shape = box(attributes=[("track_id", "5")]).replace(" ", ' label="walk" ', 1)
    frames = [image(shape, number=number, name=f"film/{number}.jpg") for number in (0, 1)]
    shown = read(document(*frames, meta=task(mode="annotation", labels=labels), source=""))
    assert [row[3:] for row in rows(shown)] == [(0, ("walk",)), (0, ("walk",))]
    assert not sum(shown.lost.values())


def test_times_are_those_of_the_film(read, make_film):
    times = [Fraction(number * number, 100) for number in range(8)]
    make_film("film.mp4", times=times, unit=Fraction(1, 100), size=(200, 100))
    shown = read(document(track(box(frame=2), box(frame=5))), rate=None)
    assert [row[1] for row in rows(shown)] == [float(time) for time in times[2:]]


def test_nothing_is_lost_on_the_way_back(read, tmp_path, make_film):
    make_film("film.mp4", count=8, rate=10, size=(200, 100))
    shown = read(
        document(
            track(
                box(attributes=[("walk", "true"), ("pose", "sit")]),
                box((60.5, 10, 100, 50), [("walk", "false")], frame=3),
                box(frame=4, outside=1),
                box((0, 0, 20, 100), [("pose", "stand (on feet, or bent)")], frame=6),
            ),
            track(box((100, 0, 200, 100)), number=1, label="fall"),
        )
    )
    back = there_and_back(shown, "cvat", tmp_path, tmp_path)
    assert rows(back) == rows(shown)
    assert key_frames(back) == key_frames(shown)
    assert back.labels.names == shown.labels.names


def test_key_frames_far_apart_go_back(read, tmp_path, make_film):
    """Of key frames with gaps between them each is a box of its track; who leaves is outside after it."""
    make_film("film.mp4", count=8, rate=10, size=(200, 100))
    shown = read(document(track(box(), box(frame=4), box(frame=5, outside=1)), track(box(frame=7), number=1)))
    chosen = shown.of_key_frames(shown.key_frames.iloc[[0, 4, 6]])
    write_data_set(chosen, tmp_path / "set", tmp_path, share=0)
    kept = read_folder(tmp_path / "set", Films(tmp_path))
    back = cvat.read(cvat.write(kept, tmp_path / "back", Films(tmp_path))[0], Films(tmp_path))
    assert rows(back.of_key_frames(chosen.key_frames)) == rows(chosen)
    assert frames_of(back) == [0, 1, 2, 3, 4]


def test_nobody_is_there_only_between_those_who_are(read):
    """Before the first box of a film and behind its last one nobody may have looked."""
    shown = read(document(track(box(frame=2), box(frame=3, outside=1)), track(box(frame=5), box(frame=6, outside=1))))
    assert key_frames(shown) == {"film": [0.2, 0.3, 0.4, 0.5]}
    assert key_frames(read(document())) == {}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        pytest.param("no xml", "is no xml (syntax error: line 1, column 0)", id="no_xml"),
        pytest.param(document(track(box()))[:-20], "is no xml (", id="cut_off"),
        pytest.param("<annotations/>", "has no meta with labels; CVAT's xml 1.1 is expected", id="empty"),
        pytest.param(
            '<!DOCTYPE a [<!ENTITY x "y">]><annotations/>', "declares a document type, which plain", id="entities"
        ),
        pytest.param(f"<a>{track(box())}</a>", "has no labels before its first track", id="no_labels"),
        pytest.param(document(track(box(), label="cat")), "the label 'cat'; its meta has person, fall", id="label"),
        pytest.param(
            document(track(box((60, 10, 20, 50)))), "track 0, frame 0 has the box 60, 10, 20, 50;", id="inverted"
        ),
        pytest.param(document(track(box(("nan", 1, 2, 3)))), "a box has xtl 'nan'; a number is expected", id="nan"),
        pytest.param(
            document(track(box((1e400, 1, 2, 3)))), "a box has xtl 'inf'; a number is expected", id="infinite"
        ),
        pytest.param(document(track(box(frame="soon"))), "a box has frame 'soon'; a number is expected", id="no_frame"),
        pytest.param(document(track(box(frame=-1))), "a box has frame '-1'; a frame's number is expected", id="before"),
        pytest.param(document(track(box(frame=1e300))), "has frame '1e+300'; a frame's number is expected", id="late"),
        pytest.param(
            document(*[track(box(), box(frame=10_000_000))] * 2), "has more than 3,000,000 boxes between", id="bomb"
        ),
        pytest.param(
            document(
                meta=f"<project>{task(1, 'a', stop=3 * 10**6)}{task(2, 'b', stop=3 * 10**6)}</project>", source=""
            ),
            "has films of more than 5,000,000 frames",
            id="many_frames",
        ),
        pytest.param(document().replace("utf-8", "utf-99"), "is no xml (unknown encoding: utf-99)", id="encoding"),
        pytest.param(document(meta=task(size=10**9, stop="")), "its size is 1,000,000,000; at most", id="huge"),
        pytest.param(document(meta=task(stop="end")), "its stop_frame is 'end'; a whole number", id="no_number"),
        pytest.param(document(track(box(), more=' task_id="5"')), "a track is of task 5, which its meta", id="task"),
        pytest.param(
            document(track(box(tag="polygon", points="1,2;x"))),
            "a polygon has the points '1,2;x'; x,y;x,y",
            id="points",
        ),
    ],
)
def test_wrong_files(read, text, sentence):
    with pytest.raises(InputError) as problem:
        read(text)
    assert sentence in str(problem.value)


def test_unknown_attributes_are_refused(read):
    with pytest.raises(InputError, match="has no attribute 'gait'; it has age, mood, more, pose, walk"):
        read(document(track(box())), ["walk", "gait"])


def test_no_rate_is_told(read):
    with pytest.raises(
        InputError, match=r"film: its frames a second are not in the annotations; .* \(or --frame-rate\)"
    ):
        read(document(track(box())), rate=None)
