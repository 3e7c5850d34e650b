"""Films that the writer made, judged by PyAV."""

from __future__ import annotations

import signal
import struct
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from ava_tools.media.probe import FilmInfo
from ava_tools.media.writer import FilmWriter


def info(
    size: tuple[int, int] = (96, 64),
    rate: Fraction | int = 25,
    time_base: Fraction = Fraction(1, 1000),
    pixel_aspect: Fraction = Fraction(1),
) -> FilmInfo:
    return FilmInfo(Path("source.mp4"), "source", *size, Fraction(rate), None, time_base, pixel_aspect)


def write(path: Path, like: FilmInfo, times: list[Fraction], numbered) -> None:
    with FilmWriter(path, like) as film:
        for number, time in enumerate(times):
            film.write(numbered(number, (like.width, like.height)), time)


def read(path: Path) -> tuple[list[Fraction], list[np.ndarray]]:
    with av.open(str(path)) as film:
        frames = list(film.decode(video=0))
        return [frame.pts * frame.time_base for frame in frames], [frame.to_ndarray(format="rgb24") for frame in frames]


def top_boxes(path: Path) -> list[str]:
    """Names of an mp4's outermost boxes, in order."""
    data, place, names = path.read_bytes(), 0, []
    while place + 8 <= len(data):
        size, name = struct.unpack(">I4s", data[place : place + 8])
        if size == 1:
            (size,) = struct.unpack(">Q", data[place + 8 : place + 16])
        names.append(name.decode("latin1"))
        place += size if size else len(data)
    return names


@pytest.mark.parametrize(
    ("like", "times"),
    [
        pytest.param(info(), [Fraction(n, 25) for n in range(20)], id="even"),
        pytest.param(
            info(rate=Fraction(30000, 1001), time_base=Fraction(1, 30000)),
            [n * Fraction(1001, 30000) for n in range(20)],
            id="ntsc",
        ),
        pytest.param(info(rate=60, time_base=Fraction(1, 90000)), [Fraction(n, 60) for n in range(20)], id="fast"),
        pytest.param(info(rate=10), [Fraction(t, 100) for t in (0, 3, 10, 50, 51, 200, 300)], id="variable"),
        pytest.param(info(rate=1, time_base=Fraction(1)), [Fraction(n) for n in range(4)], id="slow"),
        pytest.param(info(time_base=Fraction(1, 1_200_000)), [Fraction(n, 25) for n in range(8)], id="fine_time_base"),
        pytest.param(info(), [Fraction(0)], id="one_frame"),
    ],
)
def test_frames_keep_their_times(tmp_path, numbered, number_of, like, times):
    path = tmp_path / "out.mp4"
    write(path, like, times, numbered)
    read_times, pictures = read(path)
    assert [time - read_times[0] for time in read_times] == times
    assert [number_of(picture) for picture in pictures] == list(range(len(times)))


def test_the_first_frame_is_at_zero(tmp_path, numbered):
    path = tmp_path / "out.mp4"
    write(path, info(), [Fraction(n, 25) for n in range(20)], numbered)
    assert read(path)[0][0] == 0


def test_browsers_can_play_it(tmp_path, numbered):
    path = tmp_path / "out.mp4"
    write(path, info(), [Fraction(n, 25) for n in range(50)], numbered)
    with av.open(str(path)) as film:
        (stream,) = film.streams
        assert stream.codec_context.name == "h264"
        assert stream.codec_context.pix_fmt == "yuv420p"
        assert (stream.width, stream.height) == (96, 64)
        assert stream.average_rate == 25
        assert stream.frames == 50
        assert float(stream.duration * stream.time_base) == pytest.approx(2.0, abs=0.05)
    assert "moov" in top_boxes(path)
    assert "moof" not in top_boxes(path)  # closed, it is a plain film with one index


@pytest.mark.parametrize(
    ("size", "written"),
    [
        pytest.param((101, 75), (102, 76), id="both"),
        pytest.param((101, 64), (102, 64), id="width"),
        pytest.param((96, 75), (96, 76), id="height"),
        pytest.param((96, 64), (96, 64), id="neither"),
    ],
)
def test_odd_sides_are_widened_by_one(tmp_path, numbered, number_of, size, written):
    path = tmp_path / "out.mp4"
    write(path, info(size), [Fraction(n, 25) for n in range(5)], numbered)
    _, pictures = read(path)
    for number, picture in enumerate(pictures):
        assert picture.shape == (written[1], written[0], 3)
        inside = picture[: size[1], : size[0]]
        assert number_of(inside) == number
        if written[0] > size[0]:
            assert np.abs(inside[:, -1].astype(int) - picture[:, -1][: size[1]]).mean() < 12  # repeated, not black
        if written[1] > size[1]:
            assert np.abs(inside[-1].astype(int) - picture[-1][: size[0]]).mean() < 12


def test_colours_are_kept(tmp_path):
    picture = np.zeros((64, 96, 3), np.uint8)
    picture[:, :32, 0], picture[:, 32:64, 1], picture[:, 64:, 2] = 220, 220, 220
    with FilmWriter(tmp_path / "out.mp4", info()) as film:
        film.write(picture, Fraction(0))
    _, (read_back,) = read(tmp_path / "out.mp4")
    for place in (16, 48, 80):
        assert np.abs(read_back[32, place].astype(int) - picture[32, place]).max() <= 12


def test_the_pixel_shape_is_kept(tmp_path, numbered):
    write(tmp_path / "out.mp4", info(pixel_aspect=Fraction(4, 3)), [Fraction(0)], numbered)
    with av.open(str(tmp_path / "out.mp4")) as film:
        assert film.streams.video[0].sample_aspect_ratio == Fraction(4, 3)


def test_times_that_do_not_rise_are_pushed_on(tmp_path, numbered, number_of):
    write(tmp_path / "out.mp4", info(), [Fraction(0), Fraction(0), Fraction(1, 100_000), Fraction(1)], numbered)
    times, pictures = read(tmp_path / "out.mp4")
    assert [time - times[0] for time in times] == [0, Fraction(1, 1000), Fraction(2, 1000), 1]
    assert [number_of(picture) for picture in pictures] == [0, 1, 2, 3]


def test_an_old_film_is_replaced(tmp_path, numbered, number_of):
    path = tmp_path / "out.mp4"
    path.write_bytes(b"old" * 100_000)
    write(path, info(), [Fraction(n, 25) for n in range(3)], numbered)
    assert [number_of(picture) for picture in read(path)[1]] == [0, 1, 2]


def test_the_callers_picture_is_not_changed(tmp_path, numbered):
    picture = numbered(5, (101, 75))
    with FilmWriter(tmp_path / "out.mp4", info((101, 75))) as film:
        film.write(picture, Fraction(0))
    assert np.array_equal(picture, numbered(5, (101, 75)))


KILLED = """
import sys
from fractions import Fraction
from pathlib import Path
import numpy as np
from ava_tools.media.probe import FilmInfo
from ava_tools.media.writer import FilmWriter

like = FilmInfo(Path("source.mp4"), "source", 32, 32, Fraction(5), None, Fraction(1, 1000))
film = FilmWriter(sys.argv[1], like)
for number in range(120):
    film.write(np.full((32, 32, 3), 30 + number, np.uint8), Fraction(number, 5))
print("written", flush=True)
sys.stdin.read()
"""


def test_a_killed_process_leaves_a_film_that_plays(tmp_path):
    path = tmp_path / "out.mp4"
    writing = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert writing.stdout is not None
    assert writing.stdout.readline() == "written\n"
    writing.send_signal(signal.SIGKILL)
    writing.communicate()
    times, pictures = read(path)
    assert len(pictures) >= 60  # the encoder holds back some, and the fragment that was being filled is lost
    assert [time - times[0] for time in times] == [Fraction(number, 5) for number in range(len(times))]
    levels = [picture.mean() for picture in pictures]
    assert levels == pytest.approx([30 + number for number in range(len(levels))], abs=3)


def test_a_long_gap_counts_in_the_films_length(tmp_path):
    info = FilmInfo(Path("x.mp4"), "x", 32, 32, Fraction(25), None, Fraction(1, 1000))
    times = [Fraction(n, 25) for n in range(50)] + [Fraction(99, 10), Fraction(248, 25)]
    with FilmWriter(tmp_path / "x.mp4", info) as writer:
        for time in times:
            writer.write(np.zeros((32, 32, 3), np.uint8), time)
    with av.open(str(tmp_path / "x.mp4")) as container:
        stream = container.streams.video[0]
        assert float(stream.duration * stream.time_base) == pytest.approx(9.96, abs=0.001)
        assert [frame.time for frame in container.decode(stream)] == pytest.approx([float(time) for time in times])
