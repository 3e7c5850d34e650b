"""Builders that the tests of slowfast_det share: small films, an untrained model, persons that are known."""

from __future__ import annotations

import csv
import itertools
import json
import logging
import shutil
import signal
import struct
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
import torch
import yaml
from little_data import write_data

from slowfast_det.persons.protocol import PersonBoxes

MILLISECOND = Fraction(1, 1000)


def picture(number: int, width: int, height: int) -> np.ndarray:
    """A picture that tells its number: a bright bar that wanders over a slanted ramp."""
    across, down = np.meshgrid(np.arange(width), np.arange(height))
    image = np.stack([across * 255 // width, down * 255 // height, (across + 3 * number) % 256], axis=-1)
    left = (7 * number) % width
    image[height // 4 : height // 2, left : left + width // 8] = (255, 40, 20)
    return image.astype(np.uint8)


def write_film(
    path: Path,
    times: Sequence[Fraction],
    *,
    width: int = 128,
    height: int = 72,
    rate: Fraction = Fraction(30),
    unit: Fraction | None = None,
    draw: Callable[[int, int, int], np.ndarray] = picture,
) -> Path:
    """Write one picture a time (seconds); ``unit`` is the film's time base, by default one frame."""
    unit = unit or 1 / rate
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate, options={"crf": "10", "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.time_base = unit
        for number, time in enumerate(times):
            frame = av.VideoFrame.from_ndarray(draw(number, width, height), format="rgb24")
            frame.pts, frame.time_base = round(time / unit), unit
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def steady(count: int, rate: Fraction | int) -> list[Fraction]:
    """Times of ``count`` frames at an even rate."""
    return [Fraction(number) / Fraction(rate) for number in range(count)]


def uneven(seconds: float) -> list[Fraction]:
    """Times at a variable rate: waits of 10 to 150 ms, one of 700 ms."""
    waits = itertools.cycle([33, 17, 100, 33, 150, 10, 33, 700, 40, 40, 25])
    times = itertools.accumulate(waits, initial=0)
    return [time * MILLISECOND for time in itertools.takewhile(lambda time: time < 1000 * seconds, times)]


def turn_clockwise(path: Path) -> Path:
    """Make an mp4 one that is displayed a quarter turn clockwise (the matrix of ISO/IEC 14496-12, 8.3.2)."""
    data = bytearray(path.read_bytes())
    matrix = data.index(b"tkhd") + 4 + 40
    one, unit = 1 << 16, 1 << 30
    data[matrix : matrix + 36] = struct.pack(">9i", 0, one, 0, -one, 0, 0, 0, 0, unit)
    path.write_bytes(data)
    return path


def write_frames(folder: Path, count: int, width: int = 128, height: int = 72) -> Path:
    """A folder of numbered pictures."""
    folder.mkdir(parents=True)
    for number in range(count):
        cv2.imwrite(str(folder / f"{folder.name}_{number + 1}.png"), picture(number, width, height)[..., ::-1])
    return folder


@dataclass(frozen=True)
class Films:
    """Functions that build films."""

    picture = staticmethod(picture)
    write = staticmethod(write_film)
    steady = staticmethod(steady)
    uneven = staticmethod(uneven)
    turn_clockwise = staticmethod(turn_clockwise)
    write_frames = staticmethod(write_frames)


@pytest.fixture(scope="session")
def films():
    return Films()


@dataclass(frozen=True)
class Written:
    """What PyAV and the file itself say of a film."""

    codec: str
    pixel_format: str
    size: tuple[int, int]
    rate: Fraction
    times: list[Fraction]
    duration: float
    images: list[np.ndarray]


def inspect_film(path: Path) -> Written:
    """Decode a whole film."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        frames = list(container.decode(stream))
        return Written(
            codec=stream.codec_context.name,
            pixel_format=stream.pix_fmt,
            size=(stream.width, stream.height),
            rate=stream.average_rate,
            times=[frame.pts * frame.time_base for frame in frames],
            duration=container.duration / 1e6,
            images=[frame.to_ndarray(format="rgb24") for frame in frames],
        )


@pytest.fixture(scope="session")
def inspect():
    return inspect_film


@pytest.fixture(scope="session")
def gallery(tmp_path_factory) -> Path:
    """A folder of films, not to be changed: the usual one, one of each oddity."""
    folder = tmp_path_factory.mktemp("gallery")
    write_film(folder / "film.mp4", steady(90, 30))
    write_film(folder / "ten.mp4", steady(30, 10), rate=Fraction(10))
    ntsc = Fraction(30000, 1001)
    write_film(folder / "ntsc.mp4", steady(75, ntsc), rate=ntsc)
    write_film(folder / "sixty.mp4", steady(130, 60), rate=Fraction(60))
    write_film(folder / "uneven.mp4", uneven(3), unit=MILLISECOND)
    write_film(folder / "uneven.mkv", uneven(3), unit=MILLISECOND)
    turn_clockwise(write_film(folder / "turned.mp4", steady(45, 30)))
    write_film(folder / "short.mp4", steady(12, 30))
    write_film(folder / "single.mp4", steady(1, 30))
    return folder


@pytest.fixture(scope="session")
def data(films, tmp_path_factory) -> Path:
    """The little data set, not to be changed."""
    return write_data(tmp_path_factory.mktemp("data"), films)


@pytest.fixture
def changed_data(data, tmp_path):
    """A copy of it with other files or another manifest."""
    folder = tmp_path / "changed"
    shutil.copytree(data, folder)

    def change(files: Mapping[str, str] = {}, **manifest) -> Path:
        for name, text in files.items():
            (folder / name).write_text(text)
        content = yaml.safe_load((folder / "dataset.yaml").read_text()) | manifest
        (folder / "dataset.yaml").write_text(yaml.safe_dump(content))
        return folder

    return change


@pytest.fixture(scope="session")
def tiny(tmp_path_factory) -> Path:
    """An untrained model in a file, drawn so that its scores spread and depend on the pictures."""
    from slowfast_det.checkpoints.model import untrained_model
    from slowfast_det.models.network import initialise

    torch.manual_seed(0)
    model = untrained_model("tiny")
    initialise(model.network, head_std=0.3, zero_final_norm=False)
    path = tmp_path_factory.mktemp("model") / "tiny.safetensors"
    model.save(path)
    return path


@pytest.fixture(scope="session")
def tiny_model(tiny):
    from slowfast_det.checkpoints.model import load_model

    return load_model(tiny)


class StubPersons:
    """A person detector that finds what it is told: for call n the unit boxes ``answers(n)``."""

    def __init__(self, answers: Callable[[int], Sequence[Sequence[float]]]) -> None:
        self.frames: list[np.ndarray] = []
        self._answers = answers

    def __call__(self, frames):
        found = []
        for frame in frames:
            height, width = frame.shape[:2]
            unit = np.array(self._answers(len(self.frames)), dtype=np.float64).reshape(-1, 4)
            found.append(PersonBoxes(unit * [width, height, width, height], np.linspace(0.99, 0.9, len(unit))))
            self.frames.append(frame)
        return found

    def to(self, device):
        return self


@pytest.fixture
def stub():
    """Make a person detector of the boxes that it is to find, the same in every key frame, or by number."""

    def make(answers):
        return StubPersons(answers if callable(answers) else lambda number: answers)

    return make


@dataclass(frozen=True)
class Outcome:
    """What a command line did."""

    code: int
    out: str
    err: str

    @property
    def paths(self) -> list[str]:
        return [Path(line).name for line in self.out.splitlines()]


@pytest.fixture(autouse=True)
def _one_thread():
    """Networks as small as most here lose more by threads than they gain, above all on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def command(tmp_path, monkeypatch, capsys):
    """Run a command line in this process, within ``tmp_path``; what it does to the process is undone."""
    from ava_tools.cli.run import run
    from slowfast_det.cli.main import app

    root = logging.getLogger()
    handlers, level, handler = root.handlers[:], root.level, signal.getsignal(signal.SIGTERM)
    monkeypatch.chdir(tmp_path)

    def call(*arguments) -> Outcome:
        capsys.readouterr()
        with warnings.catch_warnings():
            code = run(app, [str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Outcome(code, captured.out, captured.err)

    yield call
    root.handlers[:] = handlers
    root.setLevel(level)
    signal.signal(signal.SIGTERM, handler)


@pytest.fixture
def predict(command, tiny):
    """``slowfast-det predict`` with the tiny model."""

    def call(*arguments) -> Outcome:
        return command("predict", *arguments, "--model", tiny)

    return call


TWO = [(0.1, 0.2, 0.45, 0.9), (0.5, 0.25, 0.912345, 0.95)]


@pytest.fixture
def write_boxes(tmp_path):
    """Write AVA's person csv: rows of (video, timestamp, box), or the usual two boxes at each whole second."""

    def write(rows: Iterable[tuple] = (), videos: Sequence[str] = ("film",), seconds: int = 3) -> Path:
        rows = list(rows) or [(video, time, box) for video in videos for time in range(seconds) for box in TWO]
        path = tmp_path / "given.csv"
        with path.open("w", newline="") as file:
            csv.writer(file).writerows([video, time, *box, "", 0.9] for video, time, box in rows)
        return path

    return write


@pytest.fixture(scope="session")
def rows_of():
    """Rows of a csv as lists of text, or of a jsonl file as dicts."""

    def read(path: Path) -> list:
        if path.suffix == ".jsonl":
            return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        with path.open(encoding="utf-8", newline="") as file:
            return list(csv.reader(file))

    return read
