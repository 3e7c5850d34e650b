"""mmaction2's names of tensors: ``backbone.slow_path.layer3.0.conv1.conv.weight``."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

import torch
from torch import Tensor

TITLE = "mmaction2's .pth"

_PATHWAYS = {None: "slow", "slow_path.": "slow", "fast_path.": "fast"}
_PARTS = {"conv1": "a", "conv2": "b", "conv3": "c", "downsample": "shortcut"}
_LAYERS = {"conv": "conv", "bn": "norm"}
_PLACE = r"backbone\.(slow_path\.|fast_path\.)?"
_STEM = re.compile(rf"{_PLACE}conv1\.(conv|bn)\.(\w+)")
_BLOCK = re.compile(rf"{_PLACE}layer([1-4])\.(\d+)\.(conv[123]|downsample)\.(conv|bn)\.(\w+)")
_NON_LOCAL = re.compile(
    rf"{_PLACE}layer([1-4])\.(\d+)\.non_local_block\.(?:(g|theta|phi)(?:\.0)?\.conv|conv_out\.(conv|bn))\.(\w+)"
)
_LATERAL = re.compile(r"backbone\.slow_path\.(?:conv1|layer([123]))_lateral\.(conv|bn)\.(\w+)")
_RELATION = re.compile(r"roi_head\.shared_head\.conv([12])\.(conv|bn)\.(\w+)")
_HEAD = re.compile(r"(?:roi_head\.bbox_head|cls_head)\.fc_cls\.(?:([02])\.)?(weight|bias)")


def recognises(names: Collection[str]) -> bool:
    """Whether a checkpoint's tensors have mmaction2's names."""
    return any(_BLOCK.fullmatch(name) for name in names)


def our_name(name: str) -> str | None:
    """Our name of a tensor; None if no network of ours has such a one."""
    if match := _STEM.fullmatch(name):
        pathway, layer, kind = match.groups()
        return f"backbone.{_PATHWAYS[pathway]}.stem.first.{_LAYERS[layer]}.{kind}"
    if match := _BLOCK.fullmatch(name):
        pathway, stage, block, part, layer, kind = match.groups()
        return f"backbone.{_PATHWAYS[pathway]}.res{int(stage) + 1}.{block}.{_PARTS[part]}.{_LAYERS[layer]}.{kind}"
    if match := _NON_LOCAL.fullmatch(name):
        pathway, stage, block, part, out, kind = match.groups()
        place = part or {"conv": "out", "bn": "norm"}[out]
        return f"backbone.{_PATHWAYS[pathway]}.res{int(stage) + 1}.{block}.non_local.{place}.{kind}"
    if match := _LATERAL.fullmatch(name):
        stage, layer, kind = match.groups()
        return f"backbone.laterals.{stage or 0}.fuse.{_LAYERS[layer]}.{kind}"
    if match := _RELATION.fullmatch(name):
        number, layer, kind = match.groups()
        return f"head.relation.{'join' if number == '1' else 'spread'}.{_LAYERS[layer]}.{kind}"
    if match := _HEAD.fullmatch(name):
        number, kind = match.groups()
        return f"head.hidden.0.{kind}" if number == "0" else f"head.projection.{kind}"
    return None


def slow_first(tensors: dict[str, Tensor], names: Mapping[str, str]) -> dict[str, Tensor]:
    """Tensors by our names, with the head's columns in our order.

    A recogniser of two pathways (SlowFastHead) joins their features fast first, a detector slow first.
    """
    head, last = "head.projection.weight", "backbone.fast.res5.0.c.norm.weight"
    if last not in tensors or not names.get(head, "").startswith("cls_head.") or tensors[head].dim() != 2:
        return tensors
    return tensors | {head: torch.roll(tensors[head], -len(tensors[last]), dims=1)}
