"""PySlowFast's checkpoints: ``.pyth`` files whose ``cfg`` text says what the network is.

Names of facebookresearch/SlowFast 287ec00; only what an AVA detector needs is read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from ava_tools.settings import read_yaml
from slowfast_det.config import Config
from slowfast_det.pyslowfast_config import read_config
from slowfast_det.weights.files import state_dict_of

_STAGES = {"s2": "res2", "s3": "res3", "s4": "res4", "s5": "res5"}
_LATERALS = {"s1_fuse": 0, "s2_fuse": 1, "s3_fuse": 2, "s4_fuse": 3}
_PATHWAYS = {"pathway0": "slow", "pathway1": "fast"}
_BLOCK = re.compile(r"(s[2-5])\.(pathway[01])_res(\d+)\.(?:branch2\.)?(branch1|a|b|c)(_bn)?\.(\w+)")
_STEM = re.compile(r"s1\.(pathway[01])_stem\.(conv|bn)\.(\w+)")
_LATERAL = re.compile(r"(s[1-4]_fuse)\.(conv_f2s|bn)\.(\w+)")


def is_pyslowfast(content: Any) -> bool:
    """Whether a checkpoint was written by PySlowFast."""
    return isinstance(content, Mapping) and state_dict_of(content.get("model_state")) is not None


def config_of(content: Mapping[str, Any], name: str) -> Config | None:
    """The configuration that the checkpoint carries, if it carries one.

    Raises:
        InputError: it is for a network that is not an AVA SlowFast or Slow-only one.
    """
    text = content.get("cfg")
    if not isinstance(text, str) or not text.strip():
        return None
    return read_config(read_yaml(text, f"{name} (its cfg)"), f"{name} (its cfg)")


def state_dict_from(content: Mapping[str, Any]) -> dict[str, Tensor]:
    """The checkpoint's tensors under our names; those without a counterpart keep theirs."""
    return {_our_name(_without_prefix(key)): value for key, value in content["model_state"].items()}


def _without_prefix(key: str) -> str:
    """Distributed training leaves ``module.`` before each name."""
    return key.removeprefix("module.")


def _our_name(key: str) -> str:
    if match := _BLOCK.fullmatch(key):
        stage, pathway, block, part, norm, kind = match.groups()
        part = "shortcut" if part == "branch1" else part
        return f"backbone.{_PATHWAYS[pathway]}.{_STAGES[stage]}.{block}.{part}.{'norm' if norm else 'conv'}.{kind}"
    if match := _STEM.fullmatch(key):
        pathway, layer, kind = match.groups()
        return f"backbone.{_PATHWAYS[pathway]}.stem.first.{_layer(layer)}.{kind}"
    if match := _LATERAL.fullmatch(key):
        lateral, layer, kind = match.groups()
        return f"backbone.laterals.{_LATERALS[lateral]}.fuse.{_layer(layer)}.{kind}"
    return key


def _layer(name: str) -> str:
    return "norm" if name == "bn" else "conv"
