"""From the features of a clip to the action logits of each person in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from slowfast_det.models.layout import mean_over_time
from slowfast_det.models.relation import PersonFrameRelation
from slowfast_det.models.roi_align import roi_align

Context = Literal["none", "frame", "acrn"]
TemporalPooling = Literal["avg", "max"]


class RoIHead(nn.Module):
    """Pool over time, RoIAlign around each person, maximum over the region, one or two linear layers.

    PySlowFast's head (its ResNetRoIHead), up to the activation: logits come out. Its switches are
    mmaction2's (SingleRoIExtractor3D, BBoxHeadAVA).
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        num_actions: int,
        *,
        resolution: int = 7,
        feature_stride: int = 16,
        aligned: bool = True,
        temporal_pooling: TemporalPooling = "avg",
        context: Context = "none",
        mlp: bool = False,
        unused_column: bool = False,
        dropout: float = 0.5,
    ) -> None:
        """Build the head.

        Args:
            in_channels: of each pathway's features, slow first.
            num_actions: N.
            resolution: side of the grid that RoIAlign samples.
            feature_stride: pixels of the clip per cell of the features.
            aligned: RoIAlign's half-pixel shift. Published weights differ in it and do not tell.
            temporal_pooling: mean or maximum over the frames.
            context: what a person's features are joined with: nothing; ``frame``, the whole frame pooled to
                the same grid (with_global); ``acrn``, every cell of the frame (see `PersonFrameRelation`).
            mlp: a hidden layer as wide as the features before the last one (mlp_head).
            unused_column: the last layer has an output 0 that stands for no action (background_class); it is
                kept in the weights and never handed out.
            dropout: share of features dropped before the linear layers in training.
        """
        super().__init__()
        self.resolution = resolution
        self.feature_stride = feature_stride
        self.aligned = aligned
        self.temporal_pooling = temporal_pooling
        self.context = context
        self.unused_column = unused_column
        channels = sum(in_channels)
        self.relation = PersonFrameRelation(channels) if context == "acrn" else None
        if context == "frame":
            channels *= 2
        self.dropout = nn.Dropout(dropout)
        self.hidden = nn.Sequential(nn.Linear(channels, channels), nn.ReLU(inplace=True)) if mlp else nn.Identity()
        self.projection = nn.Linear(channels, num_actions + int(unused_column))

    def forward(self, features: Sequence[Tensor], boxes: Tensor) -> Tensor:
        """Score every person.

        Args:
            features: of each pathway, ``Tensor[B, C, T, H, W]``.
            boxes: ``Tensor[K, 5]`` rows (clip index, x1, y1, x2, y2), pixels of the clip. K may be 0.

        Returns:
            ``Tensor[K, N]`` logits.
        """
        over_time = [self._over_time(pathway) for pathway in features]
        frame = torch.cat(over_time, dim=1)  # [B, C, H, W]
        regions = roi_align(
            frame,
            boxes.to(frame.dtype),
            self.resolution,
            spatial_scale=1 / self.feature_stride,
            sampling_ratio=0,
            aligned=self.aligned,
        )  # [K, C, resolution, resolution]
        persons = regions.amax(dim=(2, 3))  # [K, C]
        if self.context == "frame":
            cells = mean_over_grid(frame, self.resolution).amax(dim=(2, 3))  # [B, C]
            persons = torch.cat([persons, cells[boxes[:, 0].long()]], dim=1)  # [K, 2C]
        elif self.relation is not None:
            persons = self.relation(persons, frame, boxes[:, 0].long())
        logits: Tensor = self.projection(self.hidden(self.dropout(persons)))
        return logits[:, 1:] if self.unused_column else logits  # [K, N]

    def _over_time(self, pathway: Tensor) -> Tensor:
        return mean_over_time(pathway) if self.temporal_pooling == "avg" else pathway.amax(dim=2)


def mean_over_grid(frame: Tensor, resolution: int) -> Tensor:
    """``Tensor[B, C, H, W]`` -> ``Tensor[B, C, resolution, resolution]``: the means of a grid's overlapping cells.

    What adaptive_avg_pool2d computes, which no ONNX file can for sizes that are free.
    """
    rows, columns = (_shares(size, resolution, frame) for size in frame.shape[2:])
    return rows @ frame @ columns.t()


def _shares(size: int, resolution: int, like: Tensor) -> Tensor:
    """``Tensor[resolution, size]``: which part of the mean each position has."""
    cells = torch.arange(resolution, device=like.device)
    first, end = cells * size // resolution, ((cells + 1) * size + resolution - 1) // resolution
    positions = torch.arange(size, device=like.device)
    within = ((positions >= first[:, None]) & (positions < end[:, None])).to(like.dtype)
    return within / within.sum(dim=1, keepdim=True)
