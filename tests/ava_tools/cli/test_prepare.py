"""``ava-tools prepare`` on films written here; what comes out is judged by plain PyAV."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from ava_tools.cli.prepare import prepare
from ava_tools.cli.run import MisuseError
from ava_tools.media.probe import entry_spacing


def read(path: Path) -> tuple[list[Fraction], list[np.ndarray]]:
    with av.open(str(path)) as film:
        frames = list(film.decode(video=0))
        return [frame.pts * frame.time_base for frame in frames], [frame.to_ndarray(format="rgb24") for frame in frames]


def texture(number: int, size: tuple[int, int]) -> np.ndarray:
    """A soft pattern that moves, in many colours."""
    width, height = size
    noise = np.random.default_rng(5).integers(0, 255, (height // 8 + 8, width // 8 + 8, 3)).astype(np.uint8)
    large = cv2.resize(noise, (width + 64, height + 64), interpolation=cv2.INTER_CUBIC)
    return np.ascontiguousarray(large[number % 60 : number % 60 + height, :width])


def packet_flags(path: Path) -> tuple[int, int]:
    """How many packets are key frames, and how many hold slices that nothing refers to."""
    keys = free = 0
    with av.open(str(path)) as film:
        for packet in film.demux(video=0):
            data, place, references = bytes(packet), 0, []
            while place + 5 <= len(data):
                if data[place + 4] & 31 in (1, 5):
                    references.append(data[place + 4] & 0x60)
                place += 4 + int.from_bytes(data[place : place + 4], "big")
            keys += packet.is_keyframe
            free += references == [0]
    return keys, free


@pytest.mark.parametrize(
    ("name", "options"),
    [
        pytest.param("film.mp4", {"b_frames": 2}, id="mp4"),
        pytest.param("film.mp4", {"rate": Fraction(30000, 1001), "gop": 100}, id="ntsc"),
        pytest.param("film.mkv", {"unit": Fraction(1, 1000)}, id="mkv"),
        pytest.param("film.ts", {"b_frames": 2}, id="mpegts"),
        pytest.param(
            "film.mp4",
            {"times": [Fraction(n * 4 + n * n % 7 % 3, 100) for n in range(100)], "unit": Fraction(1, 1000)},
            id="variable_rate",
        ),
        pytest.param("film.mp4", {"extra": ["audio"]}, id="sound"),
    ],
)
@pytest.mark.parametrize("span", [(0.0, None), (1.0, 3.0), (1.013, None)], ids=["all", "seconds", "between_frames"])
def test_the_cut_is_exact_to_the_frame(make_film, number_of, name, options, span):
    start, end = (None if second is None else Fraction(str(second)) for second in span)
    source = make_film(name, **({"count": 100} | options))
    times, _ = read(source)
    times = [stamp - times[0] for stamp in times]
    assert prepare(source, start=span[0], end=span[1]) == 0
    out, pictures = read(source.parent / "prepared" / "film.mp4")
    first = max(number for number, stamp in enumerate(times) if stamp <= start)
    kept = [number for number, stamp in enumerate(times) if number >= first and (end is None or stamp < end)]
    assert [number_of(picture) for picture in pictures] == kept
    unit = Fraction(1, 90_000)
    assert max(abs(got - max(Fraction(0), times[number] - start)) for got, number in zip(out, kept, strict=True)) < unit
    with av.open(str(source.parent / "prepared" / "film.mp4")) as film:
        assert [stream.type for stream in film.streams] == ["video"]
        assert film.streams.video[0].codec_context.name == "h264"


@pytest.mark.parametrize(
    ("pix_fmt", "colour"),
    [
        pytest.param("yuv420p", {}, id="unsaid"),
        pytest.param("yuv420p", {"colorspace": 1, "color_primaries": 1, "color_trc": 1, "color_range": 1}, id="bt709"),
        pytest.param("yuv420p", {"colorspace": 5, "color_range": 1}, id="bt601"),
        pytest.param("yuvj420p", {"colorspace": 5, "color_range": 2}, id="full_range"),
        pytest.param("yuv420p10le", {}, id="ten_bit"),
        pytest.param("yuv444p", {}, id="studio"),
    ],
)
def test_colours_are_kept(tmp_path, pix_fmt, colour):
    source = tmp_path / "film.mkv"
    with av.open(str(source), "w") as film:
        stream = film.add_stream("libx264", rate=25, options={"crf": "10"})
        stream.width, stream.height, stream.pix_fmt = 192, 128, pix_fmt
        for key, value in colour.items():
            setattr(stream.codec_context, key, value)
        for number in range(20):
            film.mux(stream.encode(av.VideoFrame.from_ndarray(texture(number, (192, 128)), format="rgb24")))
        film.mux(stream.encode(None))
    assert prepare(source, crf=10) == 0
    (_, before), (_, after) = read(source), read(tmp_path / "prepared" / "film.mp4")
    difference = np.array(before).astype(int) - np.array(after)
    coarser = pix_fmt in ("yuv420p10le", "yuv444p")  # colour loses resolution, or is interpolated less finely
    assert np.abs(difference).mean() < (9 if coarser else 2.5)
    assert np.abs(difference.mean(axis=(0, 1, 2))).max() < (2 if coarser else 1)
    with av.open(str(tmp_path / "prepared" / "film.mp4")) as film:
        context = film.streams.video[0].codec_context
        assert {key: getattr(context, key) for key in colour} == colour


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_rotation_is_applied(make_film, rotation):
    source = make_film("film.mp4", count=10, rotation=rotation, picture=texture)
    assert prepare(source, crf=10) == 0
    (_, before), (_, after) = read(source), read(source.parent / "prepared" / "film.mp4")
    upright = np.array([np.rot90(picture, rotation // 90) for picture in before]).astype(int)
    assert np.abs(upright - np.array(after)).mean() < 3
    with av.open(str(source.parent / "prepared" / "film.mp4")) as film:
        assert next(film.decode(video=0)).rotation == 0


@pytest.mark.parametrize(
    ("size", "short_side", "expected"),
    [
        pytest.param((192, 128), None, (192, 128), id="kept"),
        pytest.param((192, 128), 64, (96, 64), id="shrunk"),
        pytest.param((128, 192), 64, (64, 96), id="upright"),
        pytest.param((192, 128), 500, (192, 128), id="never_enlarged"),
        pytest.param((103, 75), None, (104, 76), id="odd"),
    ],
)
def test_sizes(make_film, size, short_side, expected):
    source = make_film("film.mkv", count=5, size=size, codec="ffv1", pix_fmt="yuv444p")
    assert prepare(source, short_side=short_side) == 0
    _, pictures = read(source.parent / "prepared" / "film.mp4")
    assert (pictures[0].shape[1], pictures[0].shape[0]) == expected


def test_the_pixel_shape_is_kept(tmp_path):
    with av.open(str(tmp_path / "film.mp4"), "w") as film:
        stream = film.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(4, 3)
        film.mux(stream.encode(av.VideoFrame.from_ndarray(texture(0, (96, 64)), format="rgb24")))
        film.mux(stream.encode(None))
    assert prepare(tmp_path / "film.mp4") == 0
    with av.open(str(tmp_path / "prepared" / "film.mp4")) as film:
        assert film.streams.video[0].sample_aspect_ratio == Fraction(4, 3)


def test_a_prepared_film_is_quick_to_enter(make_film):
    source = make_film("film.mp4", count=250, gop=250)
    assert prepare(source, key_frame_every=1.0) == 0
    prepared = source.parent / "prepared" / "film.mp4"
    assert entry_spacing(source) > 9
    assert entry_spacing(prepared) <= 1.01
    keys, free = packet_flags(prepared)
    assert keys >= 10
    assert free >= 0.7 * 250


def test_done_films_are_left_as_they_are(make_film, capsys):
    source = make_film("film.mp4", count=50)
    target = source.parent / "prepared" / "film.mp4"
    assert prepare(source) == 0
    done = target.stat().st_mtime_ns
    assert prepare(source) == 0
    assert f"{target}: is prepared already" in capsys.readouterr().out
    assert target.stat().st_mtime_ns == done
    assert prepare(source, crf=30) == 1
    assert "--overwrite replaces it" in capsys.readouterr().err
    assert target.stat().st_mtime_ns == done
    assert prepare(source, crf=30, overwrite=True) == 0
    assert target.stat().st_mtime_ns != done


def test_a_film_that_fails_does_not_stop_the_others(make_film, capsys):
    make_film("good.mp4", count=20)
    (make_film.folder / "bad.mp4").write_bytes(b"no film at all")
    (make_film.folder / "notes.txt").write_text("x")
    assert prepare(make_film.folder, out=make_film.folder / "out") == 1
    error = capsys.readouterr().err
    assert error.count("error:") == 1
    assert "bad.mp4: not a film" in error
    assert sorted(path.name for path in (make_film.folder / "out").iterdir()) == ["good.mp4"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        pytest.param({"start": 60.0}, r"film\.mp4: ends before second 60", id="beyond_the_end"),
        pytest.param({"out": "same"}, "is the film itself", id="onto_itself"),
        pytest.param({"out": "same", "overwrite": True}, "is the film itself", id="onto_itself_by_force"),
    ],
)
def test_refusals(make_film, capsys, arguments, sentence):
    source = make_film("film.mp4", count=20)
    before = source.read_bytes()
    if "out" in arguments:
        arguments = arguments | {"out": source.parent}
    assert prepare(source, **arguments) == 1
    assert sentence.replace("\\", "") in capsys.readouterr().err
    assert source.read_bytes() == before
    assert list(source.parent.rglob("*.mp4")) == [source]


@pytest.mark.parametrize(
    "arguments",
    [{"start": -1.0}, {"start": 5.0, "end": 5.0}, {"key_frame_every": 0.0}, {"short_side": 2}, {"crf": 60.0}],
    ids=["negative", "empty", "no_distance", "tiny", "crf"],
)
def test_misuse(make_film, arguments):
    with pytest.raises(MisuseError):
        prepare(make_film("film.mp4"), **arguments)


def test_films_of_one_name_need_folders_of_their_own(make_film, capsys):
    make_film("film.mp4")
    make_film("film.mkv")
    assert prepare(make_film.folder) == 1
    assert "they need folders of their own" in capsys.readouterr().err


def run(arguments: list[str], **options) -> subprocess.Popen:
    command = [sys.executable, "-m", "ava_tools", "prepare", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


def test_an_interruption_leaves_nothing_half(make_film):
    source = make_film("film.mkv", count=1500, size=(640, 480), codec="mpeg4", picture=lambda n, size: texture(0, size))
    out = make_film.folder / "out"
    working = run([str(source), "--out", str(out)])
    while not (out.exists() and any(out.iterdir())) and working.poll() is None:
        time.sleep(0.01)
    working.send_signal(signal.SIGINT)
    _, error = working.communicate(timeout=20)
    assert working.returncode == 1
    assert error == "error: interrupted\n"
    assert list(out.iterdir()) == []


def test_a_full_disk_is_one_sentence(make_film):
    def small_files() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192))

    source = make_film("film.mp4", count=60, size=(192, 128), picture=texture)
    working = run([str(source)], preexec_fn=small_files)
    _, error = working.communicate(timeout=20)
    assert working.returncode == 1
    assert error.startswith("error: ")
    assert "film.mp4: cannot be written" in error
    assert error.count("\n") == 1
    assert list((source.parent / "prepared").iterdir()) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is read-only to root")
def test_a_read_only_folder_is_one_sentence(make_film, capsys):
    out = make_film.folder / "out"
    out.mkdir(mode=0o500)
    assert prepare(make_film("film.mp4"), out=out) == 1
    assert "cannot be written" in capsys.readouterr().err
