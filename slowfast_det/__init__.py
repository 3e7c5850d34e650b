"""Who does what in a video: SlowFast action detection on AVA's terms.

Names are loaded when they are first used, so that importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ava_tools.errors import InputError

if TYPE_CHECKING:
    from slowfast_det.checkpoints.model import Model, load_classifier, load_model, load_network
    from slowfast_det.class_result import ClassifiedStretch
    from slowfast_det.classification import FilmClassifier
    from slowfast_det.keyframe import Keyframe
    from slowfast_det.persons.detectron2_settings import Detectron2Settings
    from slowfast_det.persons.loading import load_person_detector
    from slowfast_det.persons.precomputed import PrecomputedBoxes
    from slowfast_det.pipeline import ActionDetector
    from slowfast_det.results import FilmResult
    from slowfast_det.smoothing import Smoothing
    from slowfast_det.span import Span

_HOMES = {
    "ActionDetector": "pipeline",
    "ClassifiedStretch": "class_result",
    "Detectron2Settings": "persons.detectron2_settings",
    "FilmClassifier": "classification",
    "FilmResult": "results",
    "Keyframe": "keyframe",
    "Model": "checkpoints.model",
    "PrecomputedBoxes": "persons.precomputed",
    "Smoothing": "smoothing",
    "Span": "span",
    "load_classifier": "checkpoints.model",
    "load_model": "checkpoints.model",
    "load_network": "checkpoints.model",
    "load_person_detector": "persons.loading",
}
__all__ = [
    "ActionDetector",
    "ClassifiedStretch",
    "Detectron2Settings",
    "FilmClassifier",
    "FilmResult",
    "InputError",
    "Keyframe",
    "Model",
    "PrecomputedBoxes",
    "Smoothing",
    "Span",
    "load_classifier",
    "load_model",
    "load_network",
    "load_person_detector",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
