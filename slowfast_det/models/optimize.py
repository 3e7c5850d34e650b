"""Copies of networks for inference: less arithmetic for the same answers."""

from __future__ import annotations

import copy
import math
from itertools import pairwise
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from slowfast_det.models.backbone import SlowFast
from slowfast_det.models.blocks import ConvNorm, Stem
from slowfast_det.models.fused import FramePool, FusedConvNorm, FusedStem, triple
from slowfast_det.precision import Precision, half_type

N = TypeVar("N", bound=nn.Module)
_STATISTICS = ("running_mean", "running_var", "weight", "bias", "eps")  # what any batch norm has, a frozen one too

# Frames of which a processor computes the slow pathway's first stages at once. All of them make features of 50 MB and
# more, which the system hands out page by page at every call: 8 of 256 x 340 took 6 % longer at once than 4 by 4.
_FRAMES = 4


def optimized(network: N, num_frames: int, precision: Precision = "auto", *, compiled: bool = False) -> N:
    """A copy of a network of clips for inference: the same answers in a fraction of the time.

    Norms are folded into their convolutions, the numbers of a place lie together, convolutions take the form that is
    fast on the device (`FusedConvNorm`), the backbone computes in the precision's type of numbers. The head keeps
    float32. What it was made from stays as it is; it can be neither trained, saved nor moved to another device.

    Args:
        network: with a ``backbone`` and a ``head``.
        num_frames: of its clips.
        precision: ``auto`` is bf16 on a GPU that has it, else fp32. In fp32 logits differ by 1e-4 at most, by
            rounding; scores of bf16 and fp16 by 0.01.
        compiled: whether torch.compile writes the backbone's code instead, at the first call for each size of clips.
            On a processor it needs a C++ compiler and half a minute, and was slower (by 1.3 in fp32, 2.1 in bf16).
    """
    if isinstance(network.get_submodule("backbone"), _InType):
        raise TypeError("a copy for inference cannot be made of another one; the network that it was made from can")
    network = copy.deepcopy(network).eval().requires_grad_(False)
    device = next(network.parameters()).device
    kind = half_type(precision, device) or torch.float32
    backbone = network.get_submodule("backbone")
    _fold(backbone)
    for part in backbone.modules():
        if isinstance(part, Stem):
            _skip_unseen_frames(part)
    backbone.to(kind).to(memory_format=torch.channels_last_3d)
    if compiled:
        backbone.compile(options={"triton.cudagraphs": True} if device.type == "cuda" else {"freezing": True})
    else:
        _fuse(backbone, num_frames, device)
    network.add_module("backbone", _InType(backbone, kind, copies=compiled))
    network.register_state_dict_pre_hook(_refuse_to_save)  # type: ignore[no-untyped-call]
    return network


def _refuse_to_save(*_: object) -> None:
    raise TypeError("a copy for inference has weights that nobody could read; save the network that it was made from")


class _InType(nn.Module):
    """A backbone that computes in a type of numbers, and hands out float32."""

    def __init__(self, backbone: nn.Module, kind: torch.dtype, copies: bool) -> None:
        """``copies``: what it hands out must outlive the next call, which overwrites what a graph of CUDA made."""
        super().__init__()
        self.backbone, self.kind, self.copies = backbone, kind, copies

    def forward(self, clip: Tensor) -> tuple[Tensor, ...]:
        """``Tensor[B, 3, T, H, W]`` to the features of each pathway."""
        features = self.backbone(clip.to(self.kind, memory_format=torch.channels_last_3d))
        return tuple(pathway.to(torch.float32, copy=self.copies) for pathway in features)


def _skip_unseen_frames(stem: Stem) -> None:
    """Let the convolution step over the frames that the pooling behind it would step over."""
    conv, pool = stem.first.conv, stem.pool
    time, height, width = triple(pool.stride)
    conv.stride = (conv.stride[0] * time, *conv.stride[1:])
    pool.stride = (1, height, width)


def _fuse(backbone: nn.Module, num_frames: int, device: torch.device) -> None:
    """Put the fast forms of layers in the place of those that are written step by step."""
    on_processor = device.type == "cpu"
    for module in list(backbone.modules()):
        for name, part in module.named_children():
            if on_processor and isinstance(part, Stem) and FusedStem.fits(part, num_frames):
                module.add_module(name, FusedStem(part))
            elif isinstance(part, ConvNorm):
                module.add_module(name, FusedConvNorm(part.conv))
            elif isinstance(part, nn.MaxPool3d) and FramePool.fits(part):
                module.add_module(name, FramePool(part))
        if on_processor and isinstance(module, SlowFast):
            module.frames_together = math.gcd(len(module.get_buffer("slow_frames")), _FRAMES)


def folded(network: N) -> N:
    """A copy in which batch norms are part of the convolutions before them; for inference only.

    A norm follows the convolution that is registered right before it in the same module. Results differ by rounding.
    """
    network = copy.deepcopy(network)
    _fold(network)
    return network


def _fold(network: nn.Module) -> None:
    for module in list(network.modules()):
        for (before, convolution), (name, norm) in pairwise(module.named_children()):
            if isinstance(convolution, nn.Conv2d | nn.Conv3d) and all(hasattr(norm, part) for part in _STATISTICS):
                setattr(module, before, _fused(convolution, norm))
                setattr(module, name, nn.Identity())


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
