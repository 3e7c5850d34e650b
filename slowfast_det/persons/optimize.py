"""Copies of Faster R-CNNs for inference: less arithmetic for the same persons."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate
from torchvision.models.resnet import Bottleneck
from torchvision.ops import Conv2dNormActivation, FeaturePyramidNetwork, MultiScaleRoIAlign

from slowfast_det.models.fused import FusedConvNorm
from slowfast_det.models.optimize import folded
from slowfast_det.models.roi_align import roi_align_by_level
from slowfast_det.precision import Precision, half_type

N = TypeVar("N", bound=nn.Module)


def for_inference(
    network: N, parts: Callable[[N], Iterable[nn.Module]], precision: Precision, device: torch.device
) -> N:
    """A network as a precision wants it.

    Args:
        network: in evaluation mode.
        parts: those that are made of layers alone, which may compute in half precision, see `lower`.
        precision: fp32 is the network itself, computed step by step as it is written; with the others it is a copy
            that is equal but for their rounding: its norms are folded, the numbers of a pixel lie together, and
            torchvision's slow layers are replaced.
        device: where it computes.
    """
    if precision == "fp32":
        return network
    fast = folded(network).requires_grad_(False).to(memory_format=torch.channels_last)
    if (kind := half_type(precision, device)) is not None:
        lower(parts(fast), kind)
    for module in list(fast.modules()):
        for name, part in module.named_children():
            if isinstance(part, Bottleneck):
                module.add_module(name, _FusedBottleneck(part))
            elif isinstance(part, FeaturePyramidNetwork) and all(map(_is_linear, _blocks(part))):
                module.add_module(name, _FusedPyramid(part))
            elif isinstance(part, Conv2dNormActivation) and _ends_in_relu(part):
                module.add_module(name, _FusedConvRelu(part[0]))
            elif isinstance(part, MultiScaleRoIAlign):
                module.add_module(name, _RegionPool(part))
    return fast


class _FusedBottleneck(nn.Module):
    """What torchvision's `Bottleneck` does whose norms are folded into its convolutions."""

    def __init__(self, block: Bottleneck) -> None:
        super().__init__()
        self.first, self.second, self.third = map(FusedConvNorm, (block.conv1, block.conv2, block.conv3))
        self.shortcut = None if block.downsample is None else FusedConvNorm(block.downsample[0])

    def forward(self, x: Tensor) -> Tensor:
        """``Tensor[B, C, H, W]``, which is overwritten, -> ``Tensor[B, C', H', W']``."""
        inner = self.second(self.first(x, relu=True), relu=True)
        added: Tensor = self.third(inner, add=x if self.shortcut is None else self.shortcut(x), relu=True)
        return added


class _FusedPyramid(nn.Module):
    """What torchvision's `FeaturePyramidNetwork` does whose blocks are convolutions, with fewer large maps."""

    def __init__(self, pyramid: FeaturePyramidNetwork) -> None:
        super().__init__()
        self.inner = nn.ModuleList(FusedConvNorm(block[0]) for block in pyramid.inner_blocks)
        self.outer = nn.ModuleList(FusedConvNorm(block[0]) for block in pyramid.layer_blocks)
        self.extra = pyramid.extra_blocks

    def forward(self, maps: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Maps ``Tensor[B, C, H, W]``, the largest first, -> as many with equal channels, and further ones."""
        names, given = list(maps), list(maps.values())
        found: list[Tensor] = []
        above: Tensor | None = None
        for inner, outer, own in reversed(list(zip(self.inner, self.outer, given, strict=True))):
            above = inner(own, add=None if above is None else interpolate(above, size=own.shape[2:], mode="nearest"))
            found.insert(0, outer(above))
        if self.extra is not None:
            found, names = self.extra(found, given, names)
        return OrderedDict(zip(names, found, strict=True))


def _blocks(pyramid: FeaturePyramidNetwork) -> list[nn.Module]:
    return [*pyramid.inner_blocks, *pyramid.layer_blocks]


class _FusedConvRelu(nn.Module):
    """What torchvision's `Conv2dNormActivation` does that ends in a ReLU, its norm folded into the convolution."""

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        self.conv = FusedConvNorm(conv)

    def forward(self, x: Tensor) -> Tensor:
        """``Tensor[B, C, H, W]`` -> ``Tensor[B, C', H', W']``."""
        cut: Tensor = self.conv(x, relu=True)
        return cut


def _ends_in_relu(layers: Conv2dNormActivation) -> bool:
    return _kinds(layers) == [nn.Conv2d, nn.ReLU]


def _is_linear(block: nn.Module) -> bool:
    return isinstance(block, nn.Sequential) and _kinds(block) == [nn.Conv2d]


def _kinds(layers: nn.Sequential) -> list[type[nn.Module]]:
    return [type(layer) for layer in layers if not isinstance(layer, nn.Identity)]


class _RegionPool(nn.Module):
    """What torchvision's `MultiScaleRoIAlign` does whose maps are known."""

    def __init__(self, pool: MultiScaleRoIAlign) -> None:
        super().__init__()
        self._pool = pool

    def forward(self, maps: Mapping[str, Tensor], boxes: Sequence[Tensor], _: object) -> Tensor:
        """Maps ``Tensor[B, C, H, W]``, boxes ``Tensor[R, 4]`` of each picture -> ``Tensor[all R, C, size, size]``."""
        pool = self._pool
        assert pool.scales is not None
        assert pool.map_levels is not None
        return roi_align_by_level(
            [maps[name] for name in pool.featmap_names if name in maps],
            boxes,
            pool.map_levels(boxes),
            pool.scales,
            pool.output_size[0],
            sampling_ratio=pool.sampling_ratio,
            aligned=False,
        )


def lower(parts: Iterable[nn.Module], kind: torch.dtype) -> None:
    """Let parts of a network compute in half precision; what goes in and comes out is float32 as before.

    Their weights are converted once. Whatever lies between the parts (anchors, boxes, non-maximum suppression)
    keeps its precision: bf16 has 8 bits, too few for the pixels of a frame.
    """
    for part in parts:
        part.to(kind)
        part.register_forward_pre_hook(lambda _, inputs: _converted(inputs, kind))
        keep_float(part)


def keep_float(part: nn.Module) -> None:
    """Let what comes out of a part be float32, whatever it computes in."""
    part.register_forward_hook(lambda _, inputs, output: _converted(output, torch.float32))


def _converted(value: Any, kind: torch.dtype) -> Any:
    """A tensor, or tensors in containers, as another kind of numbers."""
    if isinstance(value, Tensor):
        return value.to(kind)
    if isinstance(value, Mapping):
        return type(value)((key, _converted(inner, kind)) for key, inner in value.items())  # type: ignore[call-arg]
    return type(value)(_converted(inner, kind) for inner in value)
