"""Person detectors in the same loop."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ava_tools.manifest import read_data_set
from ava_tools.media.library import open_library
from ava_tools.media.reader import open_film
from ava_tools.tables import read_person_boxes
from slowfast_det.distributed import World
from slowfast_det.persons.loading import load_person_detector
from slowfast_det.persons.small_rcnn import small_faster_rcnn
from slowfast_det.propose import find_persons, save_person_boxes
from slowfast_det.recipe import PersonsConfig, ScheduleConfig, TrainingConfig
from slowfast_det.testing import Moment
from slowfast_det.training.key_frames import read_key_frames
from slowfast_det.training.persons import train_persons
from slowfast_det.training.samples import Draw
from slowfast_det.training.tasks.persons import PersonSamples, collate

SETTINGS = TrainingConfig(
    epochs=3, batch=4, optimiser="adamw", evaluate_every=0, workers=0, schedule=ScheduleConfig(lr=0.002, lr_batch=None)
)


@pytest.fixture(scope="module")
def key_frames(data):
    data_set = read_data_set(data)
    return read_key_frames(data_set, "train", data_set.read_labels(), PersonsConfig())


def test_training_resumes_and_the_file_is_read_back(key_frames, tmp_path, steps_of):
    def go(folder, epochs, resume=False):
        torch.manual_seed(0)
        settings = SETTINGS.model_copy(update={"epochs": epochs})
        return train_persons(
            small_faster_rcnn(), key_frames, settings, World(torch.device("cpu")), folder, resume=resume
        )

    outcome = go(tmp_path / "whole", 3)
    losses = [loss for _, loss, _ in steps_of(tmp_path / "whole")]
    assert len(losses) == 9
    assert np.isfinite(losses).all()
    detector = load_person_detector(tmp_path / "whole" / "last.safetensors", min_score=0.01)
    frame = np.random.default_rng(0).integers(0, 256, (96, 128, 3), dtype=np.uint8)
    outcome.network.eval().roi_heads.score_thresh = 0.01
    with torch.no_grad():
        plain = outcome.network([torch.from_numpy(frame).permute(2, 0, 1) / 255])[0]
    np.testing.assert_allclose(detector([frame])[0].scores, plain["scores"].numpy(), atol=1e-6)


def test_frames_and_their_mirror_images(key_frames):
    plain, flipped = (PersonSamples(key_frames, flip=share) for share in (0.0, 1.0))
    for index in range(len(key_frames)):
        one, other = plain[Draw(0, index)], flipped[Draw(0, index)]
        np.testing.assert_array_equal(one.image[:, ::-1], other.image)
        width = one.image.shape[1]
        np.testing.assert_allclose(one.boxes[:, [0, 2]], width - other.boxes[:, [2, 0]])
        with open_film(key_frames.film(index).path) as film:
            moment = key_frames.times[index]
            shown = [frame for frame in film.frames() if float(frame.time) <= moment + 1 / 60 + 1e-9][-1]
            np.testing.assert_array_equal(one.image, shown.rgb())
    batch = collate([plain[Draw(0, 0)], plain[Draw(0, 1)]])
    assert (batch.weight, len(batch.boxes), batch.images[0].shape[0]) == (2, 2, 3)


def test_boxes_are_found_at_the_moments(data, stub, tmp_path):
    library = open_library(data / "films", ["a", "c", "none"])
    moments = [Moment("a", 0.5), Moment("a", 1.25), Moment("c", 0.0)]
    answers = [[(0.1, 0.1, 0.5, 0.5)], [], [(0.2, 0.2, 0.6, 0.6), (0, 0, 1, 1)]]
    found = find_persons(stub(lambda number: answers[number]), moments, library, time_origin=900)
    assert found[["video", "timestamp"]].to_numpy().tolist() == [["a", 900.5], ["c", 900], ["c", 900]]
    save_person_boxes(found, tmp_path / "boxes.csv")
    again = read_person_boxes(tmp_path / "boxes.csv")
    np.testing.assert_allclose(again[["x1", "y2", "score"]], found[["x1", "y2", "score"]], atol=1e-6)
    assert library.missing == ("none",)
