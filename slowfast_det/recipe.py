"""A recipe: a model's configuration, and how it is trained and tested. The yaml files of configs/ are recipes."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from ava_tools.settings import Settings, overridden, parse_settings, read_text, read_yaml
from slowfast_det.config import Config, find_config
from slowfast_det.precision import Precision
from slowfast_det.pyslowfast_config import is_pyslowfast_config, read_config


def _as_text(value: Any) -> Any:
    return str(value) if isinstance(value, Path | int) else value


Text = Annotated[str, BeforeValidator(_as_text)]


log = logging.getLogger(__name__)


class PersonsConfig(Settings):
    """Which boxes are persons."""

    source: Text = "auto"
    """Where persons come from in tests: truth, boxes (those of the split), a person detector by name or by
    weights file; auto: boxes if the split has them, else truth. Training takes both truth and boxes."""
    min_score: float = Field(0.8, ge=0, le=1)
    """Least score of a predicted box, in training and in testing."""
    match_iou: float | None = Field(None, gt=0, le=1)
    """Overlap from which a predicted box without label takes the labels of the truth; none: it never does."""


class AugmentationConfig(Settings):
    """How clips are varied in training."""

    short_side: tuple[int, int] = (256, 320)
    """Least and largest shorter side that a clip is resized to; its inverse is drawn evenly."""
    crop: int | None = Field(224, ge=16)
    """Side of the square that is cut out at a random place; none: the whole frame."""
    flip: float = Field(0.5, ge=0, le=1)
    """Share of clips that are mirrored."""
    flip_pairs: tuple[tuple[Text, Text], ...] = ()
    """Actions, by name or id, that mirroring turns into one another, such as [walk left, walk right]."""
    colour: float = Field(0.0, ge=0, lt=1)
    """Largest change of brightness, contrast and saturation; PySlowFast's, where it is switched on: 0.4."""
    lighting: float = Field(0.0, ge=0, le=1)
    """Deviation of the shift along the principal colours; PySlowFast's, where it is switched on: 0.1."""
    keep_boxes_outside: bool = False
    """Keep persons whom the crop has cut off, with boxes of no area, as PySlowFast does."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        least, largest = self.short_side
        if not 16 <= least <= largest <= 4096:
            raise ValueError(f"short_side is {list(self.short_side)}; two rising numbers from 16 are expected")
        if self.crop is not None and self.crop > least:
            raise ValueError(f"crop {self.crop} is larger than the least short_side {least}")
        return self


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


class LossConfig(Settings):
    """What is minimised."""

    kind: Literal["bce", "focal"] = "bce"
    """Binary cross-entropy of every action of every person, or its focal form."""
    gamma: float = Field(2.0, ge=0)
    """Focal: how much less a well-recognised answer counts."""
    class_balance: float = Field(0.0, ge=0, lt=1)
    """Weight of actions by their effective number of examples, beta of arXiv:1901.05555; 0: all weigh the same."""


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


class TrainingConfig(OptimisationConfig):
    """The optimisation of an action detector."""

    loss: LossConfig = LossConfig()
    """What is minimised."""
    frozen_stages: int = Field(0, ge=0, le=5)
    """Stages of the backbone (stem, res2 to res5), from the pixels on, that keep the weights of ``init``."""


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


class Recipe(RunConfig, Config):
    """All that `train` and `test` need to know."""

    init: Text | None = None
    """Checkpoint to start from, of any supported layout, or the name of published weights; its head is left out if
    the actions differ."""
    class_map: Literal["names"] | dict[Text, Text] | None = None
    """Rows of that checkpoint's head to keep: {our action: its action}, by name or id; or all equal names."""
    protocol: Literal["activitynet", "pyslowfast", "mmaction2"] = "activitynet"
    """Whose way of counting the mean AP."""
    persons: PersonsConfig = PersonsConfig()
    """Which boxes are persons."""
    augmentation: AugmentationConfig = AugmentationConfig()
    """How clips are varied in training."""
    training: TrainingConfig = TrainingConfig()
    """The optimisation."""

    @model_validator(mode="after")
    def _has_what_is_frozen(self) -> Self:
        if self.init is None and self.training.frozen_stages:
            raise ValueError("training.frozen_stages keeps weights of init, and none is given")
        return self

    def of_model(self) -> Config:
        """The part that a checkpoint carries."""
        return Config.model_validate({key: getattr(self, key) for key in Config.model_fields})


def read_recipe(recipe: str | Path, overrides: Sequence[str] = ()) -> Recipe:
    """A recipe by packaged name or by path (ours, or a yaml of PySlowFast), with ``key=value`` texts over it.

    Raises:
        InputError: no such file, or one that is wrong; each wrong key is named.
    """
    path = find_config(str(recipe))
    content, ignored = _content(path)
    if ignored:
        log.warning("%s: its sections %s do not say here how to train; ours do", path, ", ".join(ignored))
    name = f"{path} with {' '.join(overrides)}" if overrides else str(path)
    return parse_settings(Recipe, overridden(content, overrides), name)


def read_model_config(name: str | Path) -> Config:
    """The model of a recipe by packaged name or by path: ours, or a yaml of PySlowFast.

    Raises:
        InputError: as `read_recipe`.
    """
    path = find_config(str(name))
    return parse_settings(Recipe, _content(path)[0], str(path)).of_model()


def _content(path: Path) -> tuple[dict[str, Any], list[str]]:
    """A recipe's settings, and the sections of a PySlowFast yaml that concern training."""
    content = read_yaml(read_text(path), str(path))
    if not is_pyslowfast_config(content):
        return content, []
    ignored: list[str] = [section for section in ("SOLVER", "TRAIN", "AVA") if section in content]
    return read_config(content, str(path)).model_dump(), ignored
