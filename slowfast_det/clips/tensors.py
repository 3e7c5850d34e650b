"""Pictures and boxes as the tensors that the network takes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ava_tools.boxes import Boxes
from ava_tools.media.frames import Image
from slowfast_det.clips.augment import Recolouring


def clip_tensor(
    clips: Sequence[Sequence[Image]],
    *,
    mean: Sequence[float],
    std: Sequence[float],
    bgr: bool,
    device: torch.device,
) -> Tensor:
    """Stack and normalise clips.

    Args:
        clips: B clips of T pictures ``uint8[H, W, 3]`` RGB, all of one size.
        mean, std, bgr: see `normalised`.
        device: pixels travel there as bytes and become numbers there.

    Returns:
        ``Tensor[B, 3, T, H, W]``, float32.
    """
    stacked = np.stack([frame for frames in clips for frame in frames])  # [B * T, H, W, 3]
    pixels = torch.from_numpy(stacked.reshape(len(clips), -1, *stacked.shape[1:])).to(device)
    return normalised(pixels, mean=mean, std=std, bgr=bgr)


def normalised(
    pixels: Tensor,
    *,
    mean: Sequence[float],
    std: Sequence[float],
    bgr: bool,
    recolourings: Sequence[Recolouring | None] = (),
    channels_last: bool = False,
) -> Tensor:
    """Pixels as numbers: (pixel / 255 - mean) / std.

    Args:
        pixels: ``uint8 Tensor[B, T, H, W, 3]``, RGB.
        mean, std: of each channel in the network's order, for pixels from 0 to 1.
        bgr: whether the network takes blue first.
        recolourings: changes of colours, of each clip; none: no changes.
        channels_last: whether the numbers of a pixel stay together in memory.

    Returns:
        ``Tensor[B, 3, T, H, W]``, float32.
    """
    pixels = pixels.permute(0, 4, 1, 2, 3)  # -> [B, 3, T, H, W]
    shape = (1, 3, 1, 1, 1)
    layout = torch.channels_last_3d if channels_last else torch.contiguous_format
    normal = pixels.to(torch.float32, memory_format=layout).div_(255)
    for clip, recolouring in zip(normal, recolourings, strict=False):
        if recolouring is not None:
            recolouring.apply(clip)
    if bgr:
        normal = normal.flip(1).contiguous(memory_format=layout)
    normal.sub_(torch.tensor(mean, device=normal.device).view(shape))
    return normal.div_(torch.tensor(std, device=normal.device).view(shape))


def box_tensor(boxes: Sequence[Boxes], device: torch.device) -> Tensor:
    """Pixel boxes of B clips -> ``Tensor[K, 5]`` rows (clip index, x1, y1, x2, y2), float32."""
    rows = [np.insert(of_clip, 0, number, axis=1) for number, of_clip in enumerate(boxes)]
    joined = np.concatenate(rows) if rows else np.zeros((0, 5))
    return torch.from_numpy(joined.astype(np.float32)).to(device)
