"""What tasks have in common whose network, with its clips and labels, is a `Model`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import cast

from torch import nn

from slowfast_det.checkpoints.architecture import Network
from slowfast_det.checkpoints.model import Model
from slowfast_det.distributed import World

Evaluation = Callable[[Model, World], dict[str, float]]
"""Measures a model; the processes share the work, and each gets the figures. An empty answer: not measured."""


class ModelTask:
    """A model that is measured and saved whole.

    Attributes:
        model: what is trained: network, pre-processing, labels.
        evaluation: measures a model.
    """

    model: Model
    evaluation: Evaluation

    def evaluate(self, network: nn.Module, world: World) -> dict[str, float]:
        """Measure a network on what was held back."""
        return self.evaluation(self._as_model(network), world)

    def save(self, network: nn.Module, path: Path) -> None:
        """Write a checkpoint of ours."""
        self._as_model(network).save(path)

    def _as_model(self, network: nn.Module) -> Model:
        return replace(self.model, network=cast(Network, network))
