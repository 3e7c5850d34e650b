"""From a name or a file to the person detector that it belongs to."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ava_tools.errors import InputError
from slowfast_det.persons.detector_file import read_about
from slowfast_det.persons.detectron2_config import read_settings
from slowfast_det.persons.detectron2_native import PREFIX, native_detector
from slowfast_det.persons.detectron2_rcnn import detectron2_detector
from slowfast_det.persons.detectron2_settings import Detectron2Settings
from slowfast_det.persons.detectron2_weights import read_detectron2
from slowfast_det.persons.options import DetectorOptions
from slowfast_det.persons.protocol import MovablePersonDetector
from slowfast_det.persons.torchvision_networks import DETECTORS
from slowfast_det.persons.torchvision_rcnn import published_detector, torchvision_detector
from slowfast_det.precision import Precision
from slowfast_det.weights.companion import companion_of
from slowfast_det.weights.files import WeightFile, open_weights

_MIN_SCORE = 0.8


def load_person_detector(
    weights: str | Path | WeightFile,
    min_score: float | None = None,
    min_size: int | None = None,
    max_size: int | None = None,
    *,
    max_overlap: float | None = None,
    max_persons: int | None = None,
    min_side: float = 0.0,
    actors: Sequence[str] | str | None = None,
    precision: Precision = "fp32",
    detectron2: Detectron2Settings | str | Path | None = None,
) -> MovablePersonDetector:
    """Load a person detector.

    Args:
        weights: a name of `DETECTORS` (COCO weights, downloaded once by torchvision's rules); a file of weights, told
            by its tensors: of one of them, of `small_faster_rcnn`, or of Detectron2's Faster R-CNN with FPN (``.pkl``
            of its model zoo, ``.pth`` of a training), or that of a model which a detector comes along with; such a
            file that was read before; or ``detectron2:CONFIG`` or ``detectron2:CONFIG@WEIGHTS``, which runs Detectron2
            itself where it is installed.
        min_score: scores of persons lie above it; None: 0.8, or what a file of ours says.
        min_size: shorter side of the resized frame; None: the detector's own, 800 (320 and 128 for the small ones).
        max_size: its longer side at most, which wins; None: the detector's own, 1333 (640 and 512).
        max_overlap: of two detections with a larger IoU only the better one is kept; None: the detector's own, 0.5
            (0.6 for `small_faster_rcnn`).
        max_persons: how many persons of a frame are kept, the best ones; None: all. The detector's own cut over all
            classes comes before.
        min_side: persons whose box is narrower or lower are dropped; pixels of the frame.
        actors: names of the classes that are kept, such as COCO's bird and car, or those that the detector was trained
            on, or one name; of Detectron2's files of other than COCO's classes, which do not name them, their numbers
            from 0 as text. None: persons, or every class where none is called person.
        precision: arithmetic of the network. ``fp32``: step by step as it is written; ``auto``: on a CPU fp32
            made faster, equal but for rounding, on a GPU bf16; ``bf16``, ``fp16``: half precision.
        detectron2: what Detectron2's weights do not say: settings, or the ``config.yaml`` of their training; None: as
            in its model zoo. For those files only.

    Raises:
        InputError: no such name or file, a foreign file, or weights that cannot be fetched; the sentence
            says what to put where.
    """
    name = str(weights.path if isinstance(weights, WeightFile) else weights)
    file = _file(weights, name)
    own = None if file is None else read_about(file.metadata, name)
    if min_score is None:
        min_score = _MIN_SCORE if own is None or own.min_score is None else own.min_score
    options = DetectorOptions(
        min_score=min_score,
        min_size=min_size,
        max_size=max_size,
        max_overlap=max_overlap,
        max_persons=max_persons,
        min_side=min_side,
        actors=(actors,) if isinstance(actors, str) else None if actors is None else tuple(actors),
        precision=precision,
    )
    settings = read_settings(detectron2) if isinstance(detectron2, str | Path) else detectron2
    if name.startswith(PREFIX):
        return native_detector(name, options, settings)
    if file is None:
        _refuse(settings, name)
        return published_detector(name, options)
    if (theirs := read_detectron2(file.content, name)) is not None:
        return detectron2_detector(theirs, options, settings or Detectron2Settings())
    _refuse(settings, name)
    return torchvision_detector(file, options)


def _file(weights: str | Path | WeightFile, name: str) -> WeightFile | None:
    """The file that holds the weights; None where a name stands for them."""
    if isinstance(weights, WeightFile):
        return weights
    if name.startswith(PREFIX) or name in DETECTORS:
        return None
    if not Path(weights).is_file():
        raise InputError(
            f"{name}: no such person detector; a file or one of {', '.join(DETECTORS)} is expected, "
            f"or {PREFIX}CONFIG for Detectron2 itself"
        )
    file = open_weights(weights)
    return companion_of(file) or file


def _refuse(settings: Detectron2Settings | None, name: str) -> None:
    if settings is not None:
        raise InputError(f"{name}: is no detector of Detectron2, whose settings were given; leave them out")
