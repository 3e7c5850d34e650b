"""Training to recognise the class of a film."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from slowfast_det.checkpoints.model import Model
from slowfast_det.class_recipe import ClassTrainingConfig
from slowfast_det.clips.tensors import normalised
from slowfast_det.distributed import World
from slowfast_det.models.network import ClassifierNetwork
from slowfast_det.training.batches import Plan, load_batches
from slowfast_det.training.class_samples import ClassBatch, ClassSamples, collate_clips
from slowfast_det.training.loss import action_loss
from slowfast_det.training.tasks.model_task import Evaluation, ModelTask


@dataclass
class ClassTask(ModelTask):
    """A model and the clips that it is trained on.

    Attributes:
        model: what is trained: network, pre-processing, labels.
        samples: clips and their classes.
        settings: the optimisation.
        evaluation: measures a model.
    """

    model: Model
    samples: ClassSamples
    settings: ClassTrainingConfig
    evaluation: Evaluation
    memory_format: torch.memory_format = torch.channels_last_3d

    def __post_init__(self) -> None:
        self.network: nn.Module = self.model.network

    def plan(self) -> Plan:
        """In which order the films are seen."""
        films, settings = self.samples.films, self.settings
        digest = hashlib.sha256("\0".join(map(str, films.paths)).encode() + films.classes.tobytes())
        batch = min(settings.batch, len(films))
        return Plan(len(films), batch, settings.epochs, settings.seed, None, digest.hexdigest(), "classes")

    def batches(self, plan: Plan, world: World, first_step: int) -> Iterator[ClassBatch]:
        """Batches of this process, from a step on."""
        return load_batches(self.samples, collate_clips, plan, world, first_step, self.settings)

    def losses(self, network: nn.Module, batch: ClassBatch) -> Tensor:
        """Of each clip."""
        assert isinstance(network, ClassifierNetwork)
        batch, clip = batch.to(next(network.parameters()).device), self.model.clip
        pixels = normalised(
            batch.pixels,
            mean=clip.mean,
            std=clip.std,
            bgr=clip.channels == "bgr",
            recolourings=batch.recolourings,
            channels_last=True,
        )
        logits = network.logits(pixels).mean(dim=(1, 2))  # [B, N]
        classes, share = logits.shape[1], self.settings.label_smoothing
        targets = one_hot(batch.columns, classes) * (1 - share) + share / classes
        return action_loss(logits, targets, exclusive=self.model.config.activation == "softmax")
