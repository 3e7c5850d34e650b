"""From a weight file of any layout to tensors under our names, and to what the file says of itself."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ava_tools.errors import InputError
from ava_tools.labels import Labels
from ava_tools.settings import overridden, read_yaml
from slowfast_det.checkpoints import caffe2, mmaction2, native, pyslowfast, pytorchvideo
from slowfast_det.checkpoints.zoo import PublishedModel, located
from slowfast_det.config import Config, parse_config
from slowfast_det.pyslowfast_config import read_config
from slowfast_det.recipe import read_model_config
from slowfast_det.weights.companion import companion_of, without_companion
from slowfast_det.weights.files import WeightFile, open_weights, state_dict_of

OURS = "our safetensors"
_KEYS = ("model_state", "state_dict", "model")  # under which PySlowFast, mmaction2 and others keep their tensors


@dataclass(frozen=True)
class Checkpoint:
    """What a weight file holds.

    Attributes:
        path: the file.
        layout: whose it is, in words.
        tensors: by our names.
        names: what the file calls each of them.
        foreign: names of tensors that no network of ours has.
        config: what the file says its network is; None if it does not.
        labels: its actions, if it names them.
        thresholds: score from which each action is shown, if it says so.
        companion: the person detector that comes along, if there is one.
        published: what the zoo says of it, if it was asked for by its name there.
    """

    path: Path
    layout: str
    tensors: Mapping[str, Tensor]
    names: Mapping[str, str]
    foreign: tuple[str, ...]
    config: Config | None
    labels: Labels | None
    thresholds: tuple[float, ...] | None = None
    companion: WeightFile | None = None
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
    _Layout(
        "ours",
        lambda names: any(name.startswith(("backbone.slow.stem.", "backbone.fast.stem.")) for name in names),
        _each(str),
    ),
)


def read_checkpoint(weights: str | Path, *, own_config: bool = True) -> Checkpoint:
    """Read a weight file; its layout is recognised by its content.

    Args:
        weights: a file: PySlowFast's ``.pyth`` or Caffe2 ``.pkl``, PyTorchVideo's ``.pyth``, mmaction2's
            ``.pth``, ours; or a name of the zoo, which is downloaded unless it is here.
        own_config: whether what the file says its network is must be readable; where that is given anyway, a
            configuration that we cannot read does no harm.

    Raises:
        InputError: the file is not usable, or of no layout that is known.
    """
    path, published = located(weights)
    try:
        file = open_weights(path)
    except InputError as problem:
        again = "; delete it, and it will be fetched again" if published is not None and path.is_file() else ""
        raise InputError(f"{problem}{again}") from None
    name = str(file.path)
    if native.is_native(file.metadata):
        tensors = without_companion(file.content)
        own = {key: key for key in tensors}
        _check(tensors, own, name)
        about = native.read_metadata(file.metadata, name)
        return Checkpoint(file.path, OURS, tensors, own, (), *about, companion_of(file))
    tensors = _tensors(file.content)
    theirs = {key.removeprefix("module."): key for key in tensors}  # left by distributed training
    if len(theirs) < len(tensors):
        twice = next(key for key in tensors if key.startswith("module.") and key.removeprefix("module.") in tensors)
        raise InputError(f"{name}: holds the same tensor twice, as {twice.removeprefix('module.')} and as {twice}")
    layout = next((layout for layout in _LAYOUTS if layout.recognises(theirs)), None)
    if layout is None:
        known = ", ".join([layout.title for layout in _LAYOUTS[:-1]])
        raise InputError(f"{name}: is a checkpoint of no layout that is known ({known}, {OURS})")
    config = None
    try:
        config = _own_config(file.content, name) if published is None else config_of_published(published)
    except InputError:
        if own_config:
            raise
    names: dict[str, str] = {}
    foreign = []
    for bare, our_name in layout.our_names(theirs).items():
        if our_name is None:
            foreign.append(theirs[bare])
        elif our_name in names:
            raise InputError(f"{name}: holds the same tensor twice, as {names[our_name]} and as {theirs[bare]}")
        else:
            names[our_name] = theirs[bare]
    ours = {our_name: tensors[key] for our_name, key in names.items()}
    _check(ours, names, name)
    return Checkpoint(
        file.path,
        layout.title,
        mmaction2.in_our_form(ours, names) if layout.title == mmaction2.TITLE else ours,
        names,
        tuple(foreign),
        config,
        None,
        published=published,
    )


def _check(tensors: Mapping[str, Tensor], names: Mapping[str, str], file: str) -> None:
    """Hold tensors to what a network can hold.

    Raises:
        InputError: one is of another kind, or holds numbers that are none; it is named as in the file.
    """
    for key, tensor in tensors.items():
        counter = key.endswith(".num_batches_tracked")
        kind = tensor.dtype if tensor.layout == torch.strided and not tensor.is_quantized else tensor.layout
        if tensor.is_meta or kind != tensor.dtype or (not counter and not tensor.is_floating_point()):
            raise InputError(f"{file}: {names[key]} holds {kind}; plain floating point numbers are expected")
        if not counter and not bool(tensor.isfinite().all()):
            raise InputError(f"{file}: {names[key]} holds numbers that are not finite; the checkpoint is damaged")
        if key.endswith(".running_var") and bool((tensor < 0).any()):
            raise InputError(f"{file}: {names[key]} holds variances below 0; the checkpoint is damaged")


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
    config = read_model_config(model.config)
    return parse_config(overridden(config.model_dump(), model.overrides), f"{model.name} of the zoo")
