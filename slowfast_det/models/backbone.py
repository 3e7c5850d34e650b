"""From a clip to the features of its last stage: two pathways (SlowFast) or one (Slow-only)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from slowfast_det.models.blocks import EXPANSION, Pathway
from slowfast_det.models.lateral import TimeStridedConv

SLOW_KERNELS = ((1,), (1,), (1,), (3,), (3,))
FAST_KERNELS = ((5,), (3,), (3,), (3,), (3,))


class SinglePathway(nn.Module):
    """One pathway over every frame of the clip: the Slow-only network."""

    def __init__(
        self,
        *,
        width: int,
        depth: int,
        temporal_kernels: Sequence[Sequence[int]],
        temporal_blocks: Sequence[int],
        strides: Sequence[int],
        dilations: Sequence[int],
    ) -> None:
        """For the arguments see `Pathway`."""
        super().__init__()
        self.slow = Pathway(
            width=width,
            depth=depth,
            temporal_kernels=temporal_kernels,
            temporal_blocks=temporal_blocks,
            strides=strides,
            dilations=dilations,
        )
        self.out_channels = (self.slow.out_channels,)

    def forward(self, clip: Tensor) -> tuple[Tensor, ...]:
        """``Tensor[B, 3, T, H, W]`` -> one ``Tensor[B, C, T, H/16, W/16]``."""
        x = self.slow.stem(clip)
        for stage in self.slow.stages:
            x = stage(x)
        return (x,)


class SlowFast(nn.Module):
    """A wide pathway that sees T/alpha frames and a thin one that sees all T, joined after every stage."""

    def __init__(
        self,
        *,
        width: int,
        depth: int,
        num_frames: int,
        alpha: int,
        beta: int,
        fusion_ratio: int,
        fusion_kernel: int,
        temporal_blocks: tuple[Sequence[int], Sequence[int]],
        strides: Sequence[int],
        dilations: Sequence[int],
    ) -> None:
        """Build both pathways.

        Args:
            width: channels of the slow stem; the fast one has ``width / beta``.
            depth: of both pathways, a key of `BLOCKS`.
            num_frames: T, the frames of a clip; the slow pathway sees ``T / alpha`` of them.
            alpha, beta: the paper's ratios of frame rate and of channels.
            fusion_ratio, fusion_kernel: see `TimeStridedConv`.
            temporal_blocks: see `Pathway`, of the slow and of the fast one.
            strides, dilations: see `Pathway`.
        """
        super().__init__()
        thin = width // beta
        self.register_buffer("slow_frames", linspaced_frames(num_frames, num_frames // alpha), persistent=False)
        self.fast = Pathway(
            width=thin,
            depth=depth,
            temporal_kernels=FAST_KERNELS,
            temporal_blocks=temporal_blocks[1],
            strides=strides,
            dilations=dilations,
        )
        fast_channels = (thin, *(thin * EXPANSION * 2**stage for stage in range(3)))  # after stem, res2, res3, res4
        self.laterals = nn.ModuleList(
            TimeStridedConv(channels, fusion_ratio, fusion_kernel, alpha) for channels in fast_channels
        )
        self.slow = Pathway(
            width=width,
            depth=depth,
            temporal_kernels=SLOW_KERNELS,
            temporal_blocks=temporal_blocks[0],
            lateral_channels=[fusion_ratio * channels for channels in fast_channels],
            strides=strides,
            dilations=dilations,
        )
        self.out_channels = (self.slow.out_channels, self.fast.out_channels)

    def forward(self, clip: Tensor) -> tuple[Tensor, ...]:
        """``Tensor[B, 3, T, H, W]`` -> slow ``[B, C, T/alpha, H/16, W/16]``, fast ``[B, C/beta, T, H/16, W/16]``."""
        slow = self.slow.stem(clip.index_select(2, self.get_buffer("slow_frames")))
        fast = self.fast.stem(clip)
        for lateral, slow_stage, fast_stage in zip(self.laterals, self.slow.stages, self.fast.stages, strict=True):
            slow = slow_stage(lateral(slow, fast))
            fast = fast_stage(fast)
        return slow, fast


def linspaced_frames(num_frames: int, count: int) -> Tensor:
    """Which frames the slow pathway sees: evenly spaced with both ends, cut to whole numbers.

    PySlowFast's choice: 0 4 8 13 17 22 26 31 for 8 of 32, not every fourth frame.
    """
    return torch.linspace(0, num_frames - 1, count, device="cpu").long()
