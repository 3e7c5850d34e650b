"""How long a training will take, told from one step of it."""

from __future__ import annotations

import copy
from time import perf_counter

import torch

from slowfast_det.models.network import ActionNetwork
from slowfast_det.precision import arithmetic
from slowfast_det.training.tasks.actions import ActionTask

_ASPECT = 4 / 3  # of a clip that is shown whole
_PERSONS = 3  # of a clip


def seconds_of_training(task: ActionTask) -> float:
    """Seconds of all steps, without reading films; the second of two steps with an empty clip is measured."""
    network = copy.deepcopy(task.network).train()
    assert isinstance(network, ActionNetwork)
    clip, variation, plan = task.model.clip, task.samples.augmentation, task.plan()
    side = variation.crop or variation.short_side[1]
    width = side if variation.crop is not None else round(side * _ASPECT)
    device = next(network.parameters()).device
    pixels = torch.zeros((1, 3, clip.num_frames, side, width), device=device)
    boxes = torch.tensor([[0, 0, 0, side / 2, side / 2]] * _PERSONS, device=device)
    seconds = 0.0
    for _ in range(2):
        begin = perf_counter()
        with arithmetic(task.settings.precision, device):
            loss = network(pixels.to(memory_format=task.memory_format), boxes).float().sum()
        loss.backward()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        seconds = perf_counter() - begin
    return seconds * plan.batch * plan.steps
