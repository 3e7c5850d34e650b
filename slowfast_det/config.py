"""Typed, strict configuration, and where the files of configs/ are.

A configuration says what a model is: its network, the clips it looks at, its labels. The network itself
never sees it (`checkpoints.model.build_network` unpacks it into plain values).
"""

from __future__ import annotations

import math
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from ava_tools.errors import InputError
from ava_tools.settings import Settings, parse_settings

_HINT = "mmaction2's networks are the packaged configs mmaction2_..."
_KINDS = {"": "an action detector (train, test)", "persons": "a person detector (train-persons, test-persons)"}
_PLACES = (Path(__file__).parent / "configs", Path(__file__).parent.parent / "configs")  # wheel, checkout


class NonLocalConfig(Settings):
    """Non-local blocks of one stage and pathway."""

    stage: Literal["res2", "res3", "res4", "res5"]
    """Stage that they are in."""
    blocks: tuple[int, ...] = Field(min_length=1)
    """Numbers of the residual blocks that they follow, from 0."""
    pathway: Literal["slow", "fast"] = "slow"
    """Pathway that they are in."""
    affinity: Literal["softmax", "dot_product"] = "softmax"
    """How much a position looks at another one."""
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

    architecture: Literal["slowfast", "slow", "c2d", "i3d"]
    """Two pathways (slowfast), or one that looks over time late (slow), never (c2d) or everywhere (i3d)."""
    head: Literal["persons", "clip"] = "persons"
    """Whose actions are scored: each person's, or (Kinetics) the whole clip's."""
    depth: Literal[14, 26, 50, 101] = 50
    """Layers of each pathway's ResNet; 14 and 26 are small ones for tests and small data."""
    width: int = Field(64, ge=8, le=512)
    """Channels of the slow stem."""
    alpha: int = Field(4, ge=1, le=64)
    """Frames of the fast pathway per frame of the slow one; this and the next five matter to slowfast alone."""
    beta: int = Field(8, ge=1, le=64)
    """Channels of the slow pathway per channel of the fast one."""
    fusion_ratio: int = Field(2, ge=1, le=16)
    """Channels of a lateral connection per channel of the fast pathway."""
    fusion_kernel: int = Field(7, ge=1, le=15)
    """Frames that a lateral connection looks at; odd."""
    fusion_norm: bool = True
    """Whether batch norm and ReLU follow a lateral connection; not in mmaction2."""
    slow_frames: Literal["linspace", "stride"] = "linspace"
    """Frames of the slow pathway: evenly spaced with both ends (PySlowFast), or every alpha-th (mmaction2)."""
    temporal_pool: int = Field(1, ge=1, le=8)
    """Frames of which the maximum is taken behind res2, single pathways only; 2 in PySlowFast's C2D and I3D."""
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
    that they follow), pathway (slow or fast), affinity (softmax or dot_product), pool (time, height, width of the
    maximum over what is looked at), groups (pieces of time that do not see each other), project_first (mmaction2's)."""
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
    """Whether a hidden layer stands before the last one."""
    window: int | None = Field(7, ge=1, le=32)
    """Cells of height and width that a clip's head averages, larger clips are scored at several positions (PySlowFast);
    none: all of them (mmaction2)."""
    dropout: float = Field(0.5, ge=0, lt=1)
    """Share of features dropped before the last layer in training."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        two = self.architecture == "slowfast"
        if two and self.width % self.beta:
            raise ValueError(f"width {self.width} is no multiple of beta {self.beta}")
        if two and self.fusion_kernel % 2 == 0:
            raise ValueError(f"fusion_kernel is {self.fusion_kernel}; an odd number is expected")
        if any(not 1 <= value <= 16 for value in (*self.strides, *self.dilations)):
            raise ValueError("strides and dilations are from 1 to 16")
        if two and (self.temporal_pool > 1 or self.stride_first):
            raise ValueError("temporal_pool and stride_first are switches of single pathways, not of slowfast")
        of_persons = self.context != "none" or self.mlp_head or self.unused_column or self.temporal_pooling != "avg"
        if self.head == "clip" and of_persons:
            raise ValueError("context, mlp_head, unused_column and temporal_pooling are switches of the persons' head")
        if self.head == "persons" and self.window != 7:
            raise ValueError("window is a switch of the head of clips")
        for entry in self.non_local:
            if entry.pathway == "fast" and not two:
                raise ValueError("non_local: a fast pathway is only in slowfast")
        placed = [(entry.pathway, entry.stage, block) for entry in self.non_local for block in entry.blocks]
        if len(set(placed)) < len(placed):
            raise ValueError("non_local: a block is named twice")
        return self

    @property
    def feature_stride(self) -> int:
        """Pixels of the clip per cell of the last stage; the stem alone makes 4."""
        stride = 4
        for factor in self.strides:
            stride *= factor
        return stride


class ClipConfig(Settings):
    """Which frames the network looks at, and how they are prepared."""

    num_frames: int = Field(ge=1, le=256)
    """T, frames of a clip."""
    sampling_rate: int = Field(ge=1, le=64)
    """Step between them on the 30 frames-a-second time line."""
    short_side: int = Field(256, ge=16, le=2048)
    """Frames are resized so that their shorter side has this many pixels; nothing is cropped."""
    mean: tuple[float, float, float] = (0.45, 0.45, 0.45)
    """Subtracted from each channel of 0-1 pixels."""
    std: tuple[float, float, float] = (0.225, 0.225, 0.225)
    """Divides each channel after that."""
    channels: Literal["rgb", "bgr"] = "rgb"
    """Order of the channels that the network was trained on."""
    geometry: Literal["pyslowfast", "mmaction2"] = "pyslowfast"
    """Whose arithmetic of sizes and boxes: pyslowfast cuts the longer side to whole pixels, scales boxes by the
    ratio of the longer sides and cuts them to the frame; mmaction2 rounds, and scales each axis by its own."""
    index_base: Literal[-1, 0, 1] = 0
    """Frames by which a clip lies behind its moment: mmaction2 counts the number of AVA's first frame twice (1),
    that of AVA-Kinetics' not at all (-1)."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if any(not 1e-6 <= value < math.inf for value in self.std):
            raise ValueError(f"std is {list(self.std)}; numbers above 0 are expected")
        if not all(math.isfinite(value) for value in self.mean):
            raise ValueError(f"mean is {list(self.mean)}; finite numbers are expected")
        return self


class Config(Settings):
    """A model: network, clips, labels."""

    network: NetworkConfig
    """What the network is made of."""
    clip: ClipConfig
    """Which frames the network looks at, and how they are prepared."""
    activation: Literal["sigmoid", "softmax"] = "sigmoid"
    """From logits to scores: each action by itself, or exactly one of them (MultiSports, Kinetics)."""
    labels: Literal["ava", "numbered"] = "numbered"
    """ava: AVA's 80 actions; numbered: no names are known."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        frames, alpha = self.clip.num_frames, self.network.alpha
        if self.network.architecture == "slowfast" and frames % alpha:
            raise ValueError(f"clip.num_frames {frames} is no multiple of network.alpha {alpha}")
        slow = frames // (alpha if self.network.architecture == "slowfast" else self.network.temporal_pool)
        if not slow:
            raise ValueError(f"clip.num_frames {frames} is less than network.temporal_pool")
        for entry in self.network.non_local:
            alone = self.network.architecture != "slowfast"
            seen = frames if entry.pathway == "fast" or (alone and entry.stage == "res2") else slow
            if seen % entry.groups or seen // entry.groups < entry.pool[0]:
                raise ValueError(
                    f"network.non_local: {seen} frames of {entry.stage} do not fit {entry.groups} groups and a "
                    f"pool over {entry.pool[0]} frames"
                )
        if self.labels == "ava" and self.network.num_actions != 80:
            raise ValueError(f"labels are AVA's 80, but network.num_actions is {self.network.num_actions}")
        return self


def config_names(folder: str = "") -> list[str]:
    """Names of the packaged configurations; ``folder``: of those of another kind, within configs/."""
    return sorted(path.stem for place in _PLACES for path in (place / folder).glob("*.yaml"))


def find_config(name: str, folder: str = "") -> Path:
    """The file of a configuration, given as a packaged name or as a path.

    Args:
        name: the packaged name, or the path of any file.
        folder: of the packaged ones, within configs/, by which their names may begin.

    Raises:
        InputError: neither; the names are listed, or what it is a recipe of.
    """
    short = name.removeprefix(f"{folder}/") if folder else name
    for place in _PLACES:
        candidate = place / folder / f"{short}.yaml"
        if "/" not in short and candidate.is_file():
            return candidate
    path = Path(name)
    if path.suffix == ".py":
        raise InputError(f"{name}: configs in Python are not read, for nothing in a file is run; {_HINT}")
    if path.is_file():
        return path
    raise InputError(f"{name}: {_meant(name, folder)}")


def _meant(name: str, folder: str) -> str:
    """Why a name is none of a kind of configurations, and what may have been meant."""
    prefix, _, short = name.rpartition("/")
    for other, kind in _KINDS.items():
        if other != folder and prefix in ("", other) and short in config_names(other):
            whole = f"{other}/{short}" if other else short
            return f"no recipe of {_KINDS[folder]}; {whole} is one of {kind}"
    named = f"{prefix}/" if prefix and prefix in _KINDS else ""
    names = config_names(prefix if named else folder)
    if close := get_close_matches(name.removeprefix(named), names, n=2):
        return f"no such config; did you mean {' or '.join(named + each for each in close)}?"
    return f"no such config; a yaml file or one of {', '.join(named + each for each in names)} is expected"


def parse_config(content: Any, name: str) -> Config:
    """Check a mapping against `Config`.

    Raises:
        InputError: one sentence with each wrong key, what was found and what is allowed.
    """
    return parse_settings(Config, content, name)
