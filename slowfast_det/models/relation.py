"""How a person relates to every place of the frame: the actor-centric relation network (arXiv:1807.10982)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from slowfast_det.models.blocks import ConvNorm


class PersonFrameRelation(nn.Module):
    """A person's features beside those of every cell of the frame, two convolutions, and the maximum.

    mmaction2's ACRNHead. Its first convolution sees the same person everywhere, so the person's half of it
    is computed once a person and the frame's half once a clip.
    """

    def __init__(self, channels: int) -> None:
        """``channels``: C of persons and of frames."""
        super().__init__()
        self.join = ConvNorm(2 * channels, channels, (1, 1, 1))
        self.spread = ConvNorm(channels, channels, (1, 3, 3))

    def forward(self, persons: Tensor, frame: Tensor, clips: Tensor) -> Tensor:
        """Persons ``[K, C]``, frames ``[B, C, H, W]``, the clip index of each person ``[K]`` -> ``[K, C]``."""
        of_person, of_frame = self.join.conv.weight.flatten(1).chunk(2, dim=1)  # each [C, C]
        person_half = persons @ of_person.t()  # [K, C]
        frame_half = torch.einsum("oc,bchw->bohw", of_frame, frame)  # [B, C, H, W]
        joined = frame_half[clips] + person_half[:, :, None, None]  # [K, C, H, W]
        related: Tensor = self.spread(self.join.norm(joined.unsqueeze(2)).relu_(), relu=True)
        return related.amax(dim=(2, 3, 4))
