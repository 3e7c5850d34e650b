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
_FIXED = ("samples", "batch", "seed", "identity", "task")  # what a plan must not change on the way; epochs may be added


@dataclass
class Progress:
    """How far a training is.

    Attributes:
        step: optimiser steps that are done.
        best: the best score so far; None before the first test.
        tested: the step after which it was last tested.
        unreadable: samples that could not be read, of all processes.
    """

    step: int = 0
    best: float | None = None
    tested: int = 0
    unreadable: int = 0


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
        "tested": progress.tested,
        "unreadable": progress.unreadable,
        "plan": {name: getattr(plan, name) for name in _FIXED},
        "network": trained.network.state_dict(),
        "average": None if trained.average is None else trained.average.state_dict(),
        "optimiser": trained.optimiser.state_dict(),
        "scaler": trained.scaler.state_dict(),
        "generators": [dict(state) for state in generators],
    }
    with replacing(path) as temporary:
        try:
            torch.save(content, temporary)
        except RuntimeError:  # what torch makes of a full disk
            raise InputError(f"{path}: cannot be written; is the disk full?") from None


def load_state(path: Path, trained: Trained, plan: Plan) -> tuple[Progress, list[dict[str, Tensor]]]:
    """Bring everything back to where `save_state` saw it.

    Raises:
        InputError: the file is none of ours, or of another network or order of samples.
    """
    content = open_weights(path).content
    if not isinstance(content, Mapping) or content.get("form") != _FORM:
        raise InputError(f"{path}: is no state of a training; the state.pt of an earlier run is expected")
    try:
        _check_plan(path, content["plan"], plan)
        average: Any = content["average"]
        if (average is None) != (trained.average is None):
            kept = "keeps no" if average is None else "keeps an"
            raise InputError(f"{path}: {kept} average (ema); the recipe differs")
        trained.network.load_state_dict(content["network"])
        if trained.average is not None:
            trained.average.load_state_dict(average)
        _load_optimiser(trained.optimiser, content["optimiser"])
        trained.scaler.load_state_dict(content["scaler"])
        progress = Progress(int(content["step"]), content["best"], int(content["tested"]), int(content["unreadable"]))
        return progress, [dict(state) for state in content["generators"]]
    except InputError:
        raise
    except (RuntimeError, ValueError, KeyError, TypeError, AttributeError) as problem:
        reason = str(problem).splitlines()[0]
        raise InputError(f"{path}: does not fit the recipe's network and optimiser ({reason})") from None


def _check_plan(path: Path, begun: Mapping[str, Any], plan: Plan) -> None:
    changed = [name for name in _FIXED if begun[name] != getattr(plan, name)]
    told = [
        "the samples are others" if name == "identity" else f"{name} was {begun[name]} and is {getattr(plan, name)}"
        for name in changed
    ]
    if told:
        raise InputError(f"{path}: {', '.join(told)}; a training goes on only with what it began with")


def _load_optimiser(optimiser: optim.Optimizer, state: dict[str, Any]) -> None:
    """Take the optimiser's memory from the state, but its settings from the recipe, which may have changed."""
    settings = [{key: value for key, value in group.items() if key != "params"} for group in optimiser.param_groups]
    optimiser.load_state_dict(state)
    for group, chosen in zip(optimiser.param_groups, settings, strict=True):
        group.update(chosen)


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
