"""A recipe of a person detector: its network, what it finds, how it is trained. Those of configs/persons/ are such."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from ava_tools.labels import split_names
from ava_tools.settings import Settings, overridden, parse_settings, read_text, read_yaml
from slowfast_det.config import config_names, find_config
from slowfast_det.recipe import Recipe
from slowfast_det.run_config import OptimisationConfig, RunConfig, ScheduleConfig, Text

KINDS = (
    "fasterrcnn_resnet50_fpn_v2",
    "fasterrcnn_resnet50_fpn",
    "fasterrcnn_mobilenet_v3_large_320_fpn",
    "small_faster_rcnn",
)
FOLDER = "persons"  # of the packaged ones, within configs/


def _as_list(value: Any) -> Any:
    return split_names(value) if isinstance(value, str) else [value] if isinstance(value, int) else value


class DetectorConfig(Settings):
    """What the detector is made of."""

    network: Literal[KINDS] = "fasterrcnn_resnet50_fpn_v2"  # type: ignore[valid-type]
    """torchvision's Faster R-CNNs by name, or small_faster_rcnn, ours for small frames and small data."""
    min_size: int | None = Field(None, ge=16, le=4096)
    """Shorter side of the resized frame, pixels; none: the network's own, 800 (320 and 128 for the small ones)."""
    max_size: int | None = Field(None, ge=16, le=8192)
    """Its longer side at most, which wins; none: the network's own, 1333 (640 and 512)."""
    max_overlap: float | None = Field(None, gt=0, lt=1)
    """Largest IoU of two detections of a class; none: the network's own, 0.5 (0.6 for small_faster_rcnn)."""
    frozen_stages: int = Field(0, ge=0, le=5)
    """Stages of the backbone, from the pixels on, that keep the weights of ``init``; torchvision freezes 2 of 5."""


class FrameVariationConfig(Settings):
    """How frames are varied in training."""

    min_size: tuple[int, ...] = ()
    """Shorter sides of which one is drawn for each frame; none given: always the detector's."""
    flip: float = Field(0.5, ge=0, le=1)
    """Share of frames that are mirrored."""
    colour: float = Field(0.0, ge=0, lt=1)
    """Largest change of brightness, and of each colour."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if any(not 16 <= size <= 4096 for size in self.min_size):
            raise ValueError(f"min_size is {list(self.min_size)}; pixels from 16 to 4096 are expected")
        return self


class PersonScheduleConfig(ScheduleConfig):
    """The learning rate over the epochs."""

    kind: Literal["steps", "cosine"] = "cosine"
    """Constant pieces, or half a period of a cosine down to ``end``."""
    lr: float = Field(0.02, gt=0)
    """Learning rate for batches of ``lr_batch`` frames."""
    lr_batch: int | None = Field(16, ge=1)
    """The rate grows and shrinks with the batch over this number; none: it does not."""
    warmup_epochs: float = Field(0.5, ge=0)
    """Epochs over which the rate grows linearly to what it is at their end."""
    warmup_start: float = Field(0.001, ge=0)
    """Share of the rate at which it begins."""


class PersonTrainingConfig(OptimisationConfig):
    """The optimisation of a person detector."""

    epochs: int = Field(12, ge=1)
    """Passes over the training frames."""
    batch: int = Field(8, ge=1)
    """Frames a step, over all processes."""
    schedule: PersonScheduleConfig = PersonScheduleConfig()
    """The learning rate over the epochs."""
    nesterov: bool = False
    """Of SGD."""
    weight_decay: float = Field(1e-4, ge=0)
    """Of all weights but those of batch norms."""
    clip_gradient: float | None = Field(10.0, gt=0)
    """Largest length of the whole gradient."""
    freeze_norm: bool = False
    """Batch norms keep the statistics of ``init``: batches of a few frames give no better ones."""


class PersonRecipe(RunConfig):
    """All that `train-persons` and `test-persons` need to know."""

    detector: DetectorConfig = DetectorConfig()
    """What the detector is made of."""
    actors: Annotated[tuple[Text, ...], BeforeValidator(_as_list)] = Field(("person",), min_length=1)
    """What is found: one name for every annotated box, whatever it does; or names of the data set's labels that
    tell actors apart (birds and cars, players and referees): each is a class, boxes with none of them are left out."""
    init: Text | None = None
    """Weights to start from: the name of a torchvision detector (COCO's weights), or a file; none: from scratch.
    Classes of the same names keep their rows of the head."""
    augmentation: FrameVariationConfig = FrameVariationConfig()
    """How frames are varied in training."""
    training: PersonTrainingConfig = PersonTrainingConfig()
    """The optimisation."""

    @model_validator(mode="after")
    def _named_once(self) -> Self:
        if len({name.lower() for name in self.actors}) < len(self.actors) or not all(self.actors):
            raise ValueError(f"actors are {list(self.actors)}; names that differ are expected")
        if self.init is None and self.detector.frozen_stages:
            raise ValueError("detector.frozen_stages keeps weights of init, and none is given")
        if self.init is None and self.training.freeze_norm:
            raise ValueError("training.freeze_norm keeps statistics of init, and none is given")
        return self


def read_person_recipe(recipe: str | Path, overrides: Sequence[str] = ()) -> PersonRecipe:
    """A recipe of a person detector by packaged name or by path, with ``key=value`` texts over it.

    Raises:
        InputError: no such file, or one that is wrong; each wrong key is named.
    """
    path = find_config(str(recipe), FOLDER)
    name = f"{path} with {' '.join(overrides)}" if overrides else str(path)
    return parse_settings(PersonRecipe, overridden(read_yaml(read_text(path), str(path)), overrides), name)


def is_person_recipe(recipe: str | Path) -> bool:
    """Whether a recipe is one of a person detector: a packaged one by its whole name, or a file with a key of its own.

    Raises:
        InputError: the file cannot be read as settings.
    """
    if str(recipe).startswith(f"{FOLDER}/") and str(recipe).removeprefix(f"{FOLDER}/") in config_names(FOLDER):
        return True
    own = PersonRecipe.model_fields.keys() - Recipe.model_fields.keys()
    return Path(recipe).is_file() and not own.isdisjoint(read_yaml(read_text(Path(recipe)), str(recipe)))
