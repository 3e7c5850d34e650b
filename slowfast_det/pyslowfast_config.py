"""PySlowFast's yaml as a configuration of ours, and the way back.

Names and values of facebookresearch/SlowFast 287ec00: its SlowFast and ResNet models (Slow, C2D, I3D), for
persons (AVA) and for whole clips (Kinetics).
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
    "MODEL.MODEL_NAME": "SlowFast",
    "MODEL.NUM_CLASSES": 400,
    "MODEL.DROPOUT_RATE": 0.5,
    "MODEL.HEAD_ACT": "softmax",
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
    "NONLOCAL.GROUP": [[1], [1], [1], [1]],
    "NONLOCAL.INSTANTIATION": "dot_product",
    "NONLOCAL.POOL": [[[1, 2, 2], [1, 2, 2]]] * 4,
    "DETECTION.ENABLE": False,
    "DETECTION.ALIGNED": True,
    "DETECTION.ROI_XFORM_RESOLUTION": 7,
    "DETECTION.SPATIAL_SCALE_FACTOR": 16,
    "DATA.NUM_FRAMES": 8,
    "DATA.SAMPLING_RATE": 8,
    "DATA.TRAIN_CROP_SIZE": 224,
    "DATA.TEST_CROP_SIZE": 256,
    "DATA.MEAN": [0.45, 0.45, 0.45],
    "DATA.STD": [0.225, 0.225, 0.225],
    "DATA.REVERSE_INPUT_CHANNEL": False,
    "AVA.BGR": False,
    "TRAIN.DATASET": "kinetics",
}
_FIXED: dict[str, Any] = {
    "RESNET.NUM_GROUPS": 1,
    "RESNET.TRANS_FUNC": "bottleneck_transform",
}
_ARCHITECTURES = {
    "slowfast": "slowfast",
    "slow": "slow",
    "c2d": "c2d",
    "slow_c2d": "c2d",
    "2d": "c2d",
    "i3d": "i3d",
    "slow_i3d": "i3d",
}
_POOLED = ("c2d", "i3d")  # architectures that halve the time behind res2
_BUILDERS = ("SlowFast", "ResNet", "ResNet_nopool", "PTVSlowFast", "PTVResNet")
_STAGES = ("res2", "res3", "res4", "res5")
_READ_AS_BGR = ("charades",)  # data sets whose frames its own loader reads blue first
_SAMPLED_EVENLY = ("ssv2",)  # over the whole film, which is no sampling rate
_TYPES: tuple[tuple[type, str, tuple[str, ...]], ...] = (
    (bool, "true or false", ("DETECTION.ENABLE", "AVA.BGR", "DATA.REVERSE_INPUT_CHANNEL", "RESNET.STRIDE_1X1")),
    (int, "a whole number", ("DATA.TRAIN_CROP_SIZE", "RESNET.DEPTH", "MODEL.NUM_CLASSES")),
    (str, "a name", ("TRAIN.DATASET", "MODEL.ARCH", "MODEL.MODEL_NAME")),
)
_LISTS = (
    "RESNET.NUM_BLOCK_TEMP_KERNEL",
    "RESNET.SPATIAL_STRIDES",
    "RESNET.SPATIAL_DILATIONS",
    "NONLOCAL.LOCATION",
    "NONLOCAL.GROUP",
    "NONLOCAL.POOL",
)


def is_pyslowfast_config(content: Mapping[str, Any]) -> bool:
    """Whether a yaml's sections are PySlowFast's."""
    return "MODEL" in content or "RESNET" in content


def _labels(values: Mapping[str, Any], persons: bool) -> str:
    """Whose names the outputs have, as far as their number and the data set say."""
    count = values["MODEL.NUM_CLASSES"]
    if persons:
        return "ava" if count == 80 else "numbered"
    of_kinetics = values["TRAIN.DATASET"].lower() == "kinetics" and count in (400, 600, 700)
    return f"kinetics{count}" if of_kinetics else "numbered"


def read_config(content: Mapping[str, Any], name: str) -> Config:
    """PySlowFast's sections as a configuration of ours.

    Raises:
        InputError: a value is wrong, or of a network that we do not have.
    """
    values = _checked_values(content, name)
    architecture = _ARCHITECTURES[values["MODEL.ARCH"]]
    two, persons = architecture == "slowfast", values["DETECTION.ENABLE"]
    temporal = [_of_pathways(stage, two, "NUM_BLOCK_TEMP_KERNEL", name) for stage in values[_LISTS[0]]]
    network = {
        "architecture": architecture,
        "head": "persons" if persons else "clip",
        "depth": 26 if values["RESNET.DEPTH"] == 18 else values["RESNET.DEPTH"],  # two bottlenecks a stage
        "width": values["RESNET.WIDTH_PER_GROUP"],
        "slow_temporal_blocks": [slow for slow, _ in temporal],
        "strides": _of_both(values, "SPATIAL_STRIDES", two, name),
        "dilations": _of_both(values, "SPATIAL_DILATIONS", two, name),
        "non_local": _non_local(values, two, name),
        "num_actions": values["MODEL.NUM_CLASSES"],
        "dropout": values["MODEL.DROPOUT_RATE"],
    }
    if two:
        network |= {
            "fast_temporal_blocks": [fast for _, fast in temporal],
            "alpha": values["SLOWFAST.ALPHA"],
            "beta": values["SLOWFAST.BETA_INV"],
            "fusion_ratio": values["SLOWFAST.FUSION_CONV_CHANNEL_RATIO"],
            "fusion_kernel": values["SLOWFAST.FUSION_KERNEL_SZ"],
        }
    else:
        pooled = values["MODEL.ARCH"] in _POOLED and values["MODEL.MODEL_NAME"] != "ResNet_nopool"
        network |= {"temporal_pool": 2 if pooled else 1, "stride_first": values["RESNET.STRIDE_1X1"]}
    if persons:
        # PyTorchVideo's builders leave detectron2's RoIAlign at its own default.
        theirs = values["MODEL.MODEL_NAME"].startswith("PTV")
        network |= {
            "roi_resolution": values["DETECTION.ROI_XFORM_RESOLUTION"],
            "aligned": True if theirs else values["DETECTION.ALIGNED"],
        }
    else:
        network["window"] = values["DATA.TRAIN_CROP_SIZE"] // 32
    config = parse_config(
        {
            "activation": values["MODEL.HEAD_ACT"],
            "labels": _labels(values, persons),
            "clip": {
                "num_frames": values["DATA.NUM_FRAMES"],
                "sampling_rate": values["DATA.SAMPLING_RATE"],
                "short_side": values["DATA.TEST_CROP_SIZE"],
                "mean": values["DATA.MEAN"],
                "std": values["DATA.STD"],
                "channels": "bgr" if _blue_first(values, persons) else "rgb",
            },
            "network": network,
        },
        name,
    )
    stride = values["DETECTION.SPATIAL_SCALE_FACTOR"]
    if persons and config.network.feature_stride != stride:
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
    for key in _LISTS:
        if not isinstance(values[key], list) or len(values[key]) != 4:
            raise InputError(f"{name}: {key} is {reprlib.repr(values[key])}; a list for each stage is expected")
    _check_types(values, name)
    for key, allowed in (("MODEL.ARCH", tuple(_ARCHITECTURES)), ("MODEL.MODEL_NAME", _BUILDERS)):
        if values[key] not in allowed:
            raise InputError(f"{name}: {key} is {reprlib.repr(values[key])}; {', '.join(allowed)} are supported")
    if values["TRAIN.DATASET"].lower() in _SAMPLED_EVENLY and not values["DETECTION.ENABLE"]:
        raise InputError(
            f"{name}: TRAIN.DATASET is {values['TRAIN.DATASET']}, whose clips are spread evenly over the film; clips "
            "of a sampling rate are supported"
        )
    return values


def _check_types(values: Mapping[str, Any], name: str) -> None:
    for kind, meaning, keys in _TYPES:
        for key in keys:
            if type(values[key]) is not kind:
                raise InputError(f"{name}: {key} is {reprlib.repr(values[key])}; {meaning} is expected")
    for key in ("SPATIAL_STRIDES", "SPATIAL_DILATIONS"):
        for stage in values[f"RESNET.{key}"]:
            if not isinstance(stage, list) or any(type(value) is not int for value in stage):
                raise InputError(f"{name}: RESNET.{key} holds {reprlib.repr(stage)}; whole numbers are expected")


def _blue_first(values: Mapping[str, Any], persons: bool) -> bool:
    if persons:
        return bool(values["AVA.BGR"])
    return bool(values["DATA.REVERSE_INPUT_CHANNEL"]) != (values["TRAIN.DATASET"].lower() in _READ_AS_BGR)


def _lookup(content: Mapping[str, Any], key: str, default: Any, name: str) -> Any:
    section_name, _, option = key.partition(".")
    section = content.get(section_name) or {}
    if not isinstance(section, Mapping):
        raise InputError(f"{name}: {section_name} is {reprlib.repr(section)}; a section with keys is expected")
    return section.get(option, default)


def _of_pathways(stage: Any, two: bool, key: str, name: str) -> tuple[Any, Any]:
    """A stage's values of the slow and the fast pathway; one value stands for both."""
    if not isinstance(stage, list) or not stage:
        raise InputError(f"{name}: {key} holds {reprlib.repr(stage)}; one value a pathway is expected")
    return stage[0], stage[1] if two and len(stage) > 1 else stage[0]


def _of_both(values: Mapping[str, Any], key: str, two: bool, name: str) -> list[Any]:
    """The values of each stage, which must be the same in both pathways."""
    stages = [_of_pathways(stage, two, key, name) for stage in values[f"RESNET.{key}"]]
    if any(slow != fast for slow, fast in stages):
        raise InputError(f"{name}: RESNET.{key} differs between the pathways; the same is expected")
    return [slow for slow, _ in stages]


def _non_local(values: Mapping[str, Any], two: bool, name: str) -> list[dict[str, Any]]:
    """Their nested lists [stage][pathway] as one entry for each that names blocks."""
    entries = []
    for number, stage in enumerate(_STAGES):
        blocks = _of_pathways(values["NONLOCAL.LOCATION"][number], two, "NONLOCAL.LOCATION", name)
        groups = _of_pathways(values["NONLOCAL.GROUP"][number], two, "NONLOCAL.GROUP", name)
        pools = _of_pathways(values["NONLOCAL.POOL"][number], two, "NONLOCAL.POOL", name)
        for pathway in range(2 if two else 1):
            if not blocks[pathway]:
                continue
            entries.append(
                {
                    "stage": stage,
                    "blocks": blocks[pathway],
                    "pathway": ("slow", "fast")[pathway],
                    "affinity": values["NONLOCAL.INSTANTIATION"],
                    "pool": pools[pathway],
                    "groups": groups[pathway],
                }
            )
    return entries
