"""Convolutions in half precision on a processor, where torch's own have gradients that are no numbers."""

from __future__ import annotations

import pytest
import torch

from slowfast_det.models.convolution import Convolution

# (channels in and out, kernel, stride, dilation, frames, height, width)
SHAPES = {
    "pointwise": (128, 32, (1, 1, 1), (1, 1, 1), 1, 4, 32, 43),
    "few frames": (16, 16, (5, 1, 1), (1, 1, 1), 1, 2, 14, 32),
    "one frame": (256, 64, (1, 3, 3), (1, 1, 1), 1, 1, 24, 48),
    "lateral": (8, 16, (5, 1, 1), (2, 1, 1), 1, 8, 12, 15),
    "dilated": (32, 32, (1, 3, 3), (1, 1, 1), 2, 4, 8, 11),
    "strided": (32, 64, (1, 1, 1), (1, 2, 2), 1, 4, 9, 11),
    "stem": (3, 16, (5, 7, 7), (1, 2, 2), 1, 8, 33, 41),
    "stem without time": (3, 16, (1, 7, 7), (1, 2, 2), 1, 4, 33, 41),
    "first stride": (32, 16, (3, 1, 1), (1, 2, 2), 1, 2, 8, 11),
}


def gradients(convolution, clip, weights):
    """Outcome, and gradients of what comes in and of the weights."""
    convolution.zero_grad()
    clip = clip.clone(memory_format=torch.preserve_format).requires_grad_()
    found = convolution(clip)
    (found.float() * weights).sum().backward()
    return found.detach(), clip.grad, convolution.weight.grad, convolution.bias.grad


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16], ids=["bf16", "fp16"])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_gradients_are_those_of_full_precision(shape, kind):
    into, out, kernel, stride, dilation, frames, height, width = shape
    torch.manual_seed(0)
    padding = tuple(d * (k // 2) for k, d in zip(kernel, (1, dilation, dilation), strict=True))
    convolution = Convolution(into, out, kernel, stride, padding, dilation=(1, dilation, dilation))
    clip = torch.randn(2, into, frames, height, width).to(memory_format=torch.channels_last_3d)
    weights = torch.randn(convolution(clip).shape)
    expected = gradients(convolution, clip, weights)
    convolution = convolution.to(memory_format=torch.channels_last_3d)
    left_behind = [torch.full((size,), torch.nan) for size in (10**3, 10**4, 10**5, 10**6)]
    del left_behind  # memory that is taken up again holds what it held
    with torch.autocast("cpu", kind):
        coarse = gradients(convolution, clip, weights)
    assert coarse[0].is_contiguous(memory_format=torch.channels_last_3d)
    for one, other in zip(expected, coarse, strict=True):
        assert one.shape == other.shape
        assert (other.float() - one).norm() < 0.01 * one.norm()
