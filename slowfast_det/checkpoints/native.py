"""Our own checkpoints: one safetensors file that needs no other file to predict.

Its metadata carry the configuration (network, clips with their normalisation), the labels, the scores from which
actions are shown, and the version that wrote it, all as json. A person detector may come along (`weights.companion`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from ava_tools.errors import InputError
from ava_tools.labels import Action, Labels
from slowfast_det.config import Config, parse_config
from slowfast_det.weights.companion import with_prefix
from slowfast_det.weights.files import WeightFile
from slowfast_det.weights.writing import library_version, save_weights

_KEY = "slowfast_det"  # the metadata entry by which a file of ours is known; its value is the version


def is_native(metadata: Mapping[str, str]) -> bool:
    """Whether a safetensors file was written by `save`."""
    return _KEY in metadata


def save(
    path: str | Path,
    tensors: Mapping[str, Tensor],
    config: Config,
    labels: Labels,
    thresholds: tuple[float, ...] | None = None,
    companion: WeightFile | None = None,
) -> None:
    """Write a checkpoint; it appears under its name only when it is complete."""
    actions = [[action.id, action.name, action.kind, action.scored] for action in labels]
    metadata = {_KEY: library_version(), "config": config.model_dump_json(), "labels": json.dumps(actions)}
    if thresholds is not None:
        metadata["thresholds"] = json.dumps(thresholds)
    own = dict(tensors)
    if companion is not None:
        own |= with_prefix(companion)
        metadata = dict(companion.metadata) | metadata
    save_weights(path, own, metadata)


def read_metadata(metadata: Mapping[str, str], name: str) -> tuple[Config, Labels, tuple[float, ...] | None]:
    """Configuration, labels and thresholds of a file of ours.

    Raises:
        InputError: the metadata are not what `save` writes.
    """
    config = parse_config(_json(metadata, "config", name), f"{name} (its config)")
    try:
        labels = Labels(
            tuple(
                Action(int(id_), str(label), kind, bool(scored))
                for id_, label, kind, scored in _json(metadata, "labels", name)
            )
        )
    except (TypeError, ValueError, OverflowError):
        raise InputError(f"{name}: its labels are no list of [id, name, kind, scored]") from None
    if len(labels) != config.network.num_actions:
        raise InputError(
            f"{name}: names {len(labels)} actions, but its network has {config.network.num_actions} outputs"
        )
    return config, labels, _thresholds(metadata, len(labels), name)


def _thresholds(metadata: Mapping[str, str], count: int, name: str) -> tuple[float, ...] | None:
    if "thresholds" not in metadata:
        return None
    content = _json(metadata, "thresholds", name)
    numbers = content if isinstance(content, list) else []
    if len(numbers) != count or not all(isinstance(number, float | int) and 0 <= number <= 1 for number in numbers):
        raise InputError(f"{name}: its thresholds are no list of {count} scores from 0 to 1")
    return tuple(float(number) for number in numbers)


def _json(metadata: Mapping[str, str], key: str, name: str) -> Any:
    try:
        return json.loads(metadata[key])
    except (KeyError, ValueError, RecursionError):
        raise InputError(f"{name}: its metadata lack a readable {key!r}") from None
