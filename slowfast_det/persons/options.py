"""What a user may ask of any person detector, whatever network it is."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from ava_tools.errors import InputError
from slowfast_det.persons.protocol import PersonBoxes


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
    """

    min_score: float = 0.8
    min_size: int | None = None
    max_size: int | None = None
    max_overlap: float | None = None
    max_persons: int | None = None
    min_side: float = 0.0

    def __post_init__(self) -> None:
        for name in ("min_size", "max_size", "max_persons"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise InputError(f"{name} is {value}; at least 1 is expected")
        if self.max_overlap is not None and not 0 <= self.max_overlap <= 1:
            raise InputError(f"max_overlap is {self.max_overlap:g}; an IoU from 0 to 1 is expected")
        if not self.min_side >= 0:
            raise InputError(f"min_side is {self.min_side:g}; at least 0 pixels are expected")

    def persons(self, boxes: Tensor, scores: Tensor) -> PersonBoxes:
        """What is kept of a frame's persons.

        Args:
            boxes: ``Tensor[K, 4]``, pixels of the frame.
            scores: ``Tensor[K]``, falling.
        """
        if self.min_side > 0:
            large = ((boxes[:, 2:] - boxes[:, :2]) >= self.min_side).all(dim=1)
            boxes, scores = boxes[large], scores[large]
        return PersonBoxes(
            boxes=boxes[: self.max_persons].double().cpu().numpy(),
            scores=scores[: self.max_persons].double().cpu().numpy(),
        )
