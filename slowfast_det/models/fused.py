"""Layers of a network for inference, whose numbers of a place lie together: fast forms of those in `blocks`."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, conv3d

from slowfast_det.models.blocks import Stem

_onednn: Any = torch.ops.mkldnn  # the operators that torch.compile writes for processors
_LANES = 16  # numbers that a processor computes at once


class FusedConvNorm(nn.Module):
    """What a `ConvNorm` does whose norm is folded into its convolution.

    A convolution that does nothing over time, or nothing but that, is one over two dimensions: of the same numbers,
    seen in another way. On processors oneDNN adds and cuts off while the results are still in registers, and has the
    weights in the order in which it reads them for clips of the size that came last.
    """

    def __init__(self, conv: nn.Conv2d | nn.Conv3d) -> None:
        """``conv``: over time and places, or over places alone, in the type of numbers in which it is computed."""
        super().__init__()
        weight = conv.weight.detach()
        of_time = weight.dim() == 5
        self._over_places = of_time and (conv.kernel_size[0], conv.stride[0]) == (1, 1)
        flat = (conv.kernel_size[1:], conv.stride[1:]) == ((1, 1), (1, 1))
        self._over_time = of_time and not self._over_places and flat
        axes = slice(0, 3)
        if self._over_places:
            axes, weight = slice(1, 3), weight.squeeze(2)
        elif self._over_time:
            axes, weight = slice(0, 2), weight.squeeze(4)
        layout = torch.channels_last if weight.dim() == 4 else torch.channels_last_3d
        self.weight: Tensor
        self.bias: Tensor | None
        self.register_buffer("bias", None if conv.bias is None else conv.bias.detach())
        self._padding, self._stride, self._dilation = (
            [int(number) for number in value[axes]] for value in (conv.padding, conv.stride, conv.dilation)
        )
        self._groups = conv.groups
        self._by_onednn = _onednn_computes(weight)
        if self._by_onednn:
            self._packed: tuple[torch.Size | None, Tensor] = None, weight  # in the order for what comes in
        else:
            self.register_buffer("weight", weight.contiguous(memory_format=layout))

    def forward(self, x: Tensor, *, add: Tensor | None = None, relu: bool = False) -> Tensor:
        """See `ConvNorm`; ``add`` is overwritten."""
        if self._over_places:
            return _over_places(x, self._convolved(_frames(x), None if add is None else _frames(add), relu))
        if self._over_time:
            out = self._convolved(x.flatten(3), None if add is None else add.flatten(3), relu)
            return out.view(*out.shape[:3], *x.shape[3:])
        return self._convolved(x, add, relu)

    def _convolved(self, x: Tensor, add: Tensor | None, relu: bool) -> Tensor:
        out: Tensor
        if not self._by_onednn:
            convolution = conv2d if x.dim() == 4 else conv3d
            out = convolution(x, self.weight, self.bias, self._stride, self._padding, self._dilation, self._groups)
            out = out if add is None else out.add_(add)
            return out.relu_() if relu else out
        given = x, self._packed_for(x.shape), self.bias, *self._geometry
        if add is None:
            out = _onednn._convolution_pointwise(*given, "relu" if relu else "none", [], "")
        else:
            out = _onednn._convolution_pointwise_.binary(add, *given, "add", 1.0, "relu" if relu else None, [], "")
        return out

    def _packed_for(self, size: torch.Size) -> Tensor:
        known, weight = self._packed
        if known != size:
            plain = weight.to_dense() if weight.is_mkldnn else weight  # kept once: large networks are memory
            weight = _onednn._reorder_convolution_weight(plain, *self._geometry, list(size))
            self._packed = size, weight  # at once: another thread may look
        return weight

    @property
    def _geometry(self) -> tuple[list[int], list[int], list[int], int]:
        return self._padding, self._stride, self._dilation, self._groups


class FusedStem(nn.Module):
    """What a `Stem` does that looks over time and has few channels: two frames at once fill a processor's registers.

    The second frame's filters are the first one's, a frame later; both are one convolution with twice the channels.
    """

    def __init__(self, stem: Stem) -> None:
        """``stem``: one that `fits`, its norm folded, in the type of numbers in which it is computed."""
        super().__init__()
        conv = stem.first.conv
        time, *places = conv.kernel_size
        paired = nn.Conv3d(
            conv.in_channels,
            2 * conv.out_channels,
            (time + 1, *places),  # type: ignore[arg-type]
            (2, *conv.stride[1:]),  # type: ignore[arg-type]
            conv.padding,  # type: ignore[arg-type]
            device=conv.weight.device,
            dtype=conv.weight.dtype,
        )
        with torch.no_grad():
            paired.weight.zero_()
            paired.weight[: conv.out_channels, :, :time] = conv.weight
            paired.weight[conv.out_channels :, :, 1:] = conv.weight
            assert paired.bias is not None
            paired.bias.zero_() if conv.bias is None else paired.bias.copy_(conv.bias.repeat(2))
        self.first = FusedConvNorm(paired)
        self.pool = FramePool(stem.pool)

    @staticmethod
    def fits(stem: Stem, frames: int) -> bool:
        """Whether a stem is such a one, keeps all of the time, and an even number of frames comes in."""
        conv = stem.first.conv
        few = conv.kernel_size[0] > 1 and 2 * conv.out_channels <= _LANES
        return few and conv.stride[0] == 1 and FramePool.fits(stem.pool) and frames % 2 == 0

    def forward(self, clip: Tensor) -> Tensor:
        """See `Stem`."""
        pairs: Tensor = self.pool(self.first(clip, relu=True))  # [B, 2C, T/2, H/4, W/4]
        frames = pairs.unflatten(1, (2, -1)).permute(0, 3, 1, 4, 5, 2).flatten(1, 2)  # type: ignore[no-untyped-call]
        return frames.permute(0, 4, 1, 2, 3)  # type: ignore[no-any-return] # [B, T, H/4, W/4, C] in memory


class FramePool(nn.Module):
    """The maximum over places of each frame, over two dimensions."""

    def __init__(self, pool: nn.MaxPool3d) -> None:
        """``pool``: one that `fits`."""
        super().__init__()
        kernel, stride, padding = (triple(value)[1:] for value in (pool.kernel_size, pool.stride, pool.padding))
        self._pool = nn.MaxPool2d(kernel, stride, padding)

    @staticmethod
    def fits(pool: nn.MaxPool3d) -> bool:
        """Whether a pool does nothing over time."""
        return triple(pool.kernel_size)[0] == triple(pool.stride)[0] == 1

    def forward(self, x: Tensor) -> Tensor:
        """``Tensor[B, C, T, H, W]`` -> ``Tensor[B, C, T, H', W']``."""
        return _over_places(x, self._pool(_frames(x)))


def _onednn_computes(weight: Tensor) -> bool:
    """Whether this processor's oneDNN has these operators for a weight's type of numbers."""
    if weight.device.type != "cpu" or not hasattr(_onednn, "_convolution_pointwise"):
        return False
    if weight.dtype == torch.bfloat16:
        return bool(_onednn._is_mkldnn_bf16_supported())
    if weight.dtype == torch.float16:
        return bool(_onednn._is_mkldnn_fp16_supported())
    return True


def triple(value: int | tuple[int, ...]) -> tuple[int, ...]:
    """An attribute of a layer over three dimensions."""
    return (value,) * 3 if isinstance(value, int) else value


def _frames(x: Tensor) -> Tensor:
    """``[B, C, T, H, W]`` -> ``[B * T, C, H, W]``, a view where the numbers of a place lie together."""
    return x.transpose(1, 2).flatten(0, 1)


def _over_places(x: Tensor, frames: Tensor) -> Tensor:
    """What came of `_frames` of x, ``[B * T, C, H, W]`` -> ``[B, C, T, H, W]``."""
    return frames.view(x.shape[0], x.shape[2], *frames.shape[1:]).transpose(1, 2)
