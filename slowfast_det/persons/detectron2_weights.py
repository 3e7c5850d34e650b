"""Weights of Detectron2's Faster R-CNN with FPN: its names, and what they tell of the network.

A file of the model zoo is a pickle ``{"model": arrays, "__author__": ...}``, one of a training is torch's
``{"model": tensors, "optimizer": ..., ...}``; what counts is the names of the tensors in them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ava_tools.errors import InputError
from ava_tools.safe_pickle import shown
from slowfast_det.persons.detector_file import MOST_CLASSES
from slowfast_det.weights.files import refuse_broken

Array = Tensor | NDArray[Any]

POOLED = 7  # bins of a region, each way

_EXPECTED = (
    "a Faster R-CNN of Detectron2 with a bottleneck ResNet or ResNeXt and an FPN is expected; other detectors run in "
    "Detectron2 itself, as detectron2:CONFIG@WEIGHTS"
)
_THEIRS: list[tuple[str, str | Callable[[re.Match[str]], str]]] = [  # our parts are torchvision's, and called as there
    (r"backbone\.body\.conv1\.", "backbone.bottom_up.stem.conv1."),
    (r"backbone\.body\.bn1\.", "backbone.bottom_up.stem.conv1.norm."),
    (r"backbone\.body\.layer1\.", "backbone.bottom_up.res2."),
    (r"backbone\.body\.layer2\.", "backbone.bottom_up.res3."),
    (r"backbone\.body\.layer3\.", "backbone.bottom_up.res4."),
    (r"backbone\.body\.layer4\.", "backbone.bottom_up.res5."),
    (r"\.bn(\d)\.", r".conv\1.norm."),
    (r"\.downsample\.0\.", ".shortcut."),
    (r"\.downsample\.1\.", ".shortcut.norm."),
    (r"backbone\.fpn\.inner_blocks\.(\d)\.0\.", lambda match: f"backbone.fpn_lateral{int(match[1]) + 2}."),
    (r"backbone\.fpn\.layer_blocks\.(\d)\.0\.", lambda match: f"backbone.fpn_output{int(match[1]) + 2}."),
    (r"^rpn_head\.conv\.0\.0\.", "proposal_generator.rpn_head.conv."),
    (r"^rpn_head\.cls_logits\.", "proposal_generator.rpn_head.objectness_logits."),
    (r"^rpn_head\.bbox_pred\.", "proposal_generator.rpn_head.anchor_deltas."),
    (r"^box_head\.fc6\.", "roi_heads.box_head.fc1."),
    (r"^box_head\.fc7\.", "roi_heads.box_head.fc2."),
    (r"^cls_score\.", "roi_heads.box_predictor.cls_score."),
    (r"^bbox_pred\.", "roi_heads.box_predictor.bbox_pred."),
]
# Heads for masks, keypoints and whole scenes stand beside the boxes and change nothing about them.
_IDLE = re.compile(r".*\.num_batches_tracked|roi_heads\.(mask|keypoint)_head\..*|sem_seg_head\..*")
_PIXELS = ("pixel_mean", "pixel_std")  # old files hold them; now they are in the configuration only
_ANCHORS = re.compile(r"proposal_generator\.anchor_generator\.cell_anchors\.\d+")
_MOST_BLOCKS, _WIDEST = 100, 16_384  # ResNet-152 has 36 blocks in a stage; layers are 1024 numbers wide
_MOST_BESIDE = 1000  # numbers of what stands beside the network
_DETECTRON1 = re.compile(r"res2_0_branch2a_w|conv_rpn_fpn2_w|fpn_inner_res2_\d_sum_lateral_w")


@dataclass(frozen=True)
class Architecture:
    """What the shapes of the tensors tell.

    Attributes:
        blocks: bottlenecks of each of the four stages; 3, 4, 6, 3 is ResNet-50.
        groups: of the 3 x 3 convolutions; more than 1 is a ResNeXt.
        width: channels of a group in the first stage.
        channels: of the FPN's maps.
        hidden: width of the box head.
        classes: that are told apart, without the background.
        box_classes: that have boxes of their own; 1 where all share them.
    """

    blocks: tuple[int, int, int, int]
    groups: int
    width: int
    channels: int
    hidden: int
    classes: int
    box_classes: int


@dataclass(frozen=True)
class Detectron2Weights:
    """A file's tensors under Detectron2's names, and what they tell.

    Attributes:
        source: what the file is called in errors.
        tensors: as the file holds them, of the network alone.
        architecture: the network that they belong to.
        pixels: ``pixel_mean`` and ``pixel_std``, three numbers each, as far as the file holds them.
        anchors: the anchors of each map around a cell's corner, ``Tensor[A, 4]``, if the file holds them.
    """

    source: str
    tensors: Mapping[str, Array]
    architecture: Architecture
    pixels: Mapping[str, tuple[float, ...]]
    anchors: list[Tensor]

    def state_of(self, shapes: Mapping[str, torch.Size]) -> dict[str, Tensor]:
        """The tensors under our names, float32 as Detectron2 computes.

        Args:
            shapes: the names and shapes of our network.

        Raises:
            InputError: tensors are missing, superfluous or of another shape; the sentence names them.
        """
        wanted = {name: their_name(name) for name in shapes}
        theirs = set(wanted.values())
        held = {name: _tensor(value) for name, value in self.tensors.items() if name in theirs}
        found = _with_statistics(held, theirs)
        problems = [
            listed("it lacks", theirs - found.keys()),
            listed("has unknown tensors", self.tensors.keys() - theirs),
            listed(
                "has other shapes in",
                (their for our, their in wanted.items() if their in found and found[their].shape != shapes[our]),
            ),
        ]
        if any(problems):
            raise InputError(f"{self.source}: {', '.join(filter(None, problems))}; {_EXPECTED}")
        numbers = as_numbers(found, self.source)
        return {our: numbers[their] for our, their in wanted.items()}


def their_name(name: str) -> str:
    """Detectron2's name of a tensor of ours."""
    for pattern, replacement in _THEIRS:
        name = re.sub(pattern, replacement, name)
    return name


def read_detectron2(content: Any, source: str) -> Detectron2Weights | None:
    """What a file's content is if it comes from Detectron2; None if it does not.

    Args:
        content: as `open_weights` gives it.
        source: what to call it in an error.

    Raises:
        InputError: it is of Detectron2's predecessor, or of a detector that is no Faster R-CNN with FPN.
    """
    tensors = arrays_of(content)
    if tensors is None:
        return None
    if any(_DETECTRON1.fullmatch(name) for name in tensors):
        raise InputError(
            f"{source}: holds blobs of Caffe2, of which Detectron's first version and SlowFast's trainings made files; "
            "they are not supported; weights of Detectron2 are expected"
        )
    if not any(name.startswith(("backbone.bottom_up.", "proposal_generator.", "roi_heads.res5.")) for name in tensors):
        return None
    network = {name: value for name, value in tensors.items() if not beside_network(name)}
    return Detectron2Weights(
        source,
        network,
        _architecture(network, source),
        pixels={name: tuple(_few(tensors, name, source).flatten().tolist()) for name in _PIXELS if name in tensors},
        anchors=[_few(tensors, name, source) for name in sorted(filter(_ANCHORS.fullmatch, tensors))],
    )


def beside_network(name: str) -> bool:
    """Whether a tensor of a file says nothing about boxes, or is in the configuration now."""
    return name in _PIXELS or bool(_ANCHORS.fullmatch(name) or _IDLE.fullmatch(name))


def arrays_of(content: Any) -> dict[str, Array] | None:
    """All arrays and tensors of a file's content as it holds them: their shapes are claims until they are looked at."""
    for key in ("model", "blobs"):
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    if not isinstance(content, Mapping) or not all(isinstance(name, str) for name in content):
        return None
    return {
        name.removeprefix("module."): value  # put there by DistributedDataParallel
        for name, value in content.items()
        if isinstance(value, Tensor) or (isinstance(value, np.ndarray) and value.dtype.kind in "fiubc")
    } or None


def as_numbers(arrays: Mapping[str, Array], source: str) -> dict[str, Tensor]:
    """Arrays as float32, what Detectron2 computes in, without copies where they are that.

    Raises:
        InputError: see `refuse_broken`.
    """
    tensors = {name: _tensor(value) for name, value in arrays.items()}
    refuse_broken(tensors, source)
    return {name: value.float() for name, value in tensors.items()}


def _tensor(value: Array) -> Tensor:
    if isinstance(value, Tensor):
        return value
    kind = np.dtype(np.float32) if value.dtype.kind in "fiu" else value.dtype.newbyteorder("=")
    return torch.from_numpy(np.require(value, kind, ["C", "W"]))


def _few(arrays: Mapping[str, Array], name: str, source: str) -> Tensor:
    """What stands beside the network and is small."""
    if math.prod(arrays[name].shape) > _MOST_BESIDE:
        raise InputError(f"{source}: its {name} has the shape {list(arrays[name].shape)}; a few numbers are expected")
    return as_numbers({name: arrays[name]}, source)[name]


def _architecture(tensors: Mapping[str, Array], source: str) -> Architecture:
    try:
        blocks = [_blocks(tensors, stage) for stage in range(2, 6)]
        convolution = tensors["backbone.bottom_up.res2.0.conv2.weight"]
        groups = convolution.shape[0] // convolution.shape[1]
        found = Architecture(
            blocks=(blocks[0], blocks[1], blocks[2], blocks[3]),
            groups=groups,
            width=convolution.shape[0] // groups,
            channels=tensors["backbone.fpn_lateral2.weight"].shape[0],
            hidden=tensors["roi_heads.box_head.fc1.weight"].shape[0],
            classes=tensors["roi_heads.box_predictor.cls_score.weight"].shape[0] - 1,
            box_classes=tensors["roi_heads.box_predictor.bbox_pred.weight"].shape[0] // 4,
        )
        widths = convolution.shape[0], found.channels, found.hidden
        if not (0 < min(widths) <= max(widths) <= _WIDEST and 0 < found.classes <= MOST_CLASSES):
            raise IndexError
        if found.box_classes not in (1, found.classes):
            raise IndexError
        return found
    except KeyError as missing:
        raise InputError(f"{source}: it lacks {missing.args[0]}; {_EXPECTED}") from None
    except (IndexError, ZeroDivisionError):
        raise InputError(f"{source}: its tensors have impossible shapes; {_EXPECTED}") from None


def _blocks(tensors: Mapping[str, Array], stage: int) -> int:
    """How many blocks a stage has, each with the first tensor of a bottleneck."""
    count = 0
    while f"backbone.bottom_up.res{stage}.{count}.conv3.weight" in tensors:
        count += 1
    if count == 0:
        raise KeyError(f"backbone.bottom_up.res{stage}.0.conv3.weight")
    if count > _MOST_BLOCKS:
        raise IndexError
    return count


def _with_statistics(tensors: Mapping[str, Tensor], wanted: Iterable[str]) -> dict[str, Tensor]:
    """Norms converted from Caffe2 are an affine map alone: mean 0, variance 1, as Detectron2 fills them."""
    full = dict(tensors)
    for name in wanted:
        stem, _, kind = name.rpartition(".")
        if name not in full and kind in ("running_mean", "running_var") and f"{stem}.weight" in full:
            full[name] = torch.full_like(full[f"{stem}.weight"], float(kind == "running_var"))
    return full


def listed(words: str, names: Iterable[str]) -> str:
    """``it lacks a, b and 7 more``; nothing without names."""
    ordered = sorted(names)
    if not ordered:
        return ""
    more = f" and {len(ordered) - 3} more" if len(ordered) > 3 else ""
    return f"{words} {', '.join(map(shown, ordered[:3]))}{more}"
