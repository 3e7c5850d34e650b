"""From film to scores: against a plain computation of the same, and over every awkward film."""

from __future__ import annotations

import logging
import subprocess
import sys
import weakref
from dataclasses import replace
from fractions import Fraction
from math import floor

import av
import cv2
import numpy as np
import pytest
import torch

import slowfast_det
from ava_tools.errors import InputError
from ava_tools.media.probe import FilmInfo
from slowfast_det.checkpoints.model import load_model
from slowfast_det.clips.sample import stream_clips
from slowfast_det.keyframe import Selection
from slowfast_det.persons.precomputed import PrecomputedBoxes
from slowfast_det.pipeline import ActionDetector, FilmRun, Span
from slowfast_det.smoothing import Smoothing

TWO = [(0.1, 0.2, 0.45, 0.9), (0.5, 0.25, 0.912345, 0.95)]
COLUMNS = ["video", "time", "person", "x1", "y1", "x2", "y2", "action_id", "action", "score"]


def decoded(path):
    """Times and RGB pictures of a film, straight from PyAV."""
    with av.open(str(path)) as container:
        frames = [
            (frame.pts * frame.time_base, frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)
        ]
    return [(time - frames[0][0], image) for time, image in frames]


def images_of(folder, rate):
    files = sorted(folder.glob("*.png"), key=lambda path: int(path.stem.rpartition("_")[2]))
    return [(Fraction(n) / rate, cv2.imread(str(path))[..., ::-1]) for n, path in enumerate(files)]


def clip_by_rule(frames, time, num_frames=8, step=4):
    """Frame i is the last one that starts no later than i/30 + 1/60 s; before frame 0 stands frame 0."""
    first = floor(Fraction(time) * 30 + Fraction(1, 2)) - num_frames * step // 2
    chosen = []
    for index in range(first, first + num_frames * step, step):
        latest = Fraction(max(index, 0), 30) + Fraction(1, 60)
        chosen.append([image for start, image in frames if start <= latest][-1])
    return chosen


def scores_by_hand(network, frames, time, boxes, short_side=128):
    """The whole way in plain steps: ``[K, 80]``."""
    images = clip_by_rule(frames, time)
    height, width = images[0].shape[:2]
    if height <= width:
        new_height, new_width = short_side, floor(width / height * short_side)
        ratio = new_width / width
    else:
        new_height, new_width = floor(height / width * short_side), short_side
        ratio = new_height / height
    small = [cv2.resize(image, (new_width, new_height), interpolation=cv2.INTER_LINEAR) for image in images]
    clip = (torch.from_numpy(np.stack(small)).float() / 255 - 0.45) / 0.225
    pixels = np.array(boxes) * [width, height, width, height]
    pixels = np.clip(pixels, 0, [width - 1, height - 1] * 2) * ratio
    pixels = np.clip(pixels, 0, [new_width - 1, new_height - 1] * 2)
    rows = torch.tensor([[0, *box] for box in pixels], dtype=torch.float32)
    with torch.no_grad():
        logits = network(clip.permute(3, 0, 1, 2)[None], rows)
    return 1 / (1 + np.exp(-logits.double().numpy()))


@pytest.mark.parametrize(
    ("name", "moments"),
    [
        pytest.param("film.mp4", [0, 1, 2], id="30 a second"),
        pytest.param("ten.mp4", [0, 1, 2], id="10 a second"),
        pytest.param("ntsc.mp4", [0, 0.5, 1, 1.5, 2, 2.5], id="29.97 a second"),
        pytest.param("sixty.mp4", [0, 1, 2], id="60 a second"),
        pytest.param("uneven.mp4", [0, 0.3, 0.6, 0.9, 1.2, 1.5, 1.8, 2.1, 2.4, 2.7], id="variable rate"),
        pytest.param("uneven.mkv", [0, 0.9, 1.8, 2.7], id="variable rate in matroska"),
        pytest.param("short.mp4", [0], id="shorter than a clip"),
        pytest.param("single.mp4", [0], id="one frame"),
    ],
)
def test_scores_equal_a_plain_computation(gallery, tiny_model, stub, name, moments):
    every = moments[1] if len(moments) > 1 else 1.0
    result = ActionDetector(tiny_model, stub(TWO), "cpu")(gallery / name, Span(every=every))
    assert [keyframe.time for keyframe in result] == pytest.approx(moments)
    frames = decoded(gallery / name)
    for keyframe, moment in zip(result, moments, strict=True):
        expected = scores_by_hand(tiny_model.network, frames, Fraction(str(moment)), TWO)
        np.testing.assert_allclose(keyframe.scores, expected, atol=2e-5)
        np.testing.assert_allclose(keyframe.boxes, TWO, atol=1e-12)


@pytest.mark.parametrize("rate", [30, 10, 25])
def test_scores_of_a_folder_of_frames_equal_a_plain_computation(tmp_path, films, tiny_model, stub, rate):
    folder = films.write_frames(tmp_path / "frames", 2 * rate + 3, width=72, height=128)
    result = ActionDetector(tiny_model, stub(TWO), "cpu")(folder, frame_rate=rate)
    assert [keyframe.time for keyframe in result] == [0, 1, 2]
    for keyframe in result:
        expected = scores_by_hand(tiny_model.network, images_of(folder, rate), keyframe.time, TWO)
        np.testing.assert_allclose(keyframe.scores, expected, atol=2e-5)


def test_given_boxes_score_as_detected_ones(gallery, tiny_model, stub, write_boxes):
    given = ActionDetector(tiny_model, PrecomputedBoxes(write_boxes()), "cpu")(gallery / "film.mp4")
    found = ActionDetector(tiny_model, stub(TWO), "cpu")(gallery / "film.mp4")
    np.testing.assert_allclose([k.scores for k in given], [k.scores for k in found], atol=1e-6)
    assert all((k.box_scores == 0.9).all() for k in given)


def test_scores_do_not_depend_on_where_the_prediction_starts(gallery, tiny_model, stub):
    detector = ActionDetector(tiny_model, stub(TWO), "cpu")
    whole = {k.time: k.scores for k in detector(gallery / "sixty.mp4", Span(every=0.5))}
    late = {k.time: k.scores for k in detector(gallery / "sixty.mp4", Span(every=0.5, start=1.5))}
    assert sorted(late) == [1.5, 2.0]
    for time, scores in late.items():
        np.testing.assert_allclose(scores, whole[time], atol=1e-6)


def test_the_person_detector_sees_the_key_frame_upright(gallery, tiny_model, stub):
    persons = stub([])
    ActionDetector(tiny_model, persons, "cpu")(gallery / "turned.mp4")
    assert [frame.shape for frame in persons.frames] == [(128, 72, 3)] * 2
    stored = [image for time, image in decoded(gallery / "turned.mp4") if time in (0, 1)]
    for seen, image in zip(persons.frames, stored, strict=True):
        np.testing.assert_array_equal(seen, np.rot90(image, -1))  # a quarter turn clockwise


@pytest.mark.parametrize(
    ("span", "times"),
    [
        pytest.param(Span(), [0, 1, 2], id="whole film, its end excluded"),
        pytest.param(Span(every=0.5), [0, 0.5, 1, 1.5, 2, 2.5], id="half seconds"),
        pytest.param(Span(every=0.1, end=0.35), [0, 0.1, 0.2, 0.3], id="tenths"),
        pytest.param(Span(every=1 / 30, end=0.2), [n / 30 for n in range(7)], id="every frame"),
        pytest.param(Span(every=1 / 60, end=0.05), [0, 1 / 60, 2 / 60, 3 / 60], id="oftener than frames"),
        pytest.param(Span(start=1), [1, 2], id="start"),
        pytest.param(Span(start=0.25), [0.25, 1.25, 2.25], id="start between seconds"),
        pytest.param(Span(end=1), [0, 1], id="end included"),
        pytest.param(Span(start=1, end=1), [1], id="one moment"),
        pytest.param(Span(start=50), [], id="start beyond the film"),
        pytest.param(Span(end=50), [0, 1, 2], id="end beyond the film"),
        pytest.param(Span(every=100), [0], id="step beyond the film"),
    ],
)
def test_moments(gallery, tiny_model, stub, span, times):
    persons = stub([TWO[0]])
    keyframes = list(ActionDetector(tiny_model, persons, "cpu").stream(gallery / "film.mp4", span))
    assert [keyframe.time for keyframe in keyframes] == pytest.approx(times, abs=1e-6)
    assert len(persons.frames) == len(times)
    assert all(keyframe.scores.shape == (1, 80) for keyframe in keyframes)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        pytest.param({"every": 0}, "every is 0", id="no step"),
        pytest.param({"every": -1}, "every is -1", id="step back"),
        pytest.param({"every": float("nan")}, "every is nan", id="step is no number"),
        pytest.param({"every": float("inf")}, "every is inf", id="step is endless"),
        pytest.param({"start": -0.5}, "start is -0.5", id="start before the film"),
        pytest.param({"start": float("inf")}, "start is inf", id="start is endless"),
        pytest.param({"start": 2, "end": 1}, "end is 1, before start at 2", id="end before start"),
        pytest.param({"end": float("nan")}, "end is nan", id="end is no number"),
        pytest.param({"time_origin": float("nan")}, "time_origin is nan", id="origin is no number"),
    ],
)
def test_a_span_that_makes_no_sense(values, sentence):
    with pytest.raises(InputError, match=sentence):
        Span(**values)


@pytest.mark.parametrize(
    "peopled",
    [pytest.param((0, 2), id="some key frames"), pytest.param((), id="none at all"), pytest.param((1,), id="one")],
)
def test_key_frames_without_persons(gallery, tiny_model, stub, peopled):
    persons = stub(lambda number: TWO if number in peopled else [])
    result = ActionDetector(tiny_model, persons, "cpu")(gallery / "film.mp4")
    assert [len(keyframe.boxes) for keyframe in result] == [2 * (number in peopled) for number in range(3)]
    assert all(k.scores.shape == (len(k.boxes), 80) and k.persons.shape == (len(k.boxes),) for k in result)
    table = result.table()
    assert list(table.columns) == COLUMNS
    assert len(table) == 160 * len(peopled)
    assert sorted(table["time"].unique()) == list(peopled)


def test_result_table(gallery, tiny_model, stub):
    result = ActionDetector(tiny_model, stub(TWO), "cpu")(gallery / "film.mp4")
    table = result.table()
    assert list(table.columns) == COLUMNS
    assert len(table) == len(result) * 2 * 80
    assert set(table["video"]) == {"film"}
    assert table["person"].dtype.kind == "i"
    assert table["person"].value_counts().to_dict() == {1: 240, 2: 240}
    assert sorted(table["action_id"].unique()) == list(range(1, 81))
    assert table["score"].between(0, 1).all()
    best = result.table(min_score=0.6, top=4)
    assert best.groupby(["time", "person"]).size().max() == 4
    assert (best["score"] >= 0.6).all()
    one = table[(table["time"] == 1) & (table["person"] == 1)].nlargest(4, "score")
    kept = best[(best["time"] == 1) & (best["person"] == 1)]
    assert kept["action_id"].tolist() == one["action_id"].tolist()


def test_stream_gives_what_the_call_gives(gallery, tiny_model, stub):
    detector = ActionDetector(tiny_model, stub(TWO), "cpu")
    whole = detector(gallery / "ten.mp4")
    with detector.stream(gallery / "ten.mp4") as run:
        assert run.info.name == "ten"
        assert run.total == 3
        streamed = list(run)
    assert [k.time for k in streamed] == [k.time for k in whole]
    for one, other in zip(streamed, whole, strict=True):
        np.testing.assert_array_equal(one.scores, other.scores)
        assert list(one.rows(Selection(top=1))) == list(other.rows(Selection(top=1)))
    assert whole.timings.decoding > 0
    assert whole.timings.actions > 0


def test_a_stream_may_be_left_early(gallery, tiny_model, stub):
    persons = stub(TWO)
    with ActionDetector(tiny_model, persons, "cpu").stream(gallery / "film.mp4") as run:
        assert next(run).time == 0
    assert len(persons.frames) == 1


@pytest.mark.parametrize(
    ("precision", "tolerance"), [pytest.param("auto", 1e-6, id="auto"), pytest.param("bf16", 0.01, id="bf16")]
)
def test_precision(gallery, tiny_model, stub, precision, tolerance):
    exact = ActionDetector(tiny_model, stub(TWO), "cpu", "fp32")(gallery / "film.mp4")
    other = ActionDetector(tiny_model, stub(TWO), "cpu", precision)(gallery / "film.mp4")
    difference = np.abs(np.array([k.scores for k in exact]) - np.array([k.scores for k in other]))
    assert 0 < difference.max() < tolerance
    assert all(k.scores.dtype == np.float64 for k in other)


def test_the_model_of_a_detector_can_be_saved(tiny_model, stub, tmp_path):
    detector = ActionDetector(tiny_model, stub(TWO), "cpu", "bf16")
    detector.model.save(tmp_path / "again.safetensors")
    again, before = load_model(tmp_path / "again.safetensors").network.state_dict(), tiny_model.network.state_dict()
    assert again.keys() == before.keys()
    assert all(torch.equal(again[name], before[name]) for name in before)


@pytest.mark.parametrize("device", ["nonsense", "cuda:77", "meta"])
def test_a_device_that_is_not_there(tiny_model, stub, device):
    with pytest.raises(InputError, match=f"device '{device}' cannot be used.*auto, cpu or cuda"):
        ActionDetector(tiny_model, stub(TWO), device)


@pytest.mark.parametrize(
    ("times", "origin", "scored", "report"),
    [
        pytest.param([0, 1, 2], 0, [0, 1, 2], None, id="all inside"),
        pytest.param([900, 902], 900, [0, 2], None, id="time origin"),
        pytest.param([901.5, 902.25], 900, [1.5, 2.25], None, id="fractions"),
        pytest.param([1, 3], 0, [1, 3], None, id="exactly at the end"),
        pytest.param([1, 3.1, 7, 9], 0, [1], "skipped 3 timestamps beyond", id="beyond"),
        pytest.param([898, 899, 901], 900, [1], "skipped 2 timestamps before", id="before"),
        pytest.param([902, 903], 0, [], "need a time origin of 900", id="AVA without its origin"),
        pytest.param([2, 0, 1], 0, [0, 1, 2], None, id="in disorder"),
        pytest.param([-5], 0, [], "skipped 1 timestamps before", id="all before"),
    ],
)
def test_given_timestamps(gallery, tiny_model, write_boxes, caplog, times, origin, scored, report):
    boxes = PrecomputedBoxes(write_boxes([("film", time, TWO[0]) for time in times]))
    detector = ActionDetector(tiny_model, boxes, "cpu")
    with caplog.at_level(logging.WARNING):
        result = detector(gallery / "film.mp4", Span(time_origin=origin))
    assert [keyframe.time for keyframe in result] == scored
    assert (report is None) == (not caplog.messages)
    assert report is None or report in caplog.text


@pytest.mark.parametrize(("start", "end"), [pytest.param(0.1, 0.3, id="end"), pytest.param(0.3, 1, id="start")])
def test_given_timestamps_at_the_edge_of_the_span(gallery, tiny_model, write_boxes, start, end):
    boxes = PrecomputedBoxes(write_boxes([("film", time, TWO[0]) for time in (900.1, 900.3)]))
    span = Span(start=start, end=end, time_origin=900)
    times = ActionDetector(tiny_model, boxes, "cpu")(gallery / "film.mp4", span).table()["time"].unique()
    assert list(times) == [time for time in (0.1, 0.3) if start <= time <= end]


def test_boxes_of_another_film_are_reported(gallery, tiny_model, write_boxes, caplog):
    boxes = PrecomputedBoxes(write_boxes(videos=["other", "another"]))
    with caplog.at_level(logging.WARNING):
        result = ActionDetector(tiny_model, boxes, "cpu")(gallery / "film.mp4")
    assert len(result) == 0
    assert "no boxes of the film 'film'; it has other, another" in caplog.text


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        pytest.param("nothing.mp4", "no such file", id="missing"),
        pytest.param("empty.mp4", "the file is empty", id="empty"),
        pytest.param("text.mp4", "not a film", id="text"),
        pytest.param("hollow", "holds no images", id="folder without images"),
    ],
)
def test_a_source_that_cannot_be_read(tmp_path, tiny_model, stub, source, sentence):
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("no film\n" * 100)
    (tmp_path / "hollow").mkdir()
    with pytest.raises(InputError, match=sentence):
        ActionDetector(tiny_model, stub(TWO), "cpu")(tmp_path / source)


def test_identities_last_over_the_film(gallery, tiny_model, stub):
    glide = stub(lambda n: [(0.1 + 0.02 * n, 0.2, 0.4 + 0.02 * n, 0.9), (0.6 - 0.02 * n, 0.2, 0.9 - 0.02 * n, 0.9)])
    result = ActionDetector(tiny_model, glide, "cpu")(gallery / "film.mp4", Span(every=0.5))
    assert [keyframe.persons.tolist() for keyframe in result] == [[1, 2]] * 6


@pytest.mark.parametrize("smoothing", [None, Smoothing()], ids=["plain", "steadied"])
def test_identities_do_not_cross_classes(gallery, tiny_model, stub, smoothing):
    """A bird takes off where a car stops."""
    place = stub([(0.1, 0.2, 0.4, 0.9)])

    def birds_then_cars(frames):
        kinds = [int(len(place.frames) + number >= 3) for number in range(len(frames))]
        return [replace(one, classes=np.array([kind])) for one, kind in zip(place(frames), kinds, strict=True)]

    detector = ActionDetector(tiny_model, birds_then_cars, "cpu", smoothing=smoothing)
    with detector.stream(gallery / "film.mp4", Span(every=0.5)) as run:
        assert [keyframe.persons.tolist() for keyframe in run] == [[1]] * 3 + [[2]] * 3


def test_a_gap_is_bridged_and_scored(gallery, tiny_model, stub):
    """The same key frames; whoever flickers is there, with the scores of the place where he is put."""
    boxes = [(0.1 + 0.02 * n, 0.2, 0.4 + 0.02 * n, 0.9) for n in range(6)]
    flickering = stub(lambda n: [] if n == 2 else [boxes[n]])
    steady = stub(lambda n: [boxes[n]])
    span = Span(every=0.5)
    whole = ActionDetector(tiny_model, steady, "cpu")(gallery / "film.mp4", span)
    plain = ActionDetector(tiny_model, flickering, "cpu")(gallery / "film.mp4", span)
    flickering.frames.clear()
    smooth = ActionDetector(tiny_model, flickering, "cpu", smoothing=Smoothing())(gallery / "film.mp4", span)
    assert [keyframe.time for keyframe in smooth] == [keyframe.time for keyframe in whole]
    assert [len(keyframe.boxes) for keyframe in plain] == [1, 1, 0, 1, 1, 1]
    for one, other in zip(smooth, whole, strict=True):
        np.testing.assert_allclose(one.boxes, other.boxes, atol=1e-9)
        np.testing.assert_allclose(one.scores, other.scores, atol=1e-5)
        assert one.persons.tolist() == [1]


class Pictures:
    """Frames that count how many of them, and of the pictures made of them, are alive."""

    def __init__(self, count, rate=30):
        self.most = {"frames": 0, "pictures": 0}
        self.info = FilmInfo("endless", "endless", 32, 16, Fraction(rate), count / rate, Fraction(1, rate))
        self._alive = dict.fromkeys(self.most, 0)
        self._count, self._rate = count, rate

    def watch(self, kind, thing):
        self._alive[kind] += 1
        self.most[kind] = max(self.most[kind], self._alive[kind])
        weakref.finalize(thing, self._gone, kind)
        return thing

    def _gone(self, kind):
        self._alive[kind] -= 1

    def frames(self, start=0.0, moments=None):
        for number in range(int(start * self._rate), self._count):
            yield self.watch("frames", _Frame(self, Fraction(number, self._rate)))

    def close(self):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


class _Frame:
    def __init__(self, source, time):
        self.source, self.time = source, time

    def rgb(self):
        return self.source.watch("pictures", np.zeros((16, 32, 3), dtype=np.uint8))


@pytest.mark.parametrize(
    ("every", "clips_of_400"), [pytest.param(1, 14, id="seconds"), pytest.param(Fraction(1, 30), 400, id="every frame")]
)
def test_clips_hold_no_more_in_a_longer_film(every, clips_of_400):
    most = []
    for count in (400, 20_000):
        source = Pictures(count)
        times = (float(n * every) for n in range(100_000))
        clips = stream_clips(
            source.frames(),
            times,
            num_frames=16,
            sampling_rate=4,
            frame_length=Fraction(1, 30),
            prepare=lambda image: image,
        )
        assert sum(1 for _ in clips) // (count // 400) in (clips_of_400, clips_of_400 - 1)
        most.append(source.most)
    assert most[0] == most[1]
    assert most[1]["pictures"] <= 66  # a clip spans 64 frames
    assert most[1]["frames"] <= 40  # half a clip ahead of its key frame


@pytest.mark.parametrize("smoothing", [None, Smoothing()], ids=["plain", "steadied"])
def test_a_stream_holds_no_more_in_a_longer_film(tiny_model, stub, smoothing):
    for count in (300, 6000):
        source = Pictures(count)
        detector = ActionDetector(tiny_model, stub([]), "cpu", smoothing=smoothing)
        detector.persons.frames = _Forgetful()
        run = FilmRun(detector, source, Span())
        assert sum(1 for _ in run) == count // 30
        assert source.most["frames"] <= 12  # eight wait to be cut into clips
        assert source.most["pictures"] <= 9


class _Forgetful(list):
    """Where the stub puts the frames that it saw."""

    def append(self, frame):
        pass


@pytest.mark.parametrize("name", slowfast_det.__all__)
def test_public_names(name):
    assert getattr(slowfast_det, name).__name__ == name


def test_an_unknown_public_name():
    with pytest.raises(AttributeError, match="no attribute 'ActionDetectr'"):
        slowfast_det.ActionDetectr  # noqa: B018


def test_importing_the_package_loads_nothing_heavy():
    code = "import slowfast_det, sys; print(sorted({'torch', 'cv2', 'av', 'pandas', 'numpy'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"
