"""What a film says of itself, and files that are no films."""

from __future__ import annotations

import wave
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from ava_tools.errors import InputError
from ava_tools.media.reader import open_film


@pytest.mark.parametrize(
    ("name", "options", "rate", "duration"),
    [
        pytest.param("my.film.mp4", {"count": 50}, 25, 2.0, id="mp4"),
        pytest.param(
            "my.film.mp4", {"count": 30, "rate": Fraction(30000, 1001)}, Fraction(30000, 1001), 1.001, id="ntsc"
        ),
        pytest.param("my.film.mkv", {"count": 24, "rate": 24}, 24, 1.0, id="mkv"),
        pytest.param("my.film.avi", {"count": 10, "rate": 10, "codec": "mpeg4"}, 10, 1.0, id="avi"),
        pytest.param("my.film.ts", {"count": 60, "rate": 60}, 60, 1.0, id="mpegts"),
        pytest.param("my.film.h264", {"format": "h264"}, 25, None, id="raw"),
    ],
)
def test_a_film_in_numbers(make_film, name, options, rate, duration):
    path = make_film(name, **options)
    with open_film(path) as film:
        info = film.info
    assert info.path == path
    assert info.name == "my.film"
    assert (info.width, info.height) == (96, 64)
    assert info.rate == rate
    assert info.pixel_aspect == 1
    if duration is None:
        assert info.duration is None
    else:
        assert info.duration == pytest.approx(duration, abs=0.02)


@pytest.mark.parametrize(
    ("rotation", "aspect"),
    [pytest.param(None, Fraction(4, 3), id="upright"), pytest.param(90, Fraction(3, 4), id="turned")],
)
def test_pixels_that_are_not_square(tmp_path, rotation, aspect):
    path = tmp_path / "wide.mp4"
    with av.open(str(path), "w") as film:
        stream = film.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(4, 3)
        if rotation:
            stream.set_display_rotation(rotation)
        film.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((64, 96, 3), np.uint8))))
        film.mux(stream.encode(None))
    with open_film(path) as opened:
        assert opened.info.pixel_aspect == aspect


# ---------------------------------------------------------------- no films

PLAY_LIST = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nother.ts\n#EXT-X-ENDLIST\n"
CONCAT = "ffconcat version 1.0\nfile other.ts\n"
DASH = """<?xml version="1.0"?>
<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT1S"
 profiles="urn:mpeg:dash:profile:isoff-on-demand:2011"><Period><AdaptationSet mimeType="video/mp4">
<Representation id="1" bandwidth="1000"><BaseURL>other.ts</BaseURL></Representation></AdaptationSet></Period></MPD>
"""


@pytest.mark.parametrize(
    ("name", "content"),
    [
        pytest.param("film.m3u8", PLAY_LIST, id="play_list"),
        pytest.param("film.mp4", PLAY_LIST, id="play_list_named_mp4"),
        pytest.param("film.ffconcat", CONCAT, id="concat"),
        pytest.param("film.mp4", CONCAT, id="concat_named_mp4"),
        pytest.param("film.mpd", DASH, id="dash"),
        pytest.param("film.txt", "some notes\n" * 200, id="text"),
        pytest.param("film.nfo", "some notes\n" * 200, id="text_art"),
        pytest.param("film.mp4", "some notes\n" * 200, id="text_named_mp4"),
        pytest.param("film.csv", "film,0902,0.1,0.1,0.9,0.9\n" * 50, id="csv"),
        pytest.param("film.svg", '<svg xmlns="http://www.w3.org/2000/svg"></svg>', id="svg"),
        pytest.param("film.srt", "1\n00:00:01,000 --> 00:00:02,000\nhello\n", id="subtitles"),
        pytest.param("film.sdp", "v=0\no=- 0 0 IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\n", id="session"),
        pytest.param("film.mp4", "\x00", id="one_byte"),
    ],
)
def test_text_is_no_film(make_film, name, content):
    make_film("other.ts")
    path = make_film.folder / name
    path.write_text(content)
    with pytest.raises(InputError, match=rf"{name}: ") as caught:
        open_film(path)
    assert "\n" not in str(caught.value)


def test_a_missing_film_is_named(tmp_path):
    with pytest.raises(InputError, match=r"nowhere\.mp4: no such file"):
        open_film(tmp_path / "nowhere.mp4")


def test_an_empty_file_is_named(tmp_path):
    (tmp_path / "film.mp4").touch()
    with pytest.raises(InputError, match=r"film\.mp4: the file is empty"):
        open_film(tmp_path / "film.mp4")


def test_sound_alone_is_no_film(tmp_path):
    with wave.open(str(tmp_path / "sound.wav"), "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(bytes(8000))
    with pytest.raises(InputError, match=r"sound\.wav: has no video stream; it holds only audio"):
        open_film(tmp_path / "sound.wav")


def test_a_cover_picture_is_no_film(tmp_path):
    path = tmp_path / "music.m4a"
    with av.open(str(path), "w", format="mp4") as music:
        sound, cover = music.add_stream("aac", rate=8000), music.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 32, 32, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        music.mux(cover.encode(av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8))))
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 8000
        music.mux(sound.encode(frame))
        music.mux(sound.encode(None))
    with pytest.raises(InputError, match=r"music\.m4a: has no video stream; it holds only audio"):
        open_film(path)


@pytest.mark.parametrize(
    ("width", "height", "sentence"),
    [
        pytest.param(15000, 12000, "declares frames of 15000 x 12000 pixels; at most 134,217,728", id="too_large"),
        pytest.param(60000, 60000, "not a film that can be read", id="beyond_ffmpeg"),
    ],
)
def test_a_header_cannot_ask_for_all_the_memory(tmp_path: Path, width, height, sentence):
    path = tmp_path / "huge.y4m"
    path.write_bytes(f"YUV4MPEG2 W{width} H{height} F25:1 C420jpeg\nFRAME\n".encode() + bytes(100))
    with pytest.raises(InputError, match=sentence):
        open_film(path)


def test_a_film_cannot_name_other_files(make_film, number_of):
    """A playlist that is renamed must not show the film that it names."""
    other = make_film("other.mp4")
    path = make_film.folder / "list.ffconcat"
    path.write_text(f"ffconcat version 1.0\nfile '{other}'\n")
    with pytest.raises(InputError, match="not a film"):
        open_film(path)
