"""Clips a second of a data loader: prepared and unprepared films against a folder of JPEG files.

    python benchmarks/clip_loading.py [FILM] [--seconds 60] [--clips 40]

FILM is looped and scaled to 640x480 at 30 frames a second; without it a scene is generated: a textured wall
under a moving camera, textured figures before it, no noise. The folder is extracted as PySlowFast's recipe does
(``ffmpeg -r 30 -q:v 1``). A clip is 32 of 64 frames around a random moment, with a short side of 256, in one
process with one thread. All ways are measured in turn within each round, so that a busy machine disturbs them alike.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import partial
from itertools import cycle
from pathlib import Path
from time import perf_counter

import cv2
import numpy as np

from ava_tools.media.frames import FrameSource, Image
from ava_tools.media.prepare import Preparation, prepare_film
from ava_tools.media.probe import FilmInfo, entry_spacing
from ava_tools.media.reader import open_film
from ava_tools.media.writer import Encoding, FilmWriter
from slowfast_det.clips.geometry import clip_size, resize
from slowfast_det.clips.sample import Clip, read_clip, stream_clips

WIDTH, HEIGHT, RATE = 640, 480, 30
NUM_FRAMES, SAMPLING_RATE, SHORT_SIDE = 32, 2, 256


def texture(draw: np.random.Generator, height: int, width: int) -> Image:
    """Smooth noise of seven sizes of grain, mostly grey."""
    picture = np.full((height, width, 3), 110, np.float32)
    for octave in range(1, 8):
        rows, columns = max(2, height * 2**octave // 256 + 1), max(2, width * 2**octave // 256 + 1)
        colour = draw.standard_normal((rows, columns, 3)).astype(np.float32)
        grain = 0.8 * colour.mean(axis=2, keepdims=True) + 0.3 * colour
        picture += cv2.resize(grain, (width, height), interpolation=cv2.INTER_CUBIC) * (40 / octave**0.7)
    return np.clip(picture, 0, 255).astype(np.uint8)


def generated_scene(seconds: int) -> Iterator[Image]:
    """A wall under a moving camera and five figures that walk before it."""
    draw = np.random.default_rng(0)
    wall = texture(draw, HEIGHT + 200, WIDTH + 300)
    figures = [texture(draw, 200, 90) for _ in range(5)]
    for number in range(seconds * RATE):
        time = number / RATE
        across, down = 150 + 140 * np.sin(time / 5), 100 + 90 * np.sin(time / 7 + 1)
        move = np.array([[1, 0, -across], [0, 1, -down]], np.float32)
        picture: Image = cv2.warpAffine(wall, move, (WIDTH, HEIGHT))  # type: ignore[assignment]
        for place, figure in enumerate(figures):
            left = int(275 + (265 - 10 * place) * np.sin(time * (0.5 + 0.13 * place) + place))
            top = int(140 + 130 * np.sin(time * (0.31 + 0.1 * place) + 2 * place))
            picture[top : top + 200, left : left + 90] = figure
        yield picture


def looped(film: Path, seconds: int) -> Iterator[Image]:
    """A real film, again and again, scaled."""
    with open_film(film) as source:
        pictures = [cv2.resize(frame.rgb(), (WIDTH, HEIGHT)) for frame in source.frames()]
    for _, picture in zip(range(seconds * RATE), cycle(pictures), strict=False):
        yield picture  # type: ignore[misc]


def make_films(pictures: Iterator[Image], folder: Path) -> dict[str, Path]:
    """The same film in the three ways."""
    unprepared, prepared, jpeg = folder / "unprepared.mp4", folder / "prepared.mp4", folder / "jpeg"
    info = FilmInfo(unprepared, "film", WIDTH, HEIGHT, Fraction(RATE), None, Fraction(1, 15360))
    # x264's defaults, as most films are: a key frame every 250 frames, three B-frames, some of them referred to
    usual = Encoding(crf=23, key_frame_every=250 / RATE, x264={"preset": "medium", "sc_threshold": "0"})
    master = folder / "master.mp4"  # everything is made from it, so that no way profits from another one's losses
    with FilmWriter(master, info, Encoding(crf=8)) as best, FilmWriter(unprepared, info, usual) as film:
        for number, picture in enumerate(pictures):
            best.write(picture, Fraction(number, RATE))
            film.write(picture, Fraction(number, RATE))
    prepare_film(master, prepared, Preparation(), lambda seconds: None)
    jpeg.mkdir()
    extract = ["ffmpeg", "-v", "error", "-i", str(master), "-r", "30", "-q:v", "1", str(jpeg / "film_%06d.jpg")]
    subprocess.run(extract, check=True)
    return {"JPEG folder": jpeg, "unprepared": unprepared, "prepared": prepared}


def megabytes(path: Path) -> float:
    """Size of a file or of the files in a folder."""
    files = path.iterdir() if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files) / 1e6


def check_pixels(path: Path, prepare: Callable[[Image], Image], times: list[float]) -> None:
    """A clip read at random holds the pixels of the clip that `predict` cuts in one pass."""
    times = sorted(times)
    with open_film(path) as whole, open_film(path, threads=1) as film:
        cut = partial(stream_clips, num_frames=NUM_FRAMES, sampling_rate=SAMPLING_RATE, frame_length=Fraction(1, RATE))
        expected = list(cut(whole.frames(), times, prepare=prepare))
        for place in random.Random(2).sample(range(len(times)), len(times)):
            clip = read(film, prepare, times[place])
            assert clip is not None
            pairs = zip(clip.frames, expected[place].frames, strict=True)
            assert all(np.array_equal(one, other) for one, other in pairs), (path, times[place])


def read(film: FrameSource, prepare: Callable[[Image], Image], time: float) -> Clip | None:
    """What a data loader does for one key frame."""
    return read_clip(film, time, num_frames=NUM_FRAMES, sampling_rate=SAMPLING_RATE, prepare=prepare)


def measure(ways: dict[str, Path], prepare: Callable[[Image], Image], times: list[float]) -> dict[str, list[float]]:
    """Milliseconds of each clip, way by way."""
    spent: dict[str, list[float]] = {name: [] for name in ways}
    films = {name: open_film(path, threads=1) for name, path in ways.items()}
    for film in films.values():
        read(film, prepare, times[0])
    for time in times:
        for name, film in films.items():
            begin = perf_counter()
            read(film, prepare, time)
            spent[name].append(1000 * (perf_counter() - begin))
    return spent


def main() -> None:
    """Make the films, check pixels, measure, print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("film", nargs="?", type=Path)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--clips", type=int, default=40)
    chosen = parser.parse_args()
    cv2.setNumThreads(1)
    scene = generated_scene(chosen.seconds) if chosen.film is None else looped(chosen.film, chosen.seconds)
    draw = random.Random(1)
    times = [draw.uniform(1.2, chosen.seconds - 1.2) for _ in range(chosen.clips)]
    prepare = partial(resize, size=clip_size(HEIGHT, WIDTH, SHORT_SIDE))
    with tempfile.TemporaryDirectory() as folder:
        ways = make_films(scene, Path(folder))
        for name in ("unprepared", "prepared"):
            check_pixels(ways[name], prepare, times[:10])
        spent = measure(ways, prepare, times)
        source = "generated scene" if chosen.film is None else chosen.film.name
        print(f"{source}, {chosen.seconds} s, {WIDTH}x{HEIGHT}; {NUM_FRAMES} of {NUM_FRAMES * SAMPLING_RATE} frames")
        print(f"{'':12}  ms a clip (10 % to 90 %)   against JPEG   clips/s      MB   JPEG's space over it   key frames")
        base, space = float(np.median(spent["JPEG folder"])), megabytes(ways["JPEG folder"])
        for name, path in ways.items():
            middle, low, high = (float(np.percentile(spent[name], share)) for share in (50, 10, 90))
            every = "" if path.is_dir() else f"every {entry_spacing(path):.1f} s"
            size = megabytes(path)
            print(
                f"{name:12}  {middle:6.1f} ({low:5.1f} to {high:5.1f}) {middle / base:17.2f} {1000 / middle:9.1f} "
                f"{size:7.1f} {space / size:22.1f}   {every}"
            )


if __name__ == "__main__":
    main()
