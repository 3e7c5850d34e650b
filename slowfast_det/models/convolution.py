"""Convolutions of clips that can be trained in half precision on a processor as well."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d


class Convolution(nn.Conv3d):
    """torch's own, but where a processor trains it in half precision: there it is one over two dimensions, or fp32.

    Gradients of the weights of bf16 convolutions over three dimensions are wrong on processors (torch 2.14 with
    oneDNN 3.12), NaN or any number: at 22 of 570 random sizes with AMX, kernels (1, 1, 1), (1, 3, 3), (3, 1, 1) and
    (5, 1, 1); without AMX at 54 of 504, where the kernel looks over time; with one thread and with two, in either
    memory format. Once memory of others was overwritten. Over two dimensions none of 1300 was wrong.
    """

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 # torch's name
        """``Tensor[B, C, T, H, W]`` -> ``Tensor[B, C', T', H', W']``."""
        training = torch.is_grad_enabled() and input.device.type == "cpu" and torch.is_autocast_enabled("cpu")
        if not training:
            return super().forward(input)
        if (self.kernel_size[0], self.stride[0]) == (1, 1):
            frames = input.transpose(1, 2)  # [B, T, C, H, W]
            folded = self._over(frames.flatten(0, 1), self.weight.squeeze(2), slice(1, 3))
            return folded.view(*frames.shape[:2], *folded.shape[1:]).transpose(1, 2)
        if (self.kernel_size[1:], self.stride[1:]) == ((1, 1), (1, 1)):
            folded = self._over(input.flatten(3), self.weight.squeeze(4), slice(0, 2))  # [B, C', T', H * W]
            return folded.view(*folded.shape[:3], *input.shape[3:])
        with torch.autocast("cpu", enabled=False):
            return super().forward(input.float())

    def _over(self, x: Tensor, weight: Tensor, axes: slice) -> Tensor:
        """The convolution over two of the axes; all that it does at the third is 1."""
        padding, stride, dilation = (
            tuple(int(number) for number in value[axes]) for value in (self.padding, self.stride, self.dilation)
        )
        return conv2d(x, weight, self.bias, stride, padding, dilation, self.groups)
