"""torchvision's Faster R-CNNs as networks: built by name, told from each other by their weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.models import detection
from torchvision.models.detection import FasterRCNN
from torchvision.models.detection.backbone_utils import resnet_fpn_backbone
from torchvision.ops import FrozenBatchNorm2d

from ava_tools.errors import InputError
from slowfast_det.persons.small_rcnn import small_faster_rcnn

SMALL = "small_faster_rcnn"  # ours; its weights come from nowhere but a training
V1 = "fasterrcnn_resnet50_fpn"
_BUILDERS: dict[str, Callable[..., FasterRCNN]] = {
    "fasterrcnn_resnet50_fpn_v2": detection.fasterrcnn_resnet50_fpn_v2,
    V1: detection.fasterrcnn_resnet50_fpn,
    "fasterrcnn_mobilenet_v3_large_320_fpn": detection.fasterrcnn_mobilenet_v3_large_320_fpn,
}
URLS: dict[str, str] = {
    "fasterrcnn_resnet50_fpn_v2": detection.FasterRCNN_ResNet50_FPN_V2_Weights.COCO_V1.url,
    V1: detection.FasterRCNN_ResNet50_FPN_Weights.COCO_V1.url,
    "fasterrcnn_mobilenet_v3_large_320_fpn": detection.FasterRCNN_MobileNet_V3_Large_320_FPN_Weights.COCO_V1.url,
}
DETECTORS = tuple(_BUILDERS)
HEAD = "roi_heads.box_predictor."
_RESNET = (("conv1.", "bn1."), ("layer1.",), ("layer2.",), ("layer3.",), ("layer4.",))
_MOBILENET = tuple(
    tuple(f"{place}." for place in stage) for stage in ([0, 1], [2, 3], [4, 5, 6], range(7, 13), range(13, 17))
)
_SMALL = (("stem.",), ("quarter.",), ("eighth.",), ("sixteenth.",), ("wide.",))


def build(
    kind: str,
    num_classes: int,
    *,
    min_score: float,
    min_size: int | None = None,
    max_size: int | None = None,
    max_overlap: float | None = None,
    frozen_norms: bool = False,
) -> FasterRCNN:
    """A network of torchvision's form with fresh weights.

    Args:
        kind: one of `DETECTORS`, or `SMALL`.
        num_classes: with the background, which is 0.
        min_score, min_size, max_size, max_overlap: see `DetectorOptions`; None is the network's own.
        frozen_norms: batch norms as torchvision's first ResNet-50 has them when it is trained from COCO's weights,
            for that one only: they are fixed, and their epsilon is 0 (the weights were made before there was one).
    """
    options: dict[str, Any] = {"min_size": min_size, "max_size": max_size, "box_nms_thresh": max_overlap}
    given = {name: value for name, value in options.items() if value is not None} | {"box_score_thresh": min_score}
    if kind == SMALL:
        network = small_faster_rcnn(num_classes, **given)
    elif frozen_norms:
        norm = partial(FrozenBatchNorm2d, eps=0.0)
        backbone = resnet_fpn_backbone(backbone_name="resnet50", weights=None, norm_layer=norm, trainable_layers=5)
        network = FasterRCNN(backbone, num_classes, **given)
    else:
        network = _BUILDERS[kind](weights=None, weights_backbone=None, num_classes=num_classes, **given)
    _settle_strides(network)
    return network


def recognise(state: Mapping[str, Tensor], name: str) -> str:
    """Whose weights a state dict holds: one of `DETECTORS`, or `SMALL`.

    Raises:
        InputError: those of another network; ``name`` is what the sentence calls it.
    """
    if f"{HEAD}cls_score.weight" in state:
        if "rpn.head.conv.1.0.weight" in state:
            return "fasterrcnn_resnet50_fpn_v2"
        if "backbone.body.layer1.0.conv1.weight" in state:
            return V1
        if "backbone.body.0.0.weight" in state:
            return "fasterrcnn_mobilenet_v3_large_320_fpn"
        if "backbone.stem.0.0.weight" in state:
            return SMALL
    raise InputError(
        f"{name}: is no person detector that is known; weights of {', '.join(DETECTORS)}, or of Detectron2's "
        "Faster R-CNN with FPN, are expected"
    )


def has_frozen_norms(kind: str, state: Mapping[str, Tensor]) -> bool:
    """Whether `build` needs frozen norms for these weights: norms that were trained have counted batches."""
    return kind == V1 and not any(key.endswith("num_batches_tracked") for key in state)


def parts_of(network: FasterRCNN) -> tuple[nn.Module, ...]:
    """The parts that are made of layers alone; between them boxes are computed."""
    heads = network.roi_heads
    return network.backbone, network.rpn.head, heads.box_head, heads.box_predictor


def freeze_stages(network: FasterRCNN, kind: str, count: int) -> None:
    """Keep the weights of the backbone's first stages as they are."""
    stages = _SMALL if kind == SMALL else _MOBILENET if "mobilenet" in kind else _RESNET
    frozen = tuple(prefix for stage in stages[:count] for prefix in stage)
    body = network.backbone if kind == SMALL else network.backbone.body
    for name, weight in body.named_parameters():
        if name.startswith(frozen):
            weight.requires_grad_(False)


@torch.no_grad()
def _settle_strides(network: FasterRCNN) -> None:
    """Torchvision infers the strides of the maps from the first frame, once for all; that one must not be odd."""
    training = network.training
    features = network.eval().backbone(torch.zeros(1, 3, 64, 64))
    network.roi_heads.box_roi_pool(features, [torch.zeros(0, 4)], [(64, 64)])
    network.train(training)
