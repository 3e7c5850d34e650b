"""Layers in words, as table 1 of arXiv:1812.03982 writes them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from torch import nn

from slowfast_det.models.blocks import Bottleneck
from slowfast_det.models.classifier_head import ClassifierHead
from slowfast_det.models.nonlocal_block import NonLocal
from slowfast_det.models.roi_head import RoIHead


def written_kernels(part: nn.Module) -> tuple[str, ...]:
    """The kernels of a stage, a lateral connection or a head.

    ``5x7^2, 8, stride 1, 2^2`` looks at 5 frames of 7 x 7 places and gives 8 channels; its strides are 1 in time and 2
    in height and width. ``[1x1^2, 64; 1x3^2, 64; 1x1^2, 256] x 3`` is three residual blocks. Strides of blocks and the
    convolutions of their shortcuts are left out, as in the paper; dilations are told.

    Args:
        part: as it is built.

    Returns:
        A text for each kind of blocks, in the order in which they first come; for anything else one text.
    """
    if isinstance(part, nn.Sequential):
        counts = Counter(_block(block) for block in part if isinstance(block, Bottleneck))
        return tuple(f"{block} x {count}" for block, count in counts.items())
    return (_layer(part),)


def written_size(size: Sequence[int]) -> str:
    """Frames, height and width, or height and width alone, or nothing: ``4x56^2``, ``32x256x340``, ``2^2``."""
    if not size:
        return ""
    *frames, height, width = size
    places = f"{height}^2" if height == width else f"{height}x{width}"
    return "x".join([*map(str, frames), places])


def _layer(part: nn.Module) -> str:
    if isinstance(part, RoIHead):
        return "; ".join(_of_persons(part))
    if isinstance(part, ClassifierHead):
        places = "all places" if part.window is None else written_size((part.window, part.window))
        return "; ".join([f"average over time and {places}", *_linear(part)])
    if isinstance(part, nn.MaxPool3d):
        return f"{written_size(_three(part.kernel_size))} max, {_strides(_three(part.stride))}"
    convolutions = [module for module in part.modules() if isinstance(module, nn.Conv3d)]
    if not convolutions:
        return re.sub(r"(?<!^)(?=[A-Z])", " ", type(part).__name__).lower()
    return "; ".join(f"{_convolution(each)}, {_strides(each.stride)}" for each in convolutions)


def _of_persons(head: RoIHead) -> list[str]:
    over_time = "average over time" if head.temporal_pooling == "avg" else "max over time"
    steps = [over_time, f"RoIAlign {written_size((head.resolution, head.resolution))}, max"]
    if head.context == "frame":
        steps.append("beside the frame")
    elif head.relation is not None:
        steps.append(f"[{_convolution(head.relation.join.conv)}; {_convolution(head.relation.spread.conv)}], max")
    return [*steps, *_linear(head)]


def _linear(head: nn.Module) -> list[str]:
    return [f"fc {layer.out_features}" for layer in head.modules() if isinstance(layer, nn.Linear)]


def _block(block: Bottleneck) -> str:
    layers = [_convolution(layer.conv) for layer in (block.a, block.b, block.c)]
    if isinstance(block.non_local, NonLocal):
        layers.append(f"non-local, {block.non_local.g.out_channels}")
    return f"[{'; '.join(layers)}]"


def _convolution(layer: nn.Conv3d) -> str:
    dilated = f", dilation {layer.dilation[0]}, {layer.dilation[1]}^2" if max(layer.dilation) > 1 else ""
    return f"{written_size(layer.kernel_size)}, {layer.out_channels}{dilated}"


def _strides(strides: Sequence[int]) -> str:
    time, *places = strides
    return f"stride {time}, {written_size(places)}"


def _three(value: int | tuple[int, ...]) -> tuple[int, ...]:
    return (value, value, value) if isinstance(value, int) else value
