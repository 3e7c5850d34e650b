"""The networks: clip and boxes to logits of each person, or clip to scores of its classes."""

from __future__ import annotations

from typing import Self

import torch
from torch import Tensor, nn

from slowfast_det.models.blocks import Bottleneck
from slowfast_det.models.classifier_head import ClassifierHead
from slowfast_det.models.nonlocal_block import NonLocal
from slowfast_det.models.optimize import optimized
from slowfast_det.models.roi_head import RoIHead
from slowfast_det.precision import Precision


class ActionNetwork(nn.Module):
    """A backbone and the head that scores each person's actions."""

    channels_last = False  # whether it prefers clips whose numbers of a place lie together

    def __init__(self, backbone: nn.Module, head: RoIHead, num_frames: int) -> None:
        """``num_frames`` is T, the frames of every clip."""
        super().__init__()
        self.backbone = backbone
        self.head = head
        self.num_frames = num_frames

    def forward(self, clip: Tensor, boxes: Tensor) -> Tensor:
        """Score every action for every person box.

        Args:
            clip: ``Tensor[B, 3, T, H, W]``, normalised; the network makes its own pathways of it.
            boxes: ``Tensor[K, 5]`` rows (clip index, x1, y1, x2, y2) in pixels of the clip. K may be 0.

        Returns:
            ``Tensor[K, N]`` logits; apply a sigmoid for probabilities.

        Raises:
            ValueError: clip or boxes have another shape.
        """
        _check_clip(clip, self.num_frames)
        if boxes.dim() != 2 or boxes.shape[1] != 5:
            raise ValueError(f"the boxes are {list(boxes.shape)}; [K, 5] (clip index, x1, y1, x2, y2) is expected")
        # RoIAlign would read other memory; an exported graph cannot ask.
        if not torch.compiler.is_compiling() and len(boxes) and not bool(_within(boxes[:, 0], len(clip))):
            raise ValueError(
                f"a box names a clip that is not there; clip indices from 0 to {len(clip) - 1} are expected"
            )
        features = self.backbone(clip)
        logits: Tensor = self.head(features, boxes)
        return logits

    def optimized(self, precision: Precision = "auto", compile: bool = False) -> Self:  # noqa: A002 # torch's word
        """A copy for inference on the device where the network is, see `optimize.optimized`."""
        fast = optimized(self, self.num_frames, precision, compiled=compile)
        fast.channels_last = True
        return fast


class ClassifierNetwork(nn.Module):
    """A backbone and the head that scores the classes of a whole clip."""

    channels_last = False  # whether it prefers clips whose numbers of a place lie together

    def __init__(self, backbone: nn.Module, head: ClassifierHead, num_frames: int, *, exclusive: bool = True) -> None:
        """``num_frames`` is T, the frames of every clip; ``exclusive``: softmax of the classes, else sigmoids."""
        super().__init__()
        self.backbone = backbone
        self.head = head
        self.num_frames = num_frames
        self.exclusive = exclusive

    def forward(self, clip: Tensor) -> Tensor:
        """Scores of every class at each position of the clip, averaged.

        Args:
            clip: ``Tensor[B, 3, T, H, W]``, normalised.

        Returns:
            ``Tensor[B, N]``; where classes exclude each other, each row sums to 1.

        Raises:
            ValueError: the clip has another shape.
        """
        logits = self.logits(clip)
        scores = logits.softmax(dim=-1) if self.exclusive else logits.sigmoid()
        return scores.mean(dim=(1, 2))

    def logits(self, clip: Tensor) -> Tensor:
        """Logits at every position, ``Tensor[B, H', W', N]``."""
        _check_clip(clip, self.num_frames)
        logits: Tensor = self.head(self.backbone(clip))
        return logits

    def optimized(self, precision: Precision = "auto", compile: bool = False) -> Self:  # noqa: A002 # torch's word
        """A copy for inference on the device where the network is, see `optimize.optimized`."""
        fast = optimized(self, self.num_frames, precision, compiled=compile)
        fast.channels_last = True
        return fast


def _within(indices: Tensor, count: int) -> Tensor:
    return ((indices >= 0) & (indices < count)).all()


def _check_clip(clip: Tensor, num_frames: int) -> None:
    if clip.dim() != 5 or clip.shape[1] != 3 or clip.shape[2] != num_frames:
        raise ValueError(f"the clip is {list(clip.shape)}; [B, 3, {num_frames}, H, W] is expected")


def initialise(network: nn.Module, *, head_std: float = 0.01, zero_final_norm: bool = True) -> None:
    """Draw fresh weights as the paper's code does.

    Convolutions: normal with He's deviation over fan-out; norms: gain 1, but 0 for the last one of each
    residual and non-local block (``zero_final_norm``), so that a block starts as its shortcut; the last linear
    layer: normal ``head_std``, one before it: Xavier's; all biases 0.
    """
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv3d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.Linear):
            if name.endswith("projection"):
                nn.init.normal_(module.weight, std=head_std)
            else:
                nn.init.xavier_normal_(module.weight)
            nn.init.zeros_(module.bias)
    if zero_final_norm:
        for module in network.modules():
            if isinstance(module, Bottleneck):
                module.c.zero_norm()
            elif isinstance(module, NonLocal):
                nn.init.zeros_(module.norm.weight)
