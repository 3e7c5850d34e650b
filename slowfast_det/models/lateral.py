"""Lateral connections: how the slow pathway hears of the fast one (arXiv:1812.03982, section 3.3)."""

from __future__ import annotations

from torch import Tensor, nn

from slowfast_det.models.blocks import ConvNorm


class TimeStridedConv(nn.Module):
    """A convolution over time with stride alpha on the fast features; it comes behind the slow ones."""

    def __init__(self, fast_channels: int, ratio: int, kernel: int, alpha: int, *, normed: bool = True) -> None:
        """Build the connection.

        Args:
            fast_channels: of the fast features.
            ratio: channels that are handed over per fast channel.
            kernel: frames that are looked at.
            alpha: fast frames per slow frame.
            normed: whether batch norm and ReLU follow (PySlowFast); mmaction2 hands over the bare convolution.
        """
        super().__init__()
        self.out_channels = ratio * fast_channels
        self.normed = normed
        self.fuse = ConvNorm(fast_channels, self.out_channels, (kernel, 1, 1), stride=(alpha, 1, 1), normed=normed)

    def forward(self, fast: Tensor) -> Tensor:
        """What the slow pathway hears: ``Tensor[B, C', T, H, W]`` -> ``[B, ratio * C', T/alpha, H, W]``."""
        heard: Tensor = self.fuse(fast, relu=self.normed)
        return heard
