"""What training sees of films: the pixels that predict sees, the persons that are annotated, and what is left out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ava_tools.errors import InputError
from ava_tools.manifest import read_data_set
from ava_tools.media.reader import open_film
from slowfast_det.clips.geometry import boxes_in_clip, clip_size, resize
from slowfast_det.clips.sample import stream_clips
from slowfast_det.config import ClipConfig
from slowfast_det.recipe import AugmentationConfig, PersonsConfig
from slowfast_det.training.actions import mirrored_actions
from slowfast_det.training.batches import Plan, collate
from slowfast_det.training.key_frames import read_key_frames
from slowfast_det.training.samples import ActionSamples, Draw

CLIP = ClipConfig(num_frames=8, sampling_rate=4, short_side=40)
PLAIN = AugmentationConfig(short_side=(40, 40), crop=None, flip=0)


def key_frames_of(folder, split="train", **persons):
    data_set = read_data_set(folder)
    return read_key_frames(data_set, split, data_set.read_labels(), PersonsConfig(**persons))


def samples_of(key_frames, augmentation=PLAIN, **more):
    mirrored = np.arange(key_frames.targets.shape[1])
    return ActionSamples(key_frames, CLIP, augmentation, **({"mirrored": mirrored} | more))


@pytest.mark.parametrize("memory", [0.0, 1e9], ids=["read again", "kept"])
def test_pixels_are_those_of_predict(data, memory):
    """A film at 30 a second, one at 12.5, a folder of frames; first and last clips reach over the ends."""
    frames = key_frames_of(data)
    samples = samples_of(frames, memory=memory)
    for _ in range(2):
        for index in np.random.default_rng(0).permutation(len(frames)):
            sample = samples[Draw(0, int(index))]
            info = frames.film(index)
            size = clip_size(info.height, info.width, 40)
            with open_film(info.path) as film:
                (clip,) = stream_clips(
                    film.frames(),
                    [float(frames.times[index])],
                    num_frames=8,
                    sampling_rate=4,
                    frame_length=1 / info.rate,
                    prepare=lambda image, size=size: resize(image, size),
                )
            np.testing.assert_array_equal(np.stack(sample.frames), np.stack(clip.frames))
            boxes, targets = frames.persons(index)
            np.testing.assert_allclose(sample.boxes, boxes_in_clip(boxes, info.height, info.width, 40), atol=1e-9)
            np.testing.assert_array_equal(sample.targets, targets)


def test_the_mirror_turns_left_into_right(data):
    frames = key_frames_of(data)
    labels = read_data_set(data).read_labels()
    mirrored = mirrored_actions(labels, (("wave left", "wave right"),))
    flipped = samples_of(frames, PLAIN.model_copy(update={"flip": 1.0}), mirrored=mirrored)
    plain = samples_of(frames)
    for index in range(len(frames)):
        one, other = plain[Draw(0, index)], flipped[Draw(0, index)]
        np.testing.assert_array_equal(np.stack(one.frames)[:, :, ::-1], np.stack(other.frames))
        np.testing.assert_array_equal(one.targets[:, [0, 1, 3, 2]], other.targets)


def test_persons_outside_the_crop(data):
    frames = key_frames_of(data)
    tight = AugmentationConfig(short_side=(40, 48), crop=20, flip=0.5)
    kept = samples_of(frames, tight.model_copy(update={"keep_boxes_outside": True}))
    dropped = samples_of(frames, tight)
    counts = set()
    for epoch in range(20):
        for index in range(len(frames)):
            one, other = kept[Draw(epoch, index)], dropped[Draw(epoch, index)]
            flat = np.any(one.boxes[:, 2:] <= one.boxes[:, :2], axis=1)
            np.testing.assert_array_equal(one.boxes[~flat], other.boxes)
            np.testing.assert_array_equal(one.targets[~flat], other.targets)
            counts.add(len(other.boxes))
    assert counts == {1, 2} or counts == {0, 1, 2}


def test_an_epoch_decides_everything(data):
    frames = key_frames_of(data)
    varied = AugmentationConfig(short_side=(40, 60), crop=32, colour=0.4, lighting=0.1)
    first, second = samples_of(frames, varied), samples_of(frames, varied)
    same = [first[Draw(3, index)] for index in range(5)]
    again = [second[Draw(3, index)] for index in reversed(range(5))][::-1]
    for one, other in zip(same, again, strict=True):
        np.testing.assert_array_equal(np.stack(one.frames), np.stack(other.frames))
        assert one.recolouring == other.recolouring
    others = [second[Draw(4, index)] for index in range(5)]
    assert any(one.recolouring != other.recolouring for one, other in zip(same, others, strict=True))


def test_clips_of_different_size_in_one_batch(data):
    frames = key_frames_of(data)
    mixed = [
        samples_of(frames, PLAIN.model_copy(update={"short_side": (side, side)}))[Draw(0, 2)] for side in (40, 48, 40)
    ]
    batch = collate(mixed)
    assert [tuple(group.pixels.shape) for group in batch.groups] == [(2, 8, 40, 53, 3), (1, 8, 48, 64, 3)]
    assert batch.weight == 6
    assert [group.boxes[:, 0].tolist() for group in batch.groups] == [[0, 0, 1, 1], [0, 0]]


def test_an_order_sees_every_sample_once():
    plan = Plan(samples=23, batch=5, epochs=3, seed=1)
    assert (plan.steps_per_epoch, plan.steps) == (4, 12)
    seen = plan.order(0).ravel()
    assert len(set(seen)) == 20
    assert not np.array_equal(plan.order(0), plan.order(1))
    whole = list(plan.draws(0, 0, 1, 1))
    assert [[draw.sample for draw in part] for part in whole[:4]] == plan.order(0).tolist()
    later = list(plan.draws(7, 0, 1, 1))
    assert later == whole[7:]
    shared = [list(plan.draws(0, rank, 2, 2)) for rank in range(2)]
    for step in range(12):
        parts = [part for of_rank in shared for part in of_rank[2 * step : 2 * step + 2]]
        assert [draw for part in parts for draw in part] == whole[step]


def test_batches_are_of_one_shape():
    aspects = np.array([1.0, 1.5] * 10)
    plan = Plan(samples=20, batch=5, epochs=1, seed=0, aspects=aspects)
    orders = [plan.order(epoch) for epoch in range(5)]
    assert all(len(set(order.ravel())) == 20 for order in orders)
    assert all(len(set(aspects[step])) == 1 for order in orders for step in order)


def test_predicted_boxes_and_range(changed_data):
    split = {"truth": "train.csv", "boxes": "boxes.csv"}
    boxes = "a,1,0.2,0.2,0.6,0.6,,0.9\na,1,0.3,0.3,0.7,0.7,,0.4\na,1.5,0.1,0.2,0.5,0.9,,0.9\n"
    folder = changed_data({"boxes.csv": boxes}, start=1, end=2, splits={"train": split, "test": {"truth": "test.csv"}})
    frames = key_frames_of(folder, min_score=0.5)
    assert sorted(set(frames.timestamps)) == [1, 1.5, 2]
    at_one = next(i for i in range(len(frames)) if frames.film(i).name == "a" and frames.times[i] == 1)
    persons, targets = frames.persons(at_one)
    assert persons[-1].tolist() == [0.2, 0.2, 0.6, 0.6]
    assert targets.sum(axis=1).tolist() == [1, 1, 0]
    assert any("persons are at timestamps left out" in note for note in frames.notes)


def test_ava_timestamps(changed_data):
    shifted = "".join(f"a,{902 + n:04d},0.1,0.2,0.5,0.9,1\n" for n in range(3))
    folder = changed_data({"train.csv": shifted}, time_origin=901)
    assert key_frames_of(folder).times.tolist() == [1, 2, 3]


def test_missing_and_broken_films_are_counted(changed_data, data):
    lines = (data / "train.csv").read_text()
    folder = changed_data({"train.csv": lines + "gone,1,0,0,1,1,1\nlost,1,0,0,1,1,1\nbad,1,0,0,1,1,1\n"})
    (folder / "films" / "bad.mp4").write_bytes(b"no film")
    notes = " ".join(key_frames_of(folder).notes)
    assert "2 of 6 films are missing: gone, lost" in notes
    assert "1 of 6 films cannot be read: " in notes
    assert "bad.mp4: not a film" in notes


def test_a_film_that_breaks_later_is_replaced(changed_data):
    folder = changed_data()
    frames = key_frames_of(folder)
    samples = samples_of(frames)
    (folder / "films" / "a.mp4").unlink()
    drawn = [samples[Draw(0, index)] for index in range(len(frames))]
    lost = [sample for sample in drawn if sample.problems]
    assert len(lost) == 5
    assert all("a.mp4" in problem for sample in lost for problem in sample.problems)
    assert all("a.mp4" not in sample.name for sample in drawn)


def test_nothing_left(changed_data):
    folder = changed_data({"train.csv": "gone,1,0,0,1,1,1\n"})
    with pytest.raises(InputError, match="no person is left to train on: 1 of 1 films are missing: gone"):
        key_frames_of(folder)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,1,0,0,1,1,9\n", r"a at 0001 has the action 9, which the labels do not name; ids 1 to 4 \(4 actions\)"),
        ("a,1,0,0,1,1,0\n", "has the action 0, which the labels do not name"),
        ("a,902,0,0,1,1,1\n", r"1 key frames lie outside their films.*a at 0902.*time_origin: 900"),
        ("a,1,0,0,64,48,1\n", "train.csv, line 1: the box 0,0,64,48 leaves the frame.*pixels"),
    ],
)
def test_wrong_annotations(changed_data, text, message):
    with pytest.raises(InputError, match=message):
        key_frames_of(changed_data({"train.csv": text}))


def test_films_that_are_slow_to_enter_are_named(changed_data, films):
    folder = changed_data()
    path = Path(folder / "films" / "a.mp4")
    still = np.full((48, 64, 3), 90, np.uint8)
    films.write(path, films.steady(240, 30), width=64, height=48, draw=lambda *_: still)
    (note,) = key_frames_of(folder).notes
    assert "1 of 2 films can be entered only every 8.0 s" in note
    assert "ava-tools prepare" in note
