"""Frames as Detectron2's networks see them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image as Pictures
from torch import Tensor

from ava_tools.media.frames import Image
from slowfast_det.persons.detectron2_settings import Convention

_MULTIPLE = 32  # sizes are padded to it, so that every map fits the next


def resized_size(height: int, width: int, min_size: int, max_size: int) -> tuple[int, int]:
    """Height and width of the resized frame: sides are rounded, where torchvision cuts them off."""
    scale = min_size / min(height, width)
    sides: tuple[float, float] = (min_size, scale * width) if height < width else (scale * height, min_size)
    if max(sides) > max_size:
        scale = max_size / max(sides)
        sides = (sides[0] * scale, sides[1] * scale)
    return max(1, int(sides[0] + 0.5)), max(1, int(sides[1] + 0.5))  # Detectron2 fails where a side becomes 0


def batch_of(frames: Sequence[Image], size: tuple[int, int], convention: Convention, device: torch.device) -> Tensor:
    """Frames of one size as a batch ``Tensor[B, 3, H, W]``: resized, normalised, padded with zeros.

    Pillow resizes whole numbers and averages over what it shrinks; interpolating tensors would not.
    """
    height, width = size
    padded = [-(-side // _MULTIPLE) * _MULTIPLE for side in size]
    batch = torch.zeros((len(frames), 3, *padded), device=device)
    mean, std = (torch.tensor(values, device=device).view(3, 1, 1) for values in (convention.mean, convention.std))
    for place, frame in zip(batch[:, :, :height, :width], frames, strict=True):
        resized = Pictures.fromarray(frame).resize((width, height), Pictures.Resampling.BILINEAR)
        pixels = torch.from_numpy(np.array(resized)).to(device).permute(2, 0, 1)  # [3, H, W]
        place.copy_(pixels.flip(0) if convention.channels == "bgr" else pixels).sub_(mean).div_(std)
    return batch
