"""torchvision's Faster R-CNN detectors, reduced to persons."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor
from torchvision.models import detection
from torchvision.models.detection import FasterRCNN

from ava_tools.errors import InputError
from ava_tools.media.frames import Image
from slowfast_det.persons.options import DetectorOptions
from slowfast_det.persons.protocol import PersonBoxes
from slowfast_det.persons.small_rcnn import small_faster_rcnn
from slowfast_det.weights.files import state_dict_of
from slowfast_det.weights.hub import cached_path, fetch_state_dict
from slowfast_det.weights.writing import save_weights

_BUILDERS: dict[str, Callable[..., FasterRCNN]] = {
    "fasterrcnn_resnet50_fpn_v2": detection.fasterrcnn_resnet50_fpn_v2,
    "fasterrcnn_resnet50_fpn": detection.fasterrcnn_resnet50_fpn,
    "fasterrcnn_mobilenet_v3_large_320_fpn": detection.fasterrcnn_mobilenet_v3_large_320_fpn,
}
_URLS: dict[str, str] = {
    "fasterrcnn_resnet50_fpn_v2": detection.FasterRCNN_ResNet50_FPN_V2_Weights.COCO_V1.url,
    "fasterrcnn_resnet50_fpn": detection.FasterRCNN_ResNet50_FPN_Weights.COCO_V1.url,
    "fasterrcnn_mobilenet_v3_large_320_fpn": detection.FasterRCNN_MobileNet_V3_Large_320_FPN_Weights.COCO_V1.url,
}
DETECTORS = tuple(_BUILDERS)
SMALL = "small_faster_rcnn"  # ours; its weights come from nowhere but a training
PERSON = 1  # COCO's category; 0 is the background


class TorchvisionDetector:
    """A Faster R-CNN whose class 1 are persons."""

    def __init__(self, network: FasterRCNN, options: DetectorOptions = DetectorOptions()) -> None:
        """Take a network as it is; of the options only those count that pick among its persons."""
        self._network = network.eval()
        self._options = options
        self._device = next(network.parameters()).device

    def __call__(self, frames: Sequence[Image]) -> list[PersonBoxes]:
        """Find the persons of each RGB ``uint8[H, W, 3]`` frame; the frames may differ in size.

        The detector's own cut (its 100 best boxes over all classes) comes before persons are kept.
        """
        with torch.inference_mode():
            answers = self._network([self._tensor(frame) for frame in frames])
        return [self._persons(answer) for answer in answers]

    def _tensor(self, frame: Image) -> Tensor:
        pixels = torch.from_numpy(np.ascontiguousarray(frame)).to(self._device)
        return pixels.permute(2, 0, 1).to(torch.float32).div_(255)  # [3, H, W]

    def _persons(self, answer: Mapping[str, Tensor]) -> PersonBoxes:
        persons = answer["labels"] == PERSON
        return self._options.persons(answer["boxes"][persons], answer["scores"][persons])

    def save(self, path: str | Path) -> None:
        """Write the weights as safetensors, from which `load_person_detector` tells the kind of detector."""
        save_weights(path, self._network.state_dict(), {})

    def to(self, device: torch.device) -> Self:
        """The detector on another device."""
        return type(self)(self._network.to(device), self._options)


def published_detector(name: str, options: DetectorOptions) -> TorchvisionDetector:
    """One of `DETECTORS` with its COCO weights.

    Raises:
        InputError: they cannot be fetched, or another file is in their place.
    """
    state = fetch_state_dict(_URLS[name])
    kind = _recognise(state, name)
    if kind != name:
        raise InputError(f"{cached_path(_URLS[name])}: holds {kind}; delete it, and {name} will be fetched again")
    return _build(kind, state, name, options, without_epsilon=kind == "fasterrcnn_resnet50_fpn")


def torchvision_detector(content: Any, source: str, options: DetectorOptions) -> TorchvisionDetector:
    """A detector of a file's content, as `open_weights` gives it.

    Raises:
        InputError: it is none that is known; ``source`` is what the sentence calls it.
    """
    state = _state_of(content, source)
    kind = _recognise(state, source)
    return _build(kind, state, source, options, kind == "fasterrcnn_resnet50_fpn" and _frozen(state))


def _build(
    kind: str, state: dict[str, Tensor], source: str, options: DetectorOptions, without_epsilon: bool
) -> TorchvisionDetector:
    classes = state["roi_heads.box_predictor.cls_score.weight"].shape[0]
    asked = {"min_size": options.min_size, "max_size": options.max_size}
    sizes: dict[str, Any] = {key: size for key, size in asked.items() if size is not None}
    network = (
        small_faster_rcnn(classes, min_score=options.min_score, **sizes)
        if kind == SMALL
        else _BUILDERS[kind](
            weights=None, weights_backbone=None, num_classes=classes, box_score_thresh=options.min_score, **sizes
        )
    )
    if options.max_overlap is not None:
        network.roi_heads.nms_thresh = options.max_overlap
    if without_epsilon:
        _remove_epsilon(network)
    try:
        network.load_state_dict(state)
    except RuntimeError:
        raise InputError(f"{source}: its tensors do not fit torchvision's {kind}") from None
    return TorchvisionDetector(network, options)


def _state_of(content: Any, source: str) -> dict[str, Tensor]:
    for candidate in (content, content.get("model") if isinstance(content, Mapping) else None):
        if (state := state_dict_of(candidate)) is not None:  # torchvision's training script saves {"model": ...}
            return state
    raise InputError(f"{source}: holds no state dict of a person detector")


def _recognise(state: Mapping[str, Tensor], name: str) -> str:
    if "roi_heads.box_predictor.cls_score.weight" in state:
        if "rpn.head.conv.1.0.weight" in state:
            return "fasterrcnn_resnet50_fpn_v2"
        if "backbone.body.layer1.0.conv1.weight" in state:
            return "fasterrcnn_resnet50_fpn"
        if "backbone.body.0.0.weight" in state:
            return "fasterrcnn_mobilenet_v3_large_320_fpn"
        if "backbone.stem.0.0.weight" in state:
            return SMALL
    raise InputError(
        f"{name}: is no person detector that is known; weights of {', '.join(DETECTORS)}, or of Detectron2's "
        "Faster R-CNN with FPN, are expected"
    )


def _frozen(state: Mapping[str, Tensor]) -> bool:
    """Whether the batch norms were frozen when the weights were saved: those count no batches."""
    return not any(key.endswith("num_batches_tracked") for key in state)


def _remove_epsilon(network: FasterRCNN) -> None:
    """Torchvision runs these weights, and all that were fine-tuned from them, with an epsilon of 0.

    (They were trained before its frozen batch norm had one.)
    """
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.eps = 0.0
