"""Residual blocks and pathways of a 3-D ResNet (arXiv:1812.03982, table 1)."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from slowfast_det.models.convolution import Convolution
from slowfast_det.models.nonlocal_block import NonLocal, NonLocalPlacement

BLOCKS = {14: (1, 1, 1, 1), 26: (2, 2, 2, 2), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}
"""Bottlenecks of res2..res5 by depth; 14 and 26 are small ones of ours."""

STAGES = ("res2", "res3", "res4", "res5")
EXPANSION = 4  # channels of a stage over those of its 3 x 3 convolutions


class ConvNorm(nn.Module):
    """A convolution without bias, followed by batch normalisation unless ``normed`` is off."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: tuple[int, int, int],
        stride: tuple[int, int, int] = (1, 1, 1),
        dilation: tuple[int, int, int] = (1, 1, 1),
        *,
        normed: bool = True,
    ) -> None:
        """Kernel, stride and dilation are (time, height, width); padding keeps the size at stride 1."""
        super().__init__()
        time, height, width = (d * (k // 2) for k, d in zip(kernel, dilation, strict=True))
        padding = (time, height, width)
        self.conv = Convolution(
            in_channels, out_channels, kernel, stride=stride, padding=padding, dilation=dilation, bias=False
        )
        self.norm = nn.BatchNorm3d(out_channels) if normed else nn.Identity()

    def forward(self, x: Tensor, *, add: Tensor | None = None, relu: bool = False) -> Tensor:
        """``Tensor[B, C, T, H, W]`` to the same with the new channels and strides.

        Args:
            x: what comes in.
            add: what is added to what comes out.
            relu: whether negative numbers become 0 after that.
        """
        normed: Tensor = self.norm(self.conv(x))
        if add is not None:
            normed += add
        return normed.relu_() if relu else normed

    def zero_norm(self) -> None:
        """Let nothing through until the norm's gain is trained."""
        if isinstance(self.norm, nn.BatchNorm3d):
            nn.init.zeros_(self.norm.weight)


class Stem(nn.Module):
    """First convolution and pooling: a quarter of the height and width, all of the time unless there are strides."""

    def __init__(
        self, out_channels: int, temporal_kernel: int, strides: tuple[int, int] = (1, 1), *, pool_padding: bool = True
    ) -> None:
        """``strides``: in time, of convolution and pooling; ``pool_padding``: whether the latter passes the edges."""
        super().__init__()
        edge = int(pool_padding)
        self.first = ConvNorm(3, out_channels, (temporal_kernel, 7, 7), stride=(strides[0], 2, 2))
        self.pool = nn.MaxPool3d((1, 3, 3), stride=(strides[1], 2, 2), padding=(0, edge, edge))

    def forward(self, clip: Tensor) -> Tensor:
        """``Tensor[B, 3, T, H, W]`` -> ``Tensor[B, C, T/strides, H/4, W/4]``."""
        pooled: Tensor = self.pool(self.first(clip, relu=True))
        return pooled


class Bottleneck(nn.Module):
    """1 x 1 (over time: ``temporal_kernel``), 3 x 3 and 1 x 1 convolutions around a shortcut.

    The shortcut is a convolution wherever size or channels change.
    """

    def __init__(
        self,
        in_channels: int,
        inner_channels: int,
        temporal_kernel: int,
        stride: int = 1,
        dilation: int = 1,
        *,
        stride_first: bool = False,
        non_local: NonLocal | None = None,
    ) -> None:
        """Build a block.

        Args:
            in_channels: of what comes in; ``inner_channels * EXPANSION`` go out.
            inner_channels: of the 3 x 3 convolution.
            temporal_kernel: frames that the first convolution looks at.
            stride, dilation: spatial.
            stride_first: whether the first convolution takes the stride (PySlowFast's RESNET.STRIDE_1X1)
                instead of the 3 x 3 one.
            non_local: what follows the block.
        """
        super().__init__()
        out_channels = inner_channels * EXPANSION
        first, second = (stride, 1) if stride_first else (1, stride)
        self.shortcut = (
            ConvNorm(in_channels, out_channels, (1, 1, 1), stride=(1, stride, stride))
            if in_channels != out_channels or stride != 1
            else None
        )
        self.a = ConvNorm(in_channels, inner_channels, (temporal_kernel, 1, 1), stride=(1, first, first))
        self.b = ConvNorm(
            inner_channels, inner_channels, (1, 3, 3), stride=(1, second, second), dilation=(1, dilation, dilation)
        )
        self.c = ConvNorm(inner_channels, out_channels, (1, 1, 1))
        self.non_local = non_local

    def forward(self, x: Tensor) -> Tensor:
        """``Tensor[B, C, T, H, W]`` -> ``Tensor[B, C', T, H/stride, W/stride]``."""
        shortcut = x if self.shortcut is None else self.shortcut(x)
        out: Tensor = self.c(self.b(self.a(x, relu=True), relu=True), add=shortcut, relu=True)
        return out if self.non_local is None else self.non_local(out)


class Pathway(nn.Module):
    """One ResNet over time: a stem and four stages, ``stem``, ``res2`` .. ``res5``.

    Attributes:
        out_channels: of the last stage.
        single_frames: how many of the first stages see each frame by itself, as the stem does; 0 if that does not.
    """

    def __init__(
        self,
        *,
        width: int,
        depth: int,
        temporal_kernels: Sequence[Sequence[int]],
        temporal_blocks: Sequence[int],
        lateral_channels: Sequence[int] = (0, 0, 0, 0),
        strides: Sequence[int] = (1, 2, 2, 1),
        dilations: Sequence[int] = (1, 1, 1, 2),
        stride_first: bool = False,
        stem_strides: tuple[int, int] = (1, 1),
        stem_pool_padding: bool = True,
        non_local: Sequence[NonLocalPlacement] = (),
    ) -> None:
        """Build a pathway.

        Args:
            width: channels of the stem and of res2's 3 x 3 convolutions; each stage doubles them.
            depth: 50 or 101 as in the paper, a key of `BLOCKS`.
            temporal_kernels: five patterns, of the stem and of res2..res5; a stage repeats its pattern
                from block to block.
            temporal_blocks: how many blocks of res2..res5 look over time at all; the later ones have
                a temporal kernel of 1 (PySlowFast's NUM_BLOCK_TEMP_KERNEL).
            lateral_channels: channels that arrive from another pathway before res2..res5.
            strides, dilations: spatial, of res2..res5. The detector keeps res5 at res4's size, dilated.
            stride_first: see `Bottleneck`.
            stem_strides, stem_pool_padding: see `Stem`.
            non_local: where non-local blocks follow.

        Raises:
            ValueError: blocks look over time, or are followed by non-local ones, that are not there.
        """
        super().__init__()
        if any(not 0 <= looking <= count for looking, count in zip(temporal_blocks, BLOCKS[depth], strict=True)):
            raise ValueError(f"{list(temporal_blocks)} blocks look over time; depth {depth} has {list(BLOCKS[depth])}")
        self.stem = Stem(width, temporal_kernels[0][0], stem_strides, pool_padding=stem_pool_padding)
        attended = {(placement.stage, block): placement for placement in non_local for block in placement.blocks}
        for stage, block in attended:
            if not 0 <= block < BLOCKS[depth][STAGES.index(stage)]:
                raise ValueError(f"a non-local block follows block {block} of {stage}, which depth {depth} lacks")
        channels = width
        for number, stage in enumerate(STAGES):
            inner = width * 2**number
            pattern = temporal_kernels[number + 1]
            blocks = []
            for block in range(BLOCKS[depth][number]):
                placement = attended.get((stage, block))
                blocks.append(
                    Bottleneck(
                        channels + (lateral_channels[number] if block == 0 else 0),
                        inner,
                        temporal_kernel=pattern[block % len(pattern)] if block < temporal_blocks[number] else 1,
                        stride=strides[number] if block == 0 else 1,
                        dilation=dilations[number],
                        stride_first=stride_first,
                        non_local=None if placement is None else _non_local(inner * EXPANSION, placement),
                    )
                )
                channels = inner * EXPANSION
            self.add_module(stage, nn.Sequential(*blocks))
        self.out_channels = channels
        self.single_frames = self._single_frames()

    def _single_frames(self) -> int:
        if _looks_over_time(self.stem):
            return 0
        return next((number for number, stage in enumerate(self.stages) if _looks_over_time(stage)), len(self.stages))

    @property
    def stages(self) -> tuple[nn.Module, ...]:
        """res2 .. res5."""
        return tuple(self.get_submodule(stage) for stage in STAGES)


def _looks_over_time(part: nn.Module) -> bool:
    kernels = [module.kernel_size[0] for module in part.modules() if isinstance(module, nn.Conv3d)]
    return max(kernels) > 1 or any(isinstance(module, NonLocal) for module in part.modules())


def _non_local(channels: int, placement: NonLocalPlacement) -> NonLocal:
    return NonLocal(
        channels,
        affinity=placement.affinity,
        pool=placement.pool,
        groups=placement.groups,
        project_first=placement.project_first,
    )
