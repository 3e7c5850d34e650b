"""Open a weight file without running anything in it, and recognise by content what kind of file it is."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from ava_tools import safe_pickle
from ava_tools.errors import InputError
from slowfast_det.weights.torch_archive import check_archive, check_legacy

_EXPECTED = "a PyTorch checkpoint (.pth, .pyth), a pickle of arrays (.pkl) or a safetensors file is expected"
_ZIP = b"PK\x03\x04"  # what torch.save has written since 1.6
_TORCH_MAGIC = b"\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."  # and before: the number that its first pickle holds
_NUMBERS = (torch.float32, torch.float16, torch.bfloat16, torch.float64, torch.int64, torch.int32)
_PICKLES = (b"\x80", b"(", b"}")  # protocol 2 and later; a dict in protocol 0 and 1


class _Unread:
    """Stands for what trainings of mmengine keep beside the tensors (their logs): it takes all and does nothing."""

    def __init__(self, *_: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        pass


_NUMPY = [f"numpy.{core}.multiarray.{name}" for core in ("core", "_core") for name in ("scalar", "_reconstruct")]
_UNREAD: list[Any] = [
    (_Unread, name)
    for name in (
        "mmengine.logging.history_buffer.HistoryBuffer",
        *("builtins.getattr", "__builtin__.getattr", "_codecs.encode"),
        *("numpy.dtype", "numpy.ndarray", *_NUMPY),
    )
]


@dataclass(frozen=True)
class WeightFile:
    """What a file holds: its content as plain data and tensors, and a safetensors header's metadata."""

    path: Path
    content: Any
    metadata: Mapping[str, str] = field(default_factory=dict)


def open_weights(path: str | Path) -> WeightFile:
    """Read a PyTorch or safetensors file, or a pickle of plain data and arrays.

    Raises:
        InputError: missing, empty, cut off, foreign, or asking for code to be run; one sentence.
    """
    path = Path(path)
    try:
        if path.exists() and not path.is_file():  # a pipe or device may never end
            raise InputError(f"{path}: is no regular file; {_EXPECTED}")
        with path.open("rb") as file:
            head = file.read(1024)
    except OSError as problem:
        raise InputError(f"{path}: cannot be read ({problem.strerror})") from None
    if not head:
        raise InputError(f"{path}: the file is empty; {_EXPECTED}")
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") < path.stat().st_size:
        return _open_safetensors(path)
    if head.lstrip()[:1] == b"<" or head.startswith(b"version https://git-lfs"):
        raise InputError(f"{path}: is a text page, not weights (a download that failed?); {_EXPECTED}")
    if head.startswith(_PICKLES) and _TORCH_MAGIC not in head[:64]:
        try:
            return WeightFile(path, safe_pickle.load(path))
        except InputError as problem:
            raise InputError(f"{problem}; nothing in it was run") from None
    return _open_torch(path, head)


def _open_safetensors(path: Path) -> WeightFile:
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
            return WeightFile(path, tensors, file.metadata() or {})
    except (SafetensorError, OSError, RuntimeError) as problem:
        raise InputError(f"{path}: a safetensors file that is damaged or cut off ({problem})") from None


def _open_torch(path: Path, head: bytes) -> WeightFile:
    try:
        if head.startswith(_ZIP):
            check_archive(path)
        elif _TORCH_MAGIC in head[:64]:
            check_legacy(path)
        else:
            raise ValueError("what torch.save has never written")
        with path.open("rb") as file, warnings.catch_warnings():  # an open file: of a path torch minds the suffix
            warnings.simplefilter("ignore")  # its remarks on foreign pickles; the error below says it better
            with torch.serialization.safe_globals(_UNREAD):
                return WeightFile(path, torch.load(file, map_location="cpu", weights_only=True))
    except InputError as problem:
        raise InputError(f"{problem}; nothing in it was run; {_EXPECTED}") from None
    except Exception as problem:  # foreign bytes can fail anywhere in the reader
        asked = re.search(r"GLOBAL (\S+)", str(problem))
    if asked:
        name = safe_pickle.shown(asked[1])
        raise InputError(f"{path}: asks for {name}, which is no plain data; nothing in it was run; {_EXPECTED}")
    raise InputError(f"{path}: is damaged, cut off, or no weight file at all; nothing in it was run; {_EXPECTED}")


def refuse_broken(tensors: Mapping[str, Tensor], name: str) -> None:
    """Make sure that weights are numbers: a detector of others would find nobody, and say nothing.

    Raises:
        InputError: a tensor is of another kind, is empty, claims more numbers than the file holds, or holds NaN or an
            infinity.
    """
    for key, value in tensors.items():
        if value.dtype not in _NUMBERS or value.layout != torch.strided or value.is_meta:
            kind = "no plain array" if value.dtype in _NUMBERS else str(value.dtype).removeprefix("torch.")
            raise InputError(f"{name}: {safe_pickle.shown(key)} holds {kind}; plain floating numbers are expected")
        if not 0 < value.nbytes <= value.untyped_storage().nbytes():
            raise InputError(
                f"{name}: {safe_pickle.shown(key)} has the shape {list(value.shape)} with fewer numbers, or none; "
                "the file is damaged"
            )
        if not bool(value.isfinite().all()):
            raise InputError(f"{name}: {safe_pickle.shown(key)} holds numbers that are not finite; the file is damaged")


def state_dict_of(content: Any) -> dict[str, Tensor] | None:
    """The mapping as a state dict, if that is what it is."""
    if not isinstance(content, Mapping) or not content:
        return None
    if all(isinstance(name, str) and isinstance(value, Tensor) for name, value in content.items()):
        return dict(content)
    return None
