"""Frames as torchvision's detectors see them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ava_tools.media.frames import Image

_MULTIPLE = 32  # sizes are padded to it, so that every map fits the next


def resized_size(height: int, width: int, min_size: int, max_size: int) -> tuple[int, int]:
    """Height and width of the resized frame: sides are cut to whole pixels, where Detectron2 rounds them."""
    scale = min(min_size / min(height, width), max_size / max(height, width))
    return max(1, math.floor(height * scale)), max(1, math.floor(width * scale))  # torchvision fails at 0


def batch_of(
    frames: Sequence[Image], size: tuple[int, int], mean: Sequence[float], std: Sequence[float], device: torch.device
) -> Tensor:
    """Frames of one size as a batch ``Tensor[B, 3, H, W]``: normalised, resized, padded with zeros.

    The arithmetic is torchvision's, step by step, so that results are; the steps are done in place.
    """
    height, width = size
    padded = [-(-side // _MULTIPLE) * _MULTIPLE for side in size]
    batch = torch.zeros((len(frames), 3, *padded), device=device)
    shift, scale = (torch.tensor(values, device=device).view(3, 1, 1) for values in (mean, std))
    for place, frame in zip(batch[:, :, :height, :width], frames, strict=True):
        array = np.require(frame, requirements=["C", "W"])  # torch warns of what cannot be written
        pixels = torch.from_numpy(array).to(device).permute(2, 0, 1)[None]  # [1, 3, H, W]
        normal = pixels.to(torch.float32, memory_format=torch.contiguous_format).div_(255).sub_(shift).div_(scale)
        place.copy_(functional.interpolate(normal, size=size, mode="bilinear")[0])
    return batch
