"""Features whose numbers of a place lie together in memory (torch.channels_last_3d): what torch does slowly to them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

_TO_LAST = (0, 2, 3, 4, 1)  # [B, C, T, H, W] -> [B, T, H, W, C]
_TO_SECOND = (0, 4, 1, 2, 3)


def joined_channels(first: Tensor, second: Tensor) -> Tensor:
    """``[B, C, T, H, W]`` and ``[B, C', T, H, W]`` -> ``[B, C + C', T, H, W]``."""
    if not second.shape[1]:
        return first
    if not _lie_together(first) or second.stride(1) != 1:
        return torch.cat([first, second], dim=1)
    return torch.cat([first.permute(_TO_LAST), second.permute(_TO_LAST)], dim=4).permute(_TO_SECOND)


def joined_frames(parts: Sequence[Tensor]) -> Tensor:
    """Pieces ``[B, C, t, H, W]`` -> ``[B, C, T, H, W]``."""
    if len(parts) == 1:
        return parts[0]
    if not all(map(_lie_together, parts)):
        return torch.cat(list(parts), dim=2)
    return torch.cat([part.permute(_TO_LAST) for part in parts], dim=1).permute(_TO_SECOND)


def frames_as_channels(x: Tensor, count: int) -> Tensor:
    """``[B, C, T, H, W]`` -> ``[B, count * C, T/count, H, W]``: channels of ``count`` frames, frame by frame."""
    batch, channels, frames, height, width = x.shape
    if not _lie_together(x):
        pieces = x.reshape(batch, channels, -1, count, height, width)
        return pieces.permute(0, 3, 1, 2, 4, 5).reshape(batch, count * channels, -1, height, width)
    pieces = x.permute(_TO_LAST).reshape(batch, -1, count, height, width, channels)
    joined = pieces.permute(0, 1, 3, 4, 2, 5).reshape(batch, frames // count, height, width, -1)
    return joined.permute(_TO_SECOND)


def mean_over_time(x: Tensor) -> Tensor:
    """``[B, C, T, H, W]`` -> ``[B, C, H, W]``."""
    if not _lie_together(x):
        return x.mean(dim=2)
    batch, channels, _, height, width = x.shape
    mean = x.permute(_TO_LAST).flatten(2).mean(dim=1)
    return mean.view(batch, height, width, channels).permute(0, 3, 1, 2)


def _lie_together(x: Tensor) -> bool:
    return not x.is_contiguous() and x.is_contiguous(memory_format=torch.channels_last_3d)
