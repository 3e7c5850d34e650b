"""PySlowFast's names of tensors: ``s4.pathway0_res3.branch2.a.weight``, there and back.

Names of facebookresearch/SlowFast 287ec00.
"""

from __future__ import annotations

import re
from collections.abc import Collection

TITLE = "PySlowFast's .pyth"

_PATHWAYS = {"0": "slow", "1": "fast"}
_BLOCK = re.compile(r"s([2-5])\.pathway([01])_res(\d+)\.(?:branch2\.)?(branch1|a|b|c)(_bn)?\.(\w+)")
_NON_LOCAL = re.compile(r"s([2-5])\.pathway([01])_nonlocal(\d+)\.(?:conv_(theta|phi|g|out)|(bn))\.(\w+)")
_STEM = re.compile(r"s1\.pathway([01])_stem\.(conv|bn)\.(\w+)")
_LATERAL = re.compile(r"s([1-4])_fuse\.(conv_f2s|bn)\.(\w+)")
_HEAD = re.compile(r"head\.projection\.(weight|bias)")

_OUR_BLOCK = re.compile(r"backbone\.(slow|fast)\.res([2-5])\.(\d+)\.(shortcut|a|b|c)\.(conv|norm)\.(\w+)")
_OUR_NON_LOCAL = re.compile(r"backbone\.(slow|fast)\.res([2-5])\.(\d+)\.non_local\.(theta|phi|g|out|norm)\.(\w+)")
_OUR_STEM = re.compile(r"backbone\.(slow|fast)\.stem\.first\.(conv|norm)\.(\w+)")
_OUR_LATERAL = re.compile(r"backbone\.laterals\.([0-3])\.fuse\.(conv|norm)\.(\w+)")


def recognises(names: Collection[str]) -> bool:
    """Whether a checkpoint's tensors have PySlowFast's names."""
    return any(_STEM.fullmatch(_bare(name)) for name in names)


def our_name(name: str) -> str | None:
    """Our name of a tensor; None if no network of ours has such a one."""
    name = _bare(name)
    if match := _BLOCK.fullmatch(name):
        stage, pathway, block, part, norm, kind = match.groups()
        part = "shortcut" if part == "branch1" else part
        return f"backbone.{_PATHWAYS[pathway]}.res{stage}.{block}.{part}.{'norm' if norm else 'conv'}.{kind}"
    if match := _NON_LOCAL.fullmatch(name):
        stage, pathway, block, part, _, kind = match.groups()
        return f"backbone.{_PATHWAYS[pathway]}.res{stage}.{block}.non_local.{part or 'norm'}.{kind}"
    if match := _STEM.fullmatch(name):
        pathway, layer, kind = match.groups()
        return f"backbone.{_PATHWAYS[pathway]}.stem.first.{_layer(layer)}.{kind}"
    if match := _LATERAL.fullmatch(name):
        number, layer, kind = match.groups()
        return f"backbone.laterals.{int(number) - 1}.fuse.{_layer(layer)}.{kind}"
    return name if _HEAD.fullmatch(name) else None


def their_name(name: str) -> str:
    """PySlowFast's name of a tensor of ours.

    Raises:
        ValueError: PySlowFast has no such tensor.
    """
    numbers = {pathway: number for number, pathway in _PATHWAYS.items()}
    if match := _OUR_BLOCK.fullmatch(name):
        pathway, stage, block, part, layer, kind = match.groups()
        place = "branch1" if part == "shortcut" else f"branch2.{part}"
        return f"s{stage}.pathway{numbers[pathway]}_res{block}.{place}{'_bn' if layer == 'norm' else ''}.{kind}"
    if match := _OUR_NON_LOCAL.fullmatch(name):
        pathway, stage, block, part, kind = match.groups()
        place = "bn" if part == "norm" else f"conv_{part}"
        return f"s{stage}.pathway{numbers[pathway]}_nonlocal{block}.{place}.{kind}"
    if match := _OUR_STEM.fullmatch(name):
        pathway, layer, kind = match.groups()
        return f"s1.pathway{numbers[pathway]}_stem.{'bn' if layer == 'norm' else 'conv'}.{kind}"
    if match := _OUR_LATERAL.fullmatch(name):
        number, layer, kind = match.groups()
        return f"s{int(number) + 1}_fuse.{'bn' if layer == 'norm' else 'conv_f2s'}.{kind}"
    if _HEAD.fullmatch(name):
        return name
    raise ValueError(f"PySlowFast has no tensor like {name}")


def _bare(name: str) -> str:
    """Self-supervised training leaves ``backbone.`` before each name."""
    return name.removeprefix("backbone.")


def _layer(name: str) -> str:
    return "norm" if name == "bn" else "conv"
