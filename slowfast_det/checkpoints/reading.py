"""From a weight file of any layout to tensors under our names, and to what the file says of itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from ava_tools.errors import InputError
from ava_tools.labels import Labels
from ava_tools.settings import overridden, read_yaml
from slowfast_det.checkpoints import caffe2, mmaction2, native, pyslowfast, pytorchvideo
from slowfast_det.checkpoints.zoo import PublishedModel, located
from slowfast_det.config import Config, parse_config
from slowfast_det.pyslowfast_config import read_config
from slowfast_det.recipe import read_recipe
from slowfast_det.weights.files import open_weights, state_dict_of

OURS = "our safetensors"
_KEYS = ("model_state", "state_dict", "model")  # under which PySlowFast, mmaction2 and others keep their tensors


@dataclass(frozen=True)
class Checkpoint:
    """What a weight file holds.

    Attributes:
        path: the file.
        layout: whose it is, in words.
        tensors: by our names.
        foreign: names of tensors that no network of ours has.
        config: what the file says its network is; None if it does not.
        labels: its actions, if it names them.
        published: what the zoo says of it, if it was asked for by its name there.
    """

    path: Path
    layout: str
    tensors: Mapping[str, Tensor]
    foreign: tuple[str, ...]
    config: Config | None
    labels: Labels | None
    published: PublishedModel | None = None


@dataclass(frozen=True)
class _Layout:
    title: str
    recognises: Callable[[Collection[str]], bool]
    our_names: Callable[[Collection[str]], dict[str, str | None]]


def _each(our_name: Callable[[str], str | None]) -> Callable[[Collection[str]], dict[str, str | None]]:
    return lambda names: {name: our_name(name) for name in names}


_LAYOUTS = (
    _Layout(pyslowfast.TITLE, pyslowfast.recognises, _each(pyslowfast.our_name)),
    _Layout(caffe2.TITLE, caffe2.recognises, _each(caffe2.our_name)),
    _Layout(pytorchvideo.TITLE, pytorchvideo.recognises, pytorchvideo.our_names),
    _Layout(mmaction2.TITLE, mmaction2.recognises, _each(mmaction2.our_name)),
    _Layout("ours", lambda names: any(name.startswith("backbone.slow.stem.") for name in names), _each(str)),
)


def read_checkpoint(weights: str | Path, *, own_config: bool = True) -> Checkpoint:
    """Read a weight file; its layout is recognised by its content.

    Args:
        weights: a file: PySlowFast's ``.pyth`` or Caffe2 ``.pkl``, PyTorchVideo's ``.pyth``, mmaction2's
            ``.pth``, ours; or a name of the zoo, which is downloaded unless it is here.
        own_config: whether to read what the file says its network is; where that is given anyway, a
            configuration that we cannot read does no harm.

    Raises:
        InputError: the file is not usable, or of no layout that is known.
    """
    path, published = located(weights)
    file = open_weights(path)
    name = str(file.path)
    if native.is_native(file.metadata):
        return Checkpoint(file.path, OURS, dict(file.content), (), *native.read_metadata(file.metadata, name))
    tensors = _tensors(file.content)
    layout = next((layout for layout in _LAYOUTS if layout.recognises(tensors)), None)
    if layout is None:
        known = ", ".join([layout.title for layout in _LAYOUTS[:-1]])
        raise InputError(f"{name}: is a checkpoint of no layout that is known ({known}, {OURS})")
    config = None
    if own_config:
        config = _own_config(file.content, name) if published is None else config_of_published(published)
    ours = layout.our_names(tensors)
    known_names = [our_name for our_name in ours.values() if our_name is not None]
    if twice := next((our_name for our_name, count in Counter(known_names).items() if count > 1), None):
        doubled = [theirs for theirs, our_name in ours.items() if our_name == twice]
        raise InputError(f"{name}: holds the same tensor twice, as {' and as '.join(doubled)}")
    return Checkpoint(
        file.path,
        layout.title,
        {our_name: tensors[theirs] for theirs, our_name in ours.items() if our_name is not None},
        tuple(theirs for theirs, our_name in ours.items() if our_name is None),
        config,
        None,
        published,
    )


def _tensors(content: Any) -> dict[str, Tensor]:
    """The network's tensors, wherever in the file they are."""
    candidates = [content]
    if isinstance(content, Mapping):
        candidates += [content.get(key) for key in _KEYS]
    for candidate in candidates:
        if (state := state_dict_of(candidate)) is not None:
            return state
    return caffe2.tensors_of(content) or {}


def _own_config(content: Any, name: str) -> Config | None:
    """PySlowFast writes its configuration beside the tensors, as text."""
    text = content.get("cfg") if isinstance(content, Mapping) else None
    if not isinstance(text, str) or not text.strip():
        return None
    return read_config(read_yaml(text, f"{name} (its cfg)"), f"{name} (its cfg)")


def config_of_published(model: PublishedModel) -> Config | None:
    """What the zoo knows of a file, whatever the file says: its name stands for the publisher's own network."""
    if model.config is None:
        return None
    config = read_recipe(model.config).of_model()
    return parse_config(overridden(config.model_dump(), model.overrides), f"{model.name} of the zoo")
