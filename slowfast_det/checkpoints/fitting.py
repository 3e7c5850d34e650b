"""Which configuration a checkpoint's tensors belong to, and how two configurations differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from slowfast_det.checkpoints import mmaction2, pytorchvideo
from slowfast_det.checkpoints.architecture import build_network
from slowfast_det.checkpoints.reading import Checkpoint
from slowfast_det.config import Config, config_names, parse_config
from slowfast_det.recipe import read_model_config

HEAD = "head.projection."
_PREFIXES = {mmaction2.TITLE: "mmaction2_", pytorchvideo.TITLE: "pytorchvideo_"}


def with_its_outputs(config: Config, checkpoint: Checkpoint) -> Config:
    """A configuration with as many actions as the checkpoint's last layer has, if it is another number.

    A difference of one stays: it may be the first output of mmaction2, which stands for no action.
    """
    weight, bias = (checkpoint.tensors.get(f"{HEAD}{kind}") for kind in ("weight", "bias"))
    network = config.network
    if weight is None or bias is None or len(weight) != len(bias):
        return config
    outputs = len(weight) - int(network.unused_column)
    if outputs < 1 or abs(outputs - network.num_actions) <= 1:
        return config
    content = config.model_dump() | {"labels": "numbered"}
    content["network"] |= {"num_actions": outputs}
    return parse_config(content, str(checkpoint.path))


def suggestion(checkpoint: Checkpoint) -> str:
    """The packaged configurations that fit a checkpoint, as an end of a sentence; those of its publisher first."""
    configs = {name: read_model_config(name) for name in config_names()}
    fitting = [name for name, config in configs.items() if _fits(config, checkpoint)] or [
        name for name, config in configs.items() if _fits(with_its_outputs(config, checkpoint), checkpoint)
    ]
    prefix = _PREFIXES.get(checkpoint.layout)
    own = [name for name in fitting if _of_publisher(name, prefix)] or fitting
    if not own:
        return "none of the packaged ones fits its tensors, a yaml of ours or of PySlowFast is expected"
    if len(own) == 1:
        return f"{own[0]} fits its tensors"
    first, *others = own
    switches = sorted({key for other in others for key in differences(configs[first], configs[other])})
    return f"{' and '.join(own)} fit its tensors, they differ in {', '.join(switches)}"


def differences(one: Config, other: Config) -> dict[str, tuple[Any, Any]]:
    """The settings in which two configurations differ, with both values."""
    first, second = _flat(one.model_dump()), _flat(other.model_dump())
    return {key: (value, second[key]) for key, value in first.items() if value != second[key]}


def _flat(content: Mapping[str, Any]) -> dict[str, Any]:
    sections = {key: value for key, value in content.items() if isinstance(value, Mapping)}
    inner = {f"{key}.{name}": value for key, section in sections.items() for name, value in section.items()}
    return {key: value for key, value in content.items() if key not in sections} | inner


def _of_publisher(name: str, prefix: str | None) -> bool:
    if prefix is not None:
        return name.startswith(prefix)
    return not name.startswith(tuple(_PREFIXES.values()))


def _fits(config: Config, checkpoint: Checkpoint) -> bool:
    with torch.device("meta"):
        network = build_network(config)
    own = {key: value.shape for key, value in network.state_dict().items() if value.is_floating_point()}
    theirs = {key: value.shape for key, value in checkpoint.tensors.items() if value.is_floating_point()}
    return own.keys() == theirs.keys() and all(_alike(theirs[key], shape) for key, shape in own.items())


def _alike(found: Sequence[int], expected: Sequence[int]) -> bool:
    return tuple(found) + (1,) * (len(expected) - len(found)) == tuple(expected)
