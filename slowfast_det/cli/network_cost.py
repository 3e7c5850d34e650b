"""What ``slowfast-det models --cost`` counts and shows."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from rich.table import Table

from ava_tools.cli.run import MisuseError
from ava_tools.errors import InputError
from ava_tools.safe_pickle import shown
from slowfast_det.checkpoints.architecture import build_network
from slowfast_det.checkpoints.zoo import published
from slowfast_det.class_recipe import ClassRecipe
from slowfast_det.config import config_names
from slowfast_det.models.cost import NetworkCost, network_cost
from slowfast_det.models.kernels import written_size
from slowfast_det.recipe import Recipe, read_any_recipe

Size = tuple[int, int]
_WEIGHTS = (".safetensors", ".pth", ".pyth", ".pkl", ".pt")


@dataclass(frozen=True)
class Counted:
    """A network that was counted.

    Attributes:
        name: of its config, or of published weights.
        settings: ``key=value`` texts over the config.
        cost: for clips of one size.
    """

    name: str
    settings: tuple[str, ...]
    cost: NetworkCost

    def as_dict(self) -> dict[str, Any]:
        """As json takes it."""
        return {"name": self.name, "settings": self.settings, **asdict(self.cost)}

    @property
    def title(self) -> str:
        """All but its stages, in a line."""
        parameters, multiply_adds = _amounts(self.cost)
        told = " ".join(map(shown, (Path(self.name).name, *self.settings)))
        return f"{told}: {_clip(self.cost)}, {parameters} M parameters, {multiply_adds} G multiply-adds"


def read_size(text: str) -> Size:
    """Height and width, as in 256x340; a single number is both.

    Raises:
        MisuseError: it is neither, or out of range.
    """
    sides = text.lower().split("x")
    if len(sides) > 2 or not all(re.fullmatch("[0-9]{2,4}", side) and 32 <= int(side) <= 4096 for side in sides):
        raise MisuseError(
            f"--size is {text!r}; a number or HEIGHTxWIDTH is expected, each from 32 to 4096, as in 256x340"
        )
    return int(sides[0]), int(sides[-1])


def counted_networks(words: Sequence[str], size: Size | None) -> list[Counted]:
    """Count the networks that are named, or those of all packaged configs.

    Args:
        words: names of configs, yaml files, names of published weights, and ``key=value`` texts over all of them.
        size: height and width of the clips; None: the square that each config tests on, and for classifiers of clips
            the one that they are trained on too.

    Raises:
        MisuseError: settings without a name.
        InputError: no such config, a wrong setting, or a network that cannot look at clips of that size.
    """
    settings = [word for word in words if "=" in word and not Path(word).exists()]
    names = [word for word in words if word not in settings]
    if settings and not names:
        raise MisuseError("settings change the configs that are named; name some")
    return [counted for name in names or config_names() for counted in _counted(name, settings, size)]


def overview(counted: Sequence[Counted]) -> Table:
    """A line for each network."""
    table = _table("name")
    for heading in ("clip", "parameters M", "multiply-adds G"):
        table.add_column(heading, justify="right", no_wrap=True)
    for each in counted:
        table.add_row(each.name, _clip(each.cost), *_amounts(each.cost))
    return table


def stage_table(counted: Counted) -> Table:
    """A line for each stage of each pathway."""
    table = _table("stage", "pathway")
    table.add_column("kernels", overflow="fold")
    for heading in ("channels", "output", "parameters", "multiply-adds M"):
        table.add_column(heading, justify="right", no_wrap=True)
    before = ""
    for stage in counted.cost.stages:
        table.add_row(
            "" if stage.stage == before else stage.stage,
            stage.pathway,
            "\n".join(stage.kernels),
            str(stage.channels),
            written_size(stage.size),
            f"{stage.parameters:,}",
            f"{stage.multiply_adds / 1e6:,.1f}",
        )
        before = stage.stage
    cost = counted.cost
    table.add_row("all", "", "", "", "", f"{cost.parameters:,}", f"{cost.multiply_adds / 1e6:,.1f}")
    return table


def remarks(counted: Sequence[Counted]) -> Iterator[str]:
    """What the figures mean."""
    yield "clip: frames x height x width; 32x224^2 is 32 frames of 224 x 224."
    yield "multiply-adds: of one clip (one view), in convolutions, matrix products and attention."
    if any(each.cost.persons for each in counted):
        yield "Heads of persons are counted with one person in the clip."


def _counted(name: str, settings: Sequence[str], size: Size | None) -> Iterator[Counted]:
    recipe = _recipe(name, settings)
    try:
        with torch.device("meta"):  # sizes are all that is needed
            network = build_network(recipe.of_model())
        for height, width in _sizes(recipe) if size is None else [size]:
            yield Counted(name, tuple(settings), network_cost(network, height, width))
    except (InputError, ValueError) as wrong:
        raise InputError(f"{name}: {wrong}") from None


def _recipe(name: str, settings: Sequence[str]) -> Recipe | ClassRecipe:
    model = published(name)
    if model is None:
        if Path(name).suffix in _WEIGHTS:
            raise InputError(f"{name}: holds weights; a config, or the name of published weights, is expected")
        return read_any_recipe(name, settings)
    if model.config is None:
        raise InputError(f"{name}: no config describes its network; {model.remark}")
    return read_any_recipe(model.config, [*model.overrides, *settings])


def _sizes(recipe: Recipe | ClassRecipe) -> list[Size]:
    sides = {recipe.clip.short_side}
    if isinstance(recipe, ClassRecipe) and recipe.augmentation.crop is not None:
        sides.add(recipe.augmentation.crop)
    return [(side, side) for side in sorted(sides)]


def _clip(cost: NetworkCost) -> str:
    return written_size(cost.clip)


def _amounts(cost: NetworkCost) -> tuple[str, str]:
    return f"{cost.parameters / 1e6:,.2f}", f"{cost.multiply_adds / 1e9:,.2f}"


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    for heading in headings:
        table.add_column(heading, no_wrap=True)
    return table
