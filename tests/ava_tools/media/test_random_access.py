"""Films entered at random, again and again, against one read from front to back by plain PyAV."""

from __future__ import annotations

import bisect
import itertools
import logging
import random
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from ava_tools.media.probe import entry_spacing
from ava_tools.media.reader import open_film

MILLISECOND = Fraction(1, 1000)


def x264(parameters: str) -> dict:
    return {"options": {"preset": "veryfast", "x264-params": "threads=1:" + parameters}}


PYRAMID = x264("keyint=16:min-keyint=16:bframes=3:b-adapt=0:b-pyramid=normal:scenecut=0")
LONG_CHAIN = x264("keyint=24:min-keyint=24:bframes=7:b-adapt=0:b-pyramid=none:scenecut=0")
OPEN_GOP = x264("open-gop=1:keyint=8:min-keyint=8:bframes=3:b-adapt=0:scenecut=0")
REFRESH = x264("intra-refresh=1:keyint=8")
UNEVEN = [Fraction(number * 4 + (number * number) % 7 % 3, 100) for number in range(60)]
RATES = {"count": 60, "gop": 16}

FILMS = [
    pytest.param("film.mp4", RATES | PYRAMID, id="pyramid"),
    pytest.param("film.mp4", RATES | LONG_CHAIN, id="many_b_frames"),
    pytest.param("film.mp4", RATES | LONG_CHAIN | {"rate": Fraction(30000, 1001)}, id="ntsc"),
    pytest.param("film.mp4", RATES | PYRAMID | {"rate": 60}, id="fast"),
    pytest.param("film.mkv", RATES | PYRAMID | {"unit": MILLISECOND}, id="mkv"),
    pytest.param("film.mp4", {"gop": 16, "times": UNEVEN, "unit": MILLISECOND} | PYRAMID, id="variable_rate"),
    pytest.param("film.mp4", RATES | OPEN_GOP, id="open_gop"),
    pytest.param("film.mkv", RATES | REFRESH, id="intra_refresh"),
    pytest.param("film.mp4", RATES | {"gop": 100}, id="one_entry_point"),
    pytest.param("film.mp4", RATES | PYRAMID | {"rotation": 90}, id="rotated"),
    pytest.param("film.ts", RATES | PYRAMID, id="mpegts"),
    pytest.param("film.flv", RATES | PYRAMID, id="flv"),
    pytest.param("film.avi", RATES | {"b_frames": 2}, id="avi"),
    pytest.param("film.mkv", {"count": 60, "codec": "mjpeg", "pix_fmt": "yuvj420p"}, id="mjpeg"),
    pytest.param("film.mp4", {"count": 60, "codec": "mpeg4", "b_frames": 2, "gop": 12}, id="mpeg4"),
    pytest.param(
        "film.mp4", {"times": [Fraction(n - 9, 25) for n in range(60)], "unit": MILLISECOND} | PYRAMID, id="edit_list"
    ),
]


def sequential(path: Path) -> tuple[list[Fraction], list[np.ndarray]]:
    """Times and pictures by another Film that reads all from the beginning."""
    with open_film(path, warn=False) as film:
        frames = [(frame.time, frame.rgb()) for frame in film.frames()]
    return [time for time, _ in frames], [picture for _, picture in frames]


def plain(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as film:
        return [frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)]


def shown_at(times: list[Fraction], moment: Fraction) -> int:
    return max(0, bisect.bisect_right(times, moment) - 1)


def check(film, times, pictures, moments) -> int:
    """Frames at the moments are those of the full read, and one more follows; returns how many came."""
    frames = list(film.frames(moments=moments))
    came = [frame.time for frame in frames]
    assert came == sorted(set(came))
    assert came[0] <= max(moments[0], 0)
    for moment in moments:
        expected = shown_at(times, moment)
        frame = frames[shown_at(came, moment)]
        assert frame.time == times[expected], moment
        assert np.array_equal(frame.rgb(), pictures[expected]), moment
    if times[-1] > moments[-1]:
        assert came[-1] > moments[-1]
    for frame in frames:  # what comes unasked is right too
        assert np.array_equal(frame.rgb(), pictures[times.index(frame.time)])
    return len(frames)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(("name", "options"), FILMS)
def test_frames_at_moments_are_those_of_a_full_read(make_film, caplog, name, options, threads):
    path = make_film(name, **options)
    times, pictures = sequential(path)
    if not options.get("rotation"):
        assert all(np.array_equal(*pair) for pair in zip(plain(path), pictures, strict=True))
    draw = random.Random(3)
    with open_film(path, threads=threads) as film:
        for _ in range(25):
            first, step = draw.randrange(0, 70), draw.choice([1, 2, 2, 3, 8])
            moments = [Fraction(2 * (first + step * place) + 1, 60) for place in range(draw.randrange(1, 12))]
            check(film, times, pictures, moments)
            list(itertools.islice(film.frames(draw.random()), draw.randrange(4)))  # and one left unfinished
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


@pytest.mark.parametrize(
    ("name", "most"), [pytest.param("film.mp4", 12, id="mp4"), pytest.param("film.mkv", 12, id="mkv")]
)
def test_what_no_moment_needs_is_not_decoded(make_film, name, most):
    """Ten moments, 1 in 8 pictures referred to: nearly all that comes was asked for."""
    path = make_film(name, count=120, rate=30, **LONG_CHAIN)
    times, pictures = sequential(path)
    with open_film(path) as film:
        for begin in (0, 24, 48, 80):
            assert check(film, times, pictures, [Fraction(begin + 2 * n, 30) for n in range(10)]) <= 10 + most // 3


def test_a_long_read_takes_moments_as_it_goes(make_film):
    path = make_film("film.mp4", count=120, rate=30, **PYRAMID)
    times, _ = sequential(path)
    taken = []

    def endless():
        for number in itertools.count():
            taken.append(number)
            yield Fraction(number, 10)

    with open_film(path) as film:
        frames = list(itertools.islice(film.frames(moments=endless()), 10))
        assert len(taken) < 40
        everything = list(film.frames(moments=(Fraction(n, 10) for n in itertools.count())))
    assert frames[0].time == 0
    assert {Fraction(n, 10) for n in range(40)} <= {frame.time for frame in everything}
    assert len(everything) < len(times)


def test_an_older_reading_is_refused(make_film):
    with open_film(make_film("film.mp4", count=24)) as film:
        older = film.frames()
        next(older)
        next(film.frames(0.5))
        with pytest.raises(RuntimeError, match=r"film\.mp4: an older reading"):
            list(older)


@pytest.mark.parametrize("name", ["film.mp4", "film.mkv"])
@pytest.mark.parametrize("place", [0, 1, 2, 5, 18], ids=lambda place: f"packet_{place}_of_a_group")
def test_damage_looks_as_in_a_full_read(make_film, name, place):
    def damaged(packets):
        packet = packets[32 + place]
        data = bytearray(bytes(packet))
        data[len(data) // 2 :] = bytes(len(data) - len(data) // 2)
        packet.update(bytes(data))
        return packets

    path = make_film.remux(make_film("whole_" + name, count=96, rate=30, **PYRAMID), name, damaged)
    times, pictures = sequential(path)
    with open_film(path, warn=False) as film:
        for begin in (0, 20, 33, 40, 47, 60, 3):
            check(film, times, pictures, [Fraction(2 * (begin + 2 * n) + 1, 60) for n in range(12)])


@pytest.mark.parametrize(
    ("name", "options", "seconds"),
    [
        pytest.param("film.mp4", {"gop": 16, "options": {"x264-params": "scenecut=0"}}, Fraction(16, 25), id="mp4"),
        pytest.param("film.mkv", {"gop": 16, "options": {"x264-params": "scenecut=0"}}, Fraction(16, 25), id="mkv"),
        pytest.param("film.ts", {"gop": 16, "options": {"x264-params": "scenecut=0"}}, Fraction(16, 25), id="mpegts"),
        pytest.param("film.flv", {"gop": 16, "options": {"x264-params": "scenecut=0"}}, Fraction(16, 25), id="flv"),
        pytest.param("film.mp4", {"gop": 1000}, 4, id="one_key_frame"),
        pytest.param("film.mkv", {"gop": 1000}, 4, id="one_key_frame_mkv"),
        pytest.param("film.ts", {"gop": 1000}, 4, id="one_key_frame_mpegts"),
        pytest.param("film.mkv", {"codec": "mjpeg", "pix_fmt": "yuvj420p"}, Fraction(1, 25), id="mjpeg"),
    ],
)
def test_the_distance_of_entry_points(make_film, name, options, seconds):
    path = make_film(name, count=100, **options)
    assert entry_spacing(path) == pytest.approx(float(seconds), abs=0.05)
