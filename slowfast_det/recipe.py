"""A recipe: a model's configuration, and how it is trained and tested. The yaml files of configs/ are recipes."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from ava_tools.errors import InputError
from ava_tools.settings import Settings, overridden, parse_settings, read_text, read_yaml
from slowfast_det.class_recipe import ClassRecipe
from slowfast_det.config import Config, find_config
from slowfast_det.pyslowfast_config import is_pyslowfast_config, read_config
from slowfast_det.run_config import OptimisationConfig, RunConfig, Text

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


class LossConfig(Settings):
    """What is minimised."""

    kind: Literal["bce", "focal"] = "bce"
    """Binary cross-entropy of every action of every person, or its focal form."""
    gamma: float = Field(2.0, ge=0)
    """Focal: how much less a well-recognised answer counts."""
    class_balance: float = Field(0.0, ge=0, lt=1)
    """Weight of actions by their effective number of examples, beta of arXiv:1901.05555; 0: all weigh the same."""


class TrainingConfig(OptimisationConfig):
    """The optimisation of an action detector."""

    loss: LossConfig = LossConfig()
    """What is minimised."""
    frozen_stages: int = Field(0, ge=0, le=5)
    """Stages of the backbone (stem, res2 to res5), from the pixels on, that keep the weights of ``init``."""


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
    """A recipe of an action detector; see `read_any_recipe`.

    Raises:
        InputError: as there, or the recipe is of a classifier.
    """
    read = read_any_recipe(recipe, overrides)
    if isinstance(read, ClassRecipe):
        raise InputError(f"{recipe}: scores whole clips; a recipe with network.head persons is expected")
    return read


def read_any_recipe(recipe: str | Path, overrides: Sequence[str] = ()) -> Recipe | ClassRecipe:
    """A recipe by packaged name or by path (ours, or a yaml of PySlowFast), with ``key=value`` texts over it.

    Its ``network.head`` says whether it is of an action detector (persons) or of a classifier (clip).

    Raises:
        InputError: no such file, or one that is wrong; each wrong key is named.
    """
    path = find_config(str(recipe))
    content, ignored = _content(path)
    if ignored:
        log.warning("%s: its sections %s do not say here how to train; ours do", path, ", ".join(ignored))
    name = f"{path} with {' '.join(overrides)}" if overrides else str(path)
    return _parsed(overridden(content, overrides), name)


def read_model_config(name: str | Path) -> Config:
    """The model of a recipe by packaged name or by path: ours, or a yaml of PySlowFast.

    Raises:
        InputError: as `read_any_recipe`.
    """
    path = find_config(str(name))
    return _parsed(_content(path)[0], str(path)).of_model()


def _parsed(content: dict[str, Any], name: str) -> Recipe | ClassRecipe:
    network = content.get("network")
    classifies = isinstance(network, dict) and network.get("head") == "clip"
    return parse_settings(ClassRecipe, content, name) if classifies else parse_settings(Recipe, content, name)


def _content(path: Path) -> tuple[dict[str, Any], list[str]]:
    """A recipe's settings, and the sections of a PySlowFast yaml that concern training."""
    content = read_yaml(read_text(path), str(path))
    if not is_pyslowfast_config(content):
        return content, []
    ignored: list[str] = [section for section in ("SOLVER", "TRAIN", "AVA") if section in content]
    return read_config(content, str(path)).model_dump(), ignored
