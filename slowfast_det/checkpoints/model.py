"""A model: a network together with everything needed to use it, from whatever file it came."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from ava_tools.errors import InputError
from ava_tools.labels import PACKAGED, Labels, numbered_labels, packaged_labels
from ava_tools.settings import overridden
from slowfast_det.checkpoints import native, zoo
from slowfast_det.checkpoints.architecture import Network, build_network
from slowfast_det.checkpoints.fitting import differences, suggestion, with_its_outputs
from slowfast_det.checkpoints.reading import Checkpoint, read_checkpoint
from slowfast_det.config import ClipConfig, Config, parse_config
from slowfast_det.models.network import ActionNetwork, ClassifierNetwork, initialise
from slowfast_det.precision import Precision
from slowfast_det.recipe import read_model_config
from slowfast_det.weights.files import WeightFile

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Model:
    """A network with its pre-processing and its labels.

    Attributes:
        name: what to call it: the weights' file name, or the configuration of an untrained one.
        thresholds: score from which each action is shown where nobody says otherwise; None: one for all.
        companion: the person detector that comes with it; None: persons are somebody else's business.
    """

    network: Network
    config: Config
    labels: Labels
    name: str
    thresholds: tuple[float, ...] | None = None
    companion: WeightFile | None = None

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

    def optimized(self, precision: Precision = "auto") -> Model:
        """The model with a copy of its network for inference on this device, see `models.optimize.optimized`."""
        return replace(self, network=self.network.optimized(precision))

    def save(self, path: str | Path) -> None:
        """Write a checkpoint of ours: one safetensors file that needs no other."""
        native.save(path, self.network.state_dict(), self.config, self.labels, self.thresholds, self.companion)


def load_model(
    weights: str | Path,
    config: str | Path | None = None,
    *,
    fallback: Config | None = None,
    overrides: Sequence[str] = (),
) -> Model:
    """Load a model that scores persons from a checkpoint of any supported layout.

    Args:
        weights: a file of PySlowFast (``.pyth``, Caffe2 ``.pkl``), PyTorchVideo, mmaction2 or ours, recognised
            by content; or a name of the zoo, downloaded unless it is here.
        config: a name in configs/, a yaml of ours or of PySlowFast; None: as the zoo or the checkpoint says.
        fallback: the configuration of a checkpoint that carries none.
        overrides: ``key=value`` texts over the configuration, wherever it came from.

    Returns:
        The model in evaluation mode, on the CPU.

    Raises:
        InputError: the file or the configuration is not usable, or one does not fit the other.
    """
    model = load_any_model(weights, config, fallback=fallback, overrides=overrides)
    if model.config.network.head != "persons":
        raise InputError(
            f"{weights}: scores whole clips, not persons, and a detector's weights are expected here; classify "
            "(FilmClassifier) takes it, and init= of a training"
        )
    return model


def load_any_model(
    weights: str | Path,
    config: str | Path | None = None,
    *,
    fallback: Config | None = None,
    overrides: Sequence[str] = (),
) -> Model:
    """`load_model` for networks that score persons and for those that score clips."""
    _refuse_early(weights, config, fallback)
    checkpoint = read_checkpoint(weights, own_config=config is None)
    chosen = read_model_config(config) if config is not None else checkpoint.config or fallback
    if chosen is None:
        raise InputError(
            f"{checkpoint.path}: its weights ({checkpoint.layout}) do not say what network they are; name its config: "
            f"{suggestion(checkpoint)}"
        )
    if overrides:
        name = f"{checkpoint.path} with {' '.join(overrides)}"
        chosen = parse_config(overridden(chosen.model_dump(), overrides), name)
    counted = with_its_outputs(chosen, checkpoint)
    if counted != chosen:
        log.warning(
            "%s: has %d actions, not %d as its config says",
            checkpoint.path,
            counted.network.num_actions,
            chosen.network.num_actions,
        )
        chosen = counted
    try:
        with torch.device("meta"):  # no memory is taken before the tensors are known to fit
            network = build_network(chosen)
    except InputError as wrong:
        raise InputError(f"{checkpoint.path}: {wrong}") from None
    _fill(network, checkpoint)
    if config is not None:
        _tell_differences(checkpoint, chosen)
    labels, thresholds = checkpoint.labels, checkpoint.thresholds
    if labels is None or len(labels) != chosen.network.num_actions:
        labels, thresholds = _labels(chosen), None
    name = checkpoint.path.name if checkpoint.published is None else checkpoint.published.name
    return Model(network.eval(), chosen, labels, name, thresholds, checkpoint.companion)


def _refuse_early(weights: str | Path, config: str | Path | None, fallback: Config | None) -> None:
    """Say what is known of published weights before they are downloaded for nothing."""
    published = zoo.known(weights)
    if published is not None and published.config is None and config is None and fallback is None:
        raise InputError(f"{weights}: cannot be used without its config; {published.remark}")


def _tell_differences(checkpoint: Checkpoint, chosen: Config) -> None:
    """A configuration that was given comes before the checkpoint's own; where it differs, that is told."""
    if checkpoint.config is None:
        return
    changed = [
        f"{key} {theirs} instead of {ours}"
        for key, (ours, theirs) in differences(checkpoint.config, chosen).items()
        if not key.endswith(("temporal_blocks", "dropout")) and key != "labels"
    ]
    if changed:
        log.warning("%s: is used with %s, as the given config says", checkpoint.path, ", ".join(changed))


def untrained_model(config: str | Path | Config, labels: Labels | None = None) -> Model:
    """A model that scores persons, with fresh weights: its scores mean nothing before it is trained.

    Args:
        config: a configuration, by name, path or value.
        labels: its actions, if they are not the configuration's own; their number sets the outputs.

    Raises:
        InputError: the configuration is of a network that scores whole clips.
    """
    chosen = config if isinstance(config, Config) else load_config(config)
    if chosen.network.head != "persons":
        raise InputError(f"{config}: describes a network of whole clips; one with network.head persons is expected")
    return untrained_any_model(config, labels)


def untrained_any_model(config: str | Path | Config, labels: Labels | None = None) -> Model:
    """`untrained_model` for networks that score persons and for those that score clips."""
    name = "model" if isinstance(config, Config) else Path(config).stem
    chosen = config if isinstance(config, Config) else load_config(config)
    if labels is not None:
        outputs = chosen.network.model_copy(update={"num_actions": len(labels)})
        chosen = chosen.model_copy(update={"network": outputs, "labels": _packaged_name(labels)})
    network = build_network(chosen)
    initialise(network)
    return Model(network.eval(), chosen, labels or _labels(chosen), f"untrained {name}")


def load_network(weights: str | Path, config: str | Path | None = None) -> ActionNetwork:
    """The network of `load_model` alone: ``network(clip, boxes)`` gives logits."""
    network = load_model(weights, config).network
    assert isinstance(network, ActionNetwork)
    return network


def load_classifier(weights: str | Path, config: str | Path | None = None) -> ClassifierNetwork:
    """A network that scores whole clips (Kinetics): ``classifier(clip)`` gives ``Tensor[B, N]`` scores.

    Args:
        weights, config: see `load_model`.

    Raises:
        InputError: as `load_model`, or the network scores persons.
    """
    network = load_any_model(weights, config).network
    if not isinstance(network, ClassifierNetwork):
        raise InputError(f"{weights}: scores persons, not whole clips; load_network reads it")
    return network


def load_config(name: str | Path) -> Config:
    """A configuration by packaged name or by path: ours, or a yaml of PySlowFast."""
    return read_model_config(name)


def _fill(network: Network, checkpoint: Checkpoint) -> None:
    """Load every tensor or say which ones do not fit."""
    own = network.state_dict()
    state = {key: _shaped(value, own.get(key)) for key, value in checkpoint.tensors.items()}
    for key in own.keys() - state.keys():
        if key.endswith(".num_batches_tracked"):  # a counter that only training asks for; Caffe2 has none
            state[key] = torch.zeros((), dtype=torch.long)
    names = checkpoint.names
    missing = sorted(own.keys() - state.keys())
    unknown = sorted(names[key] for key in state.keys() - own.keys())
    misshapen = [
        f"{names[key]} is {list(state[key].shape)}, {list(own[key].shape)} is expected"
        for key in own.keys() & state.keys()
        if own[key].shape != state[key].shape
    ]
    findings = [_listed("lacks", missing), _listed("has the unknown", unknown), "; ".join(sorted(misshapen)[:3])]
    if any(findings):
        raise InputError(
            f"{checkpoint.path}: does not fit its config: {'; '.join(filter(None, findings))}; {suggestion(checkpoint)}"
        )
    if checkpoint.foreign:
        log.warning("%s: is not read: %s", checkpoint.path, ", ".join(checkpoint.foreign))
    numbers = {key: value.float() if value.is_floating_point() else value for key, value in state.items()}
    network.load_state_dict(numbers, assign=True)


def _shaped(value: Tensor, own: Tensor | None) -> Tensor:
    """Caffe2 leaves out the last dimensions of 1 x 1 convolutions."""
    if own is not None and own.shape == (*value.shape, *[1] * (own.dim() - value.dim())):
        return value.reshape(own.shape)
    return value


def _listed(verb: str, keys: list[str]) -> str:
    if not keys:
        return ""
    more = f" and {len(keys) - 3} more" if len(keys) > 3 else ""
    return f"{verb} {', '.join(keys[:3])}{more}"


def _labels(config: Config) -> Labels:
    return (
        numbered_labels(config.network.num_actions) if config.labels == "numbered" else packaged_labels(config.labels)
    )


def _packaged_name(labels: Labels) -> str:
    """What a configuration calls labels."""
    return next((name for name in PACKAGED if packaged_labels(name).names == labels.names), "numbered")
