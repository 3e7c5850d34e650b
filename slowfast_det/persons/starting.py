"""A detector that is to be trained, with fresh weights or with those of another one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torchvision.models.detection import FasterRCNN

from ava_tools.errors import InputError
from ava_tools.safe_pickle import shown
from slowfast_det.person_recipe import DetectorConfig
from slowfast_det.persons.detector_file import About
from slowfast_det.persons.detectron2_weights import read_detectron2
from slowfast_det.persons.options import COCO_LABELS
from slowfast_det.persons.torchvision_networks import (
    DETECTORS,
    HEAD,
    build,
    freeze_stages,
    has_frozen_norms,
)
from slowfast_det.persons.torchvision_rcnn import described_state, published_state
from slowfast_det.weights.files import open_weights

_TRAINED_SCORE = 0.05  # least score of a detection while training; a loaded detector has its own


@dataclass(frozen=True)
class Start:
    """A detector before its first step.

    Attributes:
        network: its weights.
        about: what it is, beside them.
        notes: what was taken from where, a sentence each.
    """

    network: FasterRCNN
    about: About
    notes: tuple[str, ...]


def start_detector(config: DetectorConfig, actors: tuple[str, ...], init: str | None) -> Start:
    """Build a detector.

    Args:
        config: what it is made of.
        actors: what it is to find.
        init: weights to begin with: a name of torchvision's detectors or a file; None: fresh ones. Classes that have
            the names of actors keep their part of the last layer, other actors get a fresh one.

    Raises:
        InputError: the weights are not there, or of another network.
    """
    about = About(
        network=config.network,
        classes=actors,
        min_size=config.min_size,
        max_size=config.max_size,
        max_overlap=config.max_overlap,
    )
    if init is None:
        return Start(_built(about), about, (f"{config.network} from scratch",))
    state, theirs = _weights(init)
    if theirs.network != config.network:
        raise InputError(
            f"{init}: is {theirs.network}, the recipe asks for {config.network}; "
            f"detector.network={theirs.network} is expected, or other weights"
        )
    network = _built(about, has_frozen_norms(config.network, state))
    shared = _load(network, state, theirs.classes, actors, init)
    freeze_stages(network, config.network, config.frozen_stages)
    fresh = [name for name in actors if name not in shared]
    notes = [f"{init}: {config.network} with weights of {_shown(theirs.classes)}"]
    notes += [f"rows of the last layer that were kept: {', '.join(shared)}"] if shared else []
    notes += [f"rows of the last layer that begin anew: {', '.join(fresh)}"] if fresh else []
    notes += [f"the first {config.frozen_stages} stages of its backbone stay as they are"] * bool(config.frozen_stages)
    return Start(network, about, tuple(notes))


def _built(about: About, frozen_norms: bool = False) -> FasterRCNN:
    return build(
        about.network,
        len(about.classes) + 1,
        frozen_norms=frozen_norms,
        min_size=about.min_size,
        max_size=about.max_size,
        max_overlap=about.max_overlap,
        min_score=_TRAINED_SCORE,
    )


def _weights(init: str) -> tuple[dict[str, Tensor], About]:
    if init in DETECTORS:
        return published_state(init), About(network=init, classes=COCO_LABELS)
    if not Path(init).is_file():
        raise InputError(f"{init}: no such weights; a file or one of {', '.join(DETECTORS)} is expected")
    file = open_weights(init)
    if read_detectron2(file.content, init) is not None:
        raise InputError(
            f"{init}: holds weights of Detectron2, which find persons here but are not trained on; "
            f"a detector of torchvision's form is expected, such as {DETECTORS[0]}"
        )
    return described_state(file)


def _load(
    network: FasterRCNN, state: Mapping[str, Tensor], theirs: tuple[str, ...], actors: tuple[str, ...], init: str
) -> list[str]:
    """Take what is the same, and of the last layer the rows of the background and of shared classes; returns those."""
    own = network.state_dict()
    places = {name.lower(): place for place, name in enumerate(theirs, start=1)}
    pairs = [(place, places[name.lower()]) for place, name in enumerate(actors, start=1) if name.lower() in places]
    ours, from_theirs = (torch.tensor(column) for column in zip((0, 0), *pairs, strict=True))
    body = {name: value for name, value in state.items() if not name.startswith(HEAD)}
    head = {}
    for name, value in own.items():
        if name.startswith(HEAD):
            rows = value.view(len(actors) + 1, -1).clone()  # [classes, numbers of a class]
            given = state.get(name, value.new_zeros(0))
            if given.numel() != rows.shape[1] * (len(theirs) + 1):
                raise InputError(f"{init}: its tensors do not fit torchvision's detector ({name})")
            rows[ours] = given.reshape(len(theirs) + 1, -1)[from_theirs].to(rows.dtype)
            head[name] = rows.view_as(value)
    try:
        network.load_state_dict(body | head)
    except RuntimeError:
        raise InputError(f"{init}: its tensors do not fit torchvision's detector of this kind") from None
    return [actors[place - 1] for place, _ in pairs]


def _shown(names: tuple[str, ...]) -> str:
    known = [name for name in names if name != "N/A"]
    return ", ".join(map(shown, known)) if len(known) <= 3 else f"{len(known)} classes"
