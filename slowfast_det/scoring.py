"""From clips and person boxes, or clips alone, to scores: the only place of the persons' sigmoid (or softmax)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ava_tools.boxes import Boxes
from ava_tools.errors import InputError
from ava_tools.media.frames import Image
from slowfast_det.checkpoints.model import Model
from slowfast_det.clips.tensors import box_tensor, clip_tensor


class BrokenModelError(InputError):
    """A model whose scores are no numbers, whatever it looks at."""


def score_persons(model: Model, clips: Sequence[Sequence[Image]], boxes: Sequence[Boxes]) -> list[NDArray[np.float64]]:
    """Score every action of every person.

    Args:
        model: network, pre-processing, labels.
        clips: B clips of T prepared pictures, all of one size.
        boxes: of each clip ``[K, 4]``, pixels of the clip; a clip without persons costs nothing.

    Returns:
        For each clip ``float64[K, N]``, 0 to 1.
    """
    peopled = [number for number, of_clip in enumerate(boxes) if len(of_clip)]
    scores = [np.zeros((0, len(model.labels))) for _ in clips]
    if not peopled:
        return scores
    with torch.inference_mode():
        pixels = _pixels(model, [clips[number] for number in peopled])
        logits = model.network(pixels, box_tensor([boxes[number] for number in peopled], model.device))
        _check(model, logits)
        exclusive = model.config.activation == "softmax"
        chances = logits.double().softmax(dim=1) if exclusive else logits.double().sigmoid()
        probabilities = chances.cpu().numpy()  # [K, N]
    ends = np.cumsum([len(boxes[number]) for number in peopled])
    for number, part in zip(peopled, np.split(probabilities, ends[:-1]), strict=True):
        scores[number] = part
    return scores


def score_clips(model: Model, clips: Sequence[Sequence[Image]]) -> NDArray[np.float64]:
    """Score every class of every clip.

    Args:
        model: whose network scores whole clips.
        clips: B clips of T prepared pictures, all of one size.

    Returns:
        ``float64[B, N]``, 0 to 1.
    """
    with torch.inference_mode():
        scores: Tensor = model.network(_pixels(model, clips))
        _check(model, scores)
        return scores.double().cpu().numpy()


def _pixels(model: Model, clips: Sequence[Sequence[Image]]) -> Tensor:
    clip = model.clip
    return clip_tensor(
        clips,
        mean=clip.mean,
        std=clip.std,
        bgr=clip.channels == "bgr",
        device=model.device,
        channels_last=model.network.channels_last,
    )


def _check(model: Model, numbers: Tensor) -> None:
    if not bool(numbers.isfinite().all()):
        raise BrokenModelError(f"{model.name}: its scores are no finite numbers (damaged weights, or fp16 too narrow)")
