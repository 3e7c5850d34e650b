"""torchvision's Faster R-CNN detectors, reduced to persons."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torchvision.models import detection
from torchvision.models.detection import FasterRCNN

from ava_tools.errors import InputError
from ava_tools.media.frames import Image
from slowfast_det.persons.protocol import PersonBoxes
from slowfast_det.persons.small_rcnn import small_faster_rcnn
from slowfast_det.weights.files import open_weights, state_dict_of
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

    def __init__(self, network: FasterRCNN) -> None:
        self._network = network.eval()
        self._device = next(network.parameters()).device

    def __call__(self, frames: Sequence[Image]) -> list[PersonBoxes]:
        """Find the persons of each RGB ``uint8[H, W, 3]`` frame; the frames may differ in size.

        The detector's own cut (its 100 best boxes over all classes) comes before persons are kept.
        """
        with torch.inference_mode():
            answers = self._network([self._tensor(frame) for frame in frames])
        return [_persons(answer) for answer in answers]

    def _tensor(self, frame: Image) -> Tensor:
        pixels = torch.from_numpy(np.ascontiguousarray(frame)).to(self._device)
        return pixels.permute(2, 0, 1).to(torch.float32).div_(255)  # [3, H, W]

    def save(self, path: str | Path) -> None:
        """Write the weights as safetensors, from which `load_person_detector` tells the kind of detector."""
        save_weights(path, self._network.state_dict(), {})

    def to(self, device: torch.device) -> TorchvisionDetector:
        """The detector on another device."""
        return TorchvisionDetector(self._network.to(device))


def load_person_detector(
    weights: str | Path, min_score: float = 0.8, min_size: int | None = None, max_size: int | None = None
) -> TorchvisionDetector:
    """Load a person detector.

    Args:
        weights: a name of `DETECTORS` (COCO weights, downloaded once by torchvision's rules), or a state
            dict file of one of them or of `small_faster_rcnn`, recognised by its tensors.
        min_score: least score of a person.
        min_size: shorter side of the resized frame; None: the detector's own, 800 (320 for the small one).
        max_size: its longer side at most, which wins; None: the detector's own, 1333 (640).

    Raises:
        InputError: no such name or file, a foreign file, or weights that cannot be fetched; the sentence
            says what to put where.
    """
    name = str(weights)
    published = name in _BUILDERS
    if published:
        state = fetch_state_dict(_URLS[name])
    elif Path(weights).is_file():
        state = _state_of(Path(weights))
    else:
        raise InputError(f"{weights}: no such person detector; a file or one of {', '.join(DETECTORS)} is expected")
    kind = _recognise(state, name)
    if published and kind != name:
        raise InputError(f"{cached_path(_URLS[name])}: holds {kind}; delete it, and {name} will be fetched again")
    sizes = {key: size for key, size in (("min_size", min_size), ("max_size", max_size)) if size is not None}
    classes = state["roi_heads.box_predictor.cls_score.weight"].shape[0]
    network = (
        small_faster_rcnn(classes, min_score=min_score, min_size=min_size or 128, max_size=max_size or 512)
        if kind == SMALL
        else _BUILDERS[kind](
            weights=None, weights_backbone=None, num_classes=classes, box_score_thresh=min_score, **sizes
        )
    )
    if kind == "fasterrcnn_resnet50_fpn" and (published or _frozen(state)):
        _remove_epsilon(network)
    try:
        network.load_state_dict(state)
    except RuntimeError:
        raise InputError(f"{weights}: its tensors do not fit torchvision's {kind}") from None
    return TorchvisionDetector(network)


def _persons(answer: Mapping[str, Tensor]) -> PersonBoxes:
    persons = answer["labels"] == PERSON
    return PersonBoxes(
        boxes=answer["boxes"][persons].double().cpu().numpy(), scores=answer["scores"][persons].double().cpu().numpy()
    )


def _state_of(path: Path) -> dict[str, Tensor]:
    content = open_weights(path).content
    for candidate in (content, content.get("model") if isinstance(content, Mapping) else None):
        if (state := state_dict_of(candidate)) is not None:  # torchvision's training script saves {"model": ...}
            return state
    raise InputError(f"{path}: holds no state dict of a person detector")


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
    raise InputError(f"{name}: is no person detector that is known; weights of {', '.join(DETECTORS)} are expected")


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
