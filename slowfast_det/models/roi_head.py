"""From the features of a clip to the action logits of each person in it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torchvision.ops import roi_align


class RoIHead(nn.Module):
    """Average over time, RoIAlign around each person, maximum over the region, one linear layer.

    PySlowFast's head (its ResNetRoIHead), up to the activation: logits come out.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        num_actions: int,
        *,
        resolution: int = 7,
        feature_stride: int = 16,
        aligned: bool = True,
        dropout: float = 0.5,
    ) -> None:
        """Build the head.

        Args:
            in_channels: of each pathway's features, slow first.
            num_actions: N.
            resolution: side of the grid that RoIAlign samples.
            feature_stride: pixels of the clip per cell of the features.
            aligned: RoIAlign's half-pixel shift. Published weights differ in it and do not tell.
            dropout: share of features dropped before the linear layer in training.
        """
        super().__init__()
        self.resolution = resolution
        self.feature_stride = feature_stride
        self.aligned = aligned
        self.dropout = nn.Dropout(dropout)
        self.projection = nn.Linear(sum(in_channels), num_actions)

    def forward(self, features: Sequence[Tensor], boxes: Tensor) -> Tensor:
        """Score every person.

        Args:
            features: of each pathway, ``Tensor[B, C, T, H, W]``.
            boxes: ``Tensor[K, 5]`` rows (clip index, x1, y1, x2, y2), pixels of the clip. K may be 0.

        Returns:
            ``Tensor[K, N]`` logits.
        """
        pooled = []
        for pathway in features:
            over_time = pathway.mean(dim=2)  # [B, C, H, W]
            regions = roi_align(
                over_time,
                boxes.to(over_time.dtype),
                output_size=self.resolution,
                spatial_scale=1 / self.feature_stride,
                sampling_ratio=0,
                aligned=self.aligned,
            )  # [K, C, resolution, resolution]
            pooled.append(regions.amax(dim=(2, 3)))  # [K, C]
        logits: Tensor = self.projection(self.dropout(torch.cat(pooled, dim=1)))  # [K, N]
        return logits
