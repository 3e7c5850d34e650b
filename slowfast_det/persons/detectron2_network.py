"""The network of Detectron2's Faster R-CNN with FPN, put together from torchvision's parts."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models.detection.backbone_utils import BackboneWithFPN
from torchvision.models.detection.faster_rcnn import TwoMLPHead
from torchvision.models.detection.rpn import RPNHead
from torchvision.models.resnet import Bottleneck, ResNet

from slowfast_det.models.roi_align import roi_align_by_level
from slowfast_det.persons.detectron2_proposals import RATIOS, STRIDES
from slowfast_det.persons.detectron2_weights import POOLED, Architecture

_REGION_MAPS = 4  # regions are pooled from P2 to P5; P6 is for proposals only


class FrozenNorm(nn.Module):
    """Batch norm with fixed numbers, computed in one step as Detectron2 does; torchvision's takes three."""

    weight: Tensor
    bias: Tensor
    running_mean: Tensor
    running_var: Tensor
    eps = 1e-5

    def __init__(self, channels: int) -> None:
        super().__init__()
        for name in ("weight", "bias", "running_mean", "running_var"):
            self.register_buffer(name, torch.empty(channels))

    def forward(self, x: Tensor) -> Tensor:
        """``Tensor[B, C, H, W]`` -> the same."""
        return functional.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)


class Detectron2Network(nn.Module):
    """Features, proposals and scores of Faster R-CNN; what becomes of them is the detector's business."""

    def __init__(self, architecture: Architecture, stride_in_1x1: bool) -> None:
        """Build the network.

        Args:
            architecture: see there.
            stride_in_1x1: whether the first 1 x 1 convolution of a stage halves the size, or the 3 x 3 one.
        """
        super().__init__()
        resnet = ResNet(
            Bottleneck,
            list(architecture.blocks),
            groups=architecture.groups,
            width_per_group=architecture.width,
            norm_layer=FrozenNorm,
        )
        if stride_in_1x1:
            for stage in (resnet.layer2, resnet.layer3, resnet.layer4):
                stage[0].conv1.stride, stage[0].conv2.stride = (2, 2), (1, 1)
        channels, hidden = architecture.channels, architecture.hidden
        stages = {f"layer{number}": str(number) for number in range(1, 5)}
        self.backbone = BackboneWithFPN(resnet, stages, [256, 512, 1024, 2048], channels)
        self.rpn_head = RPNHead(channels, len(RATIOS))
        self.box_head = TwoMLPHead(channels * POOLED**2, hidden)
        self.cls_score = nn.Linear(hidden, architecture.classes + 1)
        self.bbox_pred = nn.Linear(hidden, 4 * architecture.box_classes)

    def features(self, images: Tensor) -> list[Tensor]:
        """Normalised images ``Tensor[B, 3, H, W]`` -> the maps P2 to P6, ``Tensor[B, C, H/s, W/s]`` of stride s."""
        return list(self.backbone(images).values())

    def proposals(self, features: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """The maps -> of each of them logits ``Tensor[B, 3, h, w]`` and corrections ``Tensor[B, 12, h, w]``."""
        logits, deltas = self.rpn_head(features)
        return logits, deltas

    def scores(self, features: Sequence[Tensor], boxes: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Classify regions.

        Args:
            features: the maps.
            boxes: of each frame ``Tensor[R, 4]``, pixels of the resized frame.

        Returns:
            Class logits ``Tensor[R, classes + 1]``, the background last, and box corrections
            ``Tensor[R, 4 * classes]``, of all frames one after another.
        """
        hidden = self.box_head(pool(features, boxes))  # [R, hidden]
        return self.cls_score(hidden), self.bbox_pred(hidden)


def pool(features: Sequence[Tensor], boxes: Sequence[Tensor]) -> Tensor:
    """Regions of the maps, each from the one that suits its size: ``Tensor[R, C, 7, 7]``."""
    levels = region_levels(torch.cat(list(boxes)))
    scales = [1 / stride for stride in STRIDES[:_REGION_MAPS]]
    # sampling_ratio 0: as many samples a bin as it has cells; torchvision's own detectors take 2, unaligned
    return roi_align_by_level(features[:_REGION_MAPS], boxes, levels, scales, POOLED, sampling_ratio=0, aligned=True)


def region_levels(boxes: Tensor) -> Tensor:
    """Which map suits a box ``Tensor[R, 4]``: 224 pixels belong to P4, half of that to P3 (FPN paper, eq. 1)."""
    sides = ((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])).sqrt()
    levels = torch.floor(4 + torch.log2(sides / 224 + 1e-8))  # torchvision adds its epsilon after the logarithm
    return levels.clamp(2, 1 + _REGION_MAPS).to(torch.int64) - 2
