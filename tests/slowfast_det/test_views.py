"""Which clips and squares of a film a classifier sees, against PySlowFast's and by definition."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from ava_tools.media.reader import open_film
from slowfast_det.clips.sample import read_frames
from slowfast_det.clips.views import (
    draw_cut,
    drawn_start,
    film_length,
    spread_starts,
    square_corners,
    squares,
    view_indices,
)

# What PySlowFast 287ec00 gives: its get_start_end_idx and temporal_sampling, run on films of so many frames.
THEIRS = {
    "fourth of ten clips of 10 s": (
        (300, 32, 2, 10, 3),
        "70 72 74 76 78 80 82 85 87 89 91 93 95 97 99 101 103 105 107 109 111 113 115 117 119 121 123 125 127 129 "
        "131 133",
    ),
    "second of two": ((300, 4, 16, 2, 1), "118 139 160 181"),
    "a film of one clip": ((64, 8, 8, 3, 2), "0 9 18 27 36 45 54 63"),
    "a short film ends with its last frame again and again": ((40, 8, 8, 2, 1), "0 9 18 27 36 39 39 39"),
    "one frame": ((1, 4, 16, 2, 0), "0 0 0 0"),
}


@pytest.mark.parametrize(("film", "expected"), THEIRS.values(), ids=THEIRS)
def test_clips_of_a_test_are_pyslowfasts(film, expected):
    length, frames, rate, count, number = film
    start = spread_starts(length, frames, rate, count)[number]
    assert view_indices(start, frames, rate, length) == [int(index) for index in expected.split()]


@pytest.mark.parametrize("length", [1, 37, 64, 299, 2000])
@pytest.mark.parametrize(("frames", "rate"), [(32, 2), (4, 16), (64, 2), (8, 3)])
def test_clips_spread_over_the_film(length, frames, rate):
    for count in (2, 7):
        starts = spread_starts(length, frames, rate, count)
        room = max(0, length - frames * rate)
        assert starts == pytest.approx([room * k / count for k in range(count)])
        for start in starts:
            indices = view_indices(start, frames, rate, length)
            exact = [min(start + step * (frames * rate - 1) / (frames - 1), length - 1) for step in range(frames)]
            assert np.abs(np.array(indices) + 0.5 - exact).max() < 0.5 + 1e-3
            assert max(indices) < length


def test_one_clip_is_in_the_middle():
    assert spread_starts(300, 32, 2, 1) == [118.0]


def test_training_draws_clips_within_the_film():
    random = np.random.default_rng(0)
    starts = [drawn_start(random, 100, 8, 4) for _ in range(500)]
    assert 0 <= min(starts) < 2
    assert 66 < max(starts) <= 68
    assert drawn_start(random, 20, 8, 4) == 0


@pytest.mark.parametrize(
    ("size", "count", "expected"),
    [
        ((256, 340), 3, [(0, 0), (0, 42), (0, 84)]),
        ((256, 341), 3, [(0, 0), (0, 43), (0, 85)]),  # a half is rounded up
        ((341, 256), 3, [(0, 0), (43, 0), (85, 0)]),
        ((256, 256), 3, [(0, 0)] * 3),
        ((256, 341), 1, [(0, 43)]),
    ],
)
def test_squares(size, count, expected):
    assert square_corners(*size, count) == expected
    frames = list(np.random.default_rng(0).integers(0, 255, (2, *size, 3), dtype=np.uint8))
    for (top, left), clip in zip(expected, squares(frames, count), strict=True):
        for frame, square in zip(frames, clip, strict=True):
            assert np.array_equal(square, frame[top : top + 256, left : left + 256])


def test_cuts_have_the_areas_and_aspects_asked_for():
    random = np.random.default_rng(0)
    options = {"area": (0.2, 0.9), "aspect": (0.75, 4 / 3), "size": 32, "flip": 0.5}
    cuts = [draw_cut(random, 240, 320, **options) for _ in range(2000)]
    heights, widths = np.array([cut.part for cut in cuts]).T
    shares = heights * widths / (240 * 320)
    assert 0.195 < shares.min() < 0.25
    assert 0.8 < shares.max() < 0.905
    assert 0.74 < (widths / heights).min() < 0.78
    assert 1.29 < (widths / heights).max() < 1.35
    assert abs(np.mean([cut.mirrored for cut in cuts]) - 0.5) < 0.05
    for cut in cuts:
        assert 0 <= cut.corner[0] <= 240 - cut.part[0]
        assert 0 <= cut.corner[1] <= 320 - cut.part[1]
    image = np.random.default_rng(1).integers(0, 255, (240, 320, 3), dtype=np.uint8)
    assert cuts[0].image(image).shape == (32, 32, 3)


def test_a_cut_that_never_fits_is_the_middle():
    cut = draw_cut(np.random.default_rng(0), 100, 1000, area=(1, 1), aspect=(1, 1), size=32, flip=0)
    assert (cut.corner, cut.part) == ((0, 450), (100, 100))


def test_a_whole_cut_is_the_frame_resized():
    cut = draw_cut(np.random.default_rng(0), 64, 64, area=(1, 1), aspect=(1, 1), size=64, flip=1)
    image = np.random.default_rng(1).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    assert np.array_equal(cut.image(image), image[:, ::-1])


class TestReadFrames:
    def test_each_index_is_its_frame(self, film_of):
        with open_film(film_of(40)) as film:
            every = [frame.rgb() for frame in film.frames()]
            prepared = []
            read = read_frames(film, [39, 3, 3, -2, 17, 90], lambda image: prepared.append(1) or image)
            assert read_frames(film, [3], lambda image: image).length is None  # nobody has seen the end
        found = read.at
        assert read.length == 40
        assert sorted(found) == [-2, 3, 17, 39, 90]
        assert len(prepared) == 4  # 39 and 90 are the same frame
        for index, frame in found.items():
            assert np.array_equal(frame, every[min(max(index, 0), 39)])

    def test_the_time_line_has_30_frames_a_second(self, film_of):
        with open_film(film_of(20, rate=10)) as film:
            every = [frame.rgb() for frame in film.frames()]
            assert film_length(film) == 60
            found = read_frames(film, range(0, 60, 3), lambda image: image).at
        for index, frame in found.items():
            assert np.array_equal(frame, every[index // 3])

    def test_a_film_that_does_not_say_how_long_it_is_is_read(self, film_of, monkeypatch):
        with open_film(film_of(45)) as film:
            monkeypatch.setattr(film, "info", replace(film.info, duration=None))
            assert film_length(film) == 45


@pytest.fixture
def film_of(films, tmp_path):
    """A film of so many frames."""

    def make(count, rate=30):
        return films.write(tmp_path / f"{count}_{rate}.mp4", films.steady(count, rate), rate=Fraction(rate))

    return make
