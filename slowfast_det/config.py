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
from ava_tools.labels import PACKAGED
from ava_tools.settings import Settings, parse_settings
from slowfast_det.network_config import NetworkConfig

_HINT = "mmaction2's networks are the packaged configs mmaction2_..."
_KINDS = {"": "an action detector (train, test)", "persons": "a person detector (train-persons, test-persons)"}
_PLACES = (Path(__file__).parent / "configs", Path(__file__).parent.parent / "configs")  # wheel, checkout


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
    labels: Literal["ava", "kinetics400", "kinetics600", "kinetics700", "kinetics710", "numbered"] = "numbered"
    """Names of the outputs: AVA's 80 actions, Kinetics' classes, or none that are known."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        for entry in self.network.non_local:
            seen = self._frames_of(entry.pathway, entry.stage)
            if seen % entry.groups or seen // entry.groups < entry.pool[0]:
                raise ValueError(
                    f"network.non_local: {seen} frames of {entry.stage} do not fit {entry.groups} groups and a "
                    f"pool over {entry.pool[0]} frames"
                )
        if not self._frames_of(self.network.only_pathway, "res5"):
            raise ValueError(f"clip.num_frames {self.clip.num_frames} leaves none for network.temporal_pool")
        window, cells = self.network.window, math.ceil(self.clip.short_side / self.network.feature_stride)
        if self.network.head == "clip" and window is not None and window > cells:
            raise ValueError(
                f"network.window {window} is larger than the {cells} cells of clip.short_side {self.clip.short_side}"
            )
        named = PACKAGED.get(self.labels)
        if named is not None and self.network.num_actions != named:
            raise ValueError(f"labels {self.labels} are {named}, but network.num_actions is {self.network.num_actions}")
        return self

    def _frames_of(self, pathway: str, stage: str) -> int:
        """Frames that come out of a stage."""
        network, frames = self.network, self.clip.num_frames
        if network.architecture == "slowfast":
            if frames % network.alpha:
                raise ValueError(f"clip.num_frames {frames} is no multiple of network.alpha {network.alpha}")
            return frames if pathway == "fast" else frames // network.alpha
        first, second = network.stem_strides
        if frames % (first * second):
            raise ValueError(f"clip.num_frames {frames} is no multiple of network.stem_strides {first} x {second}")
        return frames // (first * second) // (1 if stage == "res2" else network.temporal_pool)


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
