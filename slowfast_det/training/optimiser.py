"""The optimiser, with its two groups of weights."""

from __future__ import annotations

from torch import nn, optim

from slowfast_det.run_config import OptimisationConfig

NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)


def make_optimiser(network: nn.Module, settings: OptimisationConfig) -> optim.Optimizer:
    """SGD or AdamW, the weight decay of batch norms apart (PySlowFast: 0 there, 1e-7 elsewhere, biases included)."""
    norms = [weight for module in network.modules() if isinstance(module, NORMS) for weight in module.parameters()]
    of_norms = {id(weight) for weight in norms}
    others = [weight for weight in network.parameters() if id(weight) not in of_norms]
    groups = [
        {"params": [weight for weight in norms if weight.requires_grad], "weight_decay": settings.norm_weight_decay},
        {"params": [weight for weight in others if weight.requires_grad], "weight_decay": settings.weight_decay},
    ]
    trained = [group for group in groups if group["params"]]
    rate = settings.schedule.lr
    if settings.optimiser == "adamw":
        return optim.AdamW(trained, lr=rate, fused=True)
    return optim.SGD(trained, lr=rate, momentum=settings.momentum, nesterov=settings.nesterov, fused=True)
