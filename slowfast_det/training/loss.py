"""What training minimises: the cross-entropy of every action of every person."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, log_softmax, logsigmoid


def action_loss(
    logits: Tensor, targets: Tensor, *, gamma: float = 0.0, weights: Tensor | None = None, exclusive: bool = False
) -> Tensor:
    """Loss of each person: the mean over the actions, or where they exclude each other the sum.

    Args:
        logits: ``Tensor[K, N]``.
        targets: ``Tensor[K, N]``, 1 where a person does an action, else 0.
        gamma: focal exponent (arXiv:1708.02002, without its alpha); 0 is plain binary cross-entropy.
        weights: ``Tensor[N]`` of the actions.
        exclusive: cross-entropy of the softmax (MultiSports) instead of each action's own; a person of several
            actions is asked for each of them, one of none for nothing.

    Returns:
        ``Tensor[K]``, float32 whatever the logits are.
    """
    logits = logits.float()
    if exclusive:
        likelihood = log_softmax(logits, dim=1)  # [K, N]
        loss = -targets * likelihood * ((1 - likelihood.exp()) ** gamma if gamma else 1)
        return (loss if weights is None else loss * weights).sum(dim=1)
    loss = binary_cross_entropy_with_logits(logits, targets, reduction="none")  # [K, N]
    if gamma:
        wrong = logsigmoid(torch.where(targets > 0.5, -logits, logits)).exp()  # probability of the wrong answer
        loss = loss * wrong**gamma
    if weights is not None:
        loss = loss * weights
    return loss.mean(dim=1)


def balancing_weights(examples: NDArray[np.int64], beta: float) -> Tensor:
    """Weights of actions by the inverse of their effective number of examples (arXiv:1901.05555); mean 1.

    Args:
        examples: ``[N]`` persons who do each action; one with none weighs as one with a single example.
        beta: from 0, where all weigh the same, to below 1, where they weigh as 1 over their examples.
    """
    effective = (1 - np.power(beta, np.maximum(examples, 1))) / (1 - beta)
    weights = 1 / effective
    return torch.from_numpy((weights / weights.mean()).astype(np.float32))
