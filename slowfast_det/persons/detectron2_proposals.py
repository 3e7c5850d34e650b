"""Anchors and region proposals by Detectron2's arithmetic, which differs from torchvision's in small things."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torchvision.models.detection._utils import BoxCoder
from torchvision.ops import batched_nms, clip_boxes_to_image

STRIDES = (4, 8, 16, 32, 64)  # of the maps P2 to P6, as declared; torchvision divides sizes, which rounds
RATIOS = (0.5, 1.0, 2.0)  # height over width

_SIDES = (32, 64, 128, 256, 512)
_CANDIDATES = 1000  # of each map, before overlapping ones are dropped
_PROPOSALS = 1000  # of a frame
_MAX_OVERLAP = 0.7
_CODER = BoxCoder(weights=(1.0, 1.0, 1.0, 1.0))


def cell_anchors(level: int) -> Tensor:
    """Anchors of a map around the corner of a cell: ``Tensor[3, 4]``, xyxy, not rounded (torchvision's are)."""
    sizes = [(math.sqrt(_SIDES[level] ** 2 / ratio), ratio) for ratio in RATIOS]
    return torch.tensor([[-w / 2, -w * ratio / 2, w / 2, w * ratio / 2] for w, ratio in sizes])


def grid_anchors(level: int, height: int, width: int, device: torch.device) -> Tensor:
    """All anchors of a map of ``height`` x ``width`` cells, row by row: ``Tensor[H * W * 3, 4]``, pixels."""
    across = torch.arange(width, dtype=torch.float32, device=device) * STRIDES[level]
    down = torch.arange(height, dtype=torch.float32, device=device) * STRIDES[level]
    y, x = torch.meshgrid(down, across, indexing="ij")
    corners = torch.stack((x, y, x, y), dim=-1).view(-1, 1, 4)  # [H * W, 1, 4]
    return (corners + cell_anchors(level).to(device)).view(-1, 4)


def propose(logits: Sequence[Tensor], deltas: Sequence[Tensor], size: tuple[int, int]) -> list[tuple[Tensor, Tensor]]:
    """Regions that may hold an object.

    Args:
        logits: of each map ``Tensor[B, 3, H, W]``.
        deltas: of each map ``Tensor[B, 12, H, W]``.
        size: height and width of the frames without their padding.

    Returns:
        Of each frame at most 1000 boxes ``Tensor[R, 4]``, pixels of the resized frame, and their logits
        ``Tensor[R]``, falling.
    """
    maps = [_best(level, *pair) for level, pair in enumerate(zip(logits, deltas, strict=True))]
    boxes = torch.cat([boxes for boxes, _ in maps], dim=1)  # [B, candidates, 4]
    scores = torch.cat([scores for _, scores in maps], dim=1)  # [B, candidates]
    levels = torch.cat([torch.full_like(one[0], level, dtype=torch.int64) for level, (_, one) in enumerate(maps)])
    return [_apart(*frame, levels, size) for frame in zip(boxes, scores, strict=True)]


def _best(level: int, logits: Tensor, deltas: Tensor) -> tuple[Tensor, Tensor]:
    """The best candidates of a map: boxes ``[B, n, 4]``, logits ``[B, n]``; only these are decoded."""
    batch, _, height, width = logits.shape
    flat = logits.permute(0, 2, 3, 1).flatten(1)  # [B, H * W * 3]
    scores, chosen = flat.topk(min(_CANDIDATES, flat.shape[1]), dim=1)
    codes = deltas.view(batch, -1, 4, height, width).permute(0, 3, 4, 1, 2).reshape(batch, -1, 4)
    codes = codes.gather(1, chosen[..., None].expand(-1, -1, 4)).flatten(0, 1)  # [B * n, 4]
    anchors = grid_anchors(level, height, width, logits.device)[chosen.flatten()]
    return _CODER.decode_single(codes, anchors).view(batch, -1, 4), scores


def _apart(boxes: Tensor, logits: Tensor, levels: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Of one frame the candidates that do not overlap a better one of the same map.

    They are ranked by logits: sigmoid makes large ones equal.
    """
    finite = torch.isfinite(boxes).all(dim=1) & torch.isfinite(logits)
    boxes = clip_boxes_to_image(boxes, size)
    kept = torch.where(finite & (boxes[:, 2:] > boxes[:, :2]).all(dim=1))[0]
    boxes, logits = boxes[kept], logits[kept]
    first = batched_nms(boxes, logits, levels[kept], _MAX_OVERLAP)[:_PROPOSALS]
    return boxes[first], logits[first]
