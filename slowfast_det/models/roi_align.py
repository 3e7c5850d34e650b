"""RoIAlign (Mask R-CNN paper, section 3), in torchvision's form and in one for processors."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torchvision
from torch import Tensor
from torch.nn.functional import embedding_bag, pad


def roi_align(
    features: Tensor, regions: Tensor, size: int, *, spatial_scale: float, sampling_ratio: int, aligned: bool
) -> Tensor:
    """Regions of a map, on a grid: torchvision's function, equal but for rounding.

    Where the channels of a place lie together in a processor's memory, and no gradient is wanted, a bin is computed as
    a weighted sum of places: of 1,000 regions in a tenth of torchvision's time.

    Args:
        features: ``Tensor[B, C, H, W]``.
        regions: ``Tensor[K, 5]`` rows (picture, x1, y1, x2, y2), in pixels.
        size: bins on each side.
        spatial_scale: places of the map a pixel.
        sampling_ratio: samples on each side of a bin; 0: as many as it has places.
        aligned: whether the middle of the first place lies half a place from the edge.

    Returns:
        ``Tensor[K, C, size, size]``.
    """
    together = features.device.type == "cpu" and features.is_contiguous(memory_format=torch.channels_last)
    if not together or features.is_contiguous() or torch.is_grad_enabled():
        pooled: Tensor = torchvision.ops.roi_align(features, regions, size, spatial_scale, sampling_ratio, aligned)
        return pooled
    channels, height, width = features.shape[1:]
    places = features.permute(0, 2, 3, 1).flatten(0, 2)  # [B * H * W, C]
    scaled = regions[:, 1:] * spatial_scale - 0.5 * aligned
    begin, length = scaled[:, :2], scaled[:, 2:] - scaled[:, :2]  # [K, 2], x and y
    length = length if aligned else length.clamp(min=1)
    samples = (length / size).ceil().long() if sampling_ratio == 0 else torch.full_like(length, sampling_ratio).long()
    pooled = features.new_zeros(len(regions), size, size, channels)
    for across, down in torch.unique(samples, dim=0).tolist():
        chosen = torch.where((samples[:, 0] == across) & (samples[:, 1] == down))[0]
        if across <= 0 or down <= 0:
            continue  # a region without extent has nothing in it
        columns, shares_x = _taps(begin[chosen, 0], length[chosen, 0], size, across, width)  # [k, size, taps]
        rows, shares_y = _taps(begin[chosen, 1], length[chosen, 1], size, down, height)
        rows = rows + regions[chosen, 0].to(torch.int32)[:, None, None] * height
        taken = rows[:, :, None, :, None] * width + columns[:, None, :, None, :]  # [k, size, size, taps, taps]
        shares = shares_y[:, :, None, :, None] * shares_x[:, None, :, None, :]
        bins = embedding_bag(
            taken.flatten(3).flatten(0, 2), places, mode="sum", per_sample_weights=shares.flatten(3).flatten(0, 2)
        )
        pooled[chosen] = bins.view(len(chosen), size, size, channels)
    return pooled.permute(0, 3, 1, 2)


def roi_align_by_level(
    maps: Sequence[Tensor],
    boxes: Sequence[Tensor],
    levels: Tensor,
    scales: Sequence[float],
    size: int,
    *,
    sampling_ratio: int,
    aligned: bool,
) -> Tensor:
    """Regions of several maps, each region from one of them.

    Args:
        maps: ``Tensor[B, C, H, W]``, of different scales.
        boxes: of each picture ``Tensor[R, 4]``, in pixels.
        levels: ``Tensor[all R]``, which map each box is taken from.
        scales: places of each map a pixel.
        size, sampling_ratio, aligned: see `roi_align`.

    Returns:
        ``Tensor[all R, C, size, size]``, its numbers in the maps' order.
    """
    regions = torch.cat([pad(one, (1, 0), value=float(picture)) for picture, one in enumerate(boxes)])  # [R, 5]
    first = maps[0]
    together = first.is_contiguous(memory_format=torch.channels_last)
    pooled = torch.empty(
        (len(regions), first.shape[1], size, size),
        dtype=first.dtype,
        device=first.device,
        memory_format=torch.channels_last if together else torch.contiguous_format,
    )
    for level, (features, scale) in enumerate(zip(maps, scales, strict=True)):
        chosen = torch.where(levels == level)[0]
        pooled[chosen] = roi_align(
            features, regions[chosen], size, spatial_scale=scale, sampling_ratio=sampling_ratio, aligned=aligned
        )
    return pooled


def _taps(begin: Tensor, length: Tensor, size: int, samples: int, end: int) -> tuple[Tensor, Tensor]:
    """Along one axis: places that the samples of each bin lie between, and their shares in the bin.

    Args:
        begin, length: of the regions, ``Tensor[k]``, in places.
        size, samples: bins of a region, samples of a bin.
        end: places of the map.

    Returns:
        ``Tensor[k, size, 2 * samples]`` twice: int32, and numbers as those of the regions.
    """
    bins = torch.arange(size, dtype=begin.dtype)[:, None]
    inner = torch.arange(samples, dtype=begin.dtype) + 0.5
    width = (length / size)[:, None, None]
    at = begin[:, None, None] + bins * width + inner * width / samples  # [k, size, samples]
    share = ((at >= -1) & (at <= end)).to(at.dtype) / samples  # what lies outside counts as 0
    at = at.clamp(0, end - 1)
    low = at.floor()
    far = at - low
    high = (low + 1).clamp(max=end - 1)
    places = torch.stack([low, high], dim=-1).to(torch.int32)
    shares = torch.stack([(1 - far) * share, far * share], dim=-1)
    return places.flatten(2), shares.flatten(2)
