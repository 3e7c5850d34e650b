"""The one training loop: of actions, of person detectors, of classes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from time import perf_counter
from typing import Generic

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from ava_tools.errors import InputError
from slowfast_det.distributed import World
from slowfast_det.precision import arithmetic, resolve_precision
from slowfast_det.run_config import OptimisationConfig
from slowfast_det.training.interruption import Interruption, watched
from slowfast_det.training.journal import Journal
from slowfast_det.training.optimiser import NORMS, make_optimiser
from slowfast_det.training.schedule import learning_rate
from slowfast_det.training.state import (
    Progress,
    Trained,
    generator_state,
    load_state,
    restore_generators,
    save_state,
)
from slowfast_det.training.tasks.protocol import B, Task

STATE, LAST, BEST = "state.pt", "last.safetensors", "best.safetensors"


@dataclass(frozen=True)
class Outcome:
    """What a training leaves.

    Attributes:
        network: the trained one, or its average.
        figures: of the last test.
        unreadable: samples that could not be read.
    """

    network: nn.Module
    figures: dict[str, float]
    unreadable: int


def train(
    task: Task[B],
    settings: OptimisationConfig,
    world: World,
    folder: Path,
    resume: bool = False,
    begin: Callable[[], None] = lambda: None,
    hint: str = "resume=true",
) -> Outcome:
    """Train until the last step.

    Args:
        task: what is trained.
        settings: how.
        world: the processes that train together.
        folder: where the first process writes ``state.pt``, ``log.jsonl``, ``last.safetensors`` and
            ``best.safetensors``.
        resume: go on from ``state.pt``; the losses that follow are those of a run that never stopped.
        begin: called when nothing stands in the way of the first step.
        hint: what goes on with a training that was asked to stop.

    Raises:
        InputError: a loss is not finite (the clips are named), the state does not fit, or a signal asked
            to stop (the state is saved then).
    """
    torch.manual_seed(settings.seed + world.rank)
    run = _Run(task, settings, world, folder, hint)
    if resume:
        run.resume()
    begin()
    with watched() as interruption:
        return run.to_the_end(interruption)


class _Losses(nn.Module, Generic[B]):
    """A network with its loss as one module: one forward a piece, however many sizes its clips have."""

    def __init__(self, task: Task[B], network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self._task = task

    def forward(self, batch: B) -> Tensor:
        """Loss of each clip."""
        return self._task.losses(self.network, batch)


class _Run(Generic[B]):
    """One training from where it begins, or goes on, to its end."""

    def __init__(self, task: Task[B], settings: OptimisationConfig, world: World, folder: Path, hint: str) -> None:
        self.task, self.settings, self.world, self.folder, self.hint = task, settings, world, folder, hint
        self.plan = task.plan()
        if self.plan.batch < world.size * settings.accumulate:
            raise InputError(
                f"a batch of {self.plan.batch} samples cannot be shared by {world.size} processes in "
                f"{settings.accumulate} pieces each; training.batch must be larger"
            )
        self.precision = resolve_precision(settings.precision, world.device)
        network = task.network.to(world.device)
        if self.precision != "fp32":  # half precision is twice as fast with the numbers of a pixel side by side
            network = network.to(memory_format=task.memory_format)
        if settings.sync_norm:
            if world.device.type != "cuda":
                raise InputError(f"training.sync_norm needs GPUs; this training runs on the {world.device.type}")
            network = nn.SyncBatchNorm.convert_sync_batchnorm(network)  # type: ignore[no-untyped-call]
        average = None
        if settings.ema is not None:
            blend = get_ema_multi_avg_fn(settings.ema)  # type: ignore[no-untyped-call]
            average = AveragedModel(network, multi_avg_fn=blend, use_buffers=True)
        scaler = torch.amp.GradScaler(world.device.type, enabled=self.precision == "fp16")
        self.trained = Trained(network, average, make_optimiser(network, settings), scaler)
        self.losses = world.wrap(_Losses(task, network))
        self.progress = Progress()

    def resume(self) -> None:
        """Go back to where the last state was saved."""
        path = self.folder / STATE
        if not path.is_file():
            raise InputError(f"{path}: no such state; every machine needs the folder of the training to resume it")
        self.progress, generators = load_state(path, self.trained, self.plan)
        if self.progress.step > self.plan.steps:
            raise InputError(f"{path}: has done {self.progress.step:,} steps, the recipe has {self.plan.steps:,}")
        if len(generators) == self.world.size:
            restore_generators(generators[self.world.rank], self.world.device)

    def to_the_end(self, interruption: Interruption) -> Outcome:
        """All steps that are left."""
        plan, progress = self.plan, self.progress
        figures: dict[str, float] = {}
        batches = self.task.batches(plan, self.world, progress.step)
        with Journal(self.folder, progress.step, plan, writes=self.world.is_first) as journal:
            if not progress.step:
                self._save(checkpoint=False)  # from here on the training can be resumed
            elif self._is_test_due():  # it ended after the step and before the test
                figures = self._test(journal)
            if progress.step == plan.steps:
                journal.warn(f"all {plan.steps:,} steps were done before; nothing is left to train")
            saved = perf_counter()
            while progress.step < plan.steps:
                due = perf_counter() - saved > 60 * self.settings.save_minutes
                stopping, saving = self._step(batches, journal, interruption, due)
                ended = progress.step % plan.steps_per_epoch == 0
                if saving or stopping or ended:
                    self._save(checkpoint=stopping or ended)
                    saved = perf_counter()
                if self._is_test_due() and not stopping:
                    figures = self._test(journal)
                if stopping and progress.step < plan.steps:
                    raise InputError(
                        f"stopped after {progress.step:,} of {plan.steps:,} steps; {self.folder / STATE} is saved: "
                        f"{self.hint} goes on from there"
                    )
            if self._is_test_due():
                figures = self._test(journal)
        return Outcome(self.trained.result, figures, progress.unreadable)

    def _step(self, batches: Iterator[B], journal: Journal, interruption: Interruption, due: bool) -> tuple[bool, bool]:
        """One optimiser step; returns whether any process must stop, and whether the first one wants to save."""
        begin = perf_counter()
        rate = self._set_learning_rate()
        pieces = list(islice(batches, self.settings.accumulate))
        problems = [problem for piece in pieces for problem in piece.problems]
        count, lost = self.world.total(sum(piece.weight for piece in pieces), len(problems))
        if lost:
            self.progress.unreadable += int(lost)
            for problem in (problem for of_process in self.world.gather(problems) for problem in of_process):
                journal.warn(f"{problem}; another sample was taken in its place")
        of_clips = self._gradients(pieces, self.world.size / max(count, 1))
        own = sum(float(losses.sum()) for losses in of_clips)
        total, stopping, saving = self.world.total(own, interruption.asked, due and self.world.is_first)
        if not math.isfinite(total):
            self._refuse(pieces, of_clips)
        length = self._update(pieces)
        journal.step(
            self.progress.step,
            {"loss": total / max(count, 1), "lr": rate, "gradient": length, "examples": count},
            seconds=perf_counter() - begin,
        )
        self.progress.step += 1
        return stopping > 0, saving > 0

    def _set_learning_rate(self) -> float:
        plan, settings = self.plan, self.settings
        epoch = self.progress.step / plan.steps_per_epoch
        rate = learning_rate(settings.schedule, epoch, plan.epochs, plan.batch)
        for group in self.trained.optimiser.param_groups:
            group["lr"] = rate
        return rate

    def _gradients(self, pieces: Sequence[B], scale: float) -> list[Tensor]:
        """Gradients of the mean loss over the examples of all processes; returns each clip's loss, not averaged."""
        self.losses.train()
        for module in self.losses.modules():
            if isinstance(module, NORMS) and (self.settings.freeze_norm or not module.weight.requires_grad):
                module.eval()  # a frozen stage keeps its statistics too
        self.trained.optimiser.zero_grad(set_to_none=True)
        of_clips = []
        for number, piece in enumerate(pieces):
            with self._exchanging(number == len(pieces) - 1):
                with arithmetic(self.precision, self.world.device):
                    losses: Tensor = self.losses(piece)
                of_clips.append(losses.detach())
                self.trained.scaler.scale(losses.sum() * scale).backward()  # type: ignore[no-untyped-call]
        return of_clips

    def _exchanging(self, last: bool) -> AbstractContextManager[object]:
        """Processes exchange gradients once a step, with the last piece."""
        return self.losses.no_sync() if isinstance(self.losses, DistributedDataParallel) and not last else nullcontext()

    def _update(self, pieces: Sequence[B]) -> float:
        """Move the weights; returns the length of the gradient."""
        trained, settings = self.trained, self.settings
        trained.scaler.unscale_(trained.optimiser)
        most = math.inf if settings.clip_gradient is None else settings.clip_gradient
        length = float(nn.utils.clip_grad_norm_(trained.network.parameters(), most))
        if not math.isfinite(length) and not trained.scaler.is_enabled():  # a scaler leaves such steps out
            names = ", ".join(sorted(name for piece in pieces for name in piece.names))
            raise InputError(
                f"the gradient of step {self.progress.step:,} is not finite; the clips were {names}; the state before "
                "it is kept (a lower learning rate or training.precision=fp32 may help)"
            )
        trained.scaler.step(trained.optimiser)
        trained.scaler.update()
        if isinstance(trained.average, AveragedModel):
            trained.average.update_parameters(trained.network)
        return length

    def _refuse(self, pieces: Sequence[B], of_clips: Sequence[Tensor]) -> None:
        named = [
            name
            for piece, losses in zip(pieces, of_clips, strict=True)
            for name, loss in zip(piece.names, losses.tolist(), strict=True)
            if not math.isfinite(loss)
        ]
        names = [name for of_process in self.world.gather(named) for name in of_process]
        raise InputError(
            f"the loss of step {self.progress.step:,} is not finite because of {', '.join(names)}; the state before "
            "it is kept (a lower learning rate, training.clip_gradient or fp32 may help)"
        )

    def _is_test_due(self) -> bool:
        epoch, within = divmod(self.progress.step, self.plan.steps_per_epoch)
        every = self.settings.evaluate_every
        chosen = epoch == self.plan.epochs or (every > 0 and epoch % every == 0)
        return chosen and not within and self.progress.tested < self.progress.step

    def _test(self, journal: Journal) -> dict[str, float]:
        """Measure the network, keep it if it is the best so far, and remember that."""
        self.progress.tested = self.progress.step
        network = self.trained.result.eval()
        figures = self.task.evaluate(network, self.world)
        score = next(iter(figures.values()), math.nan)
        best = not math.isnan(score) and (self.progress.best is None or score > self.progress.best)
        if best:
            self.progress.best = score
            if self.world.is_first:
                self.task.save(network, self.folder / BEST)
        journal.test(self.progress.step, figures, best)
        self._save(checkpoint=False)
        return figures

    def _save(self, checkpoint: bool) -> None:
        """Write the state, and before it the checkpoint that belongs to it."""
        generators = self.world.gather(generator_state(self.world.device))
        if self.world.is_first:
            if checkpoint:
                self.task.save(self.trained.result, self.folder / LAST)
            save_state(self.folder / STATE, self.trained, self.progress, self.plan, generators)
        self.world.wait()
