"""From the features of a clip to class logits at every position of it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from slowfast_det.models.layout import mean_over_time


class ClassifierHead(nn.Module):
    """Average pooling of each pathway, concatenation, dropout, one linear layer.

    PySlowFast's ResNetBasicHead up to the activation. The window of the pooling is the size of the
    features in training; larger features give logits at several positions.
    """

    def __init__(
        self, in_channels: Sequence[int], num_classes: int, *, window: int | None = 7, dropout: float = 0.5
    ) -> None:
        """Build the head.

        Args:
            in_channels: of each pathway's features, slow first.
            num_classes: N.
            window: height and width of what is averaged, in cells; None: all of them (mmaction2). All frames
                always are.
            dropout: share of features dropped before the linear layer in training.
        """
        super().__init__()
        self.window = window
        self.dropout = nn.Dropout(dropout)
        self.projection = nn.Linear(sum(in_channels), num_classes)

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """``Tensor[B, C, T, H, W]`` of each pathway -> logits ``Tensor[B, H', W', N]``, H' = H - window + 1 or 1."""
        frame = torch.cat([mean_over_time(pathway) for pathway in features], dim=1)  # [B, C, H, W]
        pooled = (
            frame.mean(dim=(2, 3), keepdim=True)
            if self.window is None
            else nn.functional.avg_pool2d(frame, self.window, stride=1)
        )
        positions = pooled.permute(0, 2, 3, 1)  # [B, H', W', C]
        logits: Tensor = self.projection(self.dropout(positions))
        return logits
