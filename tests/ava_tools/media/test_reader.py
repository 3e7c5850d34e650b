"""The reader against films that PyAV writes here: which pictures come, when, and how they look."""

from __future__ import annotations

import itertools
import logging
import random
import shutil
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from ava_tools.errors import InputError
from ava_tools.media.frame_folder import image_files
from ava_tools.media.reader import open_film

NTSC = Fraction(30000, 1001)
MILLISECOND = Fraction(1, 1000)
VARIABLE = [Fraction(hundredth, 100) for hundredth in (0, 3, 10, 50, 51, 60, 200, 210, 220, 230, 240, 300)]
OPEN_GOP = {
    "preset": "veryfast",
    "x264-params": "open-gop=1:keyint=6:min-keyint=6:bframes=2:b-adapt=0:scenecut=0:threads=1",
}
CAMERA = {"preset": "veryfast", "x264-params": "intra-refresh=1:keyint=6:threads=1"}  # never a whole key picture
VP9 = {"deadline": "realtime", "cpu-used": "8"}
MJPEG = {"codec": "mjpeg", "pix_fmt": "yuvj420p"}


def at(*hundredths: int) -> list[Fraction]:
    return [Fraction(hundredth, 100) for hundredth in hundredths]


def read(path: Path, start: float = 0.0) -> list[tuple[Fraction, np.ndarray]]:
    with open_film(path) as film:
        return [(frame.time, frame.rgb()) for frame in film.frames(start)]


def shown(frames: list[tuple[Fraction, np.ndarray]], number_of) -> list[int]:
    return [number_of(picture) for _, picture in frames]


def stored_out_of_order(make_film, name: str) -> Path:
    """0 3 1 2, 4 7 5 6, ... with rising decoding times; a decoder of single pictures leaves them so."""

    def edit(packets):
        times = [packet.pts for packet in packets]
        stored = [block + step for block in range(0, len(packets), 4) for step in (0, 3, 1, 2)]
        for place, number in enumerate(stored):
            packets[number].dts, packets[number].pts = times[place], times[number] + times[4]
            yield packets[number]

    return make_film.remux(make_film("stored_" + name, count=32, **MJPEG), name, edit)


def warnings_of(caplog) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name.startswith("ava_tools")]


# ---------------------------------------------------------------- every picture, at its time


@pytest.mark.parametrize("rate", [10, 24, NTSC, 60], ids=["slow", "cinema", "ntsc", "fast"])
@pytest.mark.parametrize(
    ("name", "options", "unit"),
    [
        pytest.param("film.mp4", {}, Fraction(0), id="mp4"),
        pytest.param("film.mp4", {"b_frames": 2}, Fraction(0), id="mp4_b_frames"),
        pytest.param("film.mov", {"codec": "mpeg4"}, Fraction(0), id="mov"),
        pytest.param("film.avi", {"codec": "mpeg4"}, Fraction(0), id="avi"),
        pytest.param("film.ts", {"b_frames": 2}, Fraction(0), id="mpegts"),
        pytest.param("film.mkv", {"b_frames": 2}, MILLISECOND, id="mkv"),
        pytest.param("film.flv", {}, MILLISECOND, id="flv"),
        pytest.param("film.webm", {"codec": "libvpx-vp9", "options": VP9}, MILLISECOND, id="webm"),
    ],
)
def test_frames_come_once_at_their_times(make_film, number_of, caplog, name, options, unit, rate):
    frames = read(make_film(name, rate=rate, **options))
    assert shown(frames, number_of) == list(range(12))
    late = [abs(time - number / Fraction(rate)) for number, (time, _) in enumerate(frames)]
    assert max(late) <= unit  # a container may count in milliseconds; one that does not must be exact
    assert frames[0][0] == 0
    assert warnings_of(caplog) == []


@pytest.mark.parametrize(
    ("name", "options", "times"),
    [
        pytest.param("film.mp4", {"unit": Fraction(1, 100)}, VARIABLE, id="variable_rate_mp4"),
        pytest.param("film.mkv", {"unit": Fraction(1, 100)}, VARIABLE, id="variable_rate_mkv"),
        pytest.param("film.ts", {"unit": Fraction(1, 100), "b_frames": 2}, VARIABLE, id="variable_rate_b_frames"),
        pytest.param("film.mp4", {"unit": MILLISECOND}, at(500, 504, 508, 512), id="starts_late_mp4"),
        pytest.param("film.ts", {"unit": MILLISECOND}, at(500, 504, 508, 512), id="starts_late_mpegts"),
        pytest.param("film.mkv", {"unit": MILLISECOND}, at(10, 14, 18, 22), id="starts_late_mkv"),
        pytest.param("film.mkv", {"unit": MILLISECOND}, at(-20, -16, -12, -8, -4, 0, 4), id="starts_negative_mkv"),
        pytest.param("film.mp4", {"codec": "mpeg4"}, at(0), id="one_frame_mp4"),
        pytest.param("film.mkv", {}, at(0), id="one_frame_mkv"),
        pytest.param("film.gif", {"codec": "gif", "pix_fmt": "rgb8"}, at(0, 4, 8, 12), id="gif"),
        pytest.param("film.webm", {"codec": "libvpx-vp9", "options": VP9}, at(0, 4, 8), id="webm"),
        pytest.param("still.jpg", MJPEG, at(0), id="still_jpg"),
    ],
)
def test_times_count_from_the_first_frame(make_film, number_of, caplog, name, options, times):
    frames = read(make_film(name, times=times, **options))
    assert shown(frames, number_of) == list(range(len(times)))
    assert [time for time, _ in frames] == [time - times[0] for time in times]
    assert warnings_of(caplog) == []


def test_frames_before_the_zero_of_an_mp4_are_not_shown(make_film, number_of):
    """An mp4's edit list hides them, and players keep to it."""
    frames = read(make_film("film.mp4", times=at(-20, -16, -12, -8, -4, 0, 4, 8), unit=MILLISECOND))
    assert shown(frames, number_of) == [5, 6, 7]
    assert [time for time, _ in frames] == at(0, 4, 8)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        pytest.param("film.h264", {"format": "h264"}, id="raw_h264"),
        pytest.param("film.h264", {"format": "h264", "b_frames": 2}, id="raw_h264_b_frames"),
        pytest.param("film.m4v", {"format": "m4v", "codec": "mpeg4"}, id="raw_mpeg4"),
        pytest.param("film.mjpeg", {"format": "mjpeg", **MJPEG}, id="raw_mjpeg"),
        pytest.param("film.avi", {"b_frames": 2}, id="avi_h264_b_frames"),
        pytest.param("film.avi", {"b_frames": 2, "codec": "mpeg4"}, id="avi_mpeg4_b_frames"),
        pytest.param("film.avi", {"options": OPEN_GOP, "b_frames": 2}, id="avi_open_gop"),
    ],
)
def test_films_without_good_timestamps_run_at_their_rate(make_film, number_of, name, options):
    frames = read(make_film(name, count=20, **options))
    assert shown(frames, number_of) == list(range(20))
    assert [time for time, _ in frames] == [Fraction(number, 25) for number in range(20)]


@pytest.mark.parametrize("name", ["film.mkv", "film.mp4"])
def test_frames_stored_out_of_order_are_shown_in_order(make_film, number_of, caplog, name):
    frames = read(stored_out_of_order(make_film, name))
    assert shown(frames, number_of) == list(range(32))
    assert [time for time, _ in frames] == [Fraction(number, 25) for number in range(32)]
    assert warnings_of(caplog) == []


@pytest.mark.parametrize(
    ("name", "options"),
    [
        pytest.param("film.ts", {"b_frames": 2}, id="mpegts"),
        pytest.param("film.mpg", {"codec": "mpeg2video"}, id="mpegps"),
    ],
)
def test_joined_recordings_go_on_where_the_first_ends(make_film, number_of, caplog, name, options):
    first = make_film("first_" + name, numbers=range(15), **options)
    second = make_film("second_" + name, numbers=range(15, 30), **options)
    joined = first.with_name(name)
    joined.write_bytes(first.read_bytes() + second.read_bytes())
    frames = read(joined)
    assert shown(frames, number_of) == list(range(30))
    assert all(0 < later - early < Fraction(1, 10) for (early, _), (later, _) in itertools.pairwise(frames))
    assert float(frames[-1][0]) == pytest.approx(29 / 25, abs=0.1)
    (warning,) = warnings_of(caplog)
    assert str(joined) in warning
    assert "timestamps jump back" in warning


# ---------------------------------------------------------------- how pictures look


@pytest.mark.parametrize(
    ("name", "options"),
    [
        pytest.param("film.mkv", {"size": (101, 75), "codec": "ffv1", "pix_fmt": "yuv444p"}, id="odd_sides"),
        pytest.param("film.avi", {"size": (101, 75), "codec": "mpeg4"}, id="odd_sides_420"),
        pytest.param("film.mp4", {"pix_fmt": "yuv420p10le"}, id="ten_bit"),
        pytest.param("film.mkv", {"codec": "ffv1", "pix_fmt": "gray"}, id="grey"),
        pytest.param("film.mkv", {"codec": "ffv1", "pix_fmt": "gray16le"}, id="grey_16_bit"),
        pytest.param("film.mp4", {"pix_fmt": "yuv422p"}, id="studio"),
        pytest.param("film.mkv", {"codec": "ffv1", "pix_fmt": "bgra"}, id="alpha"),
        pytest.param("film.mkv", MJPEG, id="full_range"),
    ],
)
def test_pixel_formats_become_rgb(make_film, numbered, number_of, name, options):
    frames = read(make_film(name, count=3, **options))
    assert shown(frames, number_of) == [0, 1, 2]
    for number, (_, picture) in enumerate(frames):
        original = numbered(number, options.get("size", (96, 64)))
        assert picture.dtype == np.uint8
        assert picture.shape == original.shape
        assert np.median(np.abs(picture.astype(int) - original)) <= 4  # grey levels and range are right


def quadrants(number: int, size: tuple[int, int]) -> np.ndarray:
    """Red, green over blue, white."""
    width, height = size
    picture = np.zeros((height, width, 3), np.uint8)
    picture[: height // 2, : width // 2] = (250, 5, 5)
    picture[: height // 2, width // 2 :] = (5, 250, 5)
    picture[height // 2 :, : width // 2] = (5, 5, 250)
    picture[height // 2 :, width // 2 :] = 250
    return picture


def corners(picture: np.ndarray) -> list[str]:
    """The colours of the upper and then of the lower corners."""
    height, width, _ = picture.shape
    names = {(True, False, False): "red", (False, True, False): "green", (False, False, True): "blue"}
    places = [(height // 4, width // 4), (height // 4, width * 3 // 4)]
    places += [(height * 3 // 4, width // 4), (height * 3 // 4, width * 3 // 4)]
    return [names.get(tuple(bool(value > 125) for value in picture[place]), "white") for place in places]


@pytest.mark.parametrize(
    ("rotation", "upright"),
    [
        pytest.param(None, ["red", "green", "blue", "white"], id="none"),
        pytest.param(0, ["red", "green", "blue", "white"], id="zero"),
        pytest.param(90, ["green", "white", "red", "blue"], id="counterclockwise"),
        pytest.param(180, ["white", "blue", "green", "red"], id="upside_down"),
        pytest.param(270, ["blue", "red", "white", "green"], id="clockwise"),
    ],
)
@pytest.mark.parametrize("name", ["film.mp4", "film.mov"])
def test_phones_rotation_is_undone(make_film, name, rotation, upright):
    """The matrix asks the player to turn the picture counterclockwise by so many degrees."""
    path = make_film(name, count=2, rotation=rotation, picture=quadrants)
    size = (64, 96) if rotation in (90, 270) else (96, 64)
    with open_film(path) as film:
        assert (film.info.width, film.info.height) == size
        for frame in film.frames():
            assert frame.rgb().shape == (size[1], size[0], 3)
            assert frame.rgb().flags["C_CONTIGUOUS"]
            assert corners(frame.rgb()) == upright


@pytest.mark.parametrize(
    ("name", "extra"),
    [
        pytest.param("film.mp4", ["audio"], id="audio"),
        pytest.param("film.mkv", ["audio"], id="audio_mkv"),
        pytest.param("film.mp4", ["cover"], id="cover_picture"),
        pytest.param("film.mp4", ["cover", "audio"], id="cover_and_audio"),
    ],
)
def test_other_streams_do_not_disturb(make_film, number_of, caplog, name, extra):
    frames = read(make_film(name, extra=extra))
    assert shown(frames, number_of) == list(range(12))
    assert [time for time, _ in frames] == [Fraction(number, 25) for number in range(12)]
    assert warnings_of(caplog) == []


def test_the_second_of_two_films_does_not_leak_in(make_film):
    """Which of two films is read is FFmpeg's choice; it must be one, whole."""
    path = make_film("film.mp4", extra=["small", "audio"])
    with open_film(path) as film:
        sizes = {frame.rgb().shape for frame in film.frames()}
        assert sizes == {(film.info.height, film.info.width, 3)}
        assert sizes <= {(64, 96, 3), (32, 32, 3)}


# ---------------------------------------------------------------- damage


@pytest.mark.parametrize(
    ("name", "options", "fewest"),
    [
        pytest.param("film.mkv", {}, 25, id="mkv"),
        pytest.param("film.mp4", {"container": {"movflags": "faststart"}}, 15, id="mp4_index_in_front"),
        pytest.param("film.avi", {"codec": "mpeg4"}, 10, id="avi"),
        pytest.param("film.flv", {}, 25, id="flv"),
    ],
)
def test_a_cut_off_tail_is_reported_once(make_film, number_of, caplog, name, options, fewest):
    path = make_film(name, count=60, **options)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    with open_film(path) as film:
        numbers = [number_of(frame.rgb()) for frame in film.frames()]
        again = [frame.time for frame in film.frames()]
    assert fewest <= len(numbers) < 60
    assert numbers == list(range(len(numbers)))
    assert len(again) == len(numbers)
    (warning,) = warnings_of(caplog)
    assert str(path) in warning
    assert "declares" in warning or "damaged" in warning


def test_a_stream_cut_anywhere_gives_what_is_there(make_film, number_of):
    """A transport stream declares nothing, so nothing is missed."""
    path = make_film("film.ts", count=50)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    numbers = shown(read(path), number_of)
    assert 20 <= len(numbers) < 50
    assert numbers == list(range(len(numbers)))


def test_an_mp4_without_its_index_is_an_error(make_film):
    path = make_film("film.mp4", count=30)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    with pytest.raises(InputError, match=r"film\.mp4: not a film that can be read, or its end is missing"):
        open_film(path)


@pytest.mark.parametrize("name", ["film.mkv", "film.mp4", "film.avi"])
def test_damage_in_the_middle_is_passed_over(make_film, number_of, caplog, name):
    def damaged(packets):
        packets[6].update(bytes(packets[6].size))
        return packets

    film = make_film.remux(make_film("whole_" + name, count=16), name, damaged)
    frames = read(film)
    numbers = {time * 25: number_of(picture) for time, picture in frames}
    assert {time: number for time, number in numbers.items() if not 4 < time < 8} == {
        number: number for number in range(16) if not 4 < number < 8
    }  # all but what hangs on the damaged picture, until the next whole one
    (warning,) = warnings_of(caplog)
    assert str(film) in warning
    assert "damaged" in warning


def test_only_damage_is_an_error(make_film):
    def damaged(packets):
        for packet in packets:
            packet.update(bytes(packet.size))
        return packets

    film = make_film.remux(make_film("whole.mkv"), "film.mkv", damaged)
    with pytest.raises(InputError, match=r"film\.mkv: not one frame of it can be decoded"):
        open_film(film)


# ---------------------------------------------------------------- entering a film in the middle

ENTERED = [
    pytest.param("film.mp4", {}, id="mp4"),
    pytest.param("film.mp4", {"b_frames": 2}, id="mp4_b_frames"),
    pytest.param("film.mp4", {"b_frames": 2, "options": OPEN_GOP}, id="mp4_open_gop"),
    pytest.param("film.mp4", {"rate": NTSC}, id="ntsc"),
    pytest.param("film.mp4", {"gop": 100}, id="one_entry_point"),
    pytest.param("film.mp4", {"rotation": 90, "picture": quadrants}, id="rotated"),
    pytest.param("film.mkv", {"b_frames": 2}, id="mkv_b_frames"),
    pytest.param("film.mkv", {"b_frames": 2, "options": OPEN_GOP}, id="mkv_open_gop"),
    pytest.param("film.mkv", {"options": CAMERA}, id="mkv_intra_refresh"),
    pytest.param("film.mkv", {"times": VARIABLE, "unit": Fraction(1, 100), "b_frames": 2}, id="variable_rate"),
    pytest.param("film.mkv", {"times": [Fraction(n - 5, 25) for n in range(24)], "unit": MILLISECOND}, id="negative"),
    pytest.param("film.mkv", {"times": [5 + Fraction(n, 25) for n in range(24)], "unit": MILLISECOND}, id="late"),
    pytest.param("film.mkv", {"extra": ["audio"]}, id="audio"),
    pytest.param("film.ts", {"b_frames": 2}, id="mpegts"),
    pytest.param("film.flv", {}, id="flv"),
    pytest.param("film.webm", {"codec": "libvpx-vp9", "options": VP9}, id="webm"),
    pytest.param("film.avi", {"codec": "mpeg4"}, id="avi"),
    pytest.param("film.gif", {"codec": "gif", "pix_fmt": "rgb8"}, id="gif"),
    pytest.param("film.h264", {"format": "h264", "b_frames": 2}, id="raw_h264"),
    pytest.param("film.mjpeg", {"format": "mjpeg", **MJPEG}, id="raw_mjpeg"),
]


@pytest.mark.parametrize(("name", "options"), ENTERED)
def test_any_start_gives_the_frames_of_a_full_read(make_film, name, options):
    path = make_film(name, **({"count": 24} | options))
    full = read(path)
    times = [time for time, _ in full]
    offsets = (Fraction(0), Fraction(13, 1000), Fraction(-13, 1000))
    starts = [float(time + offset) for time in times for offset in offsets if time + offset >= 0] + [1000.0]
    random.Random(1).shuffle(starts)
    with open_film(path) as film:  # one film for all: it has to find its way back
        for start in starts[:40]:
            first = max(number for number, time in enumerate(times) if time <= start)
            frames = list(film.frames(start))
            assert [frame.time for frame in frames] == times[first:], start
            looked_at = {0, len(frames) // 2, len(frames) - 1}
            for place in looked_at:
                assert np.array_equal(frames[place].rgb(), full[first + place][1]), (start, place)


@pytest.mark.parametrize(("name", "options"), ENTERED[:1] + ENTERED[-2:-1])
def test_an_unfinished_read_does_not_spoil_the_next(make_film, number_of, name, options):
    with open_film(make_film(name, count=24, **options)) as film:
        for start, first in ((0.0, 0), (0.5, 12), (0.0, 0), (0.9, 22), (0.1, 2)):
            got = [number_of(frame.rgb()) for frame in itertools.islice(film.frames(start), 2)]
            assert got == [first, first + 1]


def test_a_start_before_the_film_gives_all_of_it(make_film, number_of):
    assert shown(read(make_film("film.mp4"), start=-5.0), number_of) == list(range(12))


def test_a_frame_keeps_its_pixels_after_the_next_is_read(make_film, number_of):
    with open_film(make_film("film.mp4")) as film:
        frames = list(film.frames())
    assert [number_of(frame.rgb()) for frame in frames] == list(range(12))


# ---------------------------------------------------------------- folders of frames


@pytest.fixture
def folder(tmp_path, numbered) -> Path:
    """Frames 8 to 12, named without leading zeros, beside something that is no image."""
    path = tmp_path / "frames"
    path.mkdir()
    for number in (8, 9, 10, 11, 12):
        cv2.imwrite(str(path / f"frame_{number}.jpg"), numbered(number))
    (path / "notes.txt").write_text("not a frame")
    return path


def test_a_folder_is_read_in_the_order_of_its_numbers(folder, number_of):
    assert [path.name for path in image_files(folder)] == [f"frame_{number}.jpg" for number in (8, 9, 10, 11, 12)]
    frames = read(folder)
    assert shown(frames, number_of) == [8, 9, 10, 11, 12]
    assert [time for time, _ in frames] == [Fraction(place, 30) for place in range(5)]


@pytest.mark.parametrize(
    ("start", "first"),
    [
        pytest.param(0.0, 8, id="beginning"),
        pytest.param(-1.0, 8, id="before"),
        pytest.param(0.09, 8, id="within_a_frame"),
        pytest.param(0.11, 9, id="second"),
        pytest.param(0.45, 12, id="last"),
        pytest.param(99.0, 12, id="beyond"),
    ],
)
def test_a_folder_can_be_entered_anywhere(folder, number_of, start, first):
    with open_film(folder, frame_rate=10) as film:
        assert next(iter(film.frames(start))).time == Fraction(first - 8, 10)
        assert [number_of(frame.rgb()) for frame in film.frames(start)] == list(range(first, 13))


def test_a_folder_says_what_it_is(folder):
    with open_film(folder, frame_rate=29.97) as film:
        info = film.info
    assert (info.name, info.width, info.height) == ("frames", 96, 64)
    assert float(info.rate) == pytest.approx(29.97, abs=1e-3)
    assert info.duration == pytest.approx(5 / 29.97, abs=1e-3)


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".webp", ".JPG", ".jpeg"])
def test_images_come_in_many_formats_and_in_rgb(tmp_path, suffix):
    (tmp_path / "frames").mkdir()
    red = np.zeros((32, 32, 3), np.uint8)
    red[..., 2] = 255  # OpenCV writes blue, green, red
    cv2.imwrite(str(tmp_path / "frames" / f"1{suffix}"), red)
    ((_, picture),) = read(tmp_path / "frames")
    assert picture[16, 16, 0] > 240
    assert picture[16, 16, 1:].max() < 15


@pytest.mark.parametrize("rate", [0, -1, 1001, float("nan")], ids=["zero", "negative", "huge", "nan"])
def test_a_folder_needs_a_sensible_rate(folder, rate):
    with pytest.raises(InputError, match=r"frame rate of .* is given; above 0 and at most 1000"):
        open_film(folder, frame_rate=rate)


def test_a_folder_without_images_is_an_error(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "film.txt").write_text("x")
    with pytest.raises(InputError, match=r"empty: the folder holds no images \(.*\.jpg"):
        open_film(tmp_path / "empty")


def test_the_image_before_a_broken_one_stands_for_it(folder, caplog):
    (folder / "frame_9.jpg").write_bytes(b"no image")
    names = [path.name for path in image_files(folder)]
    broken = names.index("frame_9.jpg")
    with open_film(folder) as film:
        images = [frame.rgb() for frame in film.frames()]
    assert len(images) == len(names)
    assert np.array_equal(images[broken], images[broken - 1])
    assert not np.array_equal(images[broken], images[broken + 1])
    assert [record.getMessage() for record in caplog.records] == [
        f"{folder}: {folder / 'frame_9.jpg'}: not an image that can be read; the one before is shown"
    ]


def test_images_of_another_size_are_shown_in_the_first_ones(folder, caplog):
    image = cv2.imread(str(folder / "frame_9.jpg"))
    cv2.imwrite(str(folder / "frame_9.jpg"), cv2.resize(image, (33, 21)))
    with open_film(folder) as film:
        sizes = {frame.rgb().shape for frame in film.frames()}
    assert len(sizes) == 1
    assert len(caplog.records) == 1


# ---------------------------------------------------------------- one file, whatever its name


@pytest.mark.parametrize("name", ["http:film.mp4", "film%03d.mp4", "-film.mp4", "film [1]*.mp4", "pipe:0", "Ünï.mp4"])
def test_a_name_is_only_a_name(make_film, monkeypatch, number_of, caplog, name):
    shutil.copy(make_film("made.mp4"), make_film.folder / name)
    monkeypatch.chdir(make_film.folder)
    assert shown(read(Path(name)), number_of) == list(range(12))
    assert warnings_of(caplog) == []


def test_reading_says_nothing_of_a_sound_film(make_film, caplog):
    caplog.set_level(logging.DEBUG)
    read(make_film("film.mp4", b_frames=2))
    assert warnings_of(caplog) == []


# ---------------------------------------------------------------- what is easily got wrong


def joined(make_film, name: str, **options) -> Path:
    first = make_film("first_" + name, numbers=range(20), **options)
    second = make_film("second_" + name, numbers=range(20, 50), **options)
    path = make_film.folder / name
    path.write_bytes(first.read_bytes() + second.read_bytes())
    return path


@pytest.mark.parametrize(
    "build",
    [
        pytest.param(lambda make: make("film.avi", count=30, b_frames=2), id="avi_b_frames"),
        pytest.param(lambda make: make("film.avi", count=30, b_frames=2, options=OPEN_GOP), id="avi_open_gop"),
        pytest.param(lambda make: stored_out_of_order(make, "film.mkv"), id="stored_out_of_order_mkv"),
        pytest.param(lambda make: stored_out_of_order(make, "film.mp4"), id="stored_out_of_order_mp4"),
        pytest.param(lambda make: joined(make, "film.ts"), id="joined_mpegts"),
        pytest.param(lambda make: joined(make, "film.mpg", codec="mpeg2video"), id="joined_mpegps"),
        pytest.param(lambda make: make("film.mpg", count=30, codec="mpeg2video"), id="mpegps"),
        pytest.param(lambda make: make("film.mpg", count=30, codec="mpeg2video", b_frames=2), id="mpegps_b_frames"),
        pytest.param(lambda make: make("film.ts", count=30, codec="mpeg4"), id="mpeg4_in_mpegts"),
        pytest.param(lambda make: make("film.ts", count=30, codec="mpeg4", b_frames=2), id="mpeg4_b_frames_in_mpegts"),
    ],
)
def test_entering_a_difficult_film(make_film, build):
    path = build(make_film)
    full = read(path)
    times = [time for time, _ in full]
    offsets = (Fraction(0), Fraction(13, 1000), Fraction(-13, 1000))
    for start in [float(time + offset) for time in times for offset in offsets if time + offset >= 0]:
        first = max(number for number, time in enumerate(times) if time <= start)
        frames = read(path, start)
        assert [time for time, _ in frames] == times[first:], start
        assert all(np.array_equal(one, other) for (_, one), (_, other) in zip(frames, full[first:], strict=True)), start


def test_a_film_that_starts_late_is_not_short(make_film, caplog):
    path = make_film("film.mkv", times=[5 + Fraction(n, 25) for n in range(25)], unit=MILLISECOND)
    with open_film(path) as film:
        assert len(list(film.frames())) == 25
        assert film.info.duration == pytest.approx(1.0, abs=0.1)
    assert warnings_of(caplog) == []


@pytest.mark.parametrize("name", ["film.mp4", "film.mkv"])
def test_a_long_last_picture_is_no_missing_end(make_film, caplog, name):
    def hold(packets):
        packets[-1].duration = int(5 / packets[-1].time_base)
        return packets

    read(make_film.remux(make_film("short_" + name), name, hold))
    assert warnings_of(caplog) == []


def test_a_still_with_a_percent_sign_is_only_itself(make_film, number_of):
    still = make_film("made.jpg", numbers=[7], **MJPEG).rename(make_film.folder / "still%03d.jpg")
    make_film("other.jpg", numbers=[9], **MJPEG).rename(make_film.folder / "still001.jpg")
    assert shown(read(still), number_of) == [7]


def test_a_folder_may_hold_any_names(folder):
    (folder / "1\u00b22.jpg").write_bytes((folder / "frame_9.jpg").read_bytes())
    assert len(image_files(folder)) == 6


def test_hidden_files_are_no_frames(folder):
    (folder / "._frame_8.jpg").write_bytes(b"resource fork")
    assert len(image_files(folder)) == 5
