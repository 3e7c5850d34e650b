"""What a training tells: lines on the console, ``log.jsonl``, and TensorBoard where it is installed."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from time import perf_counter
from typing import Any, Self

from ava_tools.atomic import replacing
from ava_tools.cli.run import console
from ava_tools.errors import InputError
from slowfast_det.training.batches import Plan

LOG = "log.jsonl"
_QUIET = 30.0  # seconds without a line on the console


class Journal:
    """The log of one run; only the first process of a training has one that writes."""

    def __init__(self, folder: Path, first_step: int, plan: Plan, writes: bool) -> None:
        """Go on with the log of a folder: entries from ``first_step`` on, of a run that was cut off, are removed."""
        self._writes = writes
        self._steps, self._steps_per_epoch = plan.steps, plan.steps_per_epoch
        self._begin, self._first_step = perf_counter(), first_step
        self._spoken = -math.inf
        self._board: Any = None
        if not writes:
            return
        path = folder / LOG
        kept = _entries_before(path, first_step) if first_step else []
        with replacing(path) as temporary:
            temporary.write_text("".join(kept), encoding="utf-8")
        self._file = path.open("a", encoding="utf-8")
        with contextlib.suppress(ImportError):
            from torch.utils.tensorboard import SummaryWriter

            self._board = SummaryWriter(str(folder / "tensorboard"), purge_step=first_step)

    def step(self, step: int, figures: Mapping[str, float], seconds: float) -> None:
        """Note a finished step; ``step`` counts from 0."""
        if not self._writes:
            return
        self._note("step", step, {**figures, "seconds": round(seconds, 4)})
        now, done = perf_counter(), step + 1
        if now - self._spoken < _QUIET and done % self._steps_per_epoch:
            return
        self._spoken = now
        pace = (now - self._begin) / (done - self._first_step)
        console.print(
            f"epoch {done / self._steps_per_epoch:.2f} step {done:,}/{self._steps:,} "
            f"loss {figures['loss']:.4f} lr {figures['lr']:.3g} "
            f"{pace:.2f} s/step, {timedelta(seconds=round(pace * (self._steps - done)))} left"
        )

    def test(self, step: int, figures: Mapping[str, float], best: bool) -> None:
        """Note what a test found after ``step`` steps."""
        if not self._writes or not figures:
            return
        self._note("test", step - 1, figures)
        found = ", ".join(f"{name} {value:.4f}" for name, value in figures.items())
        console.print(f"tested after epoch {step / self._steps_per_epoch:.2f}: {found}{' (the best)' if best else ''}")

    def warn(self, sentence: str) -> None:
        """Tell something that the user should know."""
        if self._writes:
            console.print(f"warning: {sentence}")

    def _note(self, kind: str, step: int, figures: Mapping[str, float]) -> None:
        known = {name: value if math.isfinite(value) else None for name, value in figures.items()}
        entry = {"kind": kind, "step": step, "epoch": (step + 1) / self._steps_per_epoch, **known}
        self._file.write(json.dumps(entry) + "\n")
        self._file.flush()
        if self._board is not None:
            for name, value in figures.items():
                self._board.add_scalar(f"{kind}/{name}", value, step)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._writes:
            self._file.close()
            if self._board is not None:
                self._board.close()


def _entries_before(path: Path, step: int) -> list[str]:
    """Lines of the steps that were done when the state was saved; a line that was cut off is dropped."""
    if not path.is_file():
        return []
    kept = []
    try:
        for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
            with contextlib.suppress(json.JSONDecodeError):
                if json.loads(line)["step"] < step and line.endswith("\n"):
                    kept.append(line)
    except (OSError, UnicodeDecodeError, KeyError, TypeError) as problem:
        raise InputError(f"{path}: is no log of a training ({problem})") from None
    return kept
