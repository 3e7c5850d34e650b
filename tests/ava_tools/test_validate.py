"""What `validate` finds: a clean data set, and each mistake planted into it, with file and line."""

from __future__ import annotations

import json
import pickle
import shutil
from fractions import Fraction

import av
import numpy as np
import pytest
import yaml

from ava_tools.cli.main import app
from ava_tools.cli.run import run
from ava_tools.errors import InputError
from ava_tools.manifest import read_data_set
from ava_tools.tables import merge_boxes
from ava_tools.validate import validate
from ava_tools.validate.checks import CHECKS

MANIFEST = {
    "films": "films",
    "labels": "labels.csv",
    "splits": {"train": {"truth": "train.csv", "boxes": "boxes.csv"}, "val": {"truth": "val.csv"}},
}
LEFT, RIGHT = "0.1,0.1,0.5,0.9", "0.5,0.1,0.9,0.9"
TRAIN = [
    f"a,1,{LEFT},1,0",
    f"a,1,{RIGHT},2,1",
    f"a,2,{LEFT},1,0",
    f"a,2,{RIGHT},2,1",
    f"a,2.5,{LEFT},1,0",
    "a,3",
]
VAL = [line.replace("a,", "b,") for line in TRAIN]
BOXES = [f"a,{time},{box},,0.9" for time in (1, 2, 2.5) for box in (LEFT, RIGHT)]
WITHOUT_BOXES = {name: {"truth": f"{name}.csv"} for name in ("train", "val")}
FILES = {"labels.csv": ["1,run", "2,sit"], "train.csv": TRAIN, "val.csv": VAL, "boxes.csv": BOXES}


@pytest.fixture
def data(tmp_path, make_film):
    """Writes the clean data set, or one with other lines: {file: {line: text}}."""
    (tmp_path / "films").mkdir()
    film = make_film("films/a.mp4", count=20, rate=2, gop=20)
    shutil.copy(film, tmp_path / "films" / "b.mp4")

    def write(changes=None, **manifest):
        (tmp_path / "dataset.yaml").write_text(yaml.safe_dump(MANIFEST | manifest))
        for name, lines in FILES.items():
            numbered = dict(enumerate(lines, start=1)) | (changes or {}).get(name, {})
            (tmp_path / name).write_text("".join(f"{numbered[line]}\n" for line in sorted(numbered)))
        return tmp_path

    return write


def found(path, deep=False):
    return [(each.check, each.file.name, each.line) for each in validate(path, deep)]


def refused(path):
    """Whether training could not read the files."""
    splits = read_data_set(path).splits.values()
    try:
        for split in splits:
            merge_boxes(split.truth, split.boxes)
    except InputError:
        return True
    return False


def train(line, text):
    return {"train.csv": {line: text}}


def test_a_clean_data_set_has_no_finding(data):
    assert validate(data(), deep=True) == ()
    assert validate(data() / "dataset.yaml") == ()


BOX_MISTAKES = [
    pytest.param("0.5,0.1,0.1,0.9", "box-inverted", id="inverted"),
    pytest.param("0.1,0.9,0.5,0.1", "box-inverted", id="upside_down"),
    pytest.param("0.1,0.1,0.1,0.9", "box-flat", id="flat"),
    pytest.param("0.1,0.1,1.2,0.9", "box-outside", id="beyond_1"),
    pytest.param("-0.1,0.1,0.5,0.9", "box-outside", id="below_0"),
    pytest.param("10,6,48,58", "box-in-pixels", id="pixels"),
    pytest.param("nan,0.1,0.5,0.9", "not-a-number", id="nan"),
    pytest.param("0.1,inf,0.5,0.9", "not-a-number", id="infinity"),
    pytest.param("0.1,,0.5,0.9", "not-a-number", id="empty"),
    pytest.param("0.1,wide,0.5,0.9", "not-a-number", id="word"),
    pytest.param("0.1,0.1,0.5,0.9,0,0", "column-count", id="six_coordinates"),
]


@pytest.mark.parametrize(("box", "check"), BOX_MISTAKES)
def test_boxes(data, box, check):
    files = {"train.csv": {7: f"a,2.5,{box},2,1"}, "boxes.csv": {7: f"a,2.5,{box},,0.9"}}
    path = data(files)
    assert found(path) == [(check, "train.csv", 7), (check, "boxes.csv", 7)]
    assert refused(path) == (check != "box-flat")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param(train(2, f"a,1,{RIGHT},7,1"), [("action-unknown", "train.csv", 2)], id="unknown_action"),
        pytest.param(train(2, f"a,1,{RIGHT},1.5,1"), [("action-unknown", "train.csv", 2)], id="half_an_action"),
        pytest.param({"boxes.csv": {1: f"a,1,{LEFT},-1,0.9"}}, [("action-unknown", "boxes.csv", 1)], id="of_boxes"),
        pytest.param(train(2, f"a,1,{RIGHT},sit,1"), [("action-in-words", "train.csv", 2)], id="action_by_name"),
        pytest.param(train(2, f"a,1,{RIGHT},2,bob"), [("not-a-number", "train.csv", 2)], id="person_by_name"),
        pytest.param(train(2, "a,1,0.5,0.9,2,1"), [("column-count", "train.csv", 2)], id="two_coordinates"),
        pytest.param(train(2, f"a,1,{RIGHT}"), [("column-count", "train.csv", 2)], id="no_action_column"),
        pytest.param(train(2, f"a,1,{RIGHT},2,1,"), [], id="a_comma_too_many"),
        pytest.param(train(7, TRAIN[3]), [("duplicate-row", "train.csv", 7)], id="duplicate_row"),
        pytest.param(train(7, "a,3"), [("duplicate-row", "train.csv", 7)], id="duplicate_key_frame"),
        pytest.param(train(2, f"a,1,{RIGHT},2,0.9"), [("person-number", "train.csv", 2)], id="a_score_for_a_person"),
        pytest.param(train(2, f"a,1,{RIGHT},2,1e20"), [("person-number", "train.csv", 2)], id="a_large_person"),
        pytest.param(train(2, f"a,1,{RIGHT},2,0"), [("person-twice", "train.csv", 2)], id="person_twice"),
        pytest.param(train(7, f"a,3.5,{RIGHT},,1"), [("person-without-action", "train.csv", 7)], id="no_action"),
        pytest.param(train(7, f"a,2,{LEFT},,0"), [], id="its_action_is_in_another_row"),
        pytest.param(train(7, f",3.5,{RIGHT},2,1"), [("unnamed-film", "train.csv", 7)], id="no_film_name"),
        pytest.param(train(2, f" a ,1,{RIGHT},2,1"), [("spaces-in-name", "train.csv", 2)], id="spaces_around_a_name"),
        pytest.param(train(0, "video,timestamp,x1,y1,x2,y2,action,id"), [("header-line", "train.csv", 1)], id="header"),
        pytest.param({"boxes.csv": {0: "# video,t,x1,y1,x2,y2"}}, [("header-line", "boxes.csv", 1)], id="box_header"),
        pytest.param(
            {"boxes.csv": {n: line.replace(",", "\t") for n, line in enumerate(BOXES, start=1)}},
            [("separator", "boxes.csv", 1)],
            id="tabs",
        ),
        pytest.param(train(3, TRAIN[2].replace(",", ";")), [("separator", "train.csv", 3)], id="semicolons"),
        pytest.param(train(2, '"a",1,"0.5",0.1,0.9,0.9,2,1'), [], id="quotes"),
        pytest.param(train(2, "a, 1, 0.5, 0.1, 0.9, 0.9, 2, 1 "), [], id="spaces_around_numbers"),
        pytest.param(train(2, f"\n{TRAIN[1]}"), [], id="empty_line"),
        pytest.param(
            train(2, f"a\0,1,{RIGHT},2,1"),
            [("encoding", "train.csv", 2), ("film-missing", "train.csv", 2)],
            id="zero_byte",
        ),
        pytest.param({"labels.csv": {3: "3,jump"}}, [("label-unused", "labels.csv", 3)], id="label_without_examples"),
        pytest.param(
            {"labels.csv": {3: "3,jump"}, "train.csv": {7: f"a,3.5,{LEFT},3,0"}},
            [("action-with-one-example", "train.csv", 7)],
            id="one_example",
        ),
        pytest.param(
            {"labels.csv": {3: "3,jump"}, "val.csv": {7: f"b,3.5,{LEFT},3,0", 8: f"b,4,{LEFT},3,0"}},
            [("action-on-one-side", "val.csv", 7)],
            id="none_on_one_side",
        ),
        pytest.param(train(7, f"c,1,{LEFT},1,0"), [("film-missing", "train.csv", 7)], id="film_missing"),
        pytest.param(train(7, f"../b,1,{LEFT},1,0"), [("film-missing", "train.csv", 7)], id="film_elsewhere"),
        pytest.param({"boxes.csv": {7: f"c,1,{LEFT},,0.9"}}, [("film-without-truth", "boxes.csv", 7)], id="boxes_only"),
        pytest.param(train(7, f"a,-1,{LEFT},1,0"), [("before-film", "train.csv", 7)], id="before_the_film"),
        pytest.param(train(7, f"a,12.5,{LEFT},1,0"), [("after-film", "train.csv", 7)], id="after_the_film"),
        pytest.param({"train.csv": {7: "a,10.2"}}, [], id="at_the_very_end"),
        pytest.param(train(7, f"a,1e300,{LEFT},1,0"), [("not-a-number", "train.csv", 7)], id="beyond_all_times"),
        pytest.param(train(7, f"b,4.9,{LEFT},1,0"), [("splits-overlap", "train.csv", 7)], id="film_in_both"),
        pytest.param(train(7, f"b.mp4,3.5,{LEFT},1,0"), [("splits-overlap", "train.csv", 7)], id="by_another_name"),
        pytest.param(train(7, f"b,5,{LEFT},1,0"), [("film-in-two-splits", "train.csv", 7)], id="far_from_each_other"),
        pytest.param(
            {"boxes.csv": {n: line.replace(LEFT, "0.1,0.1,0.2,0.2") for n, line in enumerate(BOXES, start=1)}},
            [("boxes-miss-persons", "boxes.csv", None)],
            id="boxes_miss",
        ),
    ],
)  # fmt: skip
def test_mistakes(data, changes, expected):
    path = data(changes)
    assert found(path) == expected
    assert not refused(path) or "error" in {finding.severity for finding in validate(path)}


@pytest.mark.parametrize(
    ("bottom", "count", "missed"),
    [
        pytest.param(0.8, 7, False, id="three_of_ten_at_0.9"),  # an overlap of 0.7 / 0.8
        pytest.param(0.8, 8, True, id="two_of_ten_at_0.9"),
        pytest.param(0.45, 2, False, id="eight_of_ten_at_0.5"),  # an overlap of 0.35 / 0.8
        pytest.param(0.45, 3, True, id="seven_of_ten_at_0.5"),
    ],
)
def test_how_many_persons_predicted_boxes_find(data, bottom, count, missed):
    """The others overlap by 0.73 / 0.8."""
    persons = [f"a,{time},{person}" for time in range(1, 6) for person in (f"{LEFT},1,0", f"{RIGHT},2,1")]
    corners = [person.rsplit(",", 3)[0] for person in persons]
    boxes = [f"{corner},{bottom if place < count else 0.83},,0.9" for place, corner in enumerate(corners)]
    path = data({"train.csv": dict(enumerate(persons, start=1)), "boxes.csv": dict(enumerate(boxes, start=1))})
    assert found(path) == [("boxes-miss-persons", "boxes.csv", None)] * missed


def test_ids_from_zero(data):
    changes = {
        name: {n: line[:-3] + {"1,0": "0,0", "2,1": "1,1"}.get(line[-3:], line[-3:]) for n, line in enumerate(lines, 1)}
        for name, lines in (("train.csv", TRAIN), ("val.csv", VAL))
    }
    assert found(data(changes)) == [("actions-from-0", "train.csv", 1), ("actions-from-0", "val.csv", 1)]
    changes["train.csv"][7] = f"a,2.5,{RIGHT},2,1"  # the last of the labels: ids are not all one too low
    assert found(data(changes))[0] == ("action-unknown", "train.csv", 1)


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        pytest.param([902, 905.5, 909], [("timestamps-of-ava", "train.csv", 1)], id="ava"),
        pytest.param([1, 5, 11], [("timestamps-from-1", "train.csv", 5)], id="from_one"),
        pytest.param([5, 15, 20], [("timestamps-in-frames", "train.csv", 3)], id="frames"),
        pytest.param([5.5, 15, 20], [("after-film", "train.csv", 3), ("after-film", "train.csv", 5)], id="seconds"),
    ],
)
def test_times_after_the_film(data, times, expected):
    rows = [f"a,{time},{box},{person + 1},{person}" for time in times for person, box in enumerate((LEFT, RIGHT))]
    path = data({"train.csv": dict(enumerate(rows, start=1))}, splits=WITHOUT_BOXES)
    assert found(path) == expected


def test_the_origin_of_time_counts(data):
    later = {n: line.replace("a,", "a,90").replace("a,902.5", "a,902.25") for n, line in enumerate(TRAIN, start=1)}
    path = data(
        {"train.csv": later, "val.csv": {n: line.replace("a", "b") for n, line in later.items()}},
        time_origin=900,
        splits=WITHOUT_BOXES,
    )
    assert found(path) == []


def test_times_that_do_not_count(data):
    splits = {"train": {"truth": "train.csv", "every": 1, "excluded": "excluded.csv"}, "val": {"truth": "val.csv"}}
    path = data(
        {"train.csv": {7: f"a,50.5,{LEFT},1,0", 8: f"a,60,{LEFT},1,0", 9: f"a,-1,{LEFT},1,0"}}, splits=splits, start=0
    )
    (path / "excluded.csv").write_text("a,0060\n")
    assert found(path) == []


def test_an_empty_file_of_excluded_key_frames(data):
    splits = MANIFEST["splits"] | {"val": {"truth": "val.csv", "excluded": "excluded.csv"}}
    path = data(splits=splits)
    (path / "excluded.csv").write_text("")
    assert found(path) == []
    (path / "excluded.csv").write_text("video,timestamp\nc,1\nb,never\n")
    assert found(path) == [
        ("header-line", "excluded.csv", 1),
        ("not-a-number", "excluded.csv", 3),
        ("film-without-truth", "excluded.csv", 2),
    ]


def test_files_that_splits_share_are_told_once(data):
    splits = {name: {"truth": f"{name}.csv", "boxes": "boxes.csv"} for name in ("train", "val")}
    boxes = {n: line.replace("a,", "b,") for n, line in enumerate(BOXES, start=7)} | {13: f"b,1,{LEFT},5,0.9"}
    assert found(data({"boxes.csv": boxes}, splits=splits)) == [("action-unknown", "boxes.csv", 13)]


def test_nothing_counts(data):
    assert found(data(start=902)) == [("split-empty", "train.csv", None), ("split-empty", "val.csv", None)]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        pytest.param("", "names no action", id="empty"),
        pytest.param("1,run\n1,sit\n", "names the action id 1 twice", id="id_twice"),
        pytest.param("{", "no json", id="json"),
    ],
)
def test_labels_that_cannot_be_read(data, content, sentence):
    path = data()
    (path / "labels.csv").write_text(content)
    (finding,) = validate(path)
    assert (finding.check, finding.severity, finding.file) == ("label-list", "error", path / "labels.csv")
    assert sentence in finding.found


def test_films(data):
    path = data()
    (path / "films" / "b.mp4").write_bytes(b"no film")
    (path / "films" / "c.mp4").write_bytes(b"")
    (path / "films" / "more").mkdir()
    (path / "films" / "more" / "d.webm").write_bytes(b"")
    assert found(path) == [
        ("film-unreadable", "b.mp4", None),
        ("film-unannotated", "c.mp4", None),
        ("film-unannotated", "d.webm", None),
    ]


def test_a_film_of_nearly_this_name(data):
    (missing, unannotated) = validate(
        data({"train.csv": {n: f"A{line[1:]}" for n, line in enumerate(TRAIN, start=1)}}, splits=WITHOUT_BOXES)
    )
    assert "is 'a' meant?" in missing.found
    assert unannotated.check == "film-unannotated"


def test_frame_folders(data, make_film):
    import cv2

    path = data({"train.csv": {7: f"deep/c,1,{LEFT},1,0"}})
    folder = path / "films" / "deep" / "c"
    folder.mkdir(parents=True)
    for number in range(60):
        cv2.imwrite(str(folder / f"{number}.png"), np.zeros((32, 32, 3), np.uint8))
    assert found(path) == []
    (folder / "30.png").write_bytes(b"no picture")
    assert found(path) == []
    assert found(path, deep=True) == [("no-frame", "train.csv", 7)]


def test_damage_within_a_film(data, make_film):
    make_film("whole.mp4", count=20, rate=2, gop=2)

    def damaged(packets):
        for number, packet in enumerate(packets):
            if 4 <= number < 10:  # seconds 2 to 5
                rubbish = av.Packet(b"\0" * packet.size)
                rubbish.pts, rubbish.dts, rubbish.time_base = packet.pts, packet.dts, packet.time_base
                packet = rubbish
            yield packet

    path = data(train(7, f"a,1.5,{LEFT},1,0") | {"val.csv": {6: "b,9"}})
    make_film.remux(path / "whole.mp4", "films/a.mp4", damaged)
    assert found(path) == []
    assert found(path, deep=True) == [("no-frame", "train.csv", 6)]


def test_a_still_film_is_not_damaged(data, make_film):
    path = data()
    times = [Fraction(0), Fraction(1, 2), Fraction(15, 2)]
    make_film("films/a.mp4", times=times, rate=2)
    assert found(path, deep=True) == []


def test_a_film_that_is_cut_off(data, make_film):
    make_film("films/whole.mkv", count=20, rate=2, gop=2)
    path = data({"train.csv": {7: f"whole,9,{LEFT},1,0"}}, splits=WITHOUT_BOXES)
    file = path / "films" / "whole.mkv"
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    assert found(path) == []
    assert found(path, deep=True) == [("no-frame", "train.csv", 7)]


def test_persons_who_are_all_called_alike(data):
    alike = {n: line[: line.rindex(",")] + ",0" for n, line in enumerate(TRAIN[:5], start=1)}
    assert found(data({"train.csv": alike})) == [("person-twice", "train.csv", 2)]


def test_proposals(data):
    path = data()
    splits = {"train": {"truth": "train.csv", "boxes": "boxes.pkl"}, "val": {"truth": "val.csv"}}
    boxes = {f"a,{time}": np.array([[0.1, 0.1, 0.5, 0.9], [0.5, 0.1, 0.9, 0.9]]) for time in (1, 2, 2.5)}
    (path / "boxes.pkl").write_bytes(pickle.dumps(boxes))
    assert found(data(splits=splits)) == []
    boxes["a,2"][0] = [3, 4, 50, 60]
    (path / "boxes.pkl").write_bytes(pickle.dumps(boxes))
    (pixels,) = validate(path)
    assert (pixels.check, pixels.line) == ("box-in-pixels", None)
    assert "the box 3,4,50,60 of the entry 'a,0002'" in pixels.found
    assert "the film has 96 x 64 of them" in pixels.found
    boxes["a,2"][0] = [np.nan, 0, 1, 1]
    (path / "boxes.pkl").write_bytes(pickle.dumps(boxes))
    assert found(path) == [("not-a-number", "boxes.pkl", None)]
    (path / "boxes.pkl").write_bytes(pickle.dumps(["boxes"]))
    assert found(path)[0] == ("unreadable-file", "boxes.pkl", None)


@pytest.mark.parametrize(
    ("encoding", "expected"),
    [("utf-8-sig", []), ("utf-16", [("encoding", "train.csv", 1)]), ("latin-1", [("encoding", "train.csv", 7)])],
)
def test_encodings(data, make_film, encoding, expected):
    make_film("films/\ufffd.mp4" if encoding == "latin-1" else "films/é.mp4", count=20, rate=2)
    path = data(train(7, f"é,1,{LEFT},1,0"))
    file = path / "train.csv"
    file.write_bytes(file.read_text().encode(encoding))
    assert found(path) == expected


def test_line_ends(data):
    path = data(train(7, f"a,1,{LEFT},8,0"))
    for end in (b"\r\n", b"\r"):
        file = path / "train.csv"
        file.write_bytes(file.read_bytes().replace(b"\n", end))
        assert found(path) == [("action-unknown", "train.csv", 7)]
        data(train(7, f"a,1,{LEFT},8,0"))


def test_every_line_is_read_after_wrong_ones(data):
    wrong = {1: "video", 3: "a,x,y", 4: f"a,2,{RIGHT},walk,1", 7: f"c,1,{LEFT},9,0", 8: f"a,-1,{RIGHT},2,0"}
    assert found(data({"train.csv": wrong}, splits=WITHOUT_BOXES)) == [
        ("column-count", "train.csv", 1),
        ("column-count", "train.csv", 3),
        ("action-in-words", "train.csv", 4),
        ("action-unknown", "train.csv", 7),
        ("film-missing", "train.csv", 7),
        ("before-film", "train.csv", 8),
    ]


def test_actions_in_words_are_no_duplicates(data):
    lines = {7: f"a,5,{LEFT},run,0", 8: f"a,5,{LEFT},sit,0"}
    checks = {check for check, *_ in found(data({"train.csv": lines}, splits=WITHOUT_BOXES))}
    assert checks == {"action-in-words"}


@pytest.mark.parametrize(
    ("labels", "lines"),
    [
        (["1,run", "2,sit", "4,walk left", "10,walk"], {"4 'walk left'": 3, "10 'walk'": 4}),
        (["run", "sit", "walk"], {"3 'walk'": 3}),
    ],
)
def test_lines_of_labels_that_nobody_does(data, labels, lines):
    path = data(splits=WITHOUT_BOXES)
    (path / "labels.csv").write_text("\n".join(labels) + "\n")
    unused = [finding for finding in validate(path) if finding.check == "label-unused"]
    assert {finding.found.partition("action ")[2]: finding.line for finding in unused} == lines


@pytest.mark.parametrize("text", ["a,1,0.1\n", 'a,1,"0.1,0.1,0.5,0.9,1\n', "a\n", f"{'a' * 200_000},1,0.1\n"])
def test_files_of_wrong_lines_alone(data, text):
    path = data()
    (path / "train.csv").write_text(text)
    assert any(finding.file.name == "train.csv" and finding.severity == "error" for finding in validate(path))


def test_no_manifest(tmp_path, data):
    with pytest.raises(InputError, match=r"a folder with a dataset\.yaml"):
        validate(tmp_path)
    with pytest.raises(InputError, match=r"names .*none\.csv, which does not exist"):
        validate(data(labels="none.csv"))


def test_checks_are_named_once_and_say_what_to_do():
    assert len({check.name for check in CHECKS}) == len(CHECKS)
    assert all(check.mend.endswith((".", "?")) for check in CHECKS)


def test_the_command(data, capsys, tmp_path):
    path = data(splits=WITHOUT_BOXES)
    assert run(app, ["validate", str(path)]) == 0
    assert capsys.readouterr().out == f"{path}: nothing is wrong\n"
    data({"train.csv": {n: f"a,{n},{LEFT},,0" for n in range(7, 10)}}, splits=WITHOUT_BOXES)
    assert run(app, ["validate", str(path)]) == 0
    assert capsys.readouterr().out.endswith(f"{path}: 0 errors, 3 warnings\n")
    data({"train.csv": {n: f"a,{n / 10 + 3:g},0.5,0.1,0.1,0.9,1,0" for n in range(7, 22)}}, splits=WITHOUT_BOXES)
    out = tmp_path / "findings.json"
    assert run(app, ["validate", str(path), "--json", str(out)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "error box-inverted: Write the upper left corner first: x1 <= x2 and y1 <= y2."
    assert lines[1] == "  train.csv, line 7: the box 0.5,0.1,0.1,0.9 has x2 below x1, or y2 below y1"
    assert lines[11] == "  ... and 5 more"
    content = json.loads(out.read_text())
    assert (content["errors"], content["warnings"], len(content["findings"])) == (15, 0, 15)
    assert content["findings"][14] == {
        "check": "box-inverted",
        "severity": "error",
        "file": str(path / "train.csv"),
        "line": 21,
        "found": "the box 0.5,0.1,0.1,0.9 has x2 below x1, or y2 below y1",
        "mend": "Write the upper left corner first: x1 <= x2 and y1 <= y2.",
    }
    before = out.read_text()
    assert run(app, ["validate", str(path), "--json", str(out)]) == 1
    assert capsys.readouterr().out.splitlines()[-1] == str(tmp_path / "findings-2.json")
    out.write_text("mine")
    assert run(app, ["validate", str(path), "--json", str(out), "--overwrite"]) == 1
    assert out.read_text() == before
    assert run(app, ["validate", str(path), "--json", str(path / "train.csv")]) == 2
    assert run(app, ["validate", str(path / "films")]) == 1
