"""Which annotated frames become key frames."""

from __future__ import annotations

import pytest
from converted import key_frames, rows

from ava_tools.convert.annotations import AnnotatedFilm, Person, collected
from ava_tools.convert.key_frames import spaced

BOX = (0.1, 0.1, 0.5, 0.5)


def frames(times, film="film", persons=True):
    films = [AnnotatedFilm(film)]
    seen = [Person(film, time, BOX, [f"at {time:g}"], 3) for time in times] if persons else []
    return collected(films, seen, empty={film: times})


DENSE = [number / 25 for number in range(51)]
FIFTHS = [number / 5 for number in range(10)]  # whose distances differ from 0.2 by rounding


@pytest.mark.parametrize(
    ("times", "every", "expected", "told"),
    [
        pytest.param([0, 1, 2], None, [0, 1, 2], "all 3 annotated frames are key frames", id="wide"),
        pytest.param(DENSE, None, [0, 0.48, 1, 1.48, 2], "5 of 51 annotated frames are key frames", id="dense"),
        pytest.param([0, 0.2, 0.4], None, [0, 0.2, 0.4], "all 3 ", id="hardly_dense"),
        pytest.param(FIFTHS, None, FIFTHS, "all 10 ", id="hardly_dense_and_rounded"),
        pytest.param([0, 0.19, 0.38], None, [0, 0.38], "2 of 3 ", id="just_dense"),
        pytest.param(DENSE, 0, DENSE, "all 51 annotated", id="all"),
        pytest.param(DENSE, 1, [0, 1, 2], "3 of 51 annotated frames are key frames, one every 1 s", id="asked"),
        pytest.param([0.3, 0.9, 5.2], 1, [0.3, 0.9, 5.2], "3 of 3", id="nearest"),
        pytest.param([0.9, 1.1, 1.2], 1, [0.9], "1 of 3", id="one_each"),
        pytest.param([4.0], None, [4.0], "all 1 ", id="single"),
        pytest.param([], None, [], "all 0 ", id="none"),
    ],
)  # fmt: skip
def test_spacing(times, every, expected, told):
    kept, sentence = spaced(frames(times), every)
    assert key_frames(kept).get("film", []) == pytest.approx(expected)
    assert sentence.startswith(told)
    assert [row[4] for row in rows(kept)] == [(f"at {time:g}",) for time in expected]


def test_frames_with_nobody_are_key_frames_too():
    kept, _ = spaced(frames([0, 1, 2], persons=False), None)
    assert key_frames(kept) == {"film": [0, 1, 2]}
    assert kept.persons.empty
    assert kept.actions.empty


def test_films_are_spaced_each_by_itself():
    both = collected(
        [AnnotatedFilm("one"), AnnotatedFilm("two")], [], empty={"one": [0.1, 0.9], "two": [0.0, 1.0, 1.2]}
    )
    kept, _ = spaced(both, 1)
    assert key_frames(kept) == {"one": [0.1, 0.9], "two": [0.0, 1.0]}
