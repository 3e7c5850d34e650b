"""A second network in a file of ours: the person detector that a model brings along."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from slowfast_det.weights.files import WeightFile

_PREFIX = "persons."  # of its tensors' names
_METADATA = ("slowfast_det_persons", "detector")  # what `persons.detector_file` says of it


def companion_of(file: WeightFile) -> WeightFile | None:
    """The detector in a file, as a file of its own would hold it; None if there is none."""
    if not isinstance(file.content, Mapping):
        return None
    own = {str(name).removeprefix(_PREFIX): value for name, value in file.content.items() if _is_companions(name)}
    about = {key: value for key, value in file.metadata.items() if key in _METADATA}
    return WeightFile(file.path, own, about) if own else None


def without_companion(content: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors that are the model's own."""
    return {name: value for name, value in content.items() if not _is_companions(name)}


def with_prefix(companion: WeightFile) -> dict[str, Tensor]:
    """Its tensors as the common file calls them."""
    return {f"{_PREFIX}{name}": value for name, value in companion.content.items()}


def _is_companions(name: Any) -> bool:
    return isinstance(name, str) and name.startswith(_PREFIX)
