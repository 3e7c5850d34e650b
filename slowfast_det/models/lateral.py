"""Lateral connections: what the slow pathway hears of the fast one (arXiv:1812.03982, section 3.4)."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

from slowfast_det.models.blocks import ConvNorm
from slowfast_det.models.layout import frames_as_channels

Lateral = Literal["time_strided_conv", "time_strided_sampling", "time_to_channel", "none"]
Fusion = Literal["concatenation", "summation"]


class TimeStridedConv(nn.Module):
    """A convolution over time with stride alpha on the fast features; the paper's choice."""

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


class TimeStridedSampling(nn.Module):
    """The fast features of every alpha-th frame, as they are."""

    def __init__(self, fast_channels: int, alpha: int) -> None:
        """``alpha`` fast frames per slow frame, of which the first is handed over."""
        super().__init__()
        self.out_channels = fast_channels
        self.alpha = alpha

    def forward(self, fast: Tensor) -> Tensor:
        """What the slow pathway hears: ``Tensor[B, C', T, H, W]`` -> ``[B, C', T/alpha, H, W]``."""
        return fast[:, :, :: self.alpha]


class TimeToChannel(nn.Module):
    """The fast features of alpha frames as the channels of one, frame after frame; nothing is lost."""

    def __init__(self, fast_channels: int, alpha: int) -> None:
        """``alpha`` fast frames per slow frame."""
        super().__init__()
        self.out_channels = alpha * fast_channels
        self.alpha = alpha

    def forward(self, fast: Tensor) -> Tensor:
        """What the slow pathway hears: ``Tensor[B, C', T, H, W]`` -> ``[B, alpha * C', T/alpha, H, W]``."""
        return frames_as_channels(fast, self.alpha)


class Silence(nn.Module):
    """No connection: both pathways meet in the head alone."""

    def __init__(self, alpha: int) -> None:
        """``alpha`` fast frames per slow frame."""
        super().__init__()
        self.out_channels = 0
        self.alpha = alpha

    def forward(self, fast: Tensor) -> Tensor:
        """What the slow pathway hears: ``Tensor[B, C', T, H, W]`` -> ``[B, 0, T/alpha, H, W]``."""
        return fast[:, :0, :: self.alpha]


LateralConnection = TimeStridedConv | TimeStridedSampling | TimeToChannel | Silence


def make_lateral(
    kind: Lateral, fast_channels: int, *, alpha: int, ratio: int, kernel: int, normed: bool
) -> LateralConnection:
    """A connection of a kind; ``ratio``, ``kernel`` and ``normed`` are of `TimeStridedConv` alone."""
    if kind == "time_strided_conv":
        return TimeStridedConv(fast_channels, ratio, kernel, alpha, normed=normed)
    if kind == "time_strided_sampling":
        return TimeStridedSampling(fast_channels, alpha)
    return TimeToChannel(fast_channels, alpha) if kind == "time_to_channel" else Silence(alpha)
