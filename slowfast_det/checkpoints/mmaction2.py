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
# OmniSource's network has torchvision's names; its head for videos is pooling, linear layer, norm, ..., linear layer.
_OMNI_STEM = re.compile(r"backbone\.(conv|bn)1\.(\w+)")
_OMNI_BLOCK = re.compile(r"backbone\.layer([1-4])\.(\d+)\.(?:(conv|bn)([123])|downsample\.([01]))\.(\w+)")
_OMNI_HEAD = re.compile(r"cls_head\.fc3d\.([236])\.(\w+)")
_OMNI_PLACES = {"2": "hidden.0", "3": "hidden.1", "6": "projection"}


def recognises(names: Collection[str]) -> bool:
    """Whether a checkpoint's tensors have mmaction2's names."""
    return any(_BLOCK.fullmatch(name) or _OMNI_HEAD.fullmatch(name) for name in names)


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
    return _our_name_of_omni(name)


def _our_name_of_omni(name: str) -> str | None:
    if match := _OMNI_STEM.fullmatch(name):
        layer, kind = match.groups()
        return f"backbone.slow.stem.first.{_LAYERS[layer]}.{kind}"
    if match := _OMNI_BLOCK.fullmatch(name):
        stage, block, layer, part, shortcut, kind = match.groups()
        place = _PARTS[f"conv{part}"] if part else "shortcut"
        norm = layer == "bn" or shortcut == "1"
        return f"backbone.slow.res{int(stage) + 1}.{block}.{place}.{'norm' if norm else 'conv'}.{kind}"
    if match := _OMNI_HEAD.fullmatch(name):
        return f"head.{_OMNI_PLACES[match[1]]}.{match[2]}"
    return None


def in_our_form(tensors: dict[str, Tensor], names: Mapping[str, str]) -> dict[str, Tensor]:
    """Tensors by our names: those of C2D, over places alone, as over one frame, the head's columns in our order.

    A recogniser of two pathways (SlowFastHead) joins their features fast first, a detector slow first.
    """
    tensors = {name: tensor.unsqueeze(2) if tensor.dim() == 4 else tensor for name, tensor in tensors.items()}
    head, last = "head.projection.weight", "backbone.fast.res5.0.c.norm.weight"
    if last not in tensors or not names.get(head, "").startswith("cls_head.") or tensors[head].dim() != 2:
        return tensors
    return tensors | {head: torch.roll(tensors[head], -len(tensors[last]), dims=1)}
