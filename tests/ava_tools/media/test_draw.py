"""What the painter changes in a picture, and what it leaves alone."""

from __future__ import annotations

import numpy as np
import pytest

from ava_tools.media.draw import BoxPainter

SIZE = (320, 240)  # width, height


def grey(size: tuple[int, int] = SIZE) -> np.ndarray:
    return np.full((size[1], size[0], 3), 128, np.uint8)


def draw(boxes, texts, persons=None, size: tuple[int, int] = SIZE) -> np.ndarray:
    picture = grey(size)
    persons = np.arange(len(boxes)) if persons is None else np.array(persons)
    drawn = BoxPainter(*size).draw(picture, np.array(boxes, dtype=float).reshape(-1, 4), persons, texts)
    assert drawn is picture
    return picture


def changed(picture: np.ndarray) -> np.ndarray:
    return (picture != 128).any(axis=2)


def test_no_boxes_change_nothing():
    assert not changed(draw(np.zeros((0, 4)), [])).any()


def test_a_box_without_text_is_a_frame():
    touched = changed(draw([[100, 80, 200, 180]], [""]))
    expected_ring = np.zeros_like(touched)
    expected_ring[77:184, 97:204] = True
    expected_ring[84:177, 104:197] = False
    assert not (touched & ~expected_ring).any()
    for y, x in ((80, 150), (180, 150), (130, 100), (130, 200)):
        assert touched[y - 2 : y + 3, x - 2 : x + 3].any()


def test_text_stands_at_its_box():
    touched = changed(draw([[100, 100, 200, 200]], ["walk"]))
    frame_alone = changed(draw([[100, 100, 200, 200]], [""]))
    text = touched & ~frame_alone
    assert text.sum() > 100
    rows, columns = np.nonzero(text)
    assert rows.min() >= 60
    assert rows.max() <= 140
    assert columns.min() >= 90
    assert columns.max() <= 240


CORNERS = [
    pytest.param([0, 0, 60, 60], id="upper_left"),
    pytest.param([259, 0, 319, 60], id="upper_right"),
    pytest.param([0, 179, 60, 239], id="lower_left"),
    pytest.param([259, 179, 319, 239], id="lower_right"),
    pytest.param([-30, -30, 350, 270], id="larger_than_the_picture"),
    pytest.param([300, 100, 400, 160], id="half_outside"),
    pytest.param([318, 100, 319, 160], id="thin"),
]


@pytest.mark.parametrize("box", CORNERS)
def test_text_at_the_border_is_whole(box):
    """White pixels are letters: as many have to show as in the middle of the picture."""

    def letters(picture: np.ndarray) -> int:
        return int((picture > 200).all(axis=2).sum())

    in_the_middle = letters(draw([[120, 100, 200, 180]], ["stand 0.91"]))
    assert in_the_middle > 50
    assert letters(draw([box], ["stand 0.91"])) == pytest.approx(in_the_middle, rel=0.1)


@pytest.mark.parametrize("box", CORNERS)
def test_a_box_at_the_border_shows(box):
    assert changed(draw([box], [""])).sum() > 50


def test_only_boxes_with_text_get_a_label():
    both = changed(draw([[20, 100, 80, 160], [200, 100, 260, 160]], ["walk", ""]))
    alone = changed(draw([[20, 100, 80, 160], [200, 100, 260, 160]], ["", ""]))
    assert (both & ~alone)[:, :160].any()
    assert not (both & ~alone)[:, 160:].any()


def test_lines_stand_below_each_other():
    one = changed(draw([[100, 120, 200, 220]], ["walk"])).sum()
    three = changed(draw([[100, 120, 200, 220]], ["walk\ntalk\nsit"])).sum()
    assert three > one * 1.3


def test_a_person_keeps_its_colour():
    first = draw([[20, 20, 80, 80], [120, 20, 180, 80]], ["", ""], persons=[3, 4])
    second = draw([[120, 20, 180, 80], [20, 20, 80, 80]], ["", ""], persons=[3, 4])
    assert (first[20, 50] == second[20, 150]).all()
    assert (first[20, 150] == second[20, 50]).all()
    assert (first[20, 50] != first[20, 150]).any()


@pytest.mark.parametrize("size", [(32, 32), (101, 75), (64, 400), (1920, 1080)], ids=["tiny", "odd", "tall", "large"])
def test_any_picture_can_be_drawn_on(size):
    width, height = size
    picture = draw([[width / 4, height / 4, width / 2, height / 2]], ["walk 0.5\ntalk 0.4"], size=size)
    assert changed(picture).any()


def test_twenty_persons_and_large_identities():
    boxes = [[5 * n, 5 * n, 5 * n + 60, 5 * n + 60] for n in range(20)]
    assert changed(draw(boxes, ["sit"] * 20, persons=range(10**6, 10**6 + 20))).any()


def test_the_first_persons_colours_are_the_palettes():
    """Supervision paints blue first; the picture is red first."""
    image = np.zeros((200, 300, 3), dtype=np.uint8)
    BoxPainter(300, 200).draw(image, np.array([[100.0, 50, 200, 150]]), np.array([1]), [""])
    red, green, blue = (int(value) for value in image[50, 150])
    assert (red, green, blue) == (0xC8, 0x32, 0x1E)


def test_letters_of_other_scripts_are_drawn():
    assert (draw([[100, 100, 200, 200]], ["идёт"]) != draw([[100, 100, 200, 200]], ["????"])).any()
    assert (draw([[100, 100, 200, 200]], ["идёт"]) != draw([[100, 100, 200, 200]], ["стой"])).any()


def test_letters_of_a_height_that_is_asked_for():
    def label(text, letters):
        picture = BoxPainter(*SIZE, letters=letters).draw(
            grey(), np.array([[10.0, 200, 300, 230]]), np.array([1]), [text]
        )
        return np.flatnonzero(changed(picture)[:190].any(axis=1)).size

    assert label("walk", 40) > 1.8 * label("walk", 20)
    assert label("nun\nnun", 20) == label("gjp\nÄbf", 20), "lines are equally high whatever is in them"
