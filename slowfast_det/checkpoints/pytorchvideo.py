"""PyTorchVideo's names of tensors: ``model.blocks.3.multipathway_blocks.0.res_blocks.2.branch2.conv_a.weight``."""

from __future__ import annotations

import re
from collections.abc import Collection

TITLE = "PyTorchVideo's .pyth"

_PATHWAYS = {None: "slow", "0": "slow", "1": "fast"}
_PLACE = r"(?:model\.)?blocks\.(\d)\."
_STEM = re.compile(rf"{_PLACE}(?:multipathway_blocks\.([01])\.)?(conv|norm)\.(\w+)")
_BLOCK = re.compile(
    rf"{_PLACE}(?:multipathway_blocks\.([01])\.)?res_blocks\.(\d+)\.(?:branch1_(conv|norm)|branch2\.(conv|norm)_([abc]))\.(\w+)"
)
_LATERAL = re.compile(rf"{_PLACE}multipathway_fusion\.(conv_fast_to_slow|norm)\.(\w+)")
_HEAD = re.compile(rf"(?:{_PLACE}proj|detection_head\.proj)\.(weight|bias)")


def recognises(names: Collection[str]) -> bool:
    """Whether a checkpoint's tensors have PyTorchVideo's names."""
    return any(_BLOCK.fullmatch(name) for name in names)


def our_names(names: Collection[str]) -> dict[str, str | None]:
    """Our name of each tensor; None where no network of ours has such a one.

    Stages are counted, not numbered: in C2D and I3D a pooling without tensors takes a number of its own.
    """
    stages = sorted({match[1] for name in names if (match := _BLOCK.fullmatch(name))})
    numbers = {place: number for number, place in enumerate(["0", *stages])}
    return {name: _our_name(name, numbers) for name in names}


def _our_name(name: str, numbers: dict[str, int]) -> str | None:
    if (match := _STEM.fullmatch(name)) and match[1] == "0":
        _, pathway, layer, kind = match.groups()
        return f"backbone.{_PATHWAYS[pathway]}.stem.first.{layer}.{kind}"
    if match := _BLOCK.fullmatch(name):
        place, pathway, block, shortcut, layer, part, kind = match.groups()
        stage = f"backbone.{_PATHWAYS[pathway]}.res{numbers[place] + 1}.{block}"
        return f"{stage}.shortcut.{shortcut}.{kind}" if shortcut else f"{stage}.{part}.{layer}.{kind}"
    if (match := _LATERAL.fullmatch(name)) and match[1] in numbers:
        place, layer, kind = match.groups()
        return f"backbone.laterals.{numbers[place]}.fuse.{'norm' if layer == 'norm' else 'conv'}.{kind}"
    if match := _HEAD.fullmatch(name):
        return f"head.projection.{match[2]}"
    return None
