"""torchvision's Faster R-CNN detectors, reduced to persons."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Self

import torch
from torch import Tensor
from torchvision.models.detection import FasterRCNN
from torchvision.models.detection.image_list import ImageList

from ava_tools.errors import InputError
from ava_tools.media.frames import Image
from ava_tools.safe_pickle import shown
from slowfast_det.persons.detector_file import MOST_CLASSES, About, read_about
from slowfast_det.persons.finite_answers import finite_answers
from slowfast_det.persons.frames import look_by_size
from slowfast_det.persons.optimize import for_inference
from slowfast_det.persons.options import COCO_LABELS, PERSON, DetectorOptions
from slowfast_det.persons.protocol import PersonBoxes
from slowfast_det.persons.torchvision_frames import batch_of, resized_size
from slowfast_det.persons.torchvision_networks import (
    HEAD,
    URLS,
    build,
    has_frozen_norms,
    parts_of,
    recognise,
)
from slowfast_det.weights.files import WeightFile, refuse_broken, state_dict_of
from slowfast_det.weights.hub import cached_path, fetch_state_dict


class TorchvisionDetector:
    """A Faster R-CNN of torchvision's form, reduced to persons or whatever else is asked for."""

    def __init__(
        self,
        network: FasterRCNN,
        options: DetectorOptions = DetectorOptions(),
        classes: Sequence[str] = (PERSON,),
        name: str = "the network",
    ) -> None:
        """Make a detector of a network.

        Args:
            network: its least score and largest overlap are its own.
            options: sizes, precision, and those that pick among its detections.
            classes: what its labels 1, 2, ... are called.
            name: what to call it in errors.
        """
        self._options = options
        self._name = name
        self._kept = options.kept(classes, name)
        self._network = network.eval()

    @property
    def _device(self) -> torch.device:
        device: torch.device = next(self._network.parameters()).device
        return device

    @cached_property
    def _fast(self) -> FasterRCNN:
        return for_inference(self._network, parts_of, self._options.precision, self._device)

    @property
    def classes(self) -> tuple[str, ...]:
        """What it finds."""
        return self._kept.names

    def __call__(self, frames: Sequence[Image]) -> list[PersonBoxes]:
        """Find the persons of each RGB ``uint8[H, W, 3]`` frame; none depends on the others but by rounding.

        The detector's own cut (its 100 best boxes over all classes) comes before persons are kept.

        Raises:
            InputError: what is no frame, or the network's answers are no numbers.
        """
        return look_by_size(frames, self._look, self._resized, self._device)

    def _resized(self, height: int, width: int) -> tuple[int, int]:
        asked, own = self._options, self._network.transform
        return resized_size(height, width, asked.min_size or own.min_size[-1], asked.max_size or own.max_size)

    @torch.inference_mode()
    def _look(self, frames: Sequence[Image]) -> list[PersonBoxes]:
        """The persons of frames of one size."""
        network, transform = self._fast, self._fast.transform
        height, width = frames[0].shape[:2]
        size = self._resized(height, width)
        batch = batch_of(frames, size, transform.image_mean, transform.image_std, self._device)
        images = ImageList(batch, [size] * len(frames))
        features = network.backbone(batch)
        deciding = network.rpn.head, network.roi_heads.box_predictor
        with finite_answers(deciding, self._name, self._options.precision, self._device):
            proposals, _ = network.rpn(images, features)
            found, _ = network.roi_heads(features, proposals, images.image_sizes)
        return [
            self._persons(one)
            for one in transform.postprocess(found, images.image_sizes, [(height, width)] * len(frames))
        ]

    def _persons(self, found: Mapping[str, Tensor]) -> PersonBoxes:
        chosen, classes = self._kept.of(found["labels"] - 1)
        return self._options.persons(found["boxes"][chosen], found["scores"][chosen], classes)

    def to(self, device: torch.device | str) -> Self:
        """The detector on another device."""
        moved = copy.copy(self)
        moved.__dict__.pop("_fast", None)
        moved._network = self._network.to(device)
        return moved


def published_detector(name: str, options: DetectorOptions) -> TorchvisionDetector:
    """One of torchvision's detectors with its COCO weights.

    Raises:
        InputError: they cannot be fetched, or another file is in their place.
    """
    return _detector(published_state(name), About(network=name, classes=COCO_LABELS), name, options)


def published_state(name: str) -> dict[str, Tensor]:
    """COCO weights of one of torchvision's detectors.

    Raises:
        InputError: they cannot be fetched, or another file is in their place.
    """
    state = fetch_state_dict(URLS[name])
    kind = recognise(state, name)
    if kind != name:
        raise InputError(f"{cached_path(URLS[name])}: holds {kind}; delete it, and {name} will be fetched again")
    return {key: value for key, value in state.items() if not key.endswith("num_batches_tracked")}  # norms were fixed


def torchvision_detector(file: WeightFile, options: DetectorOptions) -> TorchvisionDetector:
    """A detector of a file's content.

    Raises:
        InputError: it is none that is known.
    """
    state, about = described_state(file)
    return _detector(state, about, str(file.path), options)


def described_state(file: WeightFile) -> tuple[dict[str, Tensor], About]:
    """Weights of a file, and what they are of: as the file itself says, else as their names and shapes tell.

    Raises:
        InputError: they are of no detector that is known.
    """
    name = str(file.path)
    state = _state_of(file.content, name)
    kind = recognise(state, name)
    refuse_broken(state, name)
    told = read_about(file.metadata, name)
    shape = state[f"{HEAD}cls_score.weight"].shape
    if len(shape) != 2 or not 1 < shape[0] <= MOST_CLASSES + 1:
        raise InputError(
            f"{name}: {HEAD}cls_score.weight has the shape {list(shape)}; a row for the background and for each of 1 "
            f"to {MOST_CLASSES} classes is expected"
        )
    labels = shape[0] - 1
    if told is not None and (told.network, len(told.classes)) != (kind, labels):
        raise InputError(
            f"{name}: says that it is {shown(told.network)} of {len(told.classes)} classes, "
            f"but holds {kind} of {labels}"
        )
    guessed = COCO_LABELS if labels == len(COCO_LABELS) else _numbered(labels)
    return state, told or About(network=kind, classes=guessed)


def _detector(state: Mapping[str, Tensor], about: About, source: str, options: DetectorOptions) -> TorchvisionDetector:
    network = build(
        about.network,
        len(about.classes) + 1,
        frozen_norms=has_frozen_norms(about.network, state),
        min_size=options.min_size or about.min_size,
        max_size=options.max_size or about.max_size,
        max_overlap=about.max_overlap if options.max_overlap is None else options.max_overlap,
        min_score=options.min_score,
    )
    try:
        network.load_state_dict(state)
    except RuntimeError:
        raise InputError(f"{source}: its tensors do not fit torchvision's {about.network}") from None
    return TorchvisionDetector(network, options, about.classes, source)


def _numbered(count: int) -> tuple[str, ...]:
    """Names for classes without any: the first are persons."""
    return (PERSON, *(f"class {number}" for number in range(2, count + 1)))


def _state_of(content: Any, source: str) -> dict[str, Tensor]:
    for candidate in (content, content.get("model") if isinstance(content, Mapping) else None):
        if (state := state_dict_of(candidate)) is not None:  # torchvision's training script saves {"model": ...}
            return state
    raise InputError(f"{source}: holds no state dict of a person detector")
