"""A model as one file that runs without this library: ONNX, or an exported program of PyTorch.

The file takes what the network takes, a clip and the persons' boxes, and gives logits. Everything else
that one needs (how frames are prepared, the actions, what the tensors mean) stands in it as json, under
`METADATA`: in ONNX's ``metadata_props``, in an exported program's ``extra_files``.
"""

from __future__ import annotations

import json
import logging
import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.export import Dim, ExportedProgram

from ava_tools.atomic import replacing
from ava_tools.errors import InputError
from slowfast_det.checkpoints.model import Model
from slowfast_det.clips.sample import TIMELINE_RATE
from slowfast_det.export_check import Shape, checked, onnx_runner, torch_runner
from slowfast_det.weights.writing import library_version

METADATA = "slowfast_det.json"
INSTALL = "pip install slowfast-det[export]"
_OPSET = 18  # the first with every operator as the exporter writes it; RoiAlign's half-pixel modes need 16
_CELLS = 2  # PyTorch exports no free size that may be a single cell, of the features or where they are pooled


@dataclass(frozen=True)
class Exported:
    """A file that was written.

    Attributes:
        free: which of B (clips), H, W (pixels) and K (boxes) may be any number in it.
        difference: the largest one of a logit from the network's, over clips with 0, 1 and 7 boxes; None
            if nothing is installed that runs the file.
    """

    path: Path
    free: tuple[str, ...]
    difference: float | None


@dataclass(frozen=True)
class _Sizes:
    """B, H, W of the clips that a file takes, None where any will do; ``least`` is the least free H or W."""

    batch: int | None
    height: int | None
    width: int | None
    frames: int
    stride: int
    least: int

    def __post_init__(self) -> None:
        for name, least in (("batch", 1), ("height", self.stride), ("width", self.stride)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise InputError(f"{name} is {value}; {least} or more is expected")

    @property
    def named(self) -> dict[int, str]:
        """The free dimensions of the clip, by their index."""
        of_clip = {0: ("B", self.batch), 3: ("H", self.height), 4: ("W", self.width)}
        return {index: name for index, (name, value) in of_clip.items() if value is None}

    def clip(self, batch: int, height: int, width: int) -> Shape:
        """Shape of a clip of these sizes where they are free."""
        return (self.batch or batch, 3, self.frames, self.height or height, self.width or width)

    def samples(self, side: int) -> tuple[Shape, Shape, Shape]:
        """Shapes of clips to check a file with; ``side`` is the shorter one that the network is used with."""
        least = self.least
        return (
            self.clip(1, 2 * least, least),
            self.clip(1, side, side * 4 // 3),
            self.clip(2, 3 * least + 5, 2 * least + 11),
        )


def export_onnx(
    model: Model,
    path: str | Path,
    *,
    batch: int | None = None,
    height: int | None = None,
    width: int | None = None,
) -> Exported:
    """Write a model as one ONNX file (opset 18) and check it under onnxruntime, if that is installed.

    Args:
        model: its network is exported with float32 weights, in evaluation mode; it is not changed itself.
        path: the file; it appears, or replaces another one, only when it is complete and checked.
        batch, height, width: clips and their pixels where the file is to take no others; None: any number,
            from two cells of the features on (32 pixels, 64 with non-local
            blocks). The number of boxes is always free.

    Raises:
        InputError: a library is missing, a size is too small, or the path cannot be written.
        InexactExportError: the file does not compute what the network computes.
    """
    if missing := [name for name in ("onnx", "onnxscript") if find_spec(name) is None]:
        raise InputError(f"ONNX files need {' and '.join(missing)}: {INSTALL}")
    network, sizes = _frozen(model), _sizes(model, batch, height, width)
    with replacing(path) as temporary, _quiet():
        program = torch.onnx.export(
            _traced(network, sizes),
            input_names=["clip", "boxes"],
            output_names=["logits"],
            dynamic_shapes=(sizes.named, {0: "K"}),
            opset_version=_OPSET,
            dynamo=True,
            verbose=False,
        )
        assert program is not None
        for node in program.model.graph.all_nodes():
            node.metadata_props.clear()  # the exporter's notes, with paths of this machine
        program.model.metadata_props.clear()
        program.model.metadata_props[METADATA] = _described(model, sizes)
        program.save(temporary, external_data=False)
        difference = None
        if find_spec("onnxruntime") is not None:
            difference = checked(model.name, network, onnx_runner(temporary), sizes.samples(model.clip.short_side))
    return Exported(Path(path), (*sizes.named.values(), "K"), difference)


def export_torch(
    model: Model,
    path: str | Path,
    *,
    batch: int | None = None,
    height: int | None = None,
    width: int | None = None,
) -> Exported:
    """Write a model as an exported program (``.pt2``) and check what is read back from it.

    ``import torchvision`` and ``torch.export.load(path).module()`` are all that it takes to run it.

    For arguments and errors see `export_onnx`.
    """
    network, sizes = _frozen(model), _sizes(model, batch, height, width)
    with replacing(path) as temporary, _quiet():
        program = _traced(network, sizes)
        for node in program.graph.nodes:
            node.meta.pop("stack_trace", None)  # paths of this machine
        program.example_inputs = None  # they would be saved too
        with temporary.open("wb") as file:  # a path that does not end in .pt2 would be warned of
            torch.export.save(program, file, extra_files={METADATA: _described(model, sizes)})
        difference = checked(model.name, network, torch_runner(temporary), sizes.samples(model.clip.short_side))
    return Exported(Path(path), (*sizes.named.values(), "K"), difference)


def _frozen(model: Model) -> nn.Module:
    """A copy of the network that computes the exact scores."""
    return deepcopy(model.network).cpu().float().eval().requires_grad_(False)


def _sizes(model: Model, batch: int | None, height: int | None, width: int | None) -> _Sizes:
    network = model.config.network
    cells = [network.feature_stride]  # in pixels: what must be there at least twice
    for entry in network.non_local:
        stride = 4 * math.prod(network.strides[: int(entry.stage[-1]) - 1])
        cells.append(stride * max(entry.pool[1:]))
    return _Sizes(batch, height, width, model.clip.num_frames, network.feature_stride, _CELLS * max(cells))


def _traced(network: nn.Module, sizes: _Sizes) -> ExportedProgram:
    """The network as a graph. Only the shapes of what it is traced with count; 1 would be taken for fixed."""
    clip = torch.zeros(sizes.clip(2, 2 * sizes.least, 3 * sizes.least))
    boxes = torch.tensor([[0, 1, 1, 20, 20]] * 3, dtype=torch.float32)
    least = {"B": 1, "H": sizes.least, "W": sizes.least}
    free = {index: Dim(name, min=least[name]) for index, name in sizes.named.items()}
    return torch.export.export(network, (clip, boxes), dynamic_shapes=(free, {0: Dim("K", min=0)}), strict=False)


def _described(model: Model, sizes: _Sizes) -> str:
    """What stands in the file beside the network."""
    shape: list[str | int] = [sizes.batch or "B", 3, sizes.frames, sizes.height or "H", sizes.width or "W"]
    preparation = (
        "(pixel / 255 - mean) / std of every frame, its shorter side resized to short_side, nothing cropped; "
        f"frame i is that (i * sampling_rate - {sizes.frames * model.clip.sampling_rate // 2 - model.clip.index_base}) "
        f"/ {TIMELINE_RATE} s from the key frame"
    )
    boxes = "a row a person: index of its clip in the batch, then x1, y1, x2, y2 in pixels of the clip; K may be 0"
    content: dict[str, Any] = {
        "library": {"name": "slowfast-det", "version": library_version()},
        "model": model.name,
        "clip": model.clip.model_dump(mode="json"),
        "labels": [{"id": action.id, "name": action.name} for action in model.labels],
        "inputs": {
            "clip": {"shape": shape, "type": "float32", "meaning": preparation},
            "boxes": {"shape": ["K", 5], "type": "float32", "meaning": boxes},
        },
        "outputs": {
            "logits": {
                "shape": ["K", len(model.labels)],
                "type": "float32",
                "meaning": f"a column an action, as labels are ordered; scores are their {model.config.activation}",
            }
        },
        "smallest": {name: sizes.least for name in sizes.named.values() if name in "HW"},
    }
    return json.dumps(content, ensure_ascii=False, indent=1)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporters' remarks to themselves; what matters is raised or checked."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
