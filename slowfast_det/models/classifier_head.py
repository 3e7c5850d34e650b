"""From the features of a clip to class logits at every position of it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from slowfast_det.models.layout import mean_over_time


class ClassifierHead(nn.Module):
    """Average pooling of each pathway, concatenation, dropout, one linear layer or two.

    PySlowFast's ResNetBasicHead up to the activation. The window of the pooling is the size of the
    features in training; larger features give logits at several positions.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        num_classes: int,
        *,
        window: int | None = 7,
        mlp: bool = False,
        dropout: float = 0.5,
    ) -> None:
        """Build the head.

        Args:
            in_channels: of each pathway's features, slow first.
            num_classes: N.
            window: height and width of what is averaged, in cells; None: all of them (mmaction2). All frames
                always are.
            mlp: whether a hidden layer of 2 N channels, normed, stands before the last one (mmaction2's OmniHead).
            dropout: share of features dropped before the last layer in training.
        """
        super().__init__()
        channels = sum(in_channels)
        self.window = window
        self.hidden: nn.Module | None = None
        if mlp:
            inner = 2 * num_classes
            self.hidden = nn.Sequential(nn.Linear(channels, inner), nn.BatchNorm1d(inner), nn.ReLU())
            channels = inner
        self.dropout = nn.Dropout(dropout)
        self.projection = nn.Linear(channels, num_classes)

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """``Tensor[B, C, T, H, W]`` of each pathway -> logits ``Tensor[B, H', W', N]``, H' = H - window + 1 or 1."""
        frame = torch.cat([mean_over_time(pathway) for pathway in features], dim=1)  # [B, C, H, W]
        pooled = (
            frame.mean(dim=(2, 3), keepdim=True)
            if self.window is None
            else nn.functional.avg_pool2d(frame, self.window, stride=1)
        )
        positions = pooled.permute(0, 2, 3, 1)  # [B, H', W', C]
        if self.hidden is not None:
            positions = self.hidden(positions.flatten(0, 2)).unflatten(0, positions.shape[:3])  # [B, H', W', 2 N]
        logits: Tensor = self.projection(self.dropout(positions))
        return logits
