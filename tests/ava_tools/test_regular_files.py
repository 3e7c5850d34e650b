"""Pipes and devices: whoever reads from one may wait for ever."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ava_tools.convert import ava, cvat, predictions
from ava_tools.convert.films import Films
from ava_tools.errors import InputError
from ava_tools.label_files import read_labels
from ava_tools.media.frame_folder import image_files
from ava_tools.tables import read_detections, read_key_frames, read_person_boxes, read_truth

READERS = {
    "truth": read_truth,
    "detections": read_detections,
    "boxes": read_person_boxes,
    "key frames": read_key_frames,
    "labels": read_labels,
    "cvat": lambda path: cvat.read(path, Films()),
    "ava": lambda path: ava.read(path, Films()),
    "predictions": lambda path: predictions.read(path, Films()),
}


@pytest.mark.parametrize("read", READERS.values(), ids=READERS.keys())
@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_nothing_without_an_end_is_read(tmp_path, read, kind):
    path = tmp_path / "file.csv"
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero")
    with pytest.raises(InputError, match=r"file.csv: is no regular file"):
        read(path)


def test_pipes_are_no_images(tmp_path):
    (tmp_path / "1.jpg").touch()
    os.mkfifo(tmp_path / "2.jpg")
    assert [path.name for path in image_files(Path(tmp_path))] == ["1.jpg"]
