"""All that a training must remember to go on as if it had never stopped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn, optim

from ava_tools.atomic import replacing
from ava_tools.errors import InputError
from slowfast_det.training.batches import Plan
from slowfast_det.weights.files import open_weights

_FORM = "slowfast_det training state 1"
_FIXED = ("samples", "batch", "seed")  # what a plan must not change on the way; epochs may be added


@dataclass
class Progress:
    """How far a training is.

    Attributes:
        step: optimiser steps that are done.
        best: the best score so far; None before the first test.
    """

    step: int = 0
    best: float | None = None


@dataclass(frozen=True)
class Trained:
    """The things that change while training.

    Attributes:
        network: what is trained.
        average: its average over time, if one is kept.
        optimiser, scaler: with their own memories.
    """

    network: nn.Module
    average: nn.Module | None
    optimiser: optim.Optimizer
    scaler: torch.amp.GradScaler

    @property
    def result(self) -> nn.Module:
        """The network that is tested and saved."""
        if self.average is None:
            return self.network
        averaged = self.average.module
        assert isinstance(averaged, nn.Module)
        return averaged


def save_state(
    path: Path, trained: Trained, progress: Progress, plan: Plan, generators: Sequence[Mapping[str, Tensor]]
) -> None:
    """Write the state; it appears under its name only when it is complete.

    Args:
        path: the file.
        trained, progress: what to remember.
        plan: the order of samples, which must be the same when the training goes on.
        generators: state of each process's random number generators, see `generator_state`.
    """
    content = {
        "form": _FORM,
        "step": progress.step,
        "best": progress.best,
        "plan": {name: getattr(plan, name) for name in _FIXED},
        "network": trained.network.state_dict(),
        "average": None if trained.average is None else trained.average.state_dict(),
        "optimiser": trained.optimiser.state_dict(),
        "scaler": trained.scaler.state_dict(),
        "generators": [dict(state) for state in generators],
    }
    with replacing(path) as temporary:
        torch.save(content, temporary)


def load_state(path: Path, trained: Trained, plan: Plan) -> tuple[Progress, list[dict[str, Tensor]]]:
    """Bring everything back to where `save_state` saw it.

    Raises:
        InputError: the file is none of ours, or of another network or order of samples.
    """
    content = open_weights(path).content
    if not isinstance(content, Mapping) or content.get("form") != _FORM:
        raise InputError(f"{path}: is no state of a training; the state.pt of an earlier run is expected")
    changed = [
        f"{name} was {content['plan'].get(name)} and is {getattr(plan, name)}"
        for name in _FIXED
        if content["plan"].get(name) != getattr(plan, name)
    ]
    if changed:
        raise InputError(f"{path}: {', '.join(changed)}; a training goes on only with what it began with")
    average: Any = content["average"]
    if (average is None) != (trained.average is None):
        raise InputError(f"{path}: {'keeps no' if average is None else 'keeps an'} average (ema); the recipe differs")
    try:
        trained.network.load_state_dict(content["network"])
        if trained.average is not None:
            trained.average.load_state_dict(average)
        trained.optimiser.load_state_dict(content["optimiser"])
        trained.scaler.load_state_dict(content["scaler"])
    except (RuntimeError, ValueError, KeyError) as problem:
        raise InputError(f"{path}: does not fit the recipe's network ({str(problem).splitlines()[0]})") from None
    return Progress(int(content["step"]), content["best"]), list(content["generators"])


def generator_state(device: torch.device) -> dict[str, Tensor]:
    """State of this process's random number generators, from which dropout draws."""
    state = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        state["cuda"] = torch.cuda.get_rng_state(device)
    return state


def restore_generators(state: Mapping[str, Tensor], device: torch.device) -> None:
    """Set this process's generators back."""
    torch.set_rng_state(state["cpu"])
    if device.type == "cuda" and "cuda" in state:
        torch.cuda.set_rng_state(state["cuda"], device)
