"""Non-local blocks: every position of a feature map looks at every other (arXiv:1711.07971)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from slowfast_det.models.convolution import Convolution

Affinity = Literal["softmax", "dot_product", "embedded_gaussian", "gaussian"]


@dataclass(frozen=True)
class NonLocalPlacement:
    """Which blocks of a stage are followed by a non-local block, and of what kind.

    Attributes:
        stage: ``res2`` .. ``res5``.
        blocks: numbers of the residual blocks, from 0.
        affinity, pool, groups, project_first: see `NonLocal`.
    """

    stage: str
    blocks: tuple[int, ...]
    affinity: Affinity = "softmax"
    pool: tuple[int, int, int] = (1, 2, 2)
    groups: int = 1
    project_first: bool = False


class NonLocal(nn.Module):
    """Attention over all positions of all frames, added to what came in."""

    def __init__(
        self,
        channels: int,
        *,
        affinity: Affinity,
        pool: tuple[int, int, int],
        groups: int = 1,
        project_first: bool = False,
    ) -> None:
        """Build a block.

        Args:
            channels: C of the features; inside there are half as many.
            affinity: softmax of the products over the root of the inner channels; the products over the number of
                positions looked at; softmax of the products as they are (embedded_gaussian), or of those of the
                features themselves, which takes neither theta nor phi (gaussian).
            pool: (time, height, width) of the maximum over what is looked at.
            groups: pieces of time that do not see each other; PySlowFast's NONLOCAL.GROUP.
            project_first: mmcv's form (mmaction2): phi and g are pooled behind their convolutions instead of
                before them, and the last convolution has no bias.
        """
        super().__init__()
        inner = channels // 2
        self.affinity = affinity
        self.groups = groups
        self.project_first = project_first
        embedded = affinity != "gaussian"
        self.theta = Convolution(channels, inner, 1) if embedded else nn.Identity()
        self.phi = Convolution(channels, inner, 1) if embedded else nn.Identity()
        self.g = Convolution(channels, inner, 1)
        self.out = Convolution(inner, channels, 1, bias=not project_first)
        self.norm = nn.BatchNorm3d(channels)
        self.pool = nn.MaxPool3d(pool, stride=pool) if max(pool) > 1 else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """``Tensor[B, C, T, H, W]`` to the same."""
        if self.groups == 1:
            return self._attended(x)
        batch, channels, frames, height, width = x.shape
        split = (channels, frames // self.groups, height, width)
        pieces = x.reshape(batch, channels, self.groups, *split[1:]).transpose(1, 2)  # [B, groups, C, T/groups, H, W]
        seen = self._attended(pieces.flatten(0, 1)).reshape(batch, self.groups, *split)
        return seen.transpose(1, 2).reshape(x.shape)

    def _attended(self, x: Tensor) -> Tensor:
        theta = self.theta(x).flatten(2).transpose(1, 2)  # [B, positions, C/2]; C of gaussian ones
        if self.project_first:
            phi, g = self.pool(self.phi(x)), self.pool(self.g(x))
        else:
            pooled = self.pool(x)
            phi, g = self.phi(pooled), self.g(pooled)
        phi, g = phi.flatten(2).transpose(1, 2), g.flatten(2).transpose(1, 2)  # [B, pooled positions, C/2]
        if self.affinity == "dot_product":
            seen = theta @ phi.transpose(1, 2) @ g / phi.shape[1]
        else:
            query, key, value = (part.unsqueeze(1) for part in (theta, phi, g))  # one head; ONNX knows no other form
            scale = None if self.affinity == "softmax" else 1.0
            seen = scaled_dot_product_attention(query, key, value, scale=scale).squeeze(1)
        seen = seen.transpose(1, 2).reshape(x.shape[0], -1, *x.shape[2:])  # [B, C/2, T, H, W]
        added: Tensor = self.norm(self.out(seen))
        return x + added
