"""Detectron2's Faster R-CNN without Detectron2: its weights, its arithmetic, its boxes, reduced to persons."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from functools import cached_property
from typing import Self

import torch
from torch import Tensor
from torchvision.models.detection._utils import BoxCoder
from torchvision.ops import batched_nms, clip_boxes_to_image

from ava_tools.errors import InputError
from ava_tools.media.frames import Image
from ava_tools.safe_pickle import shown
from slowfast_det.persons.detectron2_frames import batch_of, resized_size
from slowfast_det.persons.detectron2_network import Detectron2Network
from slowfast_det.persons.detectron2_proposals import cell_anchors, propose
from slowfast_det.persons.detectron2_settings import Convention, Detectron2Settings, convention_of
from slowfast_det.persons.detectron2_weights import Detectron2Weights
from slowfast_det.persons.finite_answers import finite_answers
from slowfast_det.persons.frames import look_by_size
from slowfast_det.persons.optimize import for_inference
from slowfast_det.persons.options import COCO_CLASSES, PERSON, DetectorOptions, Kept
from slowfast_det.persons.protocol import PersonBoxes

_DETECTIONS = 100  # of a frame, over all classes
_CODER = BoxCoder(weights=(10.0, 10.0, 5.0, 5.0))


class Detectron2Detector:
    """A Faster R-CNN of Detectron2 that finds what Detectron2 finds with the same weights.

    In fp32 its network computes step by step as Detectron2's does, else it is made faster first.
    """

    def __init__(
        self, network: Detectron2Network, convention: Convention, options: DetectorOptions, name: str = "the network"
    ) -> None:
        """``name`` is what to call it in errors."""
        self.convention = convention
        self._name = name
        self._options = options
        self._kept = _kept(network, convention, options, name)
        self.network = network.eval().requires_grad_(False)

    @property
    def _device(self) -> torch.device:
        return next(self.network.parameters()).device

    @cached_property
    def _fast(self) -> Detectron2Network:
        return for_inference(self.network, Detectron2Network.children, self._options.precision, self._device)

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

    def to(self, device: torch.device | str) -> Self:
        """The detector on another device."""
        moved = copy.copy(self)
        moved.__dict__.pop("_fast", None)
        moved.network = self.network.to(device)
        return moved

    def _resized(self, height: int, width: int) -> tuple[int, int]:
        asked, own = self._options, self.convention.settings
        return resized_size(height, width, asked.min_size or own.min_size, asked.max_size or own.max_size)

    @torch.inference_mode()
    def _look(self, frames: Sequence[Image]) -> list[PersonBoxes]:
        """The persons of frames of one size."""
        network, asked = self._fast, self._options
        height, width = frames[0].shape[:2]
        size = self._resized(height, width)
        overlap = self.convention.settings.max_overlap if asked.max_overlap is None else asked.max_overlap
        features = network.features(batch_of(frames, size, self.convention, self._device))
        deciding = network.rpn_head, network.cls_score, network.bbox_pred
        with finite_answers(deciding, self._name, asked.precision, self._device):
            regions = [boxes for boxes, _ in propose(*network.proposals(features), size)]
            logits, deltas = network.scores(features, regions)
        counts = [len(boxes) for boxes in regions]
        return [
            self._persons(*detections(*frame, size, asked.min_score, overlap), size, (height, width))
            for frame in zip(regions, torch.split(logits, counts), torch.split(deltas, counts), strict=True)
        ]

    def _persons(
        self, boxes: Tensor, scores: Tensor, classes: Tensor, size: tuple[int, int], frame_size: tuple[int, int]
    ) -> PersonBoxes:
        """Persons among the detections of one frame, in pixels of the frame as it came."""
        persons, classes = self._kept.of(classes)
        boxes, scores = to_frame(boxes[persons], size, frame_size), scores[persons]
        some = (boxes[:, 2:] > boxes[:, :2]).all(dim=1)
        return self._options.persons(boxes[some], scores[some], classes[some])


def _kept(network: Detectron2Network, convention: Convention, options: DetectorOptions, name: str) -> Kept:
    """Persons, or the actors that are asked for: weights do not name their classes, but COCO's are known."""
    if options.actors is None or [actor.lower() for actor in options.actors] == [PERSON]:
        return Kept((PERSON,), [convention.settings.person])
    count = network.cls_score.out_features - 1
    if count == len(COCO_CLASSES):
        return options.kept(COCO_CLASSES, name)
    numbers = tuple(map(str, range(count)))
    if unknown := [actor for actor in options.actors if actor not in numbers]:
        raise InputError(
            f"{name}: finds no '{shown(unknown[0])}' by that name, for it does not name its classes; numbers from 0 "
            f"to {count - 1} are expected, or person, which is Detectron2Settings(person=...)"
        )
    return options.kept(numbers, name)


def detections(
    regions: Tensor, logits: Tensor, deltas: Tensor, size: tuple[int, int], min_score: float, max_overlap: float
) -> tuple[Tensor, Tensor, Tensor]:
    """The objects of one frame.

    Args:
        regions: ``Tensor[R, 4]``, pixels of the resized frame.
        logits: ``Tensor[R, classes + 1]``, the background last.
        deltas: ``Tensor[R, 4 * classes]``, or ``Tensor[R, 4]`` where all classes share boxes.
        size: height and width of the resized frame.
        min_score: scores lie above it.
        max_overlap: of two boxes of a class with a larger IoU only the better one is kept.

    Returns:
        At most 100 boxes ``Tensor[D, 4]`` over all classes, their scores ``Tensor[D]``, falling, and their classes
        ``Tensor[D]``.
    """
    scores = logits.softmax(dim=-1)[:, :-1]  # those that are no numbers lie above nothing
    finite = torch.isfinite(deltas).all(dim=1)
    chosen, classes = torch.where((scores > min_score) & finite[:, None])
    scores = scores[chosen, classes]
    deltas = deltas.view(len(deltas), deltas.shape[1] // 4, 4)  # [R, classes or 1, 4]
    deltas = deltas[chosen, classes if deltas.shape[1] > 1 else 0]
    boxes = clip_boxes_to_image(_CODER.decode_single(deltas, regions[chosen]), size)
    kept = batched_nms(boxes, scores, classes, max_overlap)[:_DETECTIONS]
    return boxes[kept], scores[kept], classes[kept]


def to_frame(boxes: Tensor, size: tuple[int, int], frame_size: tuple[int, int]) -> Tensor:
    """Boxes ``Tensor[K, 4]`` of the resized frame in pixels of the frame as it came, within its borders."""
    down, across = (own / resized for own, resized in zip(frame_size, size, strict=True))
    clipped: Tensor = clip_boxes_to_image(boxes * boxes.new_tensor([across, down, across, down]), frame_size)
    return clipped


def detectron2_detector(
    weights: Detectron2Weights, options: DetectorOptions, settings: Detectron2Settings = Detectron2Settings()
) -> Detectron2Detector:
    """A detector with a file's weights.

    Raises:
        InputError: the weights are of another detector, or contradict the settings.
    """
    for level, anchors in enumerate(weights.anchors):
        ours = cell_anchors(min(level, 4))
        if anchors.shape != ours.shape or not torch.allclose(anchors, ours, atol=1e-2):
            raise InputError(
                f"{weights.source}: has other anchors than the model zoo's; sides of 32 to 512 pixels, one a map, "
                "and ratios 0.5, 1 and 2 are expected"
            )
    convention = convention_of(weights, settings)
    with torch.device("meta"):  # nothing is drawn or copied; the file's own tensors take the places
        network = Detectron2Network(weights.architecture, convention.stride_in_1x1)
    state = weights.state_of({name: tensor.shape for name, tensor in network.state_dict().items()})
    network.load_state_dict(state, assign=True)
    return Detectron2Detector(network, convention, options, weights.source)
