"""Which frames make a clip, and how they are prepared, against PySlowFast's numbers and brute force."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import count, pairwise
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest
import torch

from slowfast_det.clips.geometry import boxes_in_clip, clip_size, resize
from slowfast_det.clips.sample import clip_indices, clip_moments, first_index, read_clip, stream_clips, timeline_index
from slowfast_det.clips.tensors import box_tensor, clip_tensor, moved_once, normalised


@dataclass(frozen=True)
class FakeFrame:
    """A frame whose one pixel is its number."""

    number: int
    time: Fraction

    def rgb(self):
        return np.full((1, 1, 3), self.number, dtype=np.int64)


def film(times):
    return [FakeFrame(number, Fraction(time)) for number, time in enumerate(times)]


def steady(rate, count):
    return [Fraction(number) / rate for number in range(count)]


RATES = {
    "30 fps": steady(30, 120),
    "10 fps": steady(10, 40),
    "29.97 fps": steady(Fraction(30000, 1001), 120),
    "60 fps": steady(60, 240),
    "23.976 fps": steady(Fraction(24000, 1001), 96),
    "variable": [Fraction(n, 1000) for n in (0, 30, 40, 50, 400, 410, 900, 933, 967, 1500, 1501, 1502, 2600, 3900)],
    "one frame": [Fraction(0)],
}


def shown_at(times, index):
    """The contract's rule, read aloud: the last frame that starts no later than i/30 + 1/60 s, i from 0 on."""
    index = max(index, 0)
    shown = [number for number, time in enumerate(times) if time <= Fraction(index, 30) + Fraction(1, 60)]
    return shown[-1]


@pytest.mark.parametrize("times", RATES.values(), ids=RATES.keys())
@pytest.mark.parametrize(("num_frames", "rate"), [(32, 2), (4, 16), (16, 4), (5, 1), (1, 1)])
def test_clips_follow_the_rule(times, num_frames, rate):
    moments = [0.0, 0.5, 1.0, 1.01, 1.02, 2.2, 3.0]
    length = times[-1] - times[-2] if len(times) > 1 else Fraction(1, 30)
    inside = [moment for moment in moments if moment < times[-1] + length]
    clips = list(
        stream_clips(
            film(times),
            moments,
            num_frames=num_frames,
            sampling_rate=rate,
            frame_length=length,
            prepare=lambda image: image,
        )
    )
    assert [clip.time for clip in clips] == inside
    for clip in clips:
        indices = clip_indices(clip.time, num_frames, rate)
        assert [frame[0, 0, 0] for frame in clip.frames] == [shown_at(times, index) for index in indices]
        assert clip.keyframe[0, 0, 0] == shown_at(times, timeline_index(clip.time))


class SparseFilm:
    """A film that gives no frame more than it has to: those shown at the moments, and one after them."""

    info = SimpleNamespace(rate=Fraction(30))

    def __init__(self, times):
        self.all = film(times)

    def frames(self, start=0.0, moments=None):
        shown = {max(0, sum(frame.time <= moment for frame in self.all) - 1) for moment in moments}
        following = [frame.number for frame in self.all if frame.time > max(moments)][:1]
        return iter([self.all[number] for number in sorted({*shown, *following})])


@pytest.mark.parametrize("times", RATES.values(), ids=RATES.keys())
@pytest.mark.parametrize(("num_frames", "rate"), [(32, 2), (4, 16), (5, 3), (1, 1)])
def test_a_single_clip_is_one_of_the_stream(times, num_frames, rate):
    for moment in (0.0, 0.02, 0.5, 1.013, 1.9, 2.6, 3.9, 4.2, 60.0):
        options = {"num_frames": num_frames, "sampling_rate": rate, "prepare": lambda image: image}
        stream = stream_clips(film(times), [moment], frame_length=Fraction(1, 30), include_end=True, **options)
        expected, clip = next(stream, None), read_clip(SparseFilm(times), moment, **options)
        assert (clip is None) == (expected is None), moment
        if clip is not None:
            assert [int(image[0, 0, 0]) for image in clip.frames] == [int(image[0, 0, 0]) for image in expected.frames]
            assert clip.keyframe is None


def test_moments_are_those_of_the_time_line():
    assert clip_moments(1.0, 4, 2) == [Fraction(2 * index + 1, 60) for index in (26, 28, 30, 32)]
    assert clip_moments(0.0, 4, 2) == [Fraction(1, 60), Fraction(5, 60)]


def test_mmaction2s_clips_lie_a_frame_later():
    """Second 902 of a film cut at 900 is file 62 there, counted from 1: frames 30, 32, .. 92; of AVA-Kinetics 60."""
    assert list(clip_indices(2.0, 32, 2, index_base=1)) == [number - 1 for number in range(30, 94, 2)]
    assert list(clip_indices(2.0, 32, 2)) == [number - 1 for number in range(29, 93, 2)]
    assert list(clip_indices(2.0, 4, 16, index_base=-1)) == [number - 1 for number in (28, 44, 60, 76)]


@pytest.mark.parametrize(
    ("film", "size"),  # (height, width), mmcv.rescale_size((width, height), (inf, 256))
    [((720, 1280), (256, 455)), ((480, 854), (256, 455)), ((340, 256), (340, 256)), ((97, 130), (256, 343))],
)
def test_mmaction2s_geometry(film, size):
    assert clip_size(*film, 256, "mmaction2") == size
    boxes = np.array([[0.0, 0.25, 0.5, 1.0]])
    height, width = size
    expected = [[0.0, 0.25 * height, 0.5 * width, height]]
    np.testing.assert_allclose(boxes_in_clip(boxes, *film, 256, "mmaction2"), expected)


def test_clip_indices_are_pyslowfasts(data_pipeline):
    for case in data_pipeline["get_sequence"]:
        found = clip_indices(case["center"] / 30, case["T"], case["rate"])
        assert found[case["T"] // 2] == case["center"] or case["T"] % 2
        clamped = np.clip(found, 0, case["num_frames"] - 1).tolist()
        if len(case["seq"]) == case["T"]:  # where T and rate are odd theirs is one short
            assert clamped == case["seq"], case


@pytest.mark.parametrize(
    ("time", "index"),
    [(0, 0), (Fraction(1, 60), 0), (Fraction(1, 59), 1), (Fraction(1, 30), 1), (Fraction(1, 20), 1), (Fraction(1), 30)],
)
def test_first_index_is_where_a_frame_takes_over(time, index):
    time = Fraction(time)
    assert first_index(time) == index
    assert time <= Fraction(index, 30) + Fraction(1, 60)
    assert not time <= Fraction(index - 1, 30) + Fraction(1, 60)


def test_a_moment_at_the_very_end_counts_only_if_asked():
    def moments_of(include_end):
        clips = stream_clips(
            film(steady(10, 10)),
            [0.0, 1.0, 1.1],
            num_frames=2,
            sampling_rate=1,
            frame_length=Fraction(1, 10),
            prepare=lambda image: image,
            include_end=include_end,
        )
        return [clip.time for clip in clips]

    assert moments_of(False) == [0.0]
    assert moments_of(True) == [0.0, 1.0]


def test_an_endless_series_of_moments_ends_with_the_film():
    clips = stream_clips(
        film(steady(30, 95)),
        (float(second) for second in count()),
        num_frames=4,
        sampling_rate=4,
        frame_length=Fraction(1, 30),
        prepare=lambda image: image,
    )
    assert [clip.time for clip in clips] == [0, 1, 2, 3]


def test_each_frame_is_prepared_once_and_only_if_needed():
    prepared = []

    def prepare(image):
        prepared.append(int(image[0, 0, 0]))
        return image

    clips = stream_clips(
        film(steady(60, 360)),
        [1.0, 1.5, 2.0],
        num_frames=8,
        sampling_rate=2,
        frame_length=Fraction(1, 60),
        prepare=prepare,
    )
    needed = {shown_at(steady(60, 360), index) for time in (1.0, 1.5, 2.0) for index in clip_indices(time, 8, 2)}
    assert len(list(clips)) == 3
    assert len(prepared) == len(set(prepared))
    assert set(prepared) == needed
    assert all(early < late for early, late in pairwise(prepared))


def test_a_frame_that_clips_share_is_converted_once():
    class CountedFrame(FakeFrame):
        converted: ClassVar[list[int]] = []

        def rgb(self):
            self.converted.append(self.number)
            return super().rgb()

    frames = [CountedFrame(number, time) for number, time in enumerate(steady(30, 90))]
    clips = list(
        stream_clips(
            frames,
            [1.0, 1.1, 1.2],
            num_frames=32,
            sampling_rate=1,
            frame_length=Fraction(1, 30),
            prepare=lambda image: image,
        )
    )
    assert sum(len(clip.frames) for clip in clips) == 96
    assert len(CountedFrame.converted) == len(set(CountedFrame.converted)) < 96


def test_boxes_are_pyslowfasts(data_pipeline):
    boxes = np.array(data_pipeline["norm_boxes"])
    for case in data_pipeline["boxes"]:
        for short_side, expected in case["sizes"].items():
            size = clip_size(case["H"], case["W"], int(short_side))
            assert list(size) == expected["hw"]
            found = boxes_in_clip(boxes, case["H"], case["W"], int(short_side))
            last = np.array([size[1] - 1, size[0] - 1] * 2)
            assert np.allclose(found, np.clip(expected["boxes"], 0, last), atol=1e-9, rtol=0)


def test_pixels_are_pyslowfasts(data_pipeline):
    """Its whole test pipeline on three frames of large random patches."""
    for case in data_pipeline["pipeline"]:
        height, width = case["H"], case["W"]
        random = np.random.default_rng(7)
        coarse = random.integers(0, 256, (3, -(-height // 8), -(-width // 8), 3)).astype(np.uint8)
        frames = coarse.repeat(8, axis=1).repeat(8, axis=2)[:, :height, :width, ::-1]  # theirs are BGR
        size = clip_size(height, width, case["kw"].get("test_crop", 256))
        clip = clip_tensor(
            [[resize(np.ascontiguousarray(frame), size) for frame in frames]],
            mean=(0.45, 0.45, 0.45),
            std=(0.225, 0.225, 0.225),
            bgr=case["kw"].get("bgr", False),
            device=torch.device("cpu"),
        )[0].numpy()
        assert list(clip.shape) == case["shape_CTHW"]
        positions = np.trunc(np.linspace(0, clip.size - 1, 256)).astype(int)
        # another release of OpenCV may round one grey level differently
        difference = np.abs(clip.reshape(-1)[positions] - case["values"]) * 0.225 * 255
        assert difference.max() < 1.01, case["key"]
        assert (difference > 0.01).mean() < 0.02, case["key"]
        boxes = boxes_in_clip(np.array(data_pipeline["norm_boxes"]), height, width, min(size))
        assert np.allclose(boxes, case["boxes"], atol=1e-4)


def test_box_tensor_numbers_the_clips():
    boxes = [np.array([[1.0, 2, 3, 4]]), np.zeros((0, 4)), np.array([[5.0, 6, 7, 8], [0, 0, 1, 1]])]
    assert box_tensor(boxes, torch.device("cpu")).tolist() == [[0, 1, 2, 3, 4], [2, 5, 6, 7, 8], [2, 0, 0, 1, 1]]


@pytest.mark.parametrize("bgr", [False, True])
@pytest.mark.parametrize("channels_last", [False, True])
def test_levels_that_are_looked_up_are_those_that_are_computed(bgr, channels_last):
    pixels = np.random.default_rng(0).integers(0, 256, (2, 3, 5, 7, 3), dtype=np.uint8)
    options = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225), "bgr": bgr}
    found = clip_tensor(
        [list(clip) for clip in pixels], device=torch.device("cpu"), channels_last=channels_last, **options
    )
    assert torch.equal(found, normalised(torch.from_numpy(pixels), **options))
    assert found.is_contiguous() != channels_last
    assert found.is_contiguous(memory_format=torch.channels_last_3d) == channels_last


def test_shared_pictures_travel_once(monkeypatch):
    random = np.random.default_rng(0)
    pictures = [random.integers(0, 256, (4, 6, 3), dtype=np.uint8) for _ in range(5)]
    order = [0, 0, 1, 2, 1, 2, 3, 4, 0]
    stack, sizes = np.stack, []
    monkeypatch.setattr(np, "stack", lambda arrays: sizes.append(len(arrays)) or stack(arrays))
    moved = moved_once([pictures[number] for number in order], torch.device("cpu"))
    assert sizes == [5]
    np.testing.assert_array_equal(moved.numpy(), stack([pictures[number] for number in order]))
