"""A model: a network together with everything needed to use it, from whatever file it came."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from ava_tools.errors import InputError
from ava_tools.labels import Labels, ava_labels, numbered_labels
from ava_tools.settings import overridden
from slowfast_det.checkpoints import native, pyslowfast
from slowfast_det.config import (
    ClipConfig,
    Config,
    NetworkConfig,
    parse_config,
)
from slowfast_det.models.backbone import SLOW_KERNELS, SinglePathway, SlowFast
from slowfast_det.models.blocks import BLOCKS
from slowfast_det.models.network import ActionNetwork, initialise
from slowfast_det.models.roi_head import RoIHead
from slowfast_det.recipe import read_recipe
from slowfast_det.weights.files import WeightFile, open_weights, state_dict_of


@dataclass(frozen=True)
class Model:
    """A network with its pre-processing and its labels.

    Attributes:
        name: what to call it: the weights' file name, or the configuration of an untrained one.
    """

    network: ActionNetwork
    config: Config
    labels: Labels
    name: str

    @property
    def clip(self) -> ClipConfig:
        """Which frames the network looks at, and how they are prepared."""
        return self.config.clip

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return next(self.network.parameters()).device

    def to(self, device: torch.device) -> Model:
        """The model on another device (the network itself moves)."""
        return replace(self, network=self.network.to(device))

    def save(self, path: str | Path) -> None:
        """Write a checkpoint of ours: one safetensors file that needs no other."""
        native.save(path, self.network.state_dict(), self.config, self.labels)


def load_model(
    weights: str | Path,
    config: str | Path | None = None,
    *,
    fallback: Config | None = None,
    overrides: Sequence[str] = (),
) -> Model:
    """Load a model from a checkpoint of any supported layout.

    Args:
        weights: PySlowFast's ``.pyth`` or our safetensors; recognised by content.
        config: a name in configs/, a yaml of ours or of PySlowFast; None: read it from the checkpoint.
        fallback: the configuration of a checkpoint that carries none.
        overrides: ``key=value`` texts over the configuration, wherever it came from.

    Returns:
        The model in evaluation mode, on the CPU.

    Raises:
        InputError: the file or the configuration is not usable, or one does not fit the other.
    """
    file = open_weights(weights)
    state, own_config, labels = _read(file, needs_config=config is None)
    chosen = load_config(config) if config is not None else own_config or fallback
    if chosen is not None and overrides:
        chosen = parse_config(overridden(chosen.model_dump(), overrides), f"{file.path} with {' '.join(overrides)}")
    if chosen is None:
        raise InputError(f"{file.path}: does not say what network it is; name its config")
    with torch.device("meta"):  # no memory is taken before the tensors are known to fit
        network = build_network(chosen.network, chosen.clip.num_frames)
    _fill(network, state, str(file.path))
    if labels is None or len(labels) != chosen.network.num_actions:
        labels = _labels(chosen)
    return Model(network.eval(), chosen, labels, file.path.name)


def untrained_model(config: str | Path | Config, labels: Labels | None = None) -> Model:
    """A model with fresh weights: its scores mean nothing before it is trained.

    Args:
        config: a configuration, by name, path or value.
        labels: its actions, if they are not the configuration's own; their number sets the outputs.
    """
    name = "model" if isinstance(config, Config) else Path(config).stem
    chosen = config if isinstance(config, Config) else load_config(config)
    if labels is not None:
        outputs = chosen.network.model_copy(update={"num_actions": len(labels)})
        kind = "ava" if labels.names == ava_labels().names else "numbered"
        chosen = chosen.model_copy(update={"network": outputs, "labels": kind})
    network = build_network(chosen.network, chosen.clip.num_frames)
    initialise(network)
    return Model(network.eval(), chosen, labels or _labels(chosen), f"untrained {name}")


def load_network(weights: str | Path, config: str | Path | None = None) -> ActionNetwork:
    """The network of `load_model` alone: ``network(clip, boxes)`` gives logits."""
    return load_model(weights, config).network


def read_state(weights: str | Path) -> tuple[dict[str, Tensor], Labels | None]:
    """A checkpoint's tensors under our names, and its actions if it says or implies them.

    Nothing is checked against a network: the checkpoint may be a classifier's.
    """
    file = open_weights(weights)
    state, _, labels = _read(file, needs_config=False)
    if labels is None and not native.is_native(file.metadata):
        head = state.get("head.projection.weight")
        labels = ava_labels() if head is not None and len(head) == 80 else None  # PySlowFast's 80 are AVA's
    return state, labels


def load_config(name: str | Path) -> Config:
    """A configuration by packaged name or by path: ours, or a yaml of PySlowFast."""
    return read_recipe(name).of_model()


def build_network(config: NetworkConfig, num_frames: int) -> ActionNetwork:
    """The network that a configuration describes, with uninitialised weights."""
    blocks = BLOCKS[config.depth]
    slow_blocks = config.slow_temporal_blocks or blocks
    fast_blocks = config.fast_temporal_blocks or blocks
    backbone = (
        SlowFast(
            width=config.width,
            depth=config.depth,
            num_frames=num_frames,
            alpha=config.alpha,
            beta=config.beta,
            fusion_ratio=config.fusion_ratio,
            fusion_kernel=config.fusion_kernel,
            temporal_blocks=(slow_blocks, fast_blocks),
            strides=config.strides,
            dilations=config.dilations,
        )
        if config.pathways == "slowfast"
        else SinglePathway(
            width=config.width,
            depth=config.depth,
            temporal_kernels=SLOW_KERNELS,
            temporal_blocks=slow_blocks,
            strides=config.strides,
            dilations=config.dilations,
        )
    )
    head = RoIHead(
        backbone.out_channels,
        config.num_actions,
        resolution=config.roi_resolution,
        feature_stride=config.feature_stride,
        aligned=config.aligned,
        dropout=config.dropout,
    )
    return ActionNetwork(backbone, head, num_frames)


def _read(file: WeightFile, needs_config: bool) -> tuple[dict[str, Tensor], Config | None, Labels | None]:
    """Tensors under our names, and what the file says of itself."""
    name = str(file.path)
    if native.is_native(file.metadata):
        config, labels = native.read_metadata(file.metadata, name)
        return dict(file.content), config, labels
    if pyslowfast.is_pyslowfast(file.content):
        own = pyslowfast.config_of(file.content, name) if needs_config else None
        return pyslowfast.state_dict_from(file.content), own, None
    state = state_dict_of(file.content)
    if state is not None and any(key.startswith("backbone.slow.stem.") for key in state):
        return state, None, None
    raise InputError(f"{name}: is a checkpoint of no layout that is known (PySlowFast's .pyth, our safetensors)")


def _fill(network: ActionNetwork, state: Mapping[str, Tensor], name: str) -> None:
    """Load every tensor or say which ones do not fit."""
    own = network.state_dict()
    missing = sorted(own.keys() - state.keys())
    unknown = sorted(state.keys() - own.keys())
    misshapen = [
        f"{key} is {list(state[key].shape)}, {list(own[key].shape)} is expected"
        for key in own.keys() & state.keys()
        if own[key].shape != state[key].shape
    ]
    findings = [_listed("lacks", missing), _listed("has the unknown", unknown), "; ".join(sorted(misshapen)[:3])]
    if any(findings):
        raise InputError(f"{name}: does not fit its config: {'; '.join(filter(None, findings))}")
    numbers = {key: value.float() if value.is_floating_point() else value for key, value in state.items()}
    network.load_state_dict(numbers, assign=True)


def _listed(verb: str, keys: list[str]) -> str:
    if not keys:
        return ""
    more = f" and {len(keys) - 3} more" if len(keys) > 3 else ""
    return f"{verb} {', '.join(keys[:3])}{more}"


def _labels(config: Config) -> Labels:
    return ava_labels() if config.labels == "ava" else numbered_labels(config.network.num_actions)
