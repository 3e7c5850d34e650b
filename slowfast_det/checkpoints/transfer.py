"""Start a network from another one's weights: what fits is taken, the head only where its actions are the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from ava_tools.errors import InputError
from ava_tools.labels import Labels, ava_labels
from slowfast_det.checkpoints import mmaction2
from slowfast_det.checkpoints.model import Model
from slowfast_det.checkpoints.reading import OURS, Checkpoint, read_checkpoint
from slowfast_det.config import ClipConfig

ClassMap = Literal["names"] | Mapping[str, str] | None
_HEAD = "head.projection."
_ROWS = f"{_HEAD}weight"


@dataclass(frozen=True)
class Transfer:
    """What became of a checkpoint's tensors.

    Attributes:
        source: the checkpoint.
        loaded: names of tensors that were taken.
        skipped: names of tensors of the checkpoint that were left, with the reason.
        fresh: names of tensors of the network that keep their fresh values, with the reason.
        copied: pairs (our action, its action) whose rows of the head were taken.
        preparation: how its clips were prepared where the model's are not, as key=value texts.
    """

    source: str
    loaded: tuple[str, ...]
    skipped: dict[str, str]
    fresh: dict[str, str]
    copied: tuple[tuple[str, str], ...]
    preparation: tuple[str, ...] = ()

    def rows(self) -> list[tuple[str, int, str, str]]:
        """What happened, how many tensors, which part, and why: a row for each part and reason."""
        entries = [("loaded", name, "") for name in self.loaded]
        entries += [("skipped", name, reason) for name, reason in self.skipped.items()]
        entries += [("fresh", name, reason) for name, reason in self.fresh.items()]
        counts: dict[tuple[str, str, str], int] = {}
        for kind, name, reason in entries:
            key = (kind, _part(name), reason)
            counts[key] = counts.get(key, 0) + 1
        return [(kind, count, part, reason) for (kind, part, reason), count in counts.items()]


def transfer(weights: str | Path, model: Model, class_map: ClassMap = None) -> Transfer:
    """Load what fits of a checkpoint into a model with fresh weights.

    The head is taken whole where the checkpoint's actions are the model's own; else its rows of shared
    actions are copied as ``class_map`` says, and the others stay fresh.

    Args:
        weights: a checkpoint of any supported layout; that of a Kinetics classifier has another head.
        model: its network is changed in place.
        class_map: ``names``: actions of equal names; ``{our action: its action}``, by name or id; None: no
            rows are copied.

    Raises:
        InputError: the file is not usable, nothing of it fits, or the map names an action that is not there.
    """
    checkpoint = read_checkpoint(weights, own_config=False)
    state, labels = _actions(checkpoint)
    skipped = dict.fromkeys(checkpoint.foreign, "belongs to no network that is known")
    own = model.network.state_dict()
    loaded: list[str] = []
    for name, value in state.items():
        if name not in own:
            skipped[name] = "the network has no such part"
        elif name.startswith(_HEAD):
            continue
        elif own[name].shape != value.shape:
            skipped[name] = f"is {list(value.shape)}, the network's is {list(own[name].shape)}"
        elif own[name].is_floating_point() != value.is_floating_point():
            skipped[name] = f"holds {value.dtype}, the network's holds {own[name].dtype}"
        else:
            loaded.append(name)
    if not any(name.endswith(".conv.weight") for name in loaded):
        raise InputError(
            f"{weights}: nothing of it fits the network; a checkpoint of the same architecture is expected"
        )
    taken = {name: state[name] for name in loaded}
    copied = _copy_head(str(weights), state, labels, model, class_map, taken, skipped)

    def copied_into(name: str) -> bool:
        return bool(copied) and name.startswith(_HEAD)

    broken = next((name for name, value in taken.items() if not bool(value.isfinite().all())), None)
    if broken is not None:
        raise InputError(f"{weights}: {broken} holds numbers that are not finite; the checkpoint is damaged")
    fresh = {
        name: skipped.get(name, "the checkpoint lacks it") for name in own if name not in taken or copied_into(name)
    }
    model.network.load_state_dict({**own, **{name: value.to(own[name].dtype) for name, value in taken.items()}})
    named = tuple(name for name in taken if not copied_into(name))
    return Transfer(str(weights), named, skipped, fresh, copied, _preparation(checkpoint, model.clip))


def _actions(checkpoint: Checkpoint) -> tuple[dict[str, Tensor], Labels | None]:
    """A checkpoint's tensors with a row of the head for each action, and its actions if it says or implies them."""
    state = dict(checkpoint.tensors)
    heads = [state[name] for name in (_ROWS, f"{_HEAD}bias") if name in state]
    rows = len(heads[0]) if heads and all(head.dim() for head in heads) else 0
    labels = checkpoint.labels
    if checkpoint.layout == OURS and checkpoint.config is not None:
        unused = checkpoint.config.network.unused_column
    else:  # AVA's 80, which mmaction2 writes behind an unused row
        unused = checkpoint.layout == mmaction2.TITLE and rows == 81
        labels = ava_labels() if rows == 80 + int(unused) else None
    if unused:
        state |= {name: state[name][1:] for name in state if name.startswith(_HEAD)}
    return state, labels


def _preparation(checkpoint: Checkpoint, clip: ClipConfig) -> tuple[str, ...]:
    """Colours and normalisation that the weights were made with, where those of the model differ."""
    theirs = None if checkpoint.config is None else checkpoint.config.clip
    if theirs is None and checkpoint.layout == mmaction2.TITLE:
        theirs = clip.model_copy(update={"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)})
    if theirs is None:
        return ()
    pairs = ((key, getattr(theirs, key), getattr(clip, key)) for key in ("mean", "std", "channels"))
    return tuple(
        f"clip.{key}={list(value) if key != 'channels' else value}" for key, value, own in pairs if value != own
    )


def _copy_head(
    source: str,
    state: Mapping[str, Tensor],
    labels: Labels | None,
    model: Model,
    class_map: ClassMap,
    taken: dict[str, Tensor],
    skipped: dict[str, str],
) -> tuple[tuple[str, str], ...]:
    """The head, whole or by rows; ``taken`` and ``skipped`` are added to."""
    own = {name: value for name, value in model.network.state_dict().items() if name.startswith(_HEAD)}
    unused = int(model.config.network.unused_column)  # a first row that stands for no action
    theirs = {name: state[name] for name in own if name in state}
    alike = len(theirs) == len(own) and all(
        theirs[name].dim() == value.dim() and theirs[name].shape[1:] == value.shape[1:] for name, value in own.items()
    )
    alike = alike and len({len(value) for value in theirs.values()}) == 1
    if class_map is None and alike and labels is not None and labels.names == model.labels.names:
        taken |= {name: torch.cat([own[name][:unused], value.to(own[name].dtype)]) for name, value in theirs.items()}
        return ()
    pairs = _pairs(source, labels, model.labels, class_map) if class_map is not None else []
    if pairs and not alike:
        raise InputError(f"{source}: has no head of this form, so class_map has nothing to copy from")
    reason = "of other actions" if not pairs else "of other actions, but for the copied ones"
    skipped |= dict.fromkeys(theirs, reason)
    if not pairs or labels is None:
        return ()
    ours = torch.tensor([column for column, _ in pairs]) + unused
    from_theirs = torch.tensor([column for _, column in pairs])
    for name, value in own.items():
        mixed = value.clone()
        mixed[ours] = theirs[name][from_theirs].to(value.dtype)
        taken[name] = mixed
    return tuple((model.labels.names[column], labels.names[other]) for column, other in pairs)


def _pairs(source: str, labels: Labels | None, own: Labels, class_map: ClassMap) -> list[tuple[int, int]]:
    """Columns (ours, theirs) of the actions that are shared."""
    if labels is None:
        raise InputError(f"{source}: does not name its actions, so class_map has nothing to copy from")
    if isinstance(class_map, Mapping):
        pairs = []
        for ours, theirs in class_map.items():
            mine, other = own.columns([ours]), labels.columns([theirs])
            if len(mine) != 1 or len(other) != 1:
                raise InputError(f"class_map: {ours!r}: {theirs!r} fits several actions; name one by its id")
            pairs.append((mine[0], other[0]))
        return pairs
    theirs_by_name = {name.lower(): column for column, name in enumerate(labels.names)}
    shared = [(column, theirs_by_name.get(name.lower())) for column, name in enumerate(own.names)]
    return [(column, other) for column, other in shared if other is not None]


def _part(name: str) -> str:
    """``backbone.slow.res2.0.a.conv.weight`` -> ``backbone.slow.res2``."""
    return ".".join(name.split(".")[:3])
