"""Times, sizes and numbers of frames, against films that plain PyAV decodes."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest

from ava_tools.convert.annotations import AnnotatedFilm
from ava_tools.convert.films import Films, film_name, frame_number
from ava_tools.errors import InputError
from ava_tools.media.frame_times import frame_times
from ava_tools.media.reader import open_film

UNEVEN = {"times": [Fraction(n * 4 + n * n % 7 % 3, 100) for n in range(30)], "unit": Fraction(1, 1000)}
FILMS = [
    pytest.param("film.mp4", {}, id="ordinary"),
    pytest.param("film.mp4", {"rate": Fraction(30000, 1001)}, id="ntsc"),
    pytest.param("film.mp4", UNEVEN, id="uneven"),
    pytest.param("film.mkv", UNEVEN, id="uneven_mkv"),
    pytest.param("film.mp4", {"b_frames": 3, "gop": 12}, id="b_frames"),
    pytest.param("film.mkv", {"b_frames": 2, "unit": Fraction(1, 1000)}, id="mkv"),
    pytest.param("film.ts", {"b_frames": 2}, id="mpegts"),
    pytest.param("film.avi", {"codec": "mpeg4"}, id="avi"),
    pytest.param("film.mp4", {"rotation": 90}, id="rotated"),
    pytest.param("film.mp4", {"times": [Fraction(n + 50, 25) for n in range(30)]}, id="begins_late"),
    pytest.param("film.mp4", {"extra": ["audio", "cover"]}, id="other_streams"),
]


def decoded_times(path):
    """Seconds of every displayed frame after the first."""
    with av.open(str(path)) as film:
        times = [frame.pts * frame.time_base for frame in film.decode(video=0)]
    return [float(time - times[0]) for time in times]


@pytest.mark.parametrize(("name", "options"), FILMS)
def test_times_are_those_of_decoded_frames(make_film, name, options):
    path = make_film(name, **({"count": 30} | options))
    expected = decoded_times(path)
    assert len(expected) == 30
    assert frame_times(path) == pytest.approx(expected, abs=1e-6)
    with open_film(path) as film:
        assert [float(frame.time) for frame in film.frames()] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(("name", "options"), FILMS)
def test_frames_and_times_there_and_back(make_film, name, options):
    path = make_film(name, **({"count": 30} | options))
    films, film = Films(path.parent), AnnotatedFilm("film")
    times = films.seconds("film", range(30))
    assert times == pytest.approx(frame_times(path))
    assert films.frames(film, times.round(6)).tolist() == list(range(30))
    between = times[:-1] + np.diff(times) * 0.9
    assert films.frames(film, between).tolist() == list(range(29))


def test_timestamps_that_say_nothing_are_replaced_by_the_rate(make_film):
    """Raw H.264 has none at all."""
    path = make_film("film.h264", count=12, format="h264")
    assert frame_times(path) == pytest.approx([number / 25 for number in range(12)], abs=1e-6)


def test_no_film(tmp_path):
    (tmp_path / "film.mp4").write_bytes(b"none")
    with pytest.raises(InputError, match="not a film that can be read"):
        frame_times(tmp_path / "film.mp4")
    films = Films(tmp_path)
    assert films.info("film") is None
    with pytest.raises(
        InputError, match=r"^film: its frames a second are not in the annotations; and .* holds no film"
    ):
        films.seconds("film", [1])
    with pytest.raises(InputError, match=r"^film: its width and height are not in the annotations; --videos FOLDER is"):
        Films().size("film")


def test_a_frame_after_the_end_is_later_than_the_film(make_film):
    films = Films(make_film("film.mp4", count=5, rate=10).parent)
    assert films.seconds("film", [4, 5, 7]) == pytest.approx([0.4, 0.5, 0.7])


@pytest.mark.parametrize(
    ("frame_rate", "annotated", "rate"),
    [(None, 50.0, 50), (20.0, 50.0, 20), (20.0, None, 20)],
    ids=["annotated", "both", "given"],
)
def test_rates_of_films_that_are_not_there(frame_rate, annotated, rate):
    films, film = Films(None, frame_rate), AnnotatedFilm("gone", rate=annotated)
    times = films.seconds("gone", [0, 7], annotated)
    assert times == pytest.approx([0, 7 / rate])
    assert films.frames(film, times).tolist() == [0, 7]


def test_sizes(make_film):
    folder = make_film("film.mp4", size=(96, 64), rotation=90).parent
    assert Films(folder).size("film") == (64, 96)
    assert Films(folder).size("film", (200, 100)) == (200, 100)
    assert Films(folder).size("film", (200, 0)) == (64, 96)


def test_a_folder_of_frames(make_picture, tmp_path):
    for number in (7, 8, 10):
        make_picture(tmp_path / "frames" / f"{number}.png")
    films = Films(tmp_path, 5)
    assert films.size("frames") == (96, 64)
    assert [films.place(f"frames/{number}.png", 0) for number in (7, 8, 10)] == [("frames", n) for n in range(3)]
    assert films.seconds("frames", [0, 2]) == pytest.approx([0, 0.4])
    assert Films(tmp_path).seconds("frames", [30]) == pytest.approx([1])


@pytest.mark.parametrize(
    ("image", "place"),
    [
        pytest.param("one/000004.jpg", ("one", 4), id="folder"),
        pytest.param("frames/one/4.jpg", ("one", 4), id="folders_above"),
        pytest.param("day/two/4.jpg", ("day/two", 4), id="film_in_a_folder"),
        pytest.param("images/one_frame_0004.jpg", ("one", 4), id="name"),
        pytest.param("one.mp4/4.jpg", ("one", 4), id="suffix"),
        pytest.param("gone/one-2/x4.jpg", ("gone/one-2", 4), id="not_there"),
        pytest.param("4.jpg", ("images", 4), id="number"),
        pytest.param("still.jpg", ("still", 2), id="no_number"),
        pytest.param("../one/4.jpg", ("one", 4), id="outside"),
        pytest.param("http://host/a/one/4.jpg", ("one", 4), id="address"),
        pytest.param("", ("images", 2), id="nothing"),
    ],
)
def test_the_film_of_an_image(make_film, tmp_path, image, place):
    (tmp_path / "day").mkdir()
    for name in ("one.mp4", "day/two.mp4"):
        make_film(name, count=2)
    assert Films(tmp_path).place(image, 2) == place


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("film.mp4", "film"), ("day/film.MOV", "day/film"), ("a.b", "a.b"), (" film.mp4 ", "film"),
        ("/data/film.mp4", "film"), ("..\\film.mkv", "film"), ("C:\\day\\film.avi", "film"),
        ("s3://a/film.mp4", "film"),
    ],
)  # fmt: skip
def test_names_of_films(file, name):
    assert film_name(file) == name


def test_numbers_of_frames():
    assert [frame_number(name, 7) for name in ("a1_0042.jpg", "x.jpg", "12.5.png")] == [42, 7, 5]
    clocks = ("cam/1638372637500000.jpg", "99999999999999999999.jpg", "20230405_12.jpg", "000000000012.jpg")
    assert [frame_number(name, 7) for name in clocks] == [7, 7, 12, 12]


def test_two_images_are_not_one_frame():
    films = Films(None, 25)
    assert films.place("film_1_cam2.jpg", 0) == films.place("film_1_cam2.jpg", 4) == ("film_1_cam", 2)
    films.place("a/7.jpg", 0)
    with pytest.raises(
        InputError, match=r"the images 'a/7\.jpg' and 'a/view_7\.jpg' would both be frame 7 of a; a folder"
    ):
        films.place("a/view_7.jpg", 0)
