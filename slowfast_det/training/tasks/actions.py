"""Training to recognise what each person does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from slowfast_det.checkpoints.model import Model
from slowfast_det.clips.tensors import normalised
from slowfast_det.distributed import World
from slowfast_det.recipe import TrainingConfig
from slowfast_det.training.batches import ClipBatch, ClipGroup, Plan, collate, load_batches
from slowfast_det.training.loss import action_loss, balancing_weights
from slowfast_det.training.samples import ActionSamples
from slowfast_det.training.tasks.model_task import Evaluation, ModelTask


@dataclass
class ActionTask(ModelTask):
    """A model and the clips that it is trained on.

    Attributes:
        model: what is trained: network, pre-processing, labels.
        samples: clips with the persons in them.
        settings: the optimisation.
        evaluation: measures a model.
    """

    model: Model
    samples: ActionSamples
    settings: TrainingConfig
    evaluation: Evaluation
    memory_format: torch.memory_format = torch.channels_last_3d

    def __post_init__(self) -> None:
        self.network: nn.Module = self.model.network
        loss = self.settings.loss
        examples = self.samples.key_frames.targets.sum(axis=0)
        self._weights = balancing_weights(examples, loss.class_balance) if loss.class_balance else None
        self._gamma = loss.gamma if loss.kind == "focal" else 0.0

    def plan(self) -> Plan:
        """In which order the clips are seen; where whole frames are shown, films of one shape come together."""
        frames, settings = self.samples.key_frames, self.settings
        whole = self.samples.augmentation.crop is None and len(set(frames.aspects.tolist())) > 1
        batch = min(settings.batch, len(frames))
        aspects = frames.aspects if whole else None
        return Plan(len(frames), batch, settings.epochs, settings.seed, aspects, frames.identity)

    def batches(self, plan: Plan, world: World, first_step: int) -> Iterator[ClipBatch]:
        """Batches of this process, from a step on."""
        return load_batches(self.samples, collate, plan, world, first_step, self.settings)

    def losses(self, network: nn.Module, batch: ClipBatch) -> Tensor:
        """Of each clip the sum of its persons' losses."""
        return torch.cat([self._of_group(network, group) for group in batch.groups])

    def _of_group(self, network: nn.Module, group: ClipGroup) -> Tensor:
        group = group.to(next(network.parameters()).device)
        clip = self.model.clip
        pixels = normalised(
            group.pixels,
            mean=clip.mean,
            std=clip.std,
            bgr=clip.channels == "bgr",
            recolourings=group.recolourings,
            channels_last=True,
        )
        logits = network(pixels, group.boxes)  # [K, N]
        weights = None if self._weights is None else self._weights.to(logits.device)
        exclusive = self.model.config.activation == "softmax"
        of_persons = action_loss(logits, group.targets, gamma=self._gamma, weights=weights, exclusive=exclusive)
        of_clips = of_persons.new_zeros(len(group.names))
        return of_clips.index_add(0, group.boxes[:, 0].long(), of_persons)
