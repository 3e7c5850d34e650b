"""PySlowFast's older checkpoints: pickled Caffe2 blobs such as ``t_res4_3_branch2a_bn_riv``.

The rules are those by which PySlowFast itself converts the names (its c2_model_loading).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from slowfast_det.checkpoints import pyslowfast

TITLE = "PySlowFast's Caffe2 .pkl"

_KINDS = {
    "bn_s": "bn.weight",
    "bn_b": "bn.bias",
    "bn_rm": "bn.running_mean",
    "bn_riv": "bn.running_var",
    "w": "weight",
    "b": "bias",
}
_TAIL = r"(bn_s|bn_b|bn_rm|bn_riv|w|b)"
_NON_LOCAL = re.compile(r"nonlocal_conv(\d)_(\d+)_(?:(theta|phi|g|out)_(w|b)|(bn_\w+))")
_STEM_LATERAL = re.compile(rf"t_pool1_subsample_{_TAIL}")
_LATERAL = re.compile(rf"t_res(\d)_\d+_branch2c_bn_subsample_{_TAIL}")
_BLOCK = re.compile(rf"(t_)?res(\d)_(\d+)_branch(?:2([abc])|1)_{_TAIL}")
_STEM = re.compile(r"(t_)?(?:res_conv1_(bn_\w+)|(?:res_)?conv1_(w|b))")
_HEAD = re.compile(r"pred_(w|b)")


def recognises(names: Collection[str]) -> bool:
    """Whether these are Caffe2's names of a video network."""
    return "conv1_w" in names and any(name.startswith(("res2_0_", "res_conv1_bn")) for name in names)


def our_name(name: str) -> str | None:
    """Our name of a blob; None if no network of ours has such a one."""
    theirs = _pyslowfast_name(name)
    return None if theirs is None else pyslowfast.our_name(theirs)


def tensors_of(content: Any) -> dict[str, Tensor] | None:
    """The blobs of an unpickled file as tensors, without those of the optimiser; None if it holds none."""
    blobs = content.get("blobs", content) if isinstance(content, Mapping) else None
    if not isinstance(blobs, Mapping):
        return None
    arrays = {
        name: value
        for name, value in blobs.items()
        if isinstance(name, str) and isinstance(value, np.ndarray) and value.dtype.kind in "fiu"
    }
    return {name: torch.from_numpy(np.array(value)) for name, value in arrays.items() if not _of_training(name)} or None


def _pyslowfast_name(name: str) -> str | None:
    if match := _NON_LOCAL.fullmatch(name):
        stage, block, part, kind, norm = match.groups()
        tail = _KINDS.get(norm) if norm else f"conv_{part}.{_KINDS[kind]}"
        return f"s{stage}.pathway0_nonlocal{block}.{tail}"
    if match := _STEM_LATERAL.fullmatch(name):
        return f"s1_fuse.{_lateral(match[1])}"
    if match := _LATERAL.fullmatch(name):
        return f"s{match[1]}_fuse.{_lateral(match[2])}"
    if match := _BLOCK.fullmatch(name):
        fast, stage, block, part, kind = match.groups()
        place = f"branch2.{part}" if part else "branch1"
        norm = "_" if kind.startswith("bn_") else "."
        return f"s{stage}.pathway{int(bool(fast))}_res{block}.{place}{norm}{_KINDS[kind]}"
    if match := _STEM.fullmatch(name):
        fast, norm, kind = match.groups()
        tail = _KINDS.get(norm) if norm else f"conv.{_KINDS[kind]}"
        return f"s1.pathway{int(bool(fast))}_stem.{tail}"
    if match := _HEAD.fullmatch(name):
        return f"head.projection.{_KINDS[match[1]]}"
    return None


def _lateral(kind: str) -> str:
    return _KINDS[kind] if kind.startswith("bn_") else f"conv_f2s.{_KINDS[kind]}"


def _of_training(name: str) -> bool:
    """Whether a blob belongs to the optimiser, not to the network; PySlowFast passes them over too."""
    return name.endswith("_momentum") or name in ("lr", "model_iter")
