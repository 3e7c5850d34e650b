"""The learning rate of every step."""

from __future__ import annotations

import math

from slowfast_det.run_config import ScheduleConfig


def learning_rate(schedule: ScheduleConfig, epoch: float, epochs: int, batch: int) -> float:
    """The rate at a fraction of an epoch, set anew at every step.

    PySlowFast's: pieces or half a cosine, before them a line from ``warmup_start`` to what the schedule
    says at the end of the warm-up.

    Args:
        schedule: its shape, and the rate for batches of ``lr_batch`` clips.
        epoch: finished epochs, with the part of the current one.
        epochs: of the whole training.
        batch: clips a step over all processes, by which the rate is scaled.
    """
    scale = schedule.lr if schedule.lr_batch is None else schedule.lr * batch / schedule.lr_batch
    if epoch >= schedule.warmup_epochs:
        return scale * _share(schedule, epoch, epochs)
    begin, end = schedule.warmup_start, _share(schedule, schedule.warmup_epochs, epochs)
    return scale * (begin + (end - begin) * epoch / schedule.warmup_epochs)


def _share(schedule: ScheduleConfig, epoch: float, epochs: int) -> float:
    """The rate after the warm-up, as a share of the full one."""
    if schedule.kind == "steps":
        return [factor for step, factor in zip(schedule.steps, schedule.factors, strict=True) if step <= epoch][-1]
    return schedule.end + (1 - schedule.end) * (math.cos(math.pi * min(epoch / epochs, 1)) + 1) / 2
