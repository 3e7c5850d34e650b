"""What every training is told, whatever is trained: its data, the optimisation, what computes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from ava_tools.settings import Settings
from slowfast_det.precision import Precision


def _as_text(value: Any) -> Any:
    return str(value) if isinstance(value, Path | int) else value


Text = Annotated[str, BeforeValidator(_as_text)]


class ScheduleConfig(Settings):
    """The learning rate over the epochs."""

    kind: Literal["steps", "cosine"] = "steps"
    """Constant pieces, or half a period of a cosine down to ``end``."""
    lr: float = Field(0.1, gt=0)
    """Learning rate for batches of ``lr_batch`` clips."""
    lr_batch: int | None = Field(64, ge=1)
    """The rate grows and shrinks with the batch over this number; none: it does not."""
    steps: tuple[float, ...] = (0, 10, 15)
    """Epochs at which the pieces begin."""
    factors: tuple[float, ...] = (1.0, 0.1, 0.01)
    """What the rate is multiplied with in each piece."""
    end: float = Field(0.0, ge=0)
    """Share of the rate that the cosine ends with."""
    warmup_epochs: float = Field(5.0, ge=0)
    """Epochs over which the rate grows linearly to what it is at their end."""
    warmup_start: float = Field(0.00125, ge=0)
    """Share of the rate at which it begins."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        rising = all(early < late for early, late in zip(self.steps, self.steps[1:], strict=False))
        if len(self.steps) != len(self.factors) or not self.steps or self.steps[0] != 0 or not rising:
            raise ValueError(
                f"steps {list(self.steps)} and factors {list(self.factors)} do not fit: as many of each, "
                "and rising epochs from 0 are expected"
            )
        return self


class OptimisationConfig(Settings):
    """The optimisation, whatever is trained."""

    epochs: int = Field(20, ge=1)
    """Passes over the training samples."""
    batch: int = Field(64, ge=1)
    """Samples a step, over all processes."""
    accumulate: int = Field(1, ge=1)
    """Pieces in which a process computes its share of a step, to save memory."""
    schedule: ScheduleConfig = ScheduleConfig()
    """The learning rate over the epochs."""
    optimiser: Literal["sgd", "adamw"] = "sgd"
    """AdamW learns small networks from scratch much faster; the published ones were made with SGD."""
    momentum: float = Field(0.9, ge=0, lt=1)
    """Of SGD."""
    nesterov: bool = True
    """Of SGD."""
    weight_decay: float = Field(1e-7, ge=0)
    """Of all weights but those of batch norms."""
    norm_weight_decay: float = Field(0.0, ge=0)
    """Of batch norms' gains and biases."""
    precision: Precision = "fp32"
    """Arithmetic of the network: fp32, bf16, fp16, or auto: bf16 on a GPU that has it, else fp32."""
    clip_gradient: float | None = Field(None, gt=0)
    """Largest length of the whole gradient."""
    ema: float | None = Field(None, gt=0, lt=1)
    """Decay of an average of the weights, which is then what is tested and saved."""
    sync_norm: bool = False
    """Batch norms over all GPUs."""
    freeze_norm: bool = False
    """Batch norms keep their statistics."""
    seed: int = Field(0, ge=0)
    """Decides fresh weights, the order of samples and how they are varied."""
    workers: int | None = Field(None, ge=0)
    """Processes that read films; none: as many as there are processor cores to spare."""
    memory: float = Field(0.0, ge=0)
    """Gigabytes of decoded frames that each reading process keeps from epoch to epoch; for small data sets."""
    evaluate_every: int = Field(1, ge=0)
    """Epochs between tests on the test split; 0: none before the end."""
    save_minutes: float = Field(10.0, ge=0)
    """Minutes after which the state is saved within an epoch."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.nesterov and not self.momentum:
            raise ValueError("nesterov needs a momentum above 0")
        if self.sync_norm and self.freeze_norm:
            raise ValueError("sync_norm and freeze_norm exclude each other")
        return self


class RunConfig(Settings):
    """What every training is told: its data, where it writes, what computes."""

    data: Text | None = None
    """Folder with a dataset.yaml, or such a file."""
    train_split: str = "train"
    """Part of the data that is trained on."""
    test_split: str | None = "test"
    """Part of the data that is tested on; none: nothing is tested."""
    out: Text = "run"
    """Folder for the state, the log and the checkpoints."""
    resume: bool = False
    """Continue the run in ``out``."""
    device: str = "auto"
    """auto (a GPU if there is one), cpu, cuda, cuda:1, ..."""
    precision: Precision = "auto"
    """Arithmetic of the network in tests: auto is fp32 on a CPU, bf16 on a GPU that has it."""
    training: OptimisationConfig = OptimisationConfig()
    """The optimisation."""
