"""Files of person detectors that were trained here: safetensors whose metadata say what they find, and how."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, StringConstraints
from torch import Tensor

from ava_tools.errors import InputError
from ava_tools.settings import Settings, parse_settings
from slowfast_det.weights.writing import library_version, save_weights

_KEY = "slowfast_det_persons"  # the metadata entry by which such a file is known; its value is the version
MOST_CLASSES = 10_000
"""A file could claim any number of classes in few bytes, and the network would be built for all of them."""
Name = Annotated[str, StringConstraints(min_length=1, max_length=1000)]


class About(Settings):
    """What a detector is, beside its weights."""

    network: Name
    """A name of `DETECTORS`, or small_faster_rcnn."""
    classes: tuple[Name, ...] = Field(min_length=1, max_length=MOST_CLASSES)
    """What its labels 1, 2, ... are called."""
    min_size: int | None = Field(None, ge=16, le=4096)
    """Shorter side of the resized frame, pixels; None: the network's own, as with the next two."""
    max_size: int | None = Field(None, ge=16, le=8192)
    """Its longer side at most."""
    max_overlap: float | None = Field(None, ge=0, le=1)
    """Largest IoU of two detections of a class."""
    min_score: float | None = Field(None, ge=0, le=1)
    """Score above which detections count where nobody says otherwise."""


def save_detector(path: str | Path, tensors: Mapping[str, Tensor], about: About) -> None:
    """Write a detector; it appears under its name only when it is complete."""
    save_weights(path, tensors, {_KEY: library_version(), "detector": about.model_dump_json()})


def is_detector(metadata: Mapping[str, str]) -> bool:
    """Whether a safetensors file was written by `save_detector`."""
    return _KEY in metadata


def read_about(metadata: Mapping[str, str], name: str) -> About | None:
    """What a file of ours says of its detector; None for other files.

    Raises:
        InputError: the metadata are not what `save_detector` writes.
    """
    if not is_detector(metadata):
        return None
    try:
        content: Any = json.loads(metadata["detector"])
    except (KeyError, ValueError, RecursionError):
        raise InputError(f"{name}: its metadata lack a readable 'detector'") from None
    return parse_settings(About, content, f"{name} (what it says of its detector)")
