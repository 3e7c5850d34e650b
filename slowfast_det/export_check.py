"""Whether an exported file computes what the network computes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from ava_tools.errors import InputError

TOLERANCE = 1e-4
"""Largest difference of a logit that is a matter of rounding; beyond logits of 10 it grows with them."""

_PERSONS = (0, 1, 7)  # boxes of the clips that a file is checked with

Runner = Callable[[Tensor, Tensor], Tensor]
Shape = tuple[int, int, int, int, int]


class InexactExportError(InputError):
    """A file that does not compute what the network computes."""


def checked(name: str, network: nn.Module, run: Runner, shapes: Sequence[Shape]) -> float:
    """The largest difference of a logit between a network and a file, over clips with 0, 1 and 7 boxes.

    Args:
        name: of the model, for errors.
        network: what was exported.
        run: clip and boxes to the file's logits, see `onnx_runner`.
        shapes: of a clip for each number of boxes.

    Raises:
        InexactExportError: it is beyond rounding.
        InputError: the network itself gives no finite numbers.
    """
    random = torch.Generator().manual_seed(0)
    largest = 0.0
    for count, shape in zip(_PERSONS, shapes, strict=True):
        clip = torch.randn(shape, generator=random)
        boxes = _some_boxes(count, shape, random)
        with torch.inference_mode():
            expected, found = network(clip, boxes), run(clip, boxes)
        if not bool(expected.isfinite().all()):
            raise InputError(f"{name}: its logits are no finite numbers (damaged weights)")
        if found.shape != expected.shape:
            raise InexactExportError(
                f"{name}: what was exported gives {list(found.shape)} for {count} boxes, not "
                f"{list(expected.shape)}; nothing is written"
            )
        if count:
            difference = float((found - expected).abs().max())
            allowed = TOLERANCE * max(1.0, float(expected.abs().max()) / 10)
            if not difference <= allowed:
                raise InexactExportError(
                    f"{name}: what was exported differs from the network by {difference:.1e} in a logit of "
                    f"{count} boxes, more than {allowed:.1e}; nothing is written"
                )
            largest = max(largest, difference)
    return largest


def _some_boxes(count: int, clip: tuple[int, ...], random: torch.Generator) -> Tensor:
    """``Tensor[count, 5]``: boxes of all extents, down to less than a cell, some over the edge."""
    size = torch.tensor([clip[4], clip[3]])
    start = (torch.rand(count, 2, generator=random) * 0.9 - 0.05) * size
    extent = torch.rand(count, 2, generator=random) ** 2 * size
    index = torch.randint(clip[0], (count, 1), generator=random)
    return torch.cat([index, start, start + extent], dim=1)


def onnx_runner(path: Path) -> Runner:
    """Logits from an ONNX file."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return lambda clip, boxes: torch.from_numpy(
        session.run(["logits"], {"clip": clip.numpy(), "boxes": boxes.numpy()})[0]
    )


def torch_runner(path: Path) -> Runner:
    """Logits from an exported program."""
    with path.open("rb") as file:
        return torch.export.load(file).module()
