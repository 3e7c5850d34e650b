"""PySlowFast's yaml as a configuration of ours.

Names and values of facebookresearch/SlowFast 287ec00; only what an AVA detector needs is read.
"""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from typing import Any

from ava_tools.errors import InputError
from slowfast_det.config import Config, parse_config

# Values that a yaml of theirs may leave out (slowfast/config/defaults.py).
_DEFAULTS: dict[str, Any] = {
    "MODEL.ARCH": "slowfast",
    "MODEL.NUM_CLASSES": 400,
    "MODEL.DROPOUT_RATE": 0.5,
    "RESNET.DEPTH": 50,
    "RESNET.WIDTH_PER_GROUP": 64,
    "RESNET.NUM_GROUPS": 1,
    "RESNET.STRIDE_1X1": False,
    "RESNET.TRANS_FUNC": "bottleneck_transform",
    "RESNET.NUM_BLOCK_TEMP_KERNEL": [[3], [4], [6], [3]],
    "RESNET.SPATIAL_STRIDES": [[1], [2], [2], [2]],
    "RESNET.SPATIAL_DILATIONS": [[1], [1], [1], [1]],
    "SLOWFAST.ALPHA": 8,
    "SLOWFAST.BETA_INV": 8,
    "SLOWFAST.FUSION_CONV_CHANNEL_RATIO": 2,
    "SLOWFAST.FUSION_KERNEL_SZ": 5,
    "NONLOCAL.LOCATION": [[[]], [[]], [[]], [[]]],
    "DETECTION.ENABLE": False,
    "DETECTION.ALIGNED": True,
    "DETECTION.ROI_XFORM_RESOLUTION": 7,
    "DETECTION.SPATIAL_SCALE_FACTOR": 16,
    "DATA.NUM_FRAMES": 8,
    "DATA.SAMPLING_RATE": 8,
    "DATA.TEST_CROP_SIZE": 256,
    "DATA.MEAN": [0.45, 0.45, 0.45],
    "DATA.STD": [0.225, 0.225, 0.225],
    "AVA.BGR": False,
}
_FIXED: dict[str, Any] = {
    "DETECTION.ENABLE": True,
    "RESNET.NUM_GROUPS": 1,
    "RESNET.STRIDE_1X1": False,
    "RESNET.TRANS_FUNC": "bottleneck_transform",
}

_PER_PATHWAY = ("NUM_BLOCK_TEMP_KERNEL", "SPATIAL_STRIDES", "SPATIAL_DILATIONS")


def is_pyslowfast_config(content: Mapping[str, Any]) -> bool:
    """Whether a yaml's sections are PySlowFast's."""
    return "MODEL" in content or "RESNET" in content


def read_config(content: Mapping[str, Any], name: str) -> Config:
    """PySlowFast's sections as a configuration of ours."""
    values = _checked_values(content, name)
    two = values["MODEL.ARCH"] == "slowfast"
    per_pathway = {
        key: [_of_pathways(stage, two, key, name) for stage in values[f"RESNET.{key}"]] for key in _PER_PATHWAY
    }
    for key in ("SPATIAL_STRIDES", "SPATIAL_DILATIONS"):
        if any(slow != fast for slow, fast in per_pathway[key]):
            raise InputError(f"{name}: RESNET.{key} differs between the pathways; the same is expected")
    network = {
        "pathways": values["MODEL.ARCH"],
        "depth": values["RESNET.DEPTH"],
        "width": values["RESNET.WIDTH_PER_GROUP"],
        "slow_temporal_blocks": [slow for slow, _ in per_pathway["NUM_BLOCK_TEMP_KERNEL"]],
        "fast_temporal_blocks": [fast for _, fast in per_pathway["NUM_BLOCK_TEMP_KERNEL"]],
        "strides": [slow for slow, _ in per_pathway["SPATIAL_STRIDES"]],
        "dilations": [slow for slow, _ in per_pathway["SPATIAL_DILATIONS"]],
        "num_actions": values["MODEL.NUM_CLASSES"],
        "roi_resolution": values["DETECTION.ROI_XFORM_RESOLUTION"],
        "aligned": values["DETECTION.ALIGNED"],
        "dropout": values["MODEL.DROPOUT_RATE"],
    }
    if two:
        network |= {
            "alpha": values["SLOWFAST.ALPHA"],
            "beta": values["SLOWFAST.BETA_INV"],
            "fusion_ratio": values["SLOWFAST.FUSION_CONV_CHANNEL_RATIO"],
            "fusion_kernel": values["SLOWFAST.FUSION_KERNEL_SZ"],
        }
    config = parse_config(
        {
            "labels": "ava" if values["MODEL.NUM_CLASSES"] == 80 else "numbered",
            "clip": {
                "num_frames": values["DATA.NUM_FRAMES"],
                "sampling_rate": values["DATA.SAMPLING_RATE"],
                "short_side": values["DATA.TEST_CROP_SIZE"],
                "mean": values["DATA.MEAN"],
                "std": values["DATA.STD"],
                "channels": "bgr" if values["AVA.BGR"] else "rgb",
            },
            "network": network,
        },
        name,
    )
    stride = values["DETECTION.SPATIAL_SCALE_FACTOR"]
    if config.network.feature_stride != stride:
        raise InputError(
            f"{name}: DETECTION.SPATIAL_SCALE_FACTOR is {stride}, but the strides of the network make "
            f"{config.network.feature_stride}; the same is expected"
        )
    return config


def _checked_values(content: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The values that are read, defaults filled in; those of networks that are not supported are refused."""
    values = {key: _lookup(content, key, default, name) for key, default in _DEFAULTS.items()}
    for key, expected in _FIXED.items():
        if values[key] != expected:
            raise InputError(f"{name}: {key} is {reprlib.repr(values[key])}; only {expected!r} is supported")
    if values["MODEL.ARCH"] not in ("slowfast", "slow"):
        raise InputError(
            f"{name}: MODEL.ARCH is {reprlib.repr(values['MODEL.ARCH'])}; 'slowfast' or 'slow' is supported"
        )
    for key in ("NONLOCAL.LOCATION", *(f"RESNET.{key}" for key in _PER_PATHWAY)):
        if not isinstance(values[key], list) or not all(isinstance(stage, list) for stage in values[key]):
            raise InputError(f"{name}: {key} is {reprlib.repr(values[key])}; a list for each stage is expected")
    if any(blocks for stage in values["NONLOCAL.LOCATION"] for blocks in stage):
        raise InputError(f"{name}: NONLOCAL.LOCATION names non-local blocks; networks without them are supported")
    return values


def _lookup(content: Mapping[str, Any], key: str, default: Any, name: str) -> Any:
    section_name, _, option = key.partition(".")
    section = content.get(section_name) or {}
    if not isinstance(section, Mapping):
        raise InputError(f"{name}: {section_name} is {reprlib.repr(section)}; a section with keys is expected")
    return section.get(option, default)


def _of_pathways(stage: Any, two: bool, key: str, name: str) -> tuple[Any, Any]:
    """A stage's values of the slow and the fast pathway; one value stands for both."""
    if not isinstance(stage, list) or not stage:
        raise InputError(f"{name}: RESNET.{key} holds {reprlib.repr(stage)}; one value a pathway is expected")
    return stage[0], stage[1] if two and len(stage) > 1 else stage[0]
