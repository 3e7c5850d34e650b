"""A recipe of a classifier: a model's configuration, and how it is trained and tested on films of one class each."""

from __future__ import annotations

import math
from typing import Literal, Self

from pydantic import Field, model_validator

from ava_tools.settings import Settings
from slowfast_det.config import Config
from slowfast_det.run_config import OptimisationConfig, RunConfig, ScheduleConfig, Text


class ClassAugmentationConfig(Settings):
    """How clips are varied in training; where in its film a clip begins is always drawn."""

    short_side: tuple[int, int] = (256, 320)
    """Least and largest shorter side that a clip is resized to; its inverse is drawn evenly."""
    crop: int | None = Field(224, ge=16, le=2048)
    """Side of the square that the network sees, cut out at a random place; none: the whole frame, of films that all
    have one shape."""
    area: tuple[float, float] | None = None
    """Instead of short_side: least and largest share of the frame's area that is cut out and resized to the square."""
    aspect: tuple[float, float] = (0.75, 1.3333)
    """Of such a cut, least and largest width over height."""
    flip: float = Field(0.5, ge=0, le=1)
    """Share of clips that are mirrored."""
    flip_pairs: tuple[tuple[Text, Text], ...] = ()
    """Classes, by name or id, that mirroring turns into one another, such as [walk left, walk right]."""
    colour: float = Field(0.0, ge=0, lt=1)
    """Largest change of brightness, contrast and saturation."""
    lighting: float = Field(0.0, ge=0, le=1)
    """Deviation of the shift along the principal colours."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        least, largest = self.short_side
        if not 16 <= least <= largest <= 4096:
            raise ValueError(f"short_side is {list(self.short_side)}; two rising numbers from 16 are expected")
        if self.area is None and self.crop is not None and self.crop > least:
            raise ValueError(f"crop {self.crop} is larger than the least short_side {least}")
        if self.area is not None and self.crop is None:
            raise ValueError("area is resized to a square, and crop, its side, is none")
        if self.area is not None and not 0 < self.area[0] <= self.area[1] <= 1:
            raise ValueError(f"area is {list(self.area)}; two rising shares up to 1 are expected")
        if not 0 < self.aspect[0] <= self.aspect[1] <= 100:
            raise ValueError(f"aspect is {list(self.aspect)}; two rising numbers above 0 are expected")
        return self


class ViewsConfig(Settings):
    """Which clips a film is judged by; their scores are averaged. The paper's are 10 x 3."""

    clips: int = Field(10, ge=1, le=1000)
    """Clips, spread evenly over the film."""
    crops: Literal[0, 1, 3] = 3
    """Squares of each, of clip.short_side: 1 in the middle, 3 along the longer side; 0: the whole frame."""


class ClassScheduleConfig(ScheduleConfig):
    """The learning rate over the epochs."""

    kind: Literal["steps", "cosine"] = "cosine"
    """Constant pieces, or half a period of a cosine down to ``end``."""
    warmup_epochs: float = Field(34.0, ge=0)
    """Epochs over which the rate grows linearly to what it is at their end."""
    warmup_start: float = Field(0.1, ge=0)
    """Share of the rate at which it begins."""


class ClassTrainingConfig(OptimisationConfig):
    """The optimisation of a classifier; what is not said is the paper's for Kinetics."""

    epochs: int = Field(196, ge=1)
    """Passes over the training films."""
    schedule: ClassScheduleConfig = ClassScheduleConfig()
    """The learning rate over the epochs."""
    weight_decay: float = Field(1e-4, ge=0)
    """Of all weights but those of batch norms."""
    label_smoothing: float = Field(0.0, ge=0, lt=1)
    """Share of each answer that all classes divide among them."""
    frozen_stages: int = Field(0, ge=0, le=5)
    """Stages of the backbone (stem, res2 to res5), from the pixels on, that keep the weights of ``init``."""


class ClassRecipe(RunConfig, Config):
    """All that `train` and `test` need to know of a classifier."""

    data: Text | None = None
    """Folder with a list of films a split, such as train.csv (`path label`, or Kinetics' own csv), or with a folder a
    split, such as train/, and in it one a class."""
    films: Text | None = None
    """Where the paths of the lists begin; none: where the lists are."""
    class_names: Text | None = None
    """File of the classes' names, where the lists say numbers: csv (id,name), json or txt; or kinetics400, 600, 700."""
    init: Text | None = None
    """Checkpoint to start from, of any supported layout, or the name of published weights; its head is left out if
    the classes differ."""
    class_map: Literal["names"] | dict[Text, Text] | None = None
    """Rows of that checkpoint's head to keep: {our class: its class}, by name or id; or all equal names."""
    augmentation: ClassAugmentationConfig = ClassAugmentationConfig()
    """How clips are varied in training."""
    views: ViewsConfig = ViewsConfig()
    """Which clips a film is judged by in tests; within a training it is one in the film's middle."""
    training: ClassTrainingConfig = ClassTrainingConfig()
    """The optimisation."""

    @model_validator(mode="after")
    def _of_clips(self) -> Self:
        if self.network.head != "clip":
            raise ValueError("network.head is persons; a recipe of a classifier has clip")
        least = self.augmentation.crop or self.augmentation.short_side[0]
        cells, window = math.ceil(least / self.network.feature_stride), self.network.window
        if window is not None and window > cells:
            raise ValueError(
                f"network.window {window} is larger than the {cells} cells of a clip of {least} pixels in training "
                "(augmentation.crop or short_side)"
            )
        if self.init is None and self.training.frozen_stages:
            raise ValueError("training.frozen_stages keeps weights of init, and none is given")
        return self

    def of_model(self) -> Config:
        """The part that a checkpoint carries."""
        return Config.model_validate({key: getattr(self, key) for key in Config.model_fields})
