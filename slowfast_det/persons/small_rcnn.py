"""A Faster R-CNN small enough to be trained from nothing on a laptop, for small frames and small persons."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torchvision.models.detection import FasterRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.ops import MultiScaleRoIAlign

_SHAPES = (0.22, 0.4, 1.0, 1.8, 2.8)  # height over width: lying, with a knee up, sitting or stretched, upright


class _Block(nn.Module):
    """Two 3 x 3 convolutions around a shortcut."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.first = _conv(in_channels, out_channels, stride)
        self.second = _conv(out_channels, out_channels, 1)
        self.shortcut = (
            nn.Identity()
            if stride == 1 and in_channels == out_channels
            else nn.Sequential(
                nn.Conv2d(in_channels, out_channels, 1, stride=stride, bias=False), nn.BatchNorm2d(out_channels)
            )
        )

    def forward(self, x: Tensor) -> Tensor:
        """``Tensor[B, C, H, W]`` -> ``Tensor[B, C', H/stride, W/stride]``."""
        joined: Tensor = torch.relu(self.second(torch.relu(self.first(x))) + self.shortcut(x))
        return joined


class SmallBackbone(nn.Module):
    """A residual network of stride 8 whose features have also seen stride 16 and 32."""

    def __init__(self, width: int) -> None:
        """``width``: channels of the stem; each stage has more."""
        super().__init__()
        self.stem = nn.Sequential(_conv(3, width, 2), nn.ReLU(inplace=True))
        self.quarter = _Block(width, 2 * width, 2)
        self.eighth = _Block(2 * width, 4 * width, 2)
        self.sixteenth = _Block(4 * width, 6 * width, 2)
        self.wide = _Block(6 * width, 6 * width, 2)
        self.joins = nn.ModuleList(nn.Conv2d(channels * width, 4 * width, 1) for channels in (4, 6, 6))
        self.smooth = _conv(4 * width, 4 * width, 1)
        self.out_channels = 4 * width

    def forward(self, images: Tensor) -> OrderedDict[str, Tensor]:
        """``Tensor[B, 3, H, W]`` -> one map ``"0"``: ``Tensor[B, C, H/8, W/8]``."""
        eighth = self.eighth(self.quarter(self.stem(images)))
        sixteenth = self.sixteenth(eighth)
        joined = self.joins[2](self.wide(sixteenth))
        for finer, join in ((sixteenth, self.joins[1]), (eighth, self.joins[0])):
            joined = join(finer) + nn.functional.interpolate(joined, size=finer.shape[-2:], mode="nearest")
        return OrderedDict({"0": torch.relu(self.smooth(joined))})


def small_faster_rcnn(
    num_classes: int = 2,
    *,
    width: int = 16,
    sides: Sequence[int] = (20, 32, 48, 72),
    min_size: int = 128,
    max_size: int = 512,
    box_score_thresh: float = 0.05,
    box_nms_thresh: float = 0.6,
) -> FasterRCNN:
    """An untrained detector of about 0.65 million parameters.

    Args:
        num_classes: with the background, which is 0; persons are 1.
        width: channels of the backbone's stem.
        sides: of the anchors, the root of their area in pixels of the resized frame.
        min_size: shorter side of the resized frame.
        max_size: its longer side at most, which wins.
        box_score_thresh: least score of a detection; called as in torchvision, as the next one.
        box_nms_thresh: least IoU at which the weaker of two detections is dropped. Two who embrace overlap by half.
    """
    backbone = SmallBackbone(width)
    anchors = AnchorGenerator(sizes=(tuple(sides),), aspect_ratios=(_SHAPES,))
    regions = MultiScaleRoIAlign(featmap_names=["0"], output_size=5, sampling_ratio=2)
    return FasterRCNN(
        backbone,
        rpn_anchor_generator=anchors,
        box_roi_pool=regions,
        box_head=_BoxHead(backbone.out_channels * 5 * 5, 96),
        box_predictor=_BoxPredictor(96, num_classes),
        min_size=min_size,
        max_size=max_size,
        image_mean=[0.45] * 3,
        image_std=[0.225] * 3,
        rpn_pre_nms_top_n_train=300,
        rpn_pre_nms_top_n_test=200,
        rpn_post_nms_top_n_train=120,
        rpn_post_nms_top_n_test=60,
        rpn_nms_thresh=0.75,
        rpn_batch_size_per_image=64,
        box_batch_size_per_image=48,
        box_score_thresh=box_score_thresh,
        box_nms_thresh=box_nms_thresh,
        box_detections_per_img=20,
    )


class _BoxHead(nn.Sequential):
    """Pooled features of a region -> what its class and its box are told from."""

    def __init__(self, in_features: int, width: int) -> None:
        super().__init__(nn.Flatten(), nn.Linear(in_features, width), nn.ReLU(inplace=True))


class _BoxPredictor(nn.Module):
    """Scores and box corrections of every class."""

    def __init__(self, width: int, num_classes: int) -> None:
        super().__init__()
        self.cls_score = nn.Linear(width, num_classes)
        self.bbox_pred = nn.Linear(width, 4 * num_classes)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """``Tensor[R, C]`` -> ``Tensor[R, classes]``, ``Tensor[R, 4 * classes]``."""
        return self.cls_score(x), self.bbox_pred(x)


def _conv(in_channels: int, out_channels: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 3, stride=stride, padding=1, bias=False), nn.BatchNorm2d(out_channels)
    )
