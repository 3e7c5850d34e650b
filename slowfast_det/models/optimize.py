"""Copies of networks for inference: less arithmetic for the same answers."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from slowfast_det.precision import Precision, half_type

N = TypeVar("N", bound=nn.Module)
_STATISTICS = ("running_mean", "running_var", "weight", "bias", "eps")  # what any batch norm has, a frozen one too


def for_inference(
    network: N, parts: Callable[[N], Iterable[nn.Module]], precision: Precision, device: torch.device
) -> N:
    """A network as a precision wants it.

    Args:
        network: in evaluation mode.
        parts: those that are made of layers alone, which may compute in half precision, see `lower`.
        precision: fp32 is the network itself, computed step by step as it is written; with the others it is a copy
            that is equal but for their rounding: its norms are folded, the numbers of a pixel lie together.
        device: where it computes.
    """
    if precision == "fp32":
        return network
    fast = folded(network).to(memory_format=torch.channels_last)
    if (kind := half_type(precision, device)) is not None:
        lower(parts(fast), kind)
    return fast


def folded(network: N) -> N:
    """A copy in which batch norms are part of the convolutions before them; for inference only.

    A norm follows the convolution that is registered right before it in the same module. Results differ by rounding.
    """
    network = copy.deepcopy(network)
    for module in list(network.modules()):
        for (before, convolution), (name, norm) in pairwise(module.named_children()):
            if isinstance(convolution, nn.Conv2d | nn.Conv3d) and all(hasattr(norm, part) for part in _STATISTICS):
                setattr(module, before, _fused(convolution, norm))
                setattr(module, name, nn.Identity())
    return network


def _fused(convolution: nn.Conv2d | nn.Conv3d, norm: Any) -> nn.Conv2d | nn.Conv3d:
    weight, bias = fuse_conv_bn_weights(
        convolution.weight,
        convolution.bias,
        norm.running_mean,
        norm.running_var,
        norm.eps,
        norm.weight,
        norm.bias,
    )
    convolution.weight, convolution.bias = weight, bias
    return convolution


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
