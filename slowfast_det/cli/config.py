"""``slowfast-det config``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ava_tools.settings import Settings


def config(name: str | None = None, *overrides: str) -> None:
    """Print a recipe as yaml with every key and what it means; without a NAME the names of those that are packaged.

    Args:
        name: A recipe by name or yaml file: ours, of action or of person detectors, or one of PySlowFast's.
        overrides: Settings over the recipe's: key=value.
    """
    from slowfast_det.config import config_names
    from slowfast_det.person_recipe import FOLDER, is_person_recipe, read_person_recipe
    from slowfast_det.recipe import read_any_recipe

    if name is None:
        print("\n".join([*config_names(), *(f"{FOLDER}/{each}" for each in config_names(FOLDER))]))
    else:
        read = read_person_recipe if is_person_recipe(name) else read_any_recipe
        print("\n".join(described(read(name, overrides))))


def described(settings: Settings, indent: str = "") -> Iterator[str]:
    """Lines of yaml: each key with its value, and above it what it means."""
    from ava_tools.settings import Settings as Section

    for key, field in type(settings).model_fields.items():
        value = getattr(settings, key)
        for line in (field.description or "").splitlines():
            yield f"{indent}# {line}"
        if isinstance(value, Section):
            yield f"{indent}{key}:"
            yield from described(value, f"{indent}  ")
        else:
            yield f"{indent}{key}: {_as_yaml(settings, key)}"


def _as_yaml(settings: Settings, key: str) -> str:
    import json

    return json.dumps(settings.model_dump(mode="json", include={key})[key])
