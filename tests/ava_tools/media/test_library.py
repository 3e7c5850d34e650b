"""Films by the names that annotations give them."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from ava_tools.errors import InputError
from ava_tools.media.library import open_library


@pytest.fixture
def folder(tmp_path):
    for name in ("frames", "empty"):
        (tmp_path / name).mkdir()
    cv2.imwrite(str(tmp_path / "frames" / "1.png"), np.zeros((20, 30, 3), np.uint8))
    (tmp_path / "broken.mp4").write_bytes(b"no film")
    (tmp_path / "notes.txt").write_text("frames")
    return tmp_path


def test_found_missing_broken(folder):
    seen = []
    names = ["frames", "gone", "broken", "frames", "notes", "../frames", "empty", "broken.mp4"]
    library = open_library(folder, names, frame_rate=10, advance=lambda: seen.append(1))
    assert list(library.films) == ["frames"]
    assert (library.films["frames"].width, library.films["frames"].rate) == (30, 10)
    assert library.missing == ("gone", "notes", "../frames")
    assert set(library.broken) == {"broken", "empty", "broken.mp4"}
    assert len(seen) == 4
    missing, broken = library.report
    assert missing == "3 of 7 films are missing: gone, notes, ../frames"
    assert "3 of 7 films cannot be read: " in broken


def test_all_there(folder):
    assert open_library(folder, ["frames"]).report == ()


def test_no_folder(folder):
    with pytest.raises(InputError, match="cannot be read as a folder of films"):
        open_library(folder / "notes.txt", ["a"])
