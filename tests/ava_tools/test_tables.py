"""Person boxes: every accepted spelling, and the sentence for every mistake."""

from __future__ import annotations

import pickle
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ava_tools import InputError
from ava_tools.tables import format_timestamp, read_person_boxes

COLUMNS = ["video", "timestamp", "x1", "y1", "x2", "y2", "score"]
NO_SCORE = float("nan")


@pytest.fixture
def boxes_file(tmp_path):
    def write(content: str | bytes, name: str = "boxes.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


def rows(table: pd.DataFrame) -> list[tuple]:
    return list(table.itertuples(index=False, name=None))


def equal(found: list[tuple], expected: list[tuple]) -> bool:
    return len(found) == len(expected) and all(
        len(one) == len(other) and one[0] == other[0] and np.array_equal(one[1:], other[1:], equal_nan=True)
        for one, other in zip(found, expected, strict=True)
    )


# ---------------------------------------------------------------- csv


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param("a,0902,0.1,0.2,0.3,0.4\n", [("a", 902, 0.1, 0.2, 0.3, 0.4, NO_SCORE)], id="six_columns"),
        pytest.param("a,0902,0.1,0.2,0.3,0.4,12\n", [("a", 902, 0.1, 0.2, 0.3, 0.4, NO_SCORE)], id="seven_columns"),
        pytest.param("a,0902,0.1,0.2,0.3,0.4,12,0.9\n", [("a", 902, 0.1, 0.2, 0.3, 0.4, 0.9)], id="eight_columns"),
        pytest.param("a,0902,0.1,0.2,0.3,0.4,,0.9\n", [("a", 902, 0.1, 0.2, 0.3, 0.4, 0.9)], id="empty_label"),
        pytest.param("a,0902,0.1,0.2,0.3,0.4,,\n", [("a", 902, 0.1, 0.2, 0.3, 0.4, NO_SCORE)], id="empty_score"),
        pytest.param("a,2.5,0,0,1,1", [("a", 2.5, 0, 0, 1, 1, NO_SCORE)], id="fractional_no_last_newline"),
        pytest.param("a,0002,0,0,1,1", [("a", 2, 0, 0, 1, 1, NO_SCORE)], id="zero_padded"),
        pytest.param("a,1.0000004,0,0,1,1", [("a", 1.0, 0, 0, 1, 1, NO_SCORE)], id="six_decimals"),
        pytest.param("\ufeffa,1,0,0,1,1", [("a", 1, 0, 0, 1, 1, NO_SCORE)], id="byte_order_mark"),
        pytest.param(
            "a,1,0,0,1,1\r\nb,2,0,0,1,1\r\n",
            [("a", 1, 0, 0, 1, 1, NO_SCORE), ("b", 2, 0, 0, 1, 1, NO_SCORE)],
            id="windows_lines",
        ),
        pytest.param('"a, b",1,0,0,1,1', [("a, b", 1, 0, 0, 1, 1, NO_SCORE)], id="quoted_comma"),
        pytest.param('"say ""hi""",1,0,0,1,1', [('say "hi"', 1, 0, 0, 1, 1, NO_SCORE)], id="quoted_quote"),
        pytest.param(" a , 1 , 0 , 0 , 1 , 1 ", [("a", 1, 0, 0, 1, 1, NO_SCORE)], id="spaces"),
        pytest.param("-5KQ66BBWC4,902,0,0,1,1", [("-5KQ66BBWC4", 902, 0, 0, 1, 1, NO_SCORE)], id="dash_in_front"),
        pytest.param("123,1,0,0,1,1", [("123", 1, 0, 0, 1, 1, NO_SCORE)], id="name_of_digits"),
        pytest.param("007,1,0,0,1,1", [("007", 1, 0, 0, 1, 1, NO_SCORE)], id="name_with_zeros"),
        pytest.param("NA,1,0,0,1,1", [("NA", 1, 0, 0, 1, 1, NO_SCORE)], id="name_na"),
        pytest.param("Ünï,1,0,0,1,1", [("Ünï", 1, 0, 0, 1, 1, NO_SCORE)], id="unicode_name"),
        pytest.param("a,1,-0.009,0,1.009,1", [("a", 1, -0.009, 0, 1.009, 1, NO_SCORE)], id="overshoot"),
        pytest.param("a,1,0.5,0.5,0.5,0.5", [("a", 1, 0.5, 0.5, 0.5, 0.5, NO_SCORE)], id="point"),
        pytest.param("a,1,1e-3,0,1E0,1", [("a", 1, 0.001, 0, 1, 1, NO_SCORE)], id="exponents"),
        pytest.param(
            "b,2,0,0,1,1\n\n\na,1,0,0,1,1\n",
            [("b", 2, 0, 0, 1, 1, NO_SCORE), ("a", 1, 0, 0, 1, 1, NO_SCORE)],
            id="blank_lines_and_order",
        ),
        pytest.param(
            "a,1,0,0,1,1,12\na,1,0,0,1,1,80\na,1,0,0,1,0.9,12\na,2,0,0,1,1,12\nb,1,0,0,1,1,12\na,1.0000001,0,0,1,1,3\n",
            [
                ("a", 1, 0, 0, 1, 1, NO_SCORE),
                ("a", 1, 0, 0, 1, 0.9, NO_SCORE),
                ("a", 2, 0, 0, 1, 1, NO_SCORE),
                ("b", 1, 0, 0, 1, 1, NO_SCORE),
            ],
            id="a_box_for_each_label",
        ),
        pytest.param("", [], id="empty"),
        pytest.param("\n\n", [], id="only_newlines"),
        pytest.param("\ufeff", [], id="only_a_byte_order_mark"),
    ],
)
def test_csv(boxes_file, content, expected):
    table = read_person_boxes(boxes_file(content))
    assert list(table.columns) == COLUMNS
    assert equal(rows(table), expected)
    assert list(table.index) == list(range(len(expected)))
    assert all(table[column].dtype == np.float64 for column in COLUMNS[1:])


SHAPE = "video,timestamp,x1,y1,x2,y2[,label][,score] is expected"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        pytest.param("a,1,0,0,1\n", f"line 1: has 5 columns; {SHAPE}", id="five_columns"),
        pytest.param("a,1,0,0,1,1\na,1,0,0,1,1,,0.5,7\n", f"line 2: has 9 columns; {SHAPE}", id="nine_columns"),
        pytest.param("a,1,0,0,1,1\na,1,0,0,1,1,,0.5,,7\n", f"line 2: has 10 columns; {SHAPE}", id="ten_columns"),
        pytest.param(
            "a\t1\t0\t0\t1\t1\n",
            f"line 1: has 1 columns; {SHAPE}; it is separated by tabs, commas are expected",
            id="tabs",
        ),
        pytest.param("a;1;0;0;1;1\n", f"line 1: has 1 columns; {SHAPE}", id="semicolons"),
        pytest.param(
            "video,timestamp,x1,y1,x2,y2\na,1,0,0,1,1\n",
            "line 1: timestamp is 'timestamp'; a number is expected; the file must have no header line",
            id="header",
        ),
        pytest.param("a,1,0,0,1,1\n\na,x,0,0,1,1\n", "line 3: timestamp is 'x'; a number is expected", id="timestamp"),
        pytest.param("a,,0,0,1,1\n", "line 1: timestamp is ''; a number is expected", id="no_timestamp"),
        pytest.param("a,1,0,,1,1\n", "line 1: y1 is ''; a number is expected", id="no_coordinate"),
        pytest.param("a,1,0,0,1,nan\n", "line 1: y2 is 'nan'; a number is expected", id="nan"),
        pytest.param("a,1,0,0,inf,1\n", "line 1: x2 is 'inf'; a number is expected", id="infinite"),
        pytest.param("a,1,0,0,1e999,1\n", "line 1: x2 is '1e999'; a number is expected", id="overflow"),
        pytest.param("a,1,0,0,1,1,walk\n", "line 1: label is 'walk'; a number is expected", id="label"),
        pytest.param("a,1,0,0,1,1,,good\n", "line 1: score is 'good'; a number is expected", id="score"),
        pytest.param("a,1,0,0,1,1,,nan\n", "line 1: score is 'nan'; a number is expected", id="score_nan"),
        pytest.param("a,00:15:02,0,0,1,1\n", "line 1: timestamp is '00:15:02'; a number", id="clock_time"),
        pytest.param('a,"1,5",0,0,1,1\n', "line 1: timestamp is '1,5'; a number", id="decimal_comma"),
        pytest.param(
            "a,1,0,0,1,1\na,1,10,20,300,400\n",
            "line 2: the box 10,20,300,400 leaves the frame; x1,y1,x2,y2 from 0 to 1 are expected; these look like "
            "pixels: divide by the film's width and height",
            id="pixels",
        ),
        pytest.param("a,1,0,0,1.02,1\n", "line 1: the box 0,0,1.02,1 leaves the frame; x1,y1,x2,y2", id="right"),
        pytest.param("a,1,-0.02,0,1,1\n", "line 1: the box -0.02,0,1,1 leaves the frame; x1,y1,x2,y2", id="left"),
        pytest.param(
            "a,1,0.6,0,0.4,1\n",
            "line 1: the box 0.6,0,0.4,1 is inverted; x1 <= x2 and y1 <= y2 are expected",
            id="inverted_x",
        ),
        pytest.param("a,1,0,0.6,1,0.4\n", "line 1: the box 0,0.6,1,0.4 is inverted", id="inverted_y"),
        pytest.param(
            b"\xff\xfe\x00\x01",
            ": is no text; a csv of video,timestamp,x1,y1,x2,y2[,label][,score] is expected",
            id="binary",
        ),
    ],
)
def test_a_mistake_in_a_csv_is_named(boxes_file, content, sentence):
    path = boxes_file(content)
    with pytest.raises(InputError, match=re.escape(sentence)) as caught:
        read_person_boxes(path)
    assert str(caught.value).startswith(str(path))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"nowhere\.csv: cannot be read \(No such file or directory\)"):
        read_person_boxes(tmp_path / "nowhere.csv")


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(InputError, match=r"is no regular file"):
        read_person_boxes(tmp_path)


unit = st.floats(0, 1).map(lambda value: round(value, 6))
names = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=8)


@settings(max_examples=40)
@given(st.lists(st.tuples(names, st.integers(0, 10**6), unit, unit, unit, unit, unit), max_size=6))
def test_what_pandas_writes_is_read_back(tmp_path_factory, boxes):
    boxes = [(v, t, min(x, u), min(y, w), max(x, u), max(y, w), s) for v, t, x, y, u, w, s in boxes]
    table = pd.DataFrame(boxes, columns=COLUMNS)
    table.insert(6, "label", "")
    path = tmp_path_factory.mktemp("boxes") / "boxes.csv"
    table.to_csv(path, header=False, index=False)
    if path.read_bytes()[:1] in (b"(", b"}"):
        return  # might be a pickle of a text protocol
    seen: dict[tuple, tuple] = {}
    for box in boxes:
        seen.setdefault(box[:6], box)
    assert equal(rows(read_person_boxes(path)), list(seen.values()))


# ---------------------------------------------------------------- proposals pickle

PROPOSALS = {
    "1j20qq1JyX4,0902": np.array([[0.1, 0.2, 0.3, 0.4, 0.95], [0.5, 0.5, 0.9, 1.0, 0.9]], dtype=np.float32),
    "a, b,2.5": np.array([[0.0, 0.0, 1.0, 1.0]]),
    "none,0904": np.zeros((0, 5)),
}
PROPOSED = [
    ("1j20qq1JyX4", 902, 0.1, 0.2, 0.3, 0.4, 0.95),
    ("1j20qq1JyX4", 902, 0.5, 0.5, 0.9, 1.0, 0.9),
    ("a, b", 2.5, 0, 0, 1, 1, NO_SCORE),
]


@pytest.mark.parametrize("name", ["proposals.pkl", "named_wrongly.csv"])
@pytest.mark.parametrize("protocol", range(6))
def test_proposals_of_every_protocol(boxes_file, protocol, name):
    table = read_person_boxes(boxes_file(pickle.dumps(PROPOSALS, protocol), name))
    assert list(table.columns) == COLUMNS
    assert [row[0] for row in rows(table)] == [row[0] for row in PROPOSED]
    found = [row[1:] for row in rows(table)]
    np.testing.assert_allclose(found, [row[1:] for row in PROPOSED], atol=1e-7)


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize(
    ("content", "count"),
    [
        pytest.param({}, 0, id="empty"),
        pytest.param({"a,1": []}, 0, id="no_boxes"),
        pytest.param({"a,1": [[0, 0, 1, 1]]}, 1, id="lists"),
        pytest.param({"a,1": np.array([[0, 0, 1, 1]])}, 1, id="integers"),
        pytest.param({"a,1": np.array([[0, 0, 1, 1.0]] * 3)}, 1, id="one_box_thrice"),
        pytest.param({"a,1": [[0, 0, 1, 1]], "a,0001": [[0, 0, 1, 1]], "a,2": [[0, 0, 1, 1]]}, 2, id="one_key_twice"),
    ],
)
def test_proposals_of_many_shapes(boxes_file, protocol, content, count):
    table = read_person_boxes(boxes_file(pickle.dumps(content, protocol), "proposals.pkl"))
    assert len(table) == count
    assert list(table.columns) == COLUMNS
    assert all(table[column].dtype == np.float64 for column in COLUMNS[1:])


EXPECTED = "float[K, 4 or 5] is expected"
KEY = "'video,timestamp' with a number of seconds is expected"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        pytest.param([1, 2], "holds a list; a dict 'video,timestamp' -> boxes is expected", id="list"),
        pytest.param({"a": np.zeros((1, 4))}, f"has an entry 'a'; {KEY}", id="no_comma"),
        pytest.param({3: np.zeros((1, 4))}, f"has an entry 3; {KEY}", id="number_as_key"),
        pytest.param({("a", 1): np.zeros((1, 4))}, f"has an entry ('a', 1); {KEY}", id="pair_as_key"),
        pytest.param({"a,1": np.zeros((1, 6))}, f"entry 'a,1' holds float64 of shape [1, 6]; {EXPECTED}", id="six"),
        pytest.param({"a,1": np.zeros(4)}, f"entry 'a,1' holds float64 of shape [4]; {EXPECTED}", id="flat"),
        pytest.param(
            {"a,1": [["x"] * 4]},
            "entry 'a,1' holds [['x', 'x', 'x', 'x']]; rows of 4 or 5 numbers are expected",
            id="text",
        ),
        pytest.param({"a,1": None}, "entry 'a,1' holds None; rows of 4 or 5 numbers are expected", id="none"),
        pytest.param({"a,x": np.zeros((1, 4))}, f"has an entry 'a,x'; {KEY}", id="seconds"),
        pytest.param(
            {"a,1": np.array([[0, 0, 1, 1.0]]), "a,2": np.array([[0, 0, 400, 300.0]])},
            "entry 'a,0002': the box 0,0,400,300 leaves the frame; x1,y1,x2,y2 from 0 to 1 are expected; these",
            id="pixels",
        ),
        pytest.param(
            {"a,1": np.array([[0.5, 0, 0.1, 1]])}, "entry 'a,0001': the box 0.5,0,0.1,1 is inverted", id="inverted"
        ),
        pytest.param(
            {"a,1": np.array([[0, 0, np.nan, 1]])}, "entry 'a,0001': the box 0,0,nan,1 leaves the frame", id="nan"
        ),
        pytest.param({"a,1": print}, "not a pickle of plain data (it asks for", id="program"),
    ],
)
def test_a_mistake_in_proposals_is_named(boxes_file, content, sentence):
    path = boxes_file(pickle.dumps(content, 4), "proposals.pkl")
    with pytest.raises(InputError, match=re.escape(sentence)) as caught:
        read_person_boxes(path)
    assert str(caught.value).startswith(str(path))


# ---------------------------------------------------------------- what is easily got wrong


@pytest.mark.parametrize(
    "content",
    [
        pytest.param({"a,1": [[0, 0, 1, 1], [0, 0, 1]]}, id="ragged"),
        pytest.param({"a,nan": [[0, 0, 1, 1]]}, id="nan_seconds"),
        pytest.param({"a,inf": [[0, 0, 1, 1]]}, id="infinite_seconds"),
        pytest.param({",1": [[0, 0, 1, 1]]}, id="no_video"),
    ],
)
def test_odd_proposals_are_refused(boxes_file, content):
    with pytest.raises(InputError):
        read_person_boxes(boxes_file(pickle.dumps(content, 4), "proposals.pkl"))


def test_a_row_without_a_video_is_refused(boxes_file):
    with pytest.raises(InputError, match="line 1: video"):
        read_person_boxes(boxes_file(",1,0,0,1,1\n"))


# ---------------------------------------------------------------- timestamps


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (902, "0902"),
        (2.0, "0002"),
        (0, "0000"),
        (12345, "12345"),
        (902.5, "902.5"),
        (0.04, "0.04"),
        (1.9999999, "0002"),
    ],
    ids=["ava", "padded", "zero", "long", "half", "small", "nearly_whole"],
)
def test_format_timestamp(seconds, text):
    assert format_timestamp(seconds) == text


@given(st.floats(0, 1e6))
def test_a_formatted_timestamp_reads_back(seconds):
    assert float(format_timestamp(seconds)) == pytest.approx(seconds, abs=1e-6)
