"""Our models as PySlowFast's checkpoints: a ``.pyth`` that its own code loads, with its yaml inside as ``cfg``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import yaml

from ava_tools.atomic import replacing
from ava_tools.errors import InputError
from ava_tools.labels import numbered_labels, packaged_labels
from slowfast_det.checkpoints.model import Model
from slowfast_det.checkpoints.pyslowfast import their_name
from slowfast_det.config import Config
from slowfast_det.models.blocks import BLOCKS
from slowfast_det.network_config import NetworkConfig
from slowfast_det.weights.writing import told_as_of

_POOLS = {"slowfast": (1,), "slow": (1,), "fast": (1,), "c2d": (1, 2), "i3d": (2,), "i3d_heavy": (1, 2)}
_AFFINITIES = ("softmax", "dot_product")

# Switches that PySlowFast lacks: what they are, and whether a network has what PySlowFast has.
_LACKING: tuple[tuple[str, Callable[[NetworkConfig], bool]], ...] = (
    ("architecture", lambda network: network.architecture not in ("fast", "i3d_heavy")),
    ("depth", lambda network: network.depth in (26, 50, 101)),
    ("fast_depth", lambda network: network.fast_depth in (None, network.depth)),
    ("lateral", lambda network: network.lateral == "time_strided_conv"),
    ("fusion", lambda network: network.fusion == "concatenation"),
    ("slow_frames", lambda network: network.architecture != "slowfast" or network.slow_frames == "linspace"),
    ("fusion_norm", lambda network: network.architecture != "slowfast" or network.fusion_norm),
    ("temporal_pooling", lambda network: network.temporal_pooling == "avg"),
    ("context", lambda network: network.context == "none"),
    ("window", lambda network: network.head == "persons" or network.window is not None),
    ("mlp_head", lambda network: not network.mlp_head),
    ("non_local.project_first", lambda network: not any(entry.project_first for entry in network.non_local)),
    ("non_local.affinity", lambda network: all(entry.affinity in _AFFINITIES for entry in network.non_local)),
    ("temporal_pool", lambda network: network.temporal_pool in _POOLS[network.architecture]),
    ("stem_strides", lambda network: network.stem_strides == (1, 1)),
    ("stem_pool_padding", lambda network: network.stem_pool_padding),
)


def save_for_pyslowfast(path: str | Path, model: Model) -> None:
    """Write a model so that PySlowFast reads it; the file appears under its name only when it is complete.

    mmaction2's unused first output is left out, which changes nothing.

    Raises:
        InputError: PySlowFast cannot build this network; the sentence names the switch.
    """
    text = yaml.safe_dump(pyslowfast_sections(model.config, model.name))
    tensors = {}
    for name, value in model.network.state_dict().items():
        if name.startswith("head.projection.") and model.config.network.unused_column:
            value = value[1:]
        tensors[their_name(name)] = value.detach().cpu().contiguous()
    content = {"epoch": 0, "model_state": tensors, "optimizer_state": {}, "cfg": text}
    with replacing(path) as temporary, told_as_of(path):
        torch.save(content, temporary)


def lost_for_pyslowfast(model: Model) -> list[str]:
    """What belongs to a model and has no place in PySlowFast's files."""
    clip = model.clip
    lost = [f"clip.geometry={clip.geometry}"] if clip.geometry != "pyslowfast" else []
    lost += [f"clip.index_base={clip.index_base}"] if clip.index_base else []
    kind = model.config.labels
    known = numbered_labels(len(model.labels)) if kind == "numbered" else packaged_labels(kind)
    return lost + (["the names of the actions"] if model.labels.names != known.names else [])


def pyslowfast_sections(config: Config, name: str) -> dict[str, dict[str, Any]]:
    """A configuration of ours as the sections of PySlowFast's yaml; ``name`` is that of the model in errors."""
    network, clip = config.network, config.clip
    if lacking := [switch for switch, has in _LACKING if not has(network)]:
        values = ", ".join(f"network.{switch}={_value(network, switch)}" for switch in lacking)
        raise InputError(f"{name}: PySlowFast has no network with {values}; it cannot be written for it")
    two = network.architecture == "slowfast"
    repeat = 2 if two else 1
    blocks = BLOCKS[network.depth]
    temporal = [network.slow_temporal_blocks or blocks, network.fast_temporal_blocks or blocks][:repeat]
    location, group, pool = _non_local(network, repeat)
    nopool = network.architecture == "c2d" and network.temporal_pool == 1
    sections: dict[str, dict[str, Any]] = {
        "MODEL": {
            "ARCH": "2d" if nopool else network.architecture,
            "MODEL_NAME": "SlowFast" if two else "ResNet",
            "NUM_CLASSES": network.num_actions,
            "DROPOUT_RATE": network.dropout,
            "HEAD_ACT": config.activation,
            "LOSS_FUNC": "bce" if config.activation == "sigmoid" else "cross_entropy",
        },
        "RESNET": {
            "DEPTH": 18 if network.depth == 26 else network.depth,
            "WIDTH_PER_GROUP": network.width,
            "NUM_GROUPS": 1,
            "STRIDE_1X1": network.stride_first,
            "TRANS_FUNC": "bottleneck_transform",
            "ZERO_INIT_FINAL_BN": True,
            "NUM_BLOCK_TEMP_KERNEL": [list(stage) for stage in zip(*temporal, strict=True)],
            "SPATIAL_STRIDES": [[value] * repeat for value in network.strides],
            "SPATIAL_DILATIONS": [[value] * repeat for value in network.dilations],
        },
        "NONLOCAL": {"LOCATION": location, "GROUP": group, "POOL": pool},
        "DATA": {
            "NUM_FRAMES": clip.num_frames,
            "SAMPLING_RATE": clip.sampling_rate,
            "TRAIN_CROP_SIZE": (network.window or 7) * 32,
            "TEST_CROP_SIZE": clip.short_side,
            "INPUT_CHANNEL_NUM": [3] * repeat,
            "MEAN": list(clip.mean),
            "STD": list(clip.std),
        },
        "DETECTION": {"ENABLE": network.head == "persons"},
    }
    if network.non_local:
        sections["NONLOCAL"]["INSTANTIATION"] = network.non_local[0].affinity
    if two:
        sections["SLOWFAST"] = {
            "ALPHA": network.alpha,
            "BETA_INV": network.beta,
            "FUSION_CONV_CHANNEL_RATIO": network.fusion_ratio,
            "FUSION_KERNEL_SZ": network.fusion_kernel,
        }
    if network.head == "persons":
        sections["DETECTION"] |= {
            "ALIGNED": network.aligned,
            "ROI_XFORM_RESOLUTION": network.roi_resolution,
            "SPATIAL_SCALE_FACTOR": network.feature_stride,
        }
        sections["AVA"] = {"BGR": clip.channels == "bgr"}
    else:
        sections["DATA"]["REVERSE_INPUT_CHANNEL"] = clip.channels == "bgr"
    return sections


def _value(network: NetworkConfig, switch: str) -> Any:
    """Of a switch that PySlowFast lacks."""
    part, _, key = switch.rpartition(".")
    if not part:
        return list(network.stem_strides) if switch == "stem_strides" else getattr(network, switch)
    values = (getattr(entry, key) for entry in network.non_local)
    return next(value for value in values if value not in (False, *_AFFINITIES))


def _non_local(network: NetworkConfig, pathways: int) -> tuple[list[Any], list[Any], list[Any]]:
    """NONLOCAL's LOCATION, GROUP and POOL, each [stage][pathway]."""
    if len({entry.affinity for entry in network.non_local}) > 1:
        raise InputError("PySlowFast's non-local blocks are all softmax or all dot_product; here are both")
    location: list[Any] = [[[] for _ in range(pathways)] for _ in range(4)]
    group: list[Any] = [[1] * pathways for _ in range(4)]
    pool: list[Any] = [[[1, 2, 2] for _ in range(pathways)] for _ in range(4)]
    for entry in network.non_local:
        stage, pathway = int(entry.stage[-1]) - 2, ("slow", "fast").index(entry.pathway)
        if location[stage][pathway]:
            raise InputError(f"PySlowFast's non-local blocks of one stage are alike; {entry.stage} has different ones")
        location[stage][pathway] = list(entry.blocks)
        group[stage][pathway] = entry.groups
        pool[stage][pathway] = list(entry.pool)
    return location, group, pool
