"""What a user may ask of any person detector, whatever network it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches

import torch
from torch import Tensor
from torchvision.models.detection import FasterRCNN_ResNet50_FPN_V2_Weights

from ava_tools.errors import InputError
from ava_tools.safe_pickle import shown
from slowfast_det.persons.protocol import PersonBoxes
from slowfast_det.precision import Precision, check_precision

PERSON = "person"
COCO_LABELS: tuple[str, ...] = tuple(FasterRCNN_ResNet50_FPN_V2_Weights.COCO_V1.meta["categories"][1:])
"""COCO's 80 classes at their published numbers, from 1, with ``N/A`` where there is a gap; torchvision counts so."""
COCO_CLASSES = tuple(name for name in COCO_LABELS if name != "N/A")
"""The same without gaps, from 0; Detectron2 counts so."""


@dataclass(frozen=True)
class DetectorOptions:
    """Options that all detectors share; None is the detector's own value.

    Attributes:
        min_score: scores of persons lie above it.
        min_size: shorter side of the resized frame, pixels.
        max_size: its longer side at most, which wins.
        max_overlap: of two detections of a class with a larger IoU only the better one is kept.
        max_persons: how many persons of a frame are kept, the best ones. The detector's own cut over all classes
            comes before.
        min_side: persons whose box is narrower or lower are dropped; pixels of the frame.
        actors: names of the classes that are kept; None: persons, or every class where none is called so.
        precision: arithmetic of the network, see `load_person_detector`; boxes are computed in fp32 in any case.
    """

    min_score: float = 0.8
    min_size: int | None = None
    max_size: int | None = None
    max_overlap: float | None = None
    max_persons: int | None = None
    min_side: float = 0.0
    actors: tuple[str, ...] | None = None
    precision: Precision = "fp32"

    def __post_init__(self) -> None:
        for name in ("min_size", "max_size", "max_persons"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise InputError(f"{name} is {value}; at least 1 is expected")
        if not 0 <= self.min_score <= 1:
            raise InputError(f"min_score is {self.min_score:g}; a score from 0 to 1 is expected")
        if self.max_overlap is not None and not 0 <= self.max_overlap <= 1:
            raise InputError(f"max_overlap is {self.max_overlap:g}; an IoU from 0 to 1 is expected")
        if not self.min_side >= 0:
            raise InputError(f"min_side is {self.min_side:g}; at least 0 pixels are expected")
        if self.actors is not None and not self.actors:
            raise InputError("actors name nothing; names of classes are expected, such as person")
        check_precision(self.precision)

    def kept(self, classes: Sequence[str], source: str) -> Kept:
        """Which of a detector's classes are wanted.

        Raises:
            InputError: an actor is none of them; ``source`` is what the sentence calls the detector.
        """
        names = self.actors or ((PERSON,) if PERSON in classes else tuple(name for name in classes if name != "N/A"))
        places = {name.lower(): place for place, name in enumerate(classes) if name != "N/A"}
        if not places:
            raise InputError(f"{source}: names none of its classes; a detector of something is expected")
        for name in names:
            if name.lower() not in places:
                raise InputError(f"{source}: finds no '{shown(name)}'{_meant(name.lower(), list(places))}")
        return Kept(tuple(classes[places[name.lower()]] for name in names), [places[name.lower()] for name in names])

    def persons(self, boxes: Tensor, scores: Tensor, classes: Tensor) -> PersonBoxes:
        """What is kept of a frame's persons.

        Args:
            boxes: ``Tensor[K, 4]``, pixels of the frame.
            scores: ``Tensor[K]``, falling.
            classes: ``Tensor[K]``.
        """
        if self.min_side > 0:
            large = ((boxes[:, 2:] - boxes[:, :2]) >= self.min_side).all(dim=1)
            boxes, scores, classes = boxes[large], scores[large], classes[large]
        return PersonBoxes(
            boxes=boxes[: self.max_persons].double().cpu().numpy(),
            scores=scores[: self.max_persons].double().cpu().numpy(),
            classes=classes[: self.max_persons].long().cpu().numpy(),
        )


def _meant(name: str, known: Sequence[str]) -> str:
    """The classes that may have been meant by an unknown one, or what there is."""
    if close := get_close_matches(name, known, n=3):
        return f"; did you mean {' or '.join(repr(shown(each)) for each in close)}?"
    return f"; it finds {', '.join(shown(each) for each in known[:10])}{', ...' if len(known) > 10 else ''}"


@dataclass(frozen=True)
class Kept:
    """The classes of a detector that are kept.

    Attributes:
        names: what they are called.
        places: where they stand among all of the detector's.
    """

    names: tuple[str, ...]
    places: Sequence[int]

    def of(self, classes: Tensor) -> tuple[Tensor, Tensor]:
        """``bool[D]`` which detections ``Tensor[D]`` of all classes are kept, and what those are among the names."""
        hits = classes[:, None] == torch.tensor(self.places, device=classes.device)  # [D, names]
        chosen = hits.any(dim=1)
        return chosen, hits[chosen].long().argmax(dim=1)
