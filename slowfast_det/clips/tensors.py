"""Pictures and boxes as the tensors that the network takes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
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
    channels_last: bool = False,
) -> Tensor:
    """Stack and normalise clips.

    Args:
        clips: B clips of T pictures ``uint8[H, W, 3]`` RGB, all of one size.
        mean, std, bgr, channels_last: see `normalised`.
        device: pixels travel there as bytes and become numbers there.

    Returns:
        ``Tensor[B, 3, T, H, W]``, float32.
    """
    frames = [frame for of_clip in clips for frame in of_clip]
    if device.type == "cpu":
        pixels = _looked_up(frames, _levels(mean, std, bgr), bgr).view(len(clips), -1, *frames[0].shape)
        clip = pixels.permute(0, 4, 1, 2, 3)
        return clip if channels_last else clip.contiguous()
    stacked = moved_once(frames, device).view(len(clips), -1, *frames[0].shape)
    return normalised(stacked, mean=mean, std=std, bgr=bgr, channels_last=channels_last)


def moved_once(frames: Sequence[Image], device: torch.device) -> Tensor:
    """Pictures on a device, ``uint8 Tensor[N, H, W, 3]``; one that several clips share travels once."""
    different = {id(frame): frame for frame in frames}
    places = {key: place for place, key in enumerate(different)}
    pixels = torch.from_numpy(np.stack(list(different.values()))).to(device)
    return pixels[torch.tensor([places[id(frame)] for frame in frames], device=device)]


def _looked_up(frames: Sequence[Image], levels: NDArray[np.float32], bgr: bool) -> Tensor:
    """Pictures as the numbers that their levels stand for, ``float32[B * T, H, W, 3]``: a seventh of the time."""
    import cv2

    numbers = np.empty((len(frames), *frames[0].shape), dtype=np.float32)
    for frame, target in zip(frames, numbers, strict=True):
        cv2.LUT(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR) if bgr else frame, levels, dst=target)
    return torch.from_numpy(numbers)


def _levels(mean: Sequence[float], std: Sequence[float], bgr: bool) -> NDArray[np.float32]:
    """What each of the 256 levels of a channel becomes, ``float32[1, 256, 3]``, channels in the network's order."""
    grey = torch.arange(256, dtype=torch.uint8).view(1, 1, 1, 256, 1).expand(1, 1, 1, 256, 3)
    levels = normalised(grey, mean=mean, std=std, bgr=bgr)  # [1, 3, 1, 1, 256]
    return levels[0, :, 0].permute(1, 2, 0).contiguous().numpy()


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
