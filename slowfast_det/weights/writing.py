"""Write weight files; what goes wrong is told of the file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from ava_tools.atomic import replacing
from ava_tools.errors import InputError


def save_weights(path: str | Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write a safetensors file; it appears under its name only when it is complete.

    Raises:
        InputError: it cannot be written.
    """
    own: dict[str, Tensor] = {}
    places: set[int] = set()
    for name, tensor in tensors.items():
        place = tensor.untyped_storage().data_ptr()
        own[name] = tensor.clone() if place in places else tensor.contiguous()  # safetensors shares no memory
        places.add(place)
    with replacing(path) as temporary, told_as_of(path):
        save_file(own, temporary, dict(metadata))


@contextmanager
def told_as_of(path: str | Path) -> Iterator[None]:
    """What libraries raise when a disk is full, as one sentence that names the file."""
    try:
        yield
    except (SafetensorError, RuntimeError, OSError) as problem:
        reason = getattr(problem, "strerror", None) or str(problem).partition("\n")[0]
        raise InputError(f"{path}: cannot be written ({reason})") from None


def library_version() -> str:
    """The version that is running."""
    try:
        return version("slowfast-det")
    except PackageNotFoundError:  # run from a checkout that was never installed
        return "0"
