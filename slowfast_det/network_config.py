"""Configuration of a network: what it is made of, checked key by key."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from ava_tools.settings import Settings


class NonLocalConfig(Settings):
    """Non-local blocks of one stage and pathway."""

    stage: Literal["res2", "res3", "res4", "res5"]
    """Stage that they are in."""
    blocks: tuple[int, ...] = Field(min_length=1)
    """Numbers of the residual blocks that they follow, from 0."""
    pathway: Literal["slow", "fast"] = "slow"
    """Pathway that they are in."""
    affinity: Literal["softmax", "dot_product", "embedded_gaussian", "gaussian"] = "softmax"
    """How much a position looks at another one: softmax of the products over the root of the channels, the products
    over the positions' number, softmax of the products as they are, or of those of the features themselves."""
    pool: tuple[int, int, int] = (1, 2, 2)
    """Time, height and width of the maximum over what is looked at."""
    groups: int = Field(1, ge=1, le=64)
    """Pieces of time that do not see each other."""
    project_first: bool = False
    """mmaction2's form: pooled behind the convolutions, no bias in the last one."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if any(not 1 <= size <= 16 for size in self.pool):
            raise ValueError(f"pool is {list(self.pool)}; numbers from 1 to 16 are expected")
        return self


class NetworkConfig(Settings):
    """What the network is made of."""

    architecture: Literal["slowfast", "slow", "fast", "c2d", "i3d", "i3d_heavy"]
    """Two pathways (slowfast), or one: that looks over time late (slow), never (c2d), in every stage (i3d) or in every
    block (i3d_heavy), or the thin one of slowfast alone (fast, whose width is its own: 8 in the paper)."""
    head: Literal["persons", "clip"] = "persons"
    """Whose actions are scored: each person's, or (Kinetics) the whole clip's."""
    depth: Literal[14, 26, 50, 101] = 50
    """Layers of each pathway's ResNet; 14 and 26 are small ones for tests and small data."""
    fast_depth: Literal[14, 26, 50, 101] | None = None
    """Layers of slowfast's fast pathway; none: as many."""
    width: int = Field(64, ge=8, le=512)
    """Channels of the slow stem, or of the only one."""
    alpha: int = Field(4, ge=1, le=64)
    """Frames of the fast pathway per frame of the slow one; the paper's tau is this times clip.sampling_rate. This and
    the next seven matter to slowfast alone."""
    beta: int = Field(8, ge=1, le=64)
    """Channels of the slow pathway per channel of the fast one."""
    lateral: Literal["time_strided_conv", "time_strided_sampling", "time_to_channel", "none"] = "time_strided_conv"
    """What the slow pathway hears of the fast one after stem, res2, res3 and res4: a convolution over time, every
    alpha-th frame, the channels of alpha frames as those of one, or nothing."""
    fusion: Literal["concatenation", "summation"] = "concatenation"
    """Whether that comes behind the slow features, or is added to them, for which there must be as many channels."""
    fusion_ratio: int = Field(2, ge=1, le=64)
    """Channels of a time_strided_conv per channel of the fast pathway."""
    fusion_kernel: int = Field(7, ge=1, le=15)
    """Frames that a time_strided_conv looks at; odd."""
    fusion_norm: bool = True
    """Whether batch norm and ReLU follow a time_strided_conv; not in mmaction2."""
    slow_frames: Literal["linspace", "stride"] = "linspace"
    """Frames of the slow pathway: evenly spaced with both ends (PySlowFast), or every alpha-th (mmaction2)."""
    temporal_pool: int = Field(1, ge=1, le=8)
    """Frames of which the maximum is taken behind res2, single pathways only; 2 in PySlowFast's C2D and I3D."""
    stem_strides: tuple[int, int] = (1, 1)
    """Frames by which the first convolution and the pooling behind it step, single pathways only; 2 and 2 in
    mmaction2's I3D."""
    stem_pool_padding: bool = True
    """Whether that pooling passes the edges, single pathways only; not in mmaction2's C2D."""
    slow_temporal_blocks: tuple[int, int, int, int] | None = None
    """Blocks of res2..res5 that look over time, slow pathway; none given: all."""
    fast_temporal_blocks: tuple[int, int, int, int] | None = None
    """The same of the fast pathway."""
    strides: tuple[int, int, int, int] = (1, 2, 2, 1)
    """Spatial stride of res2..res5."""
    dilations: tuple[int, int, int, int] = (1, 1, 1, 2)
    """Spatial dilation of res2..res5."""
    stride_first: bool = False
    """Whether a block's first convolution takes the stride, not its 3 x 3 one; single pathways only."""
    non_local: tuple[NonLocalConfig, ...] = ()
    """Non-local blocks, for each stage that has some: stage (res2 .. res5), blocks (numbers of the residual blocks
    that they follow), pathway (slow or fast), affinity (softmax, dot_product, embedded_gaussian or gaussian), pool
    (time, height, width of the maximum over what is looked at), groups (pieces of time that do not see each other),
    project_first (mmaction2's)."""
    num_actions: int = Field(80, ge=1, le=100_000)
    """Outputs for each person or clip."""
    unused_column: bool = False
    """Whether the last layer has one more output, the first, that stands for no action (mmaction2)."""
    roi_resolution: int = Field(7, ge=1, le=32)
    """Side of the grid that RoIAlign samples for each person."""
    aligned: bool = True
    """RoIAlign's half-pixel shift."""
    temporal_pooling: Literal["avg", "max"] = "avg"
    """How a person's features are pooled over the frames."""
    context: Literal["none", "frame", "acrn"] = "none"
    """What they are joined with: nothing, the whole frame, or its every place (actor-centric relations)."""
    mlp_head: bool = False
    """Whether a hidden layer stands before the last one; for clips it is normed and as wide as two of the last."""
    window: int | None = Field(7, ge=1, le=32)
    """Cells of height and width that a clip's head averages, larger clips are scored at several positions (PySlowFast);
    none: all of them (mmaction2)."""
    dropout: float = Field(0.5, ge=0, lt=1)
    """Share of features dropped before the last layer in training."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        two = self.architecture == "slowfast"
        if any(not 1 <= value <= 16 for value in (*self.strides, *self.dilations)):
            raise ValueError("strides and dilations are from 1 to 16")
        if any(not 1 <= value <= 16 for value in self.stem_strides):
            raise ValueError(f"stem_strides are {list(self.stem_strides)}; numbers from 1 to 16 are expected")
        if two:
            self._check_two()
        else:
            self._check_one()
        of_persons = self.context != "none" or self.unused_column or self.temporal_pooling != "avg"
        if self.head == "clip" and of_persons:
            raise ValueError("context, unused_column and temporal_pooling are switches of the persons' head")
        if self.head == "persons" and self.window != 7:
            raise ValueError("window is a switch of the head of clips")
        for entry in self.non_local:
            if not two and entry.pathway != self.only_pathway:
                raise ValueError(f"non_local: {self.architecture} has no {entry.pathway} pathway")
        placed = [(entry.pathway, entry.stage, block) for entry in self.non_local for block in entry.blocks]
        if len(set(placed)) < len(placed):
            raise ValueError("non_local: a block is named twice")
        return self

    def _check_one(self) -> None:
        if self.lateral != "time_strided_conv" or self.fusion != "concatenation" or self.fast_depth is not None:
            raise ValueError(f"lateral, fusion and fast_depth are switches of slowfast, not of {self.architecture}")

    def _check_two(self) -> None:
        if self.width % self.beta:
            raise ValueError(f"width {self.width} is no multiple of beta {self.beta}")
        if self.fusion_kernel % 2 == 0:
            raise ValueError(f"fusion_kernel is {self.fusion_kernel}; an odd number is expected")
        whole = self.temporal_pool == 1 and self.stem_strides == (1, 1)
        if not whole or self.stride_first or not self.stem_pool_padding:
            raise ValueError(
                "temporal_pool, stem_strides, stem_pool_padding and stride_first are switches of single pathways, not "
                "of slowfast"
            )
        if self.fusion == "concatenation":
            return
        heard = {"time_strided_conv": self.fusion_ratio, "time_strided_sampling": 1, "time_to_channel": self.alpha}
        if self.lateral == "none":
            raise ValueError("fusion is summation, but lateral none hands nothing over")
        if heard[self.lateral] != self.beta:
            key = {"time_strided_conv": "fusion_ratio", "time_to_channel": "alpha"}.get(self.lateral)
            wanted = f"{key} {self.beta}, equal to beta, is" if key else "beta 1 is"
            raise ValueError(
                f"{self.lateral} hands over {heard[self.lateral]} channels per fast one, which cannot be added to the "
                f"{self.beta} (beta) of the slow pathway; {wanted} expected, or fusion concatenation"
            )

    @property
    def only_pathway(self) -> Literal["slow", "fast"]:
        """Of a single one: which of SlowFast's it is like."""
        return "fast" if self.architecture == "fast" else "slow"

    @property
    def feature_stride(self) -> int:
        """Pixels of the clip per cell of the last stage; the stem alone makes 4."""
        stride = 4
        for factor in self.strides:
            stride *= factor
        return stride
