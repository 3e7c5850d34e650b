"""From a clip to the features of its last stage: two pathways (SlowFast) or one (Slow-only, Fast-only, C2D, I3D)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from slowfast_det.models.blocks import EXPANSION, Pathway
from slowfast_det.models.lateral import Fusion, Lateral, make_lateral
from slowfast_det.models.layout import joined_channels, joined_frames
from slowfast_det.models.nonlocal_block import NonLocalPlacement

Single = Literal["slow", "fast", "c2d", "i3d", "i3d_heavy"]
SlowFrames = Literal["linspace", "stride"]

TEMPORAL_KERNELS: dict[str, tuple[tuple[int, ...], ...]] = {
    "slow": ((1,), (1,), (1,), (3,), (3,)),
    "fast": ((5,), (3,), (3,), (3,), (3,)),
    "c2d": ((1,), (1,), (1,), (1,), (1,)),
    "i3d": ((5,), (3,), (3, 1), (3, 1), (1, 3)),
    "i3d_heavy": ((5,), (3,), (3,), (3,), (3,)),
}
"""Frames that the stem and the blocks of res2..res5 look at; a stage repeats its pattern."""


class SinglePathway(nn.Module):
    """One pathway over every frame of the clip."""

    def __init__(
        self,
        kind: Single,
        *,
        width: int,
        depth: int,
        temporal_blocks: Sequence[int],
        temporal_pool: int,
        strides: Sequence[int],
        dilations: Sequence[int],
        stride_first: bool = False,
        stem_strides: tuple[int, int] = (1, 1),
        stem_pool_padding: bool = True,
        non_local: Sequence[NonLocalPlacement] = (),
    ) -> None:
        """Build the pathway.

        Args:
            kind: a key of `TEMPORAL_KERNELS`.
            temporal_pool: frames of which the maximum is taken behind res2; 2 in PySlowFast's C2D and I3D.
            width, depth, temporal_blocks, strides, dilations, stride_first: see `Pathway`.
            stem_strides, stem_pool_padding, non_local: see `Pathway`.
        """
        super().__init__()
        pathway = Pathway(
            width=width,
            depth=depth,
            temporal_kernels=TEMPORAL_KERNELS[kind],
            temporal_blocks=temporal_blocks,
            strides=strides,
            dilations=dilations,
            stride_first=stride_first,
            stem_strides=stem_strides,
            stem_pool_padding=stem_pool_padding,
            non_local=non_local,
        )
        self.name = "fast" if kind == "fast" else "slow"  # as in SlowFast, so that one begins with the other's weights
        self.add_module(self.name, pathway)
        self.pool = nn.MaxPool3d((temporal_pool, 1, 1)) if temporal_pool > 1 else nn.Identity()
        self.out_channels = (pathway.out_channels,)

    def forward(self, clip: Tensor) -> tuple[Tensor, ...]:
        """``Tensor[B, 3, T, H, W]`` -> one ``Tensor[B, C, T/(strides * pool), H/16, W/16]``."""
        pathway = self.get_submodule(self.name)
        assert isinstance(pathway, Pathway)
        res2, *later = pathway.stages
        x = self.pool(res2(pathway.stem(clip)))
        for stage in later:
            x = stage(x)
        return (x,)


class SlowFast(nn.Module):
    """A wide pathway that sees T/alpha frames and a thin one that sees all T, joined after every stage."""

    def __init__(
        self,
        *,
        width: int,
        depth: tuple[int, int],
        num_frames: int,
        alpha: int,
        beta: int,
        slow_frames: SlowFrames,
        lateral: Lateral,
        fusion: Fusion,
        fusion_ratio: int,
        fusion_kernel: int,
        fusion_norm: bool,
        temporal_blocks: tuple[Sequence[int], Sequence[int]],
        strides: Sequence[int],
        dilations: Sequence[int],
        non_local: tuple[Sequence[NonLocalPlacement], Sequence[NonLocalPlacement]] = ((), ()),
    ) -> None:
        """Build both pathways.

        Args:
            width: channels of the slow stem; the fast one has ``width / beta``.
            depth: of the slow and of the fast pathway, keys of `BLOCKS`.
            num_frames: T, the frames of a clip; the slow pathway sees ``T / alpha`` of them.
            alpha, beta: the paper's ratios of frame rate and of channels.
            slow_frames: which frames these are, see `slow_frame_indices`.
            lateral: what the slow pathway hears of the fast one, see `make_lateral`.
            fusion: whether that comes behind the slow features or is added to them.
            fusion_ratio, fusion_kernel, fusion_norm: see `TimeStridedConv`.
            temporal_blocks, non_local: see `Pathway`, of the slow and of the fast one.
            strides, dilations: see `Pathway`.

        Raises:
            ValueError: channels are to be added to others of another number.
        """
        super().__init__()
        thin = width // beta
        self.register_buffer("slow_frames", slow_frame_indices(num_frames, alpha, slow_frames), persistent=False)
        self.fast = Pathway(
            width=thin,
            depth=depth[1],
            temporal_kernels=TEMPORAL_KERNELS["fast"],
            temporal_blocks=temporal_blocks[1],
            strides=strides,
            dilations=dilations,
            non_local=non_local[1],
        )
        fast_channels = (thin, *(thin * EXPANSION * 2**stage for stage in range(3)))  # after stem, res2, res3, res4
        laterals = [
            make_lateral(lateral, channels, alpha=alpha, ratio=fusion_ratio, kernel=fusion_kernel, normed=fusion_norm)
            for channels in fast_channels
        ]
        self.laterals = nn.ModuleList(laterals)
        self.added = fusion == "summation"
        if self.added and laterals[0].out_channels != width:
            raise ValueError(f"{laterals[0].out_channels} lateral channels cannot be added to {width} slow ones")
        self.slow = Pathway(
            width=width,
            depth=depth[0],
            temporal_kernels=TEMPORAL_KERNELS["slow"],
            temporal_blocks=temporal_blocks[0],
            lateral_channels=[0 if self.added else connection.out_channels for connection in laterals],
            strides=strides,
            dilations=dilations,
            non_local=non_local[0],
        )
        self.out_channels = (self.slow.out_channels, self.fast.out_channels)
        self.frames_together: int | None = None  # that take the slow pathway's first stages at once; None: all

    def forward(self, clip: Tensor) -> tuple[Tensor, ...]:
        """``Tensor[B, 3, T, H, W]`` -> slow ``[B, C, T/alpha, H/16, W/16]``, fast ``[B, C/beta, T, H/16, W/16]``."""
        heard, fast = [], self.fast.stem(clip)
        for lateral, stage in zip(self.laterals, self.fast.stages, strict=True):
            heard.append(lateral(fast))
            fast = stage(fast)
        seen = clip.index_select(2, self.get_buffer("slow_frames"))
        together, early = self.frames_together or seen.shape[2], self.slow.single_frames
        parts = [
            self._slow_start(*part)
            for part in zip(*(x.split(together, dim=2) for x in (seen, *heard[:early])), strict=True)
        ]
        slow = joined_frames(parts)
        for words, stage in zip(heard[early:], self.slow.stages[early:], strict=True):
            slow = stage(self._fused(slow, words))
        return slow, fast

    def _slow_start(self, frames: Tensor, *heard: Tensor) -> Tensor:
        """The slow pathway up to where it begins to look over time, over any of its frames."""
        slow: Tensor = self.slow.stem(frames)
        for words, stage in zip(heard, self.slow.stages, strict=False):
            slow = stage(self._fused(slow, words))
        return slow

    def _fused(self, slow: Tensor, heard: Tensor) -> Tensor:
        return slow + heard if self.added else joined_channels(slow, heard)


def slow_frame_indices(num_frames: int, alpha: int, choice: SlowFrames) -> Tensor:
    """Which T/alpha of T frames the slow pathway sees.

    ``linspace``: evenly spaced with both ends, cut to whole numbers, 0 4 8 13 17 22 26 31 for 8 of 32
    (PySlowFast, PyTorchVideo); ``stride``: every alpha-th from the first (mmaction2).
    """
    if choice == "stride":
        return torch.arange(0, num_frames, alpha, device="cpu")
    return torch.linspace(0, num_frames - 1, num_frames // alpha, device="cpu").long()


def freeze_stages(network: nn.Module, count: int) -> None:
    """Keep the weights of a network's first stages (stem, res2, ..., res5), and of the laterals behind them."""
    for part in network.modules():
        if isinstance(part, Pathway):
            stages: list[nn.Module] = [part.stem, *part.stages]
        elif isinstance(part, SlowFast):
            stages = list(part.laterals)
        else:
            continue
        for stage in stages[:count]:
            stage.requires_grad_(False)
