"""What a network costs: its parameters and multiply-adds, stage by stage (arXiv:1812.03982, table 1)."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from slowfast_det.models.backbone import SinglePathway, SlowFast
from slowfast_det.models.blocks import STAGES, Pathway
from slowfast_det.models.kernels import written_kernels
from slowfast_det.models.network import ActionNetwork, ClassifierNetwork

N = TypeVar("N", bound=nn.Module)


@dataclass(frozen=True)
class StageCost:
    """A row of the stage table.

    Attributes:
        stage: clip, conv1, pool1, res2 .. res5; pool2, a maximum over frames behind res2; ``lateral pool1`` to
            ``lateral res4``, which hand over what that stage of the fast pathway gives; head.
        pathway: slow or fast, ``fast to slow``, empty for the head.
        kernels: see `written_kernels`; of the clip which of its frames arrive.
        channels: that come out; of a head its outputs.
        size: frames, height and width of what comes out; height and width of the positions at which a head scores
            classes; empty for a head of persons.
        parameters: weights and biases, those of norms among them.
        multiply_adds: of one clip.
    """

    stage: str
    pathway: str
    kernels: tuple[str, ...]
    channels: int
    size: tuple[int, ...]
    parameters: int = 0
    multiply_adds: int = 0


@dataclass(frozen=True)
class NetworkCost:
    """A network's cost for clips of one size.

    Attributes:
        clip: its frames, height and width.
        persons: boxes in it; 0 where the clip itself is scored.
        parameters: all weights and biases.
        multiply_adds: of one clip, which is one view of a film.
        stages: of these sums, stage after stage, the slow pathway before the fast one; then laterals and head.
    """

    clip: tuple[int, int, int]
    persons: int
    parameters: int
    multiply_adds: int
    stages: tuple[StageCost, ...]


def network_cost(network: ActionNetwork | ClassifierNetwork, height: int, width: int, persons: int = 1) -> NetworkCost:
    """Count what a network costs, on the network itself: a copy without numbers is run once.

    Convolutions, matrix products and attention count, as in the paper; norms, ReLU, pooling, RoIAlign and additions
    do not. What a kernel meets beyond the edge of its input counts as if it were there.

    Args:
        network: on any device, as it was built; it stays as it is.
        height, width: of the clip, in pixels.
        persons: boxes in a clip whose persons are scored.

    Raises:
        TypeError: the network is a copy for inference.
        ValueError: it cannot look at clips of that size.
    """
    if not isinstance(network.backbone, SlowFast | SinglePathway):
        raise TypeError("the cost of a copy for inference is not counted; that of the network it was made from is")
    counted, frames = _without_numbers(network), network.num_frames
    kind = next(counted.parameters()).dtype
    clip = torch.empty(1, 3, frames, height, width, dtype=kind, device="meta")
    boxes = [torch.empty(persons, 5, device="meta")] if isinstance(network, ActionNetwork) else []
    parts = list(_parts(counted))
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        record = _Record(counter)
        for part in parts:
            record.watch(part.module)
        try:
            # The network's own forward would ask for the boxes' numbers, to see whether they name a clip.
            counted.head(counted.backbone(clip), *boxes)
        except RuntimeError:
            raise ValueError(f"clips of {height}x{width} pixels are too small for this network") from None
    rows = (record.row(part, frames) for part in parts)
    return NetworkCost(
        (frames, height, width),
        persons if boxes else 0,
        _parameters(network),
        counter.get_total_flops() // 2,
        tuple(row for row in rows if row.channels),  # laterals that hand over nothing
    )


@dataclass(frozen=True)
class _Part:
    stage: str
    pathway: str
    module: nn.Module


def _parts(network: ActionNetwork | ClassifierNetwork) -> Iterator[_Part]:
    """What becomes a row, in the table's order; the module of the clip is the first one that sees it."""
    backbone = network.backbone
    found = [(name, module) for name, module in backbone.named_modules() if isinstance(module, Pathway)]
    pathways = sorted(found, key=lambda each: each[0] != "slow")
    for number, stage in enumerate(("clip", "conv1", "pool1", *STAGES)):
        for name, pathway in pathways:
            stem = pathway.stem
            yield _Part(stage, name, (stem, stem.first, stem.pool, *pathway.stages)[number])
        if stage == "res2" and isinstance(backbone, SinglePathway) and isinstance(backbone.pool, nn.MaxPool3d):
            yield _Part("pool2", pathways[0][0], backbone.pool)
    if isinstance(backbone, SlowFast):
        for stage, lateral in zip(("pool1", *STAGES), backbone.laterals, strict=False):
            yield _Part(f"lateral {stage}", "fast to slow", lateral)
    yield _Part("head", "", network.head)


class _Record:
    """What modules are given and give, and what is counted in between."""

    def __init__(self, counter: FlopCounterMode) -> None:
        self._counter = counter
        self._taken: dict[nn.Module, Any] = {}
        self._given: dict[nn.Module, Tensor] = {}
        self._flop: dict[nn.Module, int] = {}

    def watch(self, module: nn.Module) -> None:
        """From now on."""
        module.register_forward_pre_hook(self._before)
        module.register_forward_hook(self._after)

    def row(self, part: _Part, frames: int) -> StageCost:
        """The row of a part that has been run; ``frames`` are those of the clip."""
        if part.stage == "clip":
            seen: Tensor = self._taken[part.module]
            told = f"{seen.shape[2]} of {frames} frames"
            return StageCost(part.stage, part.pathway, (told,), seen.shape[1], tuple(seen.shape[2:]))
        shape = tuple(self._given[part.module].shape)
        channels, size = (shape[-1], shape[1:-1]) if part.stage == "head" else (shape[1], shape[2:])
        return StageCost(
            part.stage,
            part.pathway,
            written_kernels(part.module),
            channels,
            size,
            _parameters(part.module),
            self._flop[part.module] // 2,
        )

    def _before(self, module: nn.Module, taken: tuple[Any, ...]) -> None:
        self._taken[module] = taken[0]
        self._flop[module] = -self._counter.get_total_flops()

    def _after(self, module: nn.Module, taken: tuple[Any, ...], given: Tensor) -> None:
        self._given[module] = given
        self._flop[module] += self._counter.get_total_flops()


def _without_numbers(network: N) -> N:
    """A copy whose tensors have sizes only, so that nothing is copied or computed."""
    empty: dict[int, Any] = {id(tensor): tensor.to("meta") for tensor in network.buffers()}
    for weight in network.parameters():
        empty[id(weight)] = nn.Parameter(weight.detach().to("meta"), requires_grad=False)
    return copy.deepcopy(network, empty).eval()


def _parameters(module: nn.Module) -> int:
    return sum(weight.numel() for weight in module.parameters())
