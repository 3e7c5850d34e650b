"""What a test's number rests on, so that two numbers can be compared, or told apart."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from torch import Tensor

from ava_tools.atomic import replacing
from ava_tools.media.library import Library
from slowfast_det.checkpoints.model import Model
from slowfast_det.recipe import Recipe
from slowfast_det.testing import Examination, Tested

_LIBRARIES = ("slowfast-det", "torch", "torchvision", "numpy", "av", "opencv-python-headless")


def save_fingerprint(path: Path, examination: Examination, tested: Tested, model: Model, recipe: Recipe) -> None:
    """Write weights, annotations, films and protocol of a test as json, files and weights by their SHA-256."""
    data_set, split = examination.data_set, examination.split
    content: dict[str, Any] = {
        "protocol": recipe.protocol,
        "mean_ap": tested.report.mean_ap,
        "weights": {"name": model.name, "sha256": _of_tensors(model.network.state_dict())},
        "model": model.config.model_dump(mode="json"),
        "precision": recipe.precision,
        "device": model.device.type,
        "persons": recipe.persons.model_dump(mode="json"),
        "detector": _of_files([Path(recipe.persons.source)]) if Path(recipe.persons.source).is_file() else [],
        "truth": _of_files(split.truth),
        "boxes": _of_files(split.boxes),
        "excluded": _of_files([] if split.excluded is None else [split.excluded]),
        "time": data_set.model_dump(mode="json", include={"time_origin", "frame_rate", "start", "end"})
        | {"every": split.every},
        "labels": {str(action.id): [action.name, action.scored] for action in model.labels},
        "key_frames": {"annotated": len(examination.moments), "scored": len(tested.keyframes)},
        "person_boxes": sum(len(keyframe.boxes) for keyframe in tested.keyframes),
        "films": {
            "read": len(examination.library.films),
            "missing": len(examination.library.missing),
            "broken": len(examination.library.broken),
            "sha256": _of_films(examination.library),
        },
        "versions": {name: version(name) for name in _LIBRARIES},
    }
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _of_files(paths: Iterable[Path]) -> list[dict[str, str]]:
    return [{"name": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()} for path in paths]


def _of_tensors(state: dict[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name in sorted(state):
        digest.update(name.encode())
        digest.update(state[name].cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _of_films(library: Library) -> str:
    """Films by name, size in pixels, rate and length: what a re-encoding may change, but not its every byte."""
    digest = hashlib.sha256()
    for name in sorted(library.films):
        film = library.films[name]
        digest.update(f"{name} {film.width}x{film.height} {film.rate} {film.duration}\n".encode())
    return digest.hexdigest()
