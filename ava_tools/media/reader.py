"""Open what a user calls a film."""

from __future__ import annotations

from pathlib import Path

from ava_tools.media.film import Film
from ava_tools.media.frame_folder import FrameFolder
from ava_tools.media.frames import FrameSource


def open_film(path: str | Path, frame_rate: float = 30.0, warn: bool = True, threads: int | None = None) -> FrameSource:
    """Open a film file, or a folder of extracted frames.

    Args:
        path: a film of any kind that FFmpeg reads, or a folder with one image a frame.
        frame_rate: images a second of a folder; 30 is what AVA's and PySlowFast's extraction writes.
        warn: whether damage is told; a film that is read twice tells it once.
        threads: that decode a film; None for as many as the machine has cores. One is best where every core
            has a process of its own.

    Raises:
        InputError: there is no such film, or nothing in it can be decoded.
    """
    path = Path(path)
    return FrameFolder(path, frame_rate, warn) if path.is_dir() else Film(path, warn, threads)
