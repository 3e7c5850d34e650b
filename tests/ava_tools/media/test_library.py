"""Films by the names that annotations give them."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from ava_tools.errors import InputError
from ava_tools.media.library import find_film, open_library


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


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("frames", "frames"),
        ("broken", "broken.mp4"),
        ("broken.mp4", "broken.mp4"),
        ("day 1/film", "day 1/film.mkv"),
        ("day 1/film.mkv", "day 1/film.mkv"),
        ("day 1/am/frames", "day 1/am/frames"),
        ("notes", None),
        ("gone", None),
        ("film", None),
        ("day 1/gone", None),
        ("gone/film", None),
        ("broken.mp4/film", None),
        ("..", None),
        ("../folder/frames", None),
        ("day 1/../frames", None),
        ("day 1//film", None),
        ("./frames", None),
        ("", None),
        ("day 1/", None),
        ("a" * 5000 + "/film", None),
        ("day\0 1/film", None),
    ],
)
def test_a_film_by_its_name(folder, name, found):
    (folder / "day 1" / "am" / "frames").mkdir(parents=True)
    (folder / "day 1" / "film.mkv").write_bytes(b"")
    assert find_film(folder, name) == (None if found is None else folder / found)


def test_an_absolute_name_is_never_found(folder):
    assert find_film(folder, str(folder / "frames")) is None
    assert find_film(folder / "gone", "frames") is None


def test_films_in_folders_within(folder):
    (folder / "day 1").mkdir()
    cv2.imwrite(str(folder / "day 1" / "1.png"), np.zeros((20, 40, 3), np.uint8))
    (folder / "days").mkdir()
    (folder / "day 1").rename(folder / "days" / "day 1")
    library = open_library(folder, ["days/day 1", "days/day 2"])
    assert library.films["days/day 1"].width == 40
    assert library.missing == ("days/day 2",)
