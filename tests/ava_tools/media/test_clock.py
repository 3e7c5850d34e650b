"""The clock against timestamps written by hand."""

from __future__ import annotations

from fractions import Fraction
from types import SimpleNamespace

import pytest

from ava_tools.media.clock import Clock

UNIT = Fraction(1, 100)


def pictures(pts, dts=None, duration=0):
    dts = [None] * len(pts) if dts is None else dts
    return [
        SimpleNamespace(pts=shown, dts=decoded, time_base=UNIT, duration=duration)
        for shown, decoded in zip(pts, dts, strict=True)
    ]


@pytest.mark.parametrize(
    ("pts", "dts", "expected", "jumped"),
    [
        pytest.param([0, 10, 20], None, [0, 10, 20], False, id="even"),
        pytest.param([0, 3, 70], None, [0, 3, 70], False, id="uneven"),
        pytest.param([-20, -10, 0], None, [-20, -10, 0], False, id="negative"),
        pytest.param([500, 510, 520], None, [500, 510, 520], False, id="late"),
        pytest.param([0, 30, 10, 20], [0, 10, 20, 30], [0, 10, 20, 30], False, id="avi"),
        pytest.param([None, None, None], [5, 15, 25], [5, 15, 25], False, id="decoding_times_only"),
        pytest.param([None, None, None], None, [0, 10, 20], False, id="none"),
        pytest.param([0, None, 20], None, [0, 10, 20], False, id="gaps"),
        pytest.param([7, 7, 7], [1, 1, 1], [0, 10, 20], False, id="stuck"),
        pytest.param([4], None, [4], False, id="one"),
    ],
)
def test_the_first_pictures_choose_the_clock(pts, dts, expected, jumped):
    film = pictures(pts, dts)
    clock = Clock(film, Fraction(10))
    assert [clock.time(picture) for picture in film] == [tick * UNIT for tick in expected]
    assert clock.jumped is jumped


@pytest.mark.parametrize(
    ("later", "duration", "expected", "jumped"),
    [
        pytest.param([30, 40], 0, [30, 40], False, id="goes_on"),
        pytest.param([900, 910], 0, [900, 910], False, id="pause"),
        pytest.param([0, 10, 20], 0, [30, 40, 50], True, id="joined"),
        pytest.param([0, 10, 20], 25, [45, 55, 65], True, id="joined_after_a_long_picture"),
        pytest.param([-50, -20, 10], 0, [30, 60, 90], True, id="joined_negative"),
        pytest.param([0, 30, 0, 10], 0, [30, 60, 70, 80], True, id="joined_twice"),
        pytest.param([20, 40, 50], 0, [25, 40, 50], False, id="stands_still_once"),
        pytest.param([None, 40], 0, [30, 40], False, id="one_without"),
    ],
)
def test_later_pictures_never_go_back(later, duration, expected, jumped):
    first = pictures([0, 10, 20], duration=duration)
    clock = Clock(first, Fraction(10))
    for picture in first:
        clock.time(picture)
    assert [clock.time(picture) for picture in pictures(later)] == [tick * UNIT for tick in expected]
    assert clock.jumped is jumped


def test_a_film_without_pictures_has_a_clock():
    assert Clock([], Fraction(25)).jumped is False
